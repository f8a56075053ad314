//! `init`: both sites set up for each other.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use one_dr::config::EXAMPLE;
use one_dr::{Side, Verb};

use super::change;
use crate::cli::args::{ChangeArgs, MoveArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::out;
use crate::cli::world::World;

pub(crate) fn example() -> Result<Exit, Failure> {
    out(EXAMPLE)?;
    Ok(Exit::Done)
}

pub(crate) fn run(world: &World, files: Option<&Path>, args: &ChangeArgs) -> Result<Exit, Failure> {
    let args = MoveArgs { change: args.clone(), ..MoveArgs::default() };
    let exit = change::run(world, Verb::Configure, &args)?;
    match files {
        Some(directory) if exit == Exit::Done => write(world, directory).map(|()| exit),
        _ => Ok(exit),
    }
}

/// The guide's files: for each site what the *other* one's rbd-mirror needs to reach it.
fn write(world: &World, directory: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    for side in [Side::Home, Side::Recovery] {
        let site = world.sites.pair.at(side);
        let token = site.storage.create_token()?;
        let guide = one_dr::storage::PeerFiles::of(&site.name, &token).ok_or_else(|| {
            Failure::new(Exit::Error, format!("the token of site {} cannot be read", site.name))
        })?;
        for (name, text) in guide.files() {
            let mut open = fs::OpenOptions::new();
            let mut file =
                open.write(true).create(true).truncate(true).mode(0o600).open(directory.join(&name))?;
            file.write_all(text.as_bytes())?;
            say!(
                "{}: for the rbd-mirror of the other site, /etc/ceph/{name}",
                directory.join(&name).display()
            );
        }
    }
    Ok(())
}
