//! What a lab is made of, and the defaults.

use std::env;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::registry::base;
use crate::site::{Daemon, SiteId};

/// What a lab is made of. `Options::default()` is what a person wants, [`Options::temporary`] what a test wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Where everything of the lab lies. Short: sockets are in it, and their paths may have 107 bytes.
    pub dir: PathBuf,
    /// Where the daemons run, and which releases.
    #[serde(default)]
    pub backend: Backend,
    /// Who the lab dies with.
    pub owner: Owner,
    /// How fast `rbd-mirror` and the watchers react.
    pub timers: Timers,
    /// How fast the monitors commit a change.
    pub proposals: Proposals,
    /// The pools that both sites have.
    pub pools: Vec<Pool>,
    /// How much of mirroring is set up.
    pub peering: Peering,
    /// Daemons that [`Lab::up`](crate::Lab::up) does not start; [`Lab::start`](crate::Lab::start) does.
    pub absent: Vec<(SiteId, Daemon)>,
    /// The size of each OSD's sparse file, in bytes.
    pub osd_bytes: u64,
}

/// Who a lab dies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Nobody: the lab stays until somebody takes it down.
    Nobody,
    /// The process that made it, however that ends: see `guardian`.
    Process,
}

/// How fast things are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timers {
    /// Shortened, so that tests need seconds where the packaged defaults need half a minute.
    Fast,
    /// As packaged.
    Stock,
}

/// How fast the monitors commit a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proposals {
    /// After 0.05 s, for quick set-up.
    Quick,
    /// After 1 s, as packaged. Benchmarks of mirror snapshots need it: each costs a proposal.
    Stock,
}

/// How much of mirroring is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Peering {
    /// Sites named, pools mirrored, one receiving and sending peer each: what an administrator's guide ends with.
    Full,
    /// Nothing: pools exist and daemons run. Neither site's daemon can see the other's configuration file, so only a
    /// complete set-up by the code under test connects them.
    None,
}

/// What is mirrored in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MirrorMode {
    /// The images for which it was enabled.
    Image,
    /// Every image with the journaling feature.
    Pool,
}

impl MirrorMode {
    /// The mode's word for `rbd mirror pool enable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Pool => "pool",
        }
    }
}

/// A pool that both sites have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How it is mirrored under [`Peering::Full`]; `None` leaves it alone.
    pub mirror: Option<MirrorMode>,
}

impl Pool {
    /// A pool that is mirrored in image mode.
    #[must_use]
    pub fn mirrored(name: &str) -> Self {
        Self { name: name.to_owned(), mirror: Some(MirrorMode::Image) }
    }

    /// A pool that stays as it is.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), mirror: None }
    }
}

impl Default for Options {
    /// A lab for a person: in one well-known place, owned by nobody, quick, pool `one` mirrored in image mode.
    ///
    /// The place is `$LAB_DIR`, else `default` beside the port register. Where the daemons run is
    /// [`Backend::from_environment`]: every test and the drill work on either backend.
    fn default() -> Self {
        Self {
            dir: env::var_os("LAB_DIR").map_or_else(|| base().join("default"), PathBuf::from),
            backend: Backend::from_environment(),
            owner: Owner::Nobody,
            timers: Timers::Fast,
            proposals: Proposals::Quick,
            pools: vec![Pool::mirrored("one")],
            peering: Peering::Full,
            absent: Vec::new(),
            osd_bytes: 8 << 30,
        }
    }
}

impl Options {
    /// A lab for one test: in a place of its own, and gone when this process is.
    #[must_use]
    pub fn temporary(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = base().join(format!("{name}-{}-{count}", process::id()));
        Self { dir, owner: Owner::Process, ..Self::default() }
    }

    /// The pools that are mirrored from the start.
    pub(crate) fn mirrored(&self) -> impl Iterator<Item = (&str, MirrorMode)> {
        let full = self.peering == Peering::Full;
        self.pools.iter().filter_map(move |pool| Some((pool.name.as_str(), pool.mirror.filter(|_| full)?)))
    }

    /// The daemons of `site` that belong up, in the order in which they start.
    pub(crate) fn present(&self, site: SiteId) -> impl Iterator<Item = Daemon> {
        Daemon::ALL.into_iter().filter(move |daemon| !self.absent.contains(&(site, *daemon)))
    }
}
