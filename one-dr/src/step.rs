//! A step: one small thing to bring about, or to wait for.
//!
//! ```text
//!            look                              act                     look
//!   ┌─────> Done ──────────> next step          │                        │
//!   │       Ready ──────────> journal: intent ──┴─> journal: acted ──────┘   (the look after is the proof)
//!   │       Waiting ────────> sleep, look again, up to the step's limit: then the run stops at this named wait
//!   │       Blocked ────────> the run stops here, for this VM
//!   └── resume: the same look; what was done by a run that crashed, or by hand, is Done
//! ```
//! A look only reads. An act makes exactly one change, and never chooses force.

mod disks;
mod drill;
mod records;
mod setup;
mod vms;
mod world;

use std::fmt;

use opennebula_meta::id::{DiskId, VmId};
use serde::{Deserialize, Serialize};

use crate::catalog::{CaptureError, Error as CatalogError};
use crate::epoch::Epoch;
use crate::frontend::{Error as FrontEndError, LockLevel};
use crate::site::Side;
use crate::storage::{Cause, Completeness, Error as StorageError, GlobalImageId, ImageId, MirrorMode};

pub(crate) use setup::is_so;
pub use world::World;

/// A mirrored disk, by its identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its number in the VM.
    pub disk: DiskId,
    /// The RBD image's name.
    pub image: String,
    /// Its identity.
    pub id: GlobalImageId,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Steps of a stage are done before those of the next one begin.
    pub stage: u32,
    /// The VM; none for what concerns all.
    pub vm: Option<VmId>,
    /// How long it may wait.
    pub limit_seconds: u64,
    /// Whether the VM's other steps go on if this one does not come to its end.
    pub optional: bool,
    /// What it brings about.
    pub action: Action,
}

/// What a step brings about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are a side, a disk, a name: the variants say what of")]
pub enum Action {
    /// Ceph there knows the site's name.
    SetSiteName { at: Side, name: String },
    /// The pool there mirrors single images.
    SetPoolMode { at: Side },
    /// The pool there receives from the other site's.
    Peer { at: Side },
    /// What mirroring deletes there is kept for so long.
    SetDeleteDelay { at: Side, seconds: u64 },
    /// The replica has everything, as far as can be told while the primary is written to.
    Synced { primary: Side, disk: Disk },
    /// The other site will be able to follow back after a promotion.
    ReverseRegistered { at: Side, disk: Disk },
    /// The VM is off.
    Poweroff { at: Side, hard: bool },
    /// Nobody has the image open for writing.
    NoWriter { at: Side, disk: Disk },
    /// Not primary there.
    Demote { at: Side, disk: Disk },
    /// The other site's demotion has arrived, with everything before it.
    DemotionArrived { at: Side, disk: Disk },
    /// Primary there, cleanly.
    Promote { at: Side, disk: Disk },
    /// Primary there, without the other site. `beside_a_primary` only by an overridden guard.
    ForcePromote { at: Side, disk: Disk, completeness: Completeness, beside_a_primary: bool },
    /// Writes go through there.
    TakeOver { at: Side, disk: Disk },
    /// The copy there is given up, and fetched anew.
    Resync { at: Side, disk: Disk, old: ImageId },
    /// The other site follows, and has everything.
    Follows { primary: Side, disk: Disk },
    /// The image's features are kept, so that they can be given back.
    KeepFeatures { image: String },
    /// The image has no parent.
    Flatten { image: String },
    /// The image is mirrored.
    Enable { image: String, mode: MirrorMode },
    /// The other site follows an image that had no identity when the plan was made.
    FollowsByName { image: String },
    /// The image is not mirrored.
    Disable { disk: Disk },
    /// The image has the features that it had.
    RestoreFeatures { image: String },
    /// Our record says so.
    RaiseEpoch { at: Side, epoch: Epoch },
    /// What OpenNebula knows is in the catalog.
    Capture { vms: Vec<VmId> },
    /// The VM is in the newest version of the catalog no more.
    Forget,
    /// OpenNebula at the recovery site has the disk's replica as an image.
    RegisterImage { disk: DiskId },
    /// It belongs to whom it should.
    OwnImage { disk: DiskId },
    /// Its permissions are as at home.
    PermitImage { disk: DiskId },
    /// It is locked, at least so firmly.
    LockImage { disk: DiskId, level: LockLevel },
    /// It can be used by a new VM.
    UnlockImage { disk: DiskId },
    /// The VM's template is at the recovery site.
    StageTemplate,
    /// The VM is at the recovery site, on hold.
    Instantiate,
    /// It belongs to whom it should.
    OwnVm,
    /// Its permissions are as at home.
    PermitVm,
    /// So many seconds have passed since the step began.
    Pause { seconds: u64 },
    /// The VM was told to start.
    Start { at: Side },
    /// It runs.
    Running { at: Side },
    /// A snapshot for the drill is at home.
    DrillSnapshot { disk: Disk, name: String },
    /// The snapshot has arrived at the recovery site.
    DrillArrived { disk: Disk, name: String },
    /// A clone of it is there.
    DrillClone { disk: Disk, name: String, pool: String, clone: String },
    /// OpenNebula there has the clone as an image.
    DrillRegister { disk: DiskId, drill: String, pool: String, clone: String },
    /// A VM on the clones runs there, apart.
    DrillInstantiate { drill: String },
    /// It runs: the verdict.
    DrillRunning { drill: String },
    /// It is gone.
    DrillTerminate { drill: String },
    /// The clone's image is out of OpenNebula.
    DrillUnregister { disk: DiskId, drill: String, pool: String, clone: String },
    /// The clone is gone.
    DrillRemoveClone { pool: String, clone: String },
    /// The snapshot at home is gone.
    DrillRemoveSnapshot { disk: Disk, name: String },
}

