//! RBD mirroring: the operations of librbd, typed, bounded in time, with the causes behind its errnos.
//!
//! (This page is completed when the modules stand.)

#![deny(unsafe_code)]
#![warn(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::expect_used))]

mod bounded;
mod call;
mod cls;
mod cluster;
mod command;
mod create;
mod deadline;
mod demote;
mod enable;
mod errno;
mod error;
mod features;
mod flatten;
pub mod health;
mod holders;
mod image;
mod info;
pub mod journal;
mod mirror_snapshot;
mod mode;
mod name;
mod op;
pub mod pair;
mod peer;
mod pool;
mod progress;
mod promote;
mod raw;
mod refusal;
mod resync;
mod role;
mod snapshot;
pub mod status;
mod sync;
mod take_over;
mod version;
pub mod wait;

pub use cluster::{Cluster, Connect};
pub use command::CommandReply;
pub use create::{CloneFormat, CreateOptions};
pub use deadline::Deadline;
pub use enable::Disable;
pub use errno::Errno;
pub use error::{Error, Hopeless, Result};
pub use features::Features;
pub use holders::{LockOwner, Watcher};
pub use image::{Image, ImageInfo, LinkedImage, Parent};
pub use mirror_snapshot::SnapshotFlags;
pub use mode::{MirrorImageMode, PoolMode};
pub use name::{GlobalImageId, ImageId, ImageSpec, MirrorUuid, PeerUuid, PoolSpec, Subject};
pub use op::Op;
pub use peer::{BootstrapToken, Direction, Peer, PeerAttributes};
pub use pool::{ImageEntry, Pool, TrashEntry, TrashSource};
pub use progress::Progress;
pub use promote::Promote;
pub use refusal::Refusal;
pub use role::Role;
pub use snapshot::{MirrorSnapshot, MirrorSnapshotState, Snapshot, SnapshotNamespace};
pub use sync::{SyncState, demotion_has_arrived, sync_state};
pub use take_over::TakenOver;
pub use version::Version;
