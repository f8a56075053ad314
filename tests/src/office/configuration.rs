//! The operator's configuration, `one-dr.toml`, and files that nobody else reads.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;
use lab::{Lab, SiteId};

use super::front::Front;
use super::{HOME_POOL, LOCAL_POOL};

/// The configuration's name.
pub(super) const NAME: &str = "one-dr.toml";

/// Writes it. The limits are those of sites whose daemons react in seconds.
pub(super) fn write(lab: &Lab, folder: &Path, fronts: &[Front; 2]) -> Result<()> {
    let mut text = format!(
        "runs = {:?}\ncatalog = {:?}\ndelete_delay_seconds = 600\n\n",
        folder.join("runs"),
        folder.join("catalog")
    );
    for front in fronts {
        let site = front.site();
        let auth = front.auth_file();
        let (table, name) = match site {
            SiteId::A => ("home", "a"),
            SiteId::B => ("recovery", "b"),
        };
        text += &format!(
            "[{table}]\nname = {name:?}\n\n[{table}.ceph]\nconf = {:?}\nclient = \"admin\"\npool = {HOME_POOL:?}\n\
             connect_seconds = 3\nread_seconds = 5\nchange_seconds = 40\nsilence_seconds = 10\n\n\
             [{table}.opennebula]\nendpoint = {:?}\nauth_file = {auth:?}\nread_seconds = 5\nsilence_seconds = 10\n\n",
            lab.site(site).conf(),
            front.url(),
        );
    }
    text += &format!(
        "[site_map]\nvolatile = \"register\"\n\n[site_map.datastores]\ndefault = \"replicas\"\n\n\
         [limits]\npoweroff_seconds = 60\nno_writer_seconds = 60\nmirror_seconds = 180\ncopy_seconds = 240\n\
         start_seconds = 120\nstep_seconds = 60\nsettle_seconds = 5\nlease_seconds = 20\npoll_milliseconds = 200\n\n\
         [drill]\npool = {LOCAL_POOL:?}\ndatastore = \"default\"\nnetwork = \"isolated\"\n"
    );
    private(&folder.join(NAME), &text)
}

/// A file that nobody else reads.
pub(super) fn private(path: &Path, text: &str) -> Result<()> {
    let mut open = fs::OpenOptions::new();
    let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