/// What a look sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is so.
    Done,
    /// It is not so, and can be brought about now.
    Ready,
    /// It will become so, or ready, by itself; what is waited for.
    Waiting(String),
    /// It will not by itself; why, and what to do.
    Blocked(String),
}

/// Why a look or an act failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A pool.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A front-end.
    #[error(transparent)]
    FrontEnd(#[from] FrontEndError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The captured metadata does not make a VM for the recovery site.
    #[error("{0}")]
    Metadata(String),
}

impl Failure {
    /// Whether a site is silent, rather than unwilling.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Storage(error) | Self::Catalog(CatalogError::Storage(error)) => error.is_unreachable(),
            Self::Capture(error) => error.is_unreachable(),
            Self::FrontEnd(error) => error.is_unreachable(),
            _ => false,
        }
    }

    /// Whether the change may have been made.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        match self {
            Self::Storage(error) | Self::Catalog(CatalogError::Storage(error)) => error.is_in_doubt(),
            Self::Capture(error) => error.is_in_doubt(),
            Self::FrontEnd(error) => error.is_in_doubt(),
            _ => false,
        }
    }

    /// Whether it is a "not yet": what a site does by itself will make it possible.
    #[must_use]
    pub fn is_not_yet(&self) -> bool {
        let cause = match self {
            Self::Storage(error) => error.cause(),
            _ => None,
        };
        // The demotion is under way. Never a reason for force.
        matches!(cause, Some(Cause::PrimaryElsewhere))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetSiteName { name, .. } => write!(f, "name the site {name}"),
            Self::SetPoolMode { .. } => f.write_str("let the pool mirror single images"),
            Self::Peer { .. } => f.write_str("make the other site's pool a peer"),
            Self::SetDeleteDelay { seconds, .. } => write!(f, "keep deleted replicas for {seconds} s"),
            Self::Synced { disk, .. } => write!(f, "wait until the replica of {} has caught up", disk.image),
            Self::ReverseRegistered { disk, .. } => {
                write!(f, "wait until {} could be followed back", disk.image)
            }
            Self::Poweroff { hard: false, .. } => f.write_str("power the VM off (ACPI)"),
            Self::Poweroff { hard: true, .. } => f.write_str("power the VM off, hard"),
            Self::NoWriter { disk, .. } => write!(f, "wait until nobody writes to {}", disk.image),
            Self::Demote { disk, .. } => write!(f, "demote {}", disk.image),
            Self::DemotionArrived { disk, .. } => {
                write!(f, "wait until the demotion of {} has arrived", disk.image)
            }
            Self::Promote { disk, .. } => write!(f, "promote {}", disk.image),
            Self::ForcePromote { disk, beside_a_primary, .. } => {
                write!(
                    f,
                    "promote {} by force{}",
                    disk.image,
                    if *beside_a_primary { ", beside a primary" } else { "" }
                )
            }
            Self::TakeOver { disk, .. } => write!(f, "make sure that writes to {} go through", disk.image),
            Self::Resync { disk, .. } => {
                write!(f, "give up this copy of {} and fetch it anew (resync)", disk.image)
            }
            Self::Follows { disk, .. } => write!(f, "wait until the other site follows {}", disk.image),
            Self::FollowsByName { image } => write!(f, "wait until the other site follows {image}"),
            Self::KeepFeatures { image } => write!(f, "keep the features of {image}"),
            Self::Flatten { image } => write!(f, "flatten {image}"),
            Self::Enable { image, .. } => write!(f, "enable mirroring of {image}"),
            Self::Disable { disk } => {
                write!(f, "disable mirroring of {} (its replica is removed)", disk.image)
            }
            Self::RestoreFeatures { image } => write!(f, "give {image} the features that it had"),
            Self::RaiseEpoch { epoch, .. } => write!(f, "record epoch {}", epoch.number),
            Self::Capture { .. } => f.write_str("capture the metadata into the catalog"),
            Self::Forget => f.write_str("take the VM out of the catalog"),
            Self::RegisterImage { disk } => write!(f, "register the image of disk {disk}"),
            Self::OwnImage { disk } => write!(f, "give the image of disk {disk} its owner"),
            Self::PermitImage { disk } => write!(f, "give the image of disk {disk} its permissions"),
            Self::LockImage { disk, .. } => write!(f, "lock the image of disk {disk}"),
            Self::UnlockImage { disk } => write!(f, "unlock the image of disk {disk}"),
            Self::StageTemplate => f.write_str("put the VM's template in place"),
            Self::Instantiate => f.write_str("instantiate the VM on hold"),
            Self::OwnVm => f.write_str("give the VM its owner"),
            Self::PermitVm => f.write_str("give the VM its permissions"),
            Self::Pause { seconds } => write!(f, "let {seconds} s pass"),
            Self::Start { .. } => f.write_str("start the VM"),
            Self::Running { .. } => f.write_str("wait until the VM runs"),
            Self::DrillSnapshot { disk, .. } => write!(f, "snapshot {} for the drill", disk.image),
            Self::DrillArrived { disk, .. } => {
                write!(f, "wait until the snapshot of {} has arrived", disk.image)
            }
            Self::DrillClone { disk, .. } => write!(f, "clone {} from the snapshot", disk.image),
            Self::DrillRegister { disk, .. } => write!(f, "register the clone of disk {disk}"),
            Self::DrillInstantiate { .. } => f.write_str("start the drill's VM, apart"),
            Self::DrillRunning { .. } => f.write_str("wait until the drill's VM runs"),
            Self::DrillTerminate { .. } => f.write_str("terminate the drill's VM"),
            Self::DrillUnregister { disk, .. } => {
                write!(f, "take the clone of disk {disk} out of OpenNebula")
            }
            Self::DrillRemoveClone { clone, .. } => write!(f, "remove the clone {clone}"),
            Self::DrillRemoveSnapshot { disk, .. } => write!(f, "remove the snapshot of {}", disk.image),
        }
    }
}

