//! What is, at both sites, now: the data that plans are made from. Reading only, and no decision.
//!
//! A site that does not answer is part of the picture ([`Answer::Silent`]), and costs its limit once.

mod disk;
mod fingerprint;
mod vm;

use opennebula_meta::id::VmId;
use opennebula_meta::version::Version;
use opennebula_meta::{Capture, Images, Record};
use serde::{Deserialize, Serialize};

use crate::catalog;
use crate::clock::Moment;
use crate::frontend::{Error as FrontEndError, Group, User};
use crate::lease;
use crate::site::{Side, SitePair};
use crate::storage::{Capacity, Daemon, Error as StorageError, Identity, Lease};

pub use disk::{DiskView, RegisteredImage, SideImage};
pub use fingerprint::Fingerprint;
pub use vm::{Definition, VmAt, VmView};

/// Which VMs, by their number at home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope {
    /// Without repetition, in the order of the caller.
    pub vms: Vec<VmId>,
}

impl Scope {
    /// These VMs.
    #[must_use]
    pub fn of(vms: &[u32]) -> Self {
        let mut scope = Self { vms: Vec::new() };
        for vm in vms {
            if !scope.vms.contains(&VmId(*vm)) {
                scope.vms.push(VmId(*vm));
            }
        }
        scope
    }
}

/// An answer, or the words of why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// It answers.
    Answers(T),
    /// It does not, or says no to being read.
    Silent(String),
}

impl<T> Answer<T> {
    /// The answer, if there is one.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Answers(answer) => Some(answer),
            Self::Silent(_) => None,
        }
    }

    /// Whether there is one.
    pub fn answers(&self) -> bool {
        self.get().is_some()
    }
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    /// Who it is.
    pub identity: Identity,
    /// Its rbd-mirror daemons; `None` where they could not be asked for.
    pub daemons: Option<Vec<Daemon>>,
    /// Its space; `None` where it could not be asked for.
    pub capacity: Option<Capacity>,
    /// Who has the lease of one-dr.
    pub lease: Option<Lease>,
}

/// A site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteView {
    /// Its name, as the operator has it.
    pub name: String,
    /// Its pool.
    pub pool: Answer<PoolView>,
    /// The version of its OpenNebula, `6.10.3`.
    pub frontend: Answer<String>,
}

/// What is known of the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogView {
    /// The name of the newest good version.
    pub address: String,
    /// When it was captured.
    pub captured_at: Moment,
    /// How old it was when it was looked at.
    pub age_seconds: u64,
    /// Newer versions that are damaged.
    pub damaged: Vec<String>,
}

/// Everything that a plan is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When it was begun.
    pub at: Moment,
    /// What was looked at.
    pub scope: Scope,
    /// Site A.
    pub home: SiteView,
    /// Site B.
    pub recovery: SiteView,
    /// The metadata at B; or why there is none.
    pub catalog: Answer<CatalogView>,
    /// The VMs.
    pub vms: Vec<VmView>,
}

impl Observation {
    /// The site of a side.
    #[must_use]
    pub fn site(&self, side: Side) -> &SiteView {
        match side {
            Side::Home => &self.home,
            Side::Recovery => &self.recovery,
        }
    }

    /// Whether the pool of a side answers.
    #[must_use]
    pub fn pool_answers(&self, side: Side) -> bool {
        self.site(side).pool.answers()
    }

    /// The hash of everything in it that a plan depends on; not of what changes by itself.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self)
    }
}

/// Why there is no observation at all.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A pool answered something else than silence.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A front-end answered something else than silence.
    #[error(transparent)]
    FrontEnd(#[from] FrontEndError),
    /// Nobody knows this VM.
    #[error("VM {vm}: {why}")]
    UnknownVm {
        /// Its number at home.
        vm: VmId,
        /// In words.
        why: String,
    },
}

/// Looks at both sites.
///
/// # Errors
/// [`Error`]; a silent site is none.
pub fn observe(pair: &SitePair, scope: &Scope) -> Result<Observation, Error> {
    let at = pair.clock.now();
    let recovery = site(pair, Side::Recovery)?;
    let home = site(pair, Side::Home)?;
    let newest = recovery.pool.answers().then(|| catalog::newest(&pair.storage(Side::Recovery)));
    let (catalog, record) = match newest {
        None => (Answer::Silent("the recovery site does not answer".to_owned()), None),
        Some(Err(error)) => (Answer::Silent(error.to_string()), None),
        Some(Ok(newest)) => {
            let captured_at = newest.version.captured_at;
            let view = CatalogView {
                address: newest.version.address,
                captured_at,
                age_seconds: at.since(captured_at).as_secs(),
                damaged: newest.damaged,
            };
            (Answer::Answers(view), Some(newest.record))
        }
    };
    let mut seen = Observation { at, scope: scope.clone(), home, recovery, catalog, vms: Vec::new() };
    let there = there(pair, &seen, record.as_ref())?;
    for vm in &scope.vms {
        let view = vm::look(pair, &seen, record.as_ref().map(Record::capture), &there, *vm)?;
        seen.vms.push(view);
    }
    Ok(seen)
}

/// The recovery site's front-end, empty while it is silent; and the images at home, where a VM has not been captured.
#[derive(Default)]
struct There {
    images_at_home: Images,
    objects: Capture,
    users: Vec<User>,
    groups: Vec<Group>,
}

fn there(pair: &SitePair, seen: &Observation, record: Option<&Record>) -> Result<There, Error> {
    if !seen.recovery.frontend.answers() {
        return Ok(There::default());
    }
    let is_new = |vm: &VmId| record.is_none_or(|record| record.capture().vm(*vm).is_none());
    let mut images_at_home = Images::default();
    if seen.home.frontend.answers() && seen.scope.vms.iter().any(is_new) {
        images_at_home = pair.frontend(Side::Home).images()?.into();
    }
    let frontend = pair.frontend(Side::Recovery);
    let objects = Capture {
        vms: frontend.vms()?,
        images: frontend.images()?.into(),
        networks: frontend.networks()?,
        datastores: frontend.datastores()?,
        templates: frontend.templates()?,
        ..Capture::default()
    };
    Ok(There { images_at_home, objects, users: frontend.users()?, groups: frontend.groups()? })
}

fn site(pair: &SitePair, side: Side) -> Result<SiteView, Error> {
    let name = pair.at(side).name.clone();
    let frontend = match pair.frontend(side).version() {
        Ok(version) => Answer::Answers(shown(version)),
        Err(error) => Answer::Silent(error.to_string()),
    };
    Ok(SiteView { name, pool: pool(pair, side)?, frontend })
}

fn shown(version: Version) -> String {
    format!("{}.{}.{}", version.major, version.minor, version.patch)
}

fn pool(pair: &SitePair, side: Side) -> Result<Answer<PoolView>, Error> {
    let storage = pair.storage(side);
    let identity = match storage.identity() {
        Ok(identity) => identity,
        // A site that lets us not in (a lost keyring, a changed key) is as good as silent: a failover needs the other one alone.
        Err(error) => return Ok(Answer::Silent(error.to_string())),
    };
    // What only a manager tells is missing sometimes, and is not worth a failover.
    let (daemons, capacity) = (storage.daemons().ok(), storage.capacity().ok());
    let lease = match storage.lease(lease::NAME) {
        Ok(lease) => lease,
        Err(error) if error.is_unreachable() => return Ok(Answer::Silent(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    Ok(Answer::Answers(PoolView { identity, daemons, capacity, lease }))
}
