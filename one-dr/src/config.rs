//! The configuration: one TOML file. Secrets are never in it: it names the files that hold them.

mod silent;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opennebula_meta::SiteMap;
use serde::{Deserialize, Serialize};

use crate::clock::WallClock;
use crate::frontend::{self, FrontEnd};
use crate::hook::Hook;
use crate::settings::{Boot, Drill, Limits, Settings, Targets};
use crate::site::{Site, SitePair};
use crate::storage::MirrorMode;
use crate::storage::ceph::{Access, Ceph};

/// The example, with every key and what it means.
pub const EXAMPLE: &str = include_str!("config/example.toml");

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {why}\n  `one-dr init --example` prints a configuration to begin with", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It cannot be understood; the text names line and key.
    #[error("{}: {why}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where, and why.
        why: String,
    },
}

/// The configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Site A.
    pub home: SiteConfig,
    /// Site B.
    pub recovery: SiteConfig,
    /// The directory of the journals.
    #[serde(default = "runs")]
    pub runs: PathBuf,
    /// The directory of the second copy of the catalog.
    #[serde(default = "catalog")]
    pub catalog: PathBuf,
    /// How disks are mirrored.
    #[serde(default)]
    pub mirror_mode: MirrorMode,
    /// How long mirroring keeps what it deletes.
    #[serde(default = "delete_delay")]
    pub delete_delay_seconds: u64,
    /// What differs at site B.
    #[serde(default)]
    pub site_map: SiteMap,
    /// What is warned of or refused.
    #[serde(default)]
    pub targets: Targets,
    /// The limits of waits.
    #[serde(default)]
    pub limits: Limits,
    /// Boot groups.
    #[serde(default)]
    pub boot: Boot,
    /// The test beside production.
    #[serde(default)]
    pub drill: Drill,
    /// Programs around a run.
    #[serde(default)]
    pub hooks: Vec<Hook>,
}

fn runs() -> PathBuf {
    "/var/lib/one-dr/runs".into()
}

fn catalog() -> PathBuf {
    "/var/lib/one-dr/catalog".into()
}

fn delete_delay() -> u64 {
    24 * 3600
}

/// A site.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Its name: in messages, and as Ceph's site name.
    pub name: String,
    /// Its cluster.
    pub ceph: CephConfig,
    /// Its front-end.
    pub opennebula: FrontEndConfig,
}

/// A cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CephConfig {
    /// Its configuration file.
    pub conf: Option<PathBuf>,
    /// The keyring, where the configuration does not say.
    pub keyring: Option<PathBuf>,
    /// The user.
    pub client: String,
    /// The mirrored pool.
    pub pool: String,
    /// For a connection.
    pub connect_seconds: u64,
    /// For a read.
    pub read_seconds: u64,
    /// For a change.
    pub change_seconds: u64,
    /// How long a silent site is not asked again.
    pub silence_seconds: u64,
}

impl Default for CephConfig {
    fn default() -> Self {
        let usual = Access::new("", "one");
        Self {
            conf: None,
            keyring: None,
            client: usual.client,
            pool: usual.pool,
            connect_seconds: usual.connect_within.as_secs(),
            read_seconds: usual.read_within.as_secs(),
            change_seconds: usual.change_within.as_secs(),
            silence_seconds: usual.silence.as_secs(),
        }
    }
}

/// A front-end.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrontEndConfig {
    /// Where it is; `ONE_XMLRPC` without.
    pub endpoint: Option<String>,
    /// `user:password`, in a file of mode 0600; `ONE_AUTH` without.
    pub auth_file: Option<PathBuf>,
    /// The certificates of an own authority.
    pub ca_file: Option<PathBuf>,
    /// For a read of one object.
    pub read_seconds: u64,
    /// For a page of a pool.
    pub list_seconds: u64,
    /// For a change.
    pub change_seconds: u64,
    /// How long a silent front-end is not asked again.
    pub silence_seconds: u64,
}

impl Default for FrontEndConfig {
    fn default() -> Self {
        let usual = frontend::Options::default();
        Self {
            endpoint: None,
            auth_file: None,
            ca_file: None,
            read_seconds: usual.read_within.as_secs(),
            list_seconds: usual.list_within.as_secs(),
            change_seconds: usual.change_within.as_secs(),
            silence_seconds: 30,
        }
    }
}

