//! What Ceph's own tools say about a site. Each question has a deadline: a frozen site is an error, not a hang.

mod data;
mod mirroring;
mod osd;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::directory::Directory;
use crate::error::Result;
use crate::site::{Daemon, SiteId};
use crate::tool::{Group, Tool};

pub use data::Pattern;
pub use mirroring::{ImageInfo, ImageStatus, Mirroring, PeerSite};
pub use osd::OsdCounters;

/// How long a tool may take, unless told otherwise with [`Site::within`].
const WITHIN: Duration = Duration::from_secs(60);

/// One site, as its administrator sees it. Cheap to clone; outlives nothing: it is names, not a connection.
#[derive(Clone, Debug)]
pub struct Site {
    directory: Directory,
    id: SiteId,
    within: Duration,
    group: Group,
}

impl Site {
    pub(crate) fn new(directory: &Directory, id: SiteId, group: &Group) -> Self {
        Self { directory: directory.clone(), id, within: WITHIN, group: group.clone() }
    }

    /// The same site, asked with another deadline for each tool.
    #[must_use]
    pub fn within(&self, within: Duration) -> Self {
        Self { within, ..self.clone() }
    }

    /// Which site this is.
    #[must_use]
    pub fn id(&self) -> SiteId {
        self.id
    }

    /// Its configuration file. It names the keyrings, so nothing else is needed to connect as `client.admin`.
    #[must_use]
    pub fn conf(&self) -> PathBuf {
        self.directory.conf(self.id)
    }

    /// The keyring of `client.admin`.
    #[must_use]
    pub fn keyring(&self) -> PathBuf {
        self.directory.client_keyring(self.id, "client.admin")
    }

    /// A daemon's admin socket.
    #[must_use]
    pub fn socket(&self, daemon: Daemon) -> PathBuf {
        self.directory.socket(self.id, daemon)
    }

    /// A daemon's log.
    #[must_use]
    pub fn log(&self, daemon: Daemon) -> PathBuf {
        self.directory.daemon_log(self.id, daemon)
    }

    /// Runs `ceph` for an answer in JSON.
    pub fn ceph<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Value> {
        self.tool("ceph").args(["--format", "json"]).args(arguments).json()
    }

    /// Runs `ceph` for its plain output.
    pub fn ceph_text<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        self.tool("ceph").args(arguments).text()
    }

    /// Runs `rbd` for an answer in JSON; `null` where the command has nothing to say.
    pub fn rbd<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Value> {
        self.tool("rbd").args(arguments).args(["--format", "json"]).json()
    }

    /// Runs `rbd` for its plain output. For commands that change something: they know no JSON.
    pub fn rbd_text<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        self.tool("rbd").args(arguments).text()
    }

    /// Runs `rados` for its plain output.
    pub fn rados_text<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        self.tool("rados").args(arguments).text()
    }

    /// A tool that will ask this site as its administrator.
    fn tool(&self, program: &'static str) -> Tool {
        let tool = Tool::new(program).within(self.within).group(&self.group);
        tool.args(["--conf"]).args([self.conf()]).args(["--id", "admin"])
    }
}
