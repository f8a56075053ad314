//! A container for each site, on a network of the lab's own that has no way out.
//!
//! A container is a place, not a daemon: it brings the release, the address and the file system, and its first process
//! does nothing. The lab starts each daemon in it by itself, and ends, freezes and restarts each by itself, exactly as it
//! does with processes. For that the containers see the pids of the machine, and the lab's directory under its own name:
//! pid files, admin sockets, logs and data are where they always are.

use std::ffi::OsString;
use std::io::Cursor;
use std::path::Path;

use rustix::process::{getgid, getuid};

use crate::backend::Backend;
use crate::directory::Directory;
use crate::engine::{ask, engine, has_image};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::site::{Daemon, SiteId};
use crate::tool::Tool;

/// The mark on everything of ours that the engine keeps; its value is the lab's directory.
const LABEL: &str = "ceph-lab.dir";

/// The containers of a lab, whether or not they exist.
#[derive(Clone, Debug)]
pub(crate) struct Containers {
    directory: Directory,
    record: Record,
    engine: &'static str,
    releases: [String; 2],
}

impl Containers {
    /// The containers of a lab that has any.
    pub(crate) fn of(directory: &Directory, record: &Record) -> Result<Option<Self>> {
        let Backend::Containers { releases } = &record.options.backend else { return Ok(None) };
        let (directory, record, releases) = (directory.clone(), record.clone(), releases.clone());
        Ok(Some(Self { directory, record, engine: engine()?, releases }))
    }

    /// What takes everything of this lab away, for the guardian: the engine, both containers, the network.
    pub(crate) fn names(&self) -> [String; 4] {
        let [a, b] = SiteId::ALL.map(|site| self.name(site));
        [self.engine.to_owned(), a, b, self.network()]
    }

    fn network(&self) -> String {
        format!("ceph-lab-{}", self.record.first_port)
    }

    fn name(&self, site: SiteId) -> String {
        format!("{}-{site}", self.network())
    }

    /// Makes everything anew, in the place of what somebody may have left under the same names.
    pub(crate) fn make(&self) -> Result<()> {
        self.remove()?;
        self.ensure()
    }

    /// Makes what is missing: the network and both containers.
    pub(crate) fn ensure(&self) -> Result<()> {
        for release in &self.releases {
            let image = Backend::image(release);
            if !has_image(&image)? {
                return Err(Error::NoImage { image, release: release.clone() });
            }
        }
        let label = format!("{LABEL}={}", self.directory.path().display());
        let network = self.network();
        if ask(self.engine, ["network", "inspect", &network]).is_err() {
            let subnet = self.record.subnet();
            let create =
                ["network", "create", "--internal", "--label", &label, "--subnet", &subnet, &network];
            ask(self.engine, create)?;
        }
        SiteId::ALL.into_iter().try_for_each(|site| self.ensure_container(site, &label))
    }

    fn ensure_container(&self, site: SiteId, label: &str) -> Result<()> {
        let name = self.name(site);
        match ask(self.engine, ["inspect", "--format", "{{.State.Running}}", &name]) {
            Ok(running) if running.trim() == "true" => return Ok(()),
            // Stopped by hand, or by a restart of the machine. Its file system holds nothing that is missed.
            Ok(_) => drop(ask(self.engine, ["rm", "--force", &name])?),
            // There is none.
            Err(Error::Tool { .. }) => {}
            Err(error) => return Err(error),
        }
        let dir = self.directory.path().display().to_string();
        let (address, image) = (self.record.address(site), Backend::image(&self.releases[site as usize]));
        let run = ["run", "--detach", "--name", &name, "--hostname", site.name(), "--label", label];
        // NET_ADMIN is for the rules by which the sites are cut from each other, in the container's own network.
        let place =
            ["--pid", "host", "--cap-add", "NET_ADMIN", "--network", &self.network(), "--ip", &address];
        let volume = format!("{dir}:{dir}");
        let tool = Tool::new(self.engine).args(run).args(place).args(["--volume", &volume, &image]);
        tool.args([dir.as_str(), site.name()]).text().map(drop)
    }

    /// Takes both containers and the network away, daemons and all. What is gone already is no error.
    pub(crate) fn remove(&self) -> Result<()> {
        for site in SiteId::ALL {
            let name = self.name(site);
            if ask(self.engine, ["inspect", "--format", "{{.Id}}", &name]).is_ok() {
                ask(self.engine, ["rm", "--force", &name])?;
            }
        }
        let network = self.network();
        if ask(self.engine, ["network", "inspect", &network]).is_ok() {
            ask(self.engine, ["network", "rm", &network])?;
        }
        Ok(())
    }

    /// The command line that runs a program in a site's container as who we are.
    fn exec(&self, site: SiteId, options: &[&str]) -> Vec<OsString> {
        let user = format!("{}:{}", getuid().as_raw(), getgid().as_raw());
        let mut line: Vec<OsString> = vec![self.engine.into(), "exec".into()];
        line.extend(["--user", &user].map(OsString::from));
        line.extend(options.iter().map(OsString::from));
        line.push(self.name(site).into());
        line
    }

    /// A program of the site's own release.
    pub(crate) fn tool(&self, site: SiteId, program: &'static str) -> Tool {
        Tool::new(program).inside(self.exec(site, &[]))
    }

    /// Starts a program that goes on by itself. Its output is appended to the daemon's file for that.
    pub(crate) fn launch(
        &self,
        site: SiteId,
        daemon: Daemon,
        folder: &Path,
        command: Vec<OsString>,
        env: &str,
    ) -> Result<()> {
        let output = self.directory.output(site, daemon).into_os_string();
        let script = r#"exec >> "$1" 2>&1; shift; exec "$@""#;
        let folder = folder.display().to_string();
        let mut options = vec!["--detach", "--workdir", &folder];
        if !env.is_empty() {
            options.extend(["--env", env]);
        }
        let tool = Tool::new("sh").inside(self.exec(site, &options));
        tool.args(["-c", script, "sh"]).args([output]).args(command).text().map(drop)
    }

    /// Feeds rules to the packet filter of a site's container.
    pub(crate) fn filter(&self, site: SiteId, rules: String) -> Result<()> {
        let name = self.name(site);
        let exec = [self.engine, "exec", "--interactive", "--user", "0", &name];
        let tool = Tool::new("nft").inside(exec.map(OsString::from).to_vec());
        tool.args(["--file", "-"]).input(Box::new(Cursor::new(rules))).text().map(drop)
    }

    /// Whether a site's release makes keys that older releases cannot read, unless told otherwise: Tentacle's do.
    pub(crate) fn has_new_ciphers(&self, site: SiteId) -> Result<bool> {
        // Some releases end with an error after having shown their help.
        let help = self.tool(site, "sh").args(["-c", "monmaptool --help 2>&1 || true"]).text()?;
        Ok(help.contains("--auth-allowed-ciphers"))
    }
}