impl Action {
    /// Whether it only removes what a drill made.
    #[must_use]
    pub fn cleans_up(&self) -> bool {
        matches!(
            self,
            Self::DrillTerminate { .. }
                | Self::DrillUnregister { .. }
                | Self::DrillRemoveClone { .. }
                | Self::DrillRemoveSnapshot { .. }
        )
    }

    /// Where it is done.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Synced { primary, .. } | Self::Follows { primary, .. } => primary.other(),
            Self::SetSiteName { at, .. }
            | Self::SetPoolMode { at }
            | Self::Peer { at }
            | Self::SetDeleteDelay { at, .. }
            | Self::ReverseRegistered { at, .. }
            | Self::Poweroff { at, .. }
            | Self::NoWriter { at, .. }
            | Self::Demote { at, .. }
            | Self::DemotionArrived { at, .. }
            | Self::Promote { at, .. }
            | Self::ForcePromote { at, .. }
            | Self::TakeOver { at, .. }
            | Self::Resync { at, .. }
            | Self::RaiseEpoch { at, .. }
            | Self::Start { at }
            | Self::Running { at } => *at,
            Self::KeepFeatures { .. }
            | Self::Flatten { .. }
            | Self::Enable { .. }
            | Self::Disable { .. }
            | Self::RestoreFeatures { .. }
            | Self::Capture { .. }
            | Self::DrillSnapshot { .. }
            | Self::DrillRemoveSnapshot { .. } => Side::Home,
            _ => Side::Recovery,
        }
    }
}
