//! What a lab's directory says about itself: how it was made, its ports, who owns it.

use std::fs;
use std::io;
use std::path::Path;
use std::process;

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::directory::Directory;
use crate::error::{At, Result};
use crate::options::{Options, Owner};
use crate::process::Process;
use crate::site::SiteId;

/// The first port of all labs: below the ephemeral ports (32768 and up), clear of Ceph's own (3300, 6789, 6800-7568).
pub(crate) const FIRST_PORT: u16 = 12_000;

/// How many ports a site has: one for the monitor, the rest for its manager and OSD to choose from.
pub(crate) const PORTS_PER_SITE: u16 = 50;

/// The record of a lab, `lab.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) options: Options,
    pub(crate) first_port: u16,
    /// The cluster ids of both sites.
    fsids: [String; 2],
    /// The owning process, as [`Process::to_text`] writes it.
    owner: Option<String>,
}

impl Record {
    /// A new lab's record, owned by this process if the options say so.
    pub(crate) fn new(options: Options, first_port: u16) -> Result<Self> {
        let owner = match options.owner {
            Owner::Nobody => None,
            Owner::Process => Process::with_pid(process::id()).map(Process::to_text),
        };
        Ok(Self { options, first_port, fsids: [uuid()?, uuid()?], owner })
    }

    /// The record in `directory`; none if it is missing or not one of ours.
    pub(crate) fn read(directory: &Directory) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(directory.record()).ok()?).ok()
    }

    /// Writes the record so that it is there whole or not at all.
    pub(crate) fn write(&self, directory: &Directory) -> Result<()> {
        let (path, fresh) = (directory.record(), directory.record().with_extension("json.new"));
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from).at("write", &path)?;
        fs::write(&fresh, text + "\n").at("write", &fresh)?;
        fs::rename(&fresh, &path).at("write", &path)
    }

    /// The owning process, alive or not.
    pub(crate) fn owner(&self) -> Option<Process> {
        self.owner.as_deref().and_then(Process::parse)
    }

    /// Whether the lab had an owner that has ended.
    pub(crate) fn is_orphan(&self) -> bool {
        self.owner.is_some() && self.owner().and_then(Process::life).is_none()
    }

    /// Makes the lab nobody's.
    pub(crate) fn disown(&mut self) {
        self.owner = None;
        self.options.owner = Owner::Nobody;
    }

    pub(crate) fn fsid(&self, site: SiteId) -> &str {
        &self.fsids[site as usize]
    }

    /// The address of a site. Containers have one each, processes of one machine share one.
    pub(crate) fn address(&self, site: SiteId) -> String {
        match self.options.backend {
            Backend::Processes => "127.0.0.1".to_owned(),
            Backend::Containers { .. } => format!("{}.{}", self.prefix(), 11 + site as u8),
        }
    }

    /// The network of a lab in containers; its first address is the machine's own.
    pub(crate) fn subnet(&self) -> String {
        format!("{}.0/24", self.prefix())
    }

    /// A private network for each range of ports, and thereby for each lab.
    fn prefix(&self) -> String {
        format!("10.213.{}", self.first_port.saturating_sub(FIRST_PORT) / (2 * PORTS_PER_SITE))
    }

    /// The first port of a site, which its monitor binds; the site's others follow.
    pub(crate) fn port(&self, site: SiteId) -> u16 {
        self.first_port + site as u16 * PORTS_PER_SITE
    }
}

/// A fresh random id from the kernel.
pub(crate) fn uuid() -> Result<String> {
    let source = Path::new("/proc/sys/kernel/random/uuid");
    Ok(fs::read_to_string(source).at("read", source)?.trim().to_owned())
}