/// The two sites, and Ceph's more particular side of each.
#[derive(Clone, Debug)]
pub struct Sites {
    /// For all that the library does.
    pub pair: SitePair,
    /// Site A's cluster.
    pub home: Ceph,
    /// Site B's cluster.
    pub recovery: Ceph,
}

impl SiteConfig {
    /// What the first look at this site costs at most where it is silent, in seconds: its cluster and its front-end, once each.
    #[must_use]
    pub fn silence_costs_seconds(&self) -> u64 {
        self.ceph.connect_seconds.max(self.ceph.read_seconds).saturating_add(self.opennebula.read_seconds)
    }
}

impl Config {
    /// From a file.
    ///
    /// # Errors
    /// [`Error`]
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::Read { path: path.to_owned(), why: error.to_string() })?;
        Self::parse(&text).map_err(|why| Error::Parse { path: path.to_owned(), why })
    }

    /// From its text.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if config.home.name == config.recovery.name {
            return Err(format!("both sites are named {:?}: give each its own name", config.home.name));
        }
        Ok(config)
    }

    /// What the library wants of it.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            mirror_mode: self.mirror_mode,
            site_map: self.site_map.clone(),
            targets: self.targets.clone(),
            limits: self.limits.clone(),
            boot: self.boot.clone(),
            drill: self.drill.clone(),
            delete_delay_seconds: self.delete_delay_seconds,
        }
    }

    /// The two sites. Nothing is connected yet; a front-end that cannot even be prepared (no credentials) is one that does not
    /// answer, so that a failover needs nothing of site A.
    #[must_use]
    pub fn sites(&self, operator: &str) -> Sites {
        let (home, recovery) = Ceph::pair(self.home.access(), self.recovery.access());
        let site = |config: &SiteConfig, ceph: &Ceph| Site {
            name: config.name.clone(),
            storage: Arc::new(ceph.clone()),
            frontend: config.frontend(),
        };
        let pair = SitePair {
            home: site(&self.home, &home),
            recovery: site(&self.recovery, &recovery),
            clock: Arc::new(WallClock),
            settings: self.settings(),
            operator: operator.to_owned(),
        };
        Sites { pair, home, recovery }
    }
}

impl SiteConfig {
    fn access(&self) -> Access {
        let ceph = &self.ceph;
        Access {
            site: self.name.clone(),
            conf: ceph.conf.clone(),
            keyring: ceph.keyring.clone(),
            client: ceph.client.clone(),
            pool: ceph.pool.clone(),
            connect_within: Duration::from_secs(ceph.connect_seconds.max(1)),
            read_within: Duration::from_secs(ceph.read_seconds.max(1)),
            change_within: Duration::from_secs(ceph.change_seconds.max(1)),
            silence: Duration::from_secs(ceph.silence_seconds),
        }
    }

    fn frontend(&self) -> Arc<dyn FrontEnd> {
        match self.oned() {
            Ok(oned) => Arc::new(oned),
            Err(why) => Arc::new(silent::Silent { site: self.name.clone(), why: why.to_string() }),
        }
    }

    fn oned(&self) -> Result<frontend::Oned, frontend::SetupError> {
        let config = &self.opennebula;
        let endpoint = match &config.endpoint {
            Some(url) => frontend::Endpoint::new(url)?,
            None => frontend::Endpoint::from_environment()?,
        };
        let session = match &config.auth_file {
            Some(path) => frontend::Session::from_file(path)?,
            None => frontend::Session::from_environment()?,
        };
        let seconds = |seconds: u64| Duration::from_secs(seconds.max(1));
        let options = frontend::Options {
            ca_file: config.ca_file.clone(),
            read_within: seconds(config.read_seconds),
            list_within: seconds(config.list_seconds),
            change_within: seconds(config.change_seconds),
            silence: Duration::from_secs(config.silence_seconds),
            ..frontend::Options::default()
        };
        frontend::Oned::new(self.name.clone(), endpoint, session, options)
    }
}

#[cfg(test)]
mod tests;
