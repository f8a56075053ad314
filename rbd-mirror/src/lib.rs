//! RBD mirroring for Rust: the operations of librbd, typed, bounded in time, with the cause behind each errno.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::time::Duration;
//! use rbd_mirror::{Cluster, Connect, Direction, MirrorImageMode, pair::Pair, wait};
//!
//! # fn main() -> Result<(), rbd_mirror::Error> {
//! let limit = Duration::from_secs(10);
//! let a = Cluster::connect(Connect::conf("site-a.conf").client("admin").within(limit))?;
//! let b = Cluster::connect(Connect::conf("site-b.conf").client("admin").within(limit))?;
//! let (pool_a, pool_b) = (a.pool("one")?, b.pool("one")?);
//!
//! // Once: peer the sites, both ways.
//! let token = pool_a.create_bootstrap_token()?;
//! pool_b.import_bootstrap_token(&token, Direction::RxTx)?;
//!
//! // For each disk: flatten, enable, and wait for the proof that the other site has it.
//! let disk = pool_a.open("one-0-0-0")?;
//! disk.flatten(|progress| {
//!     println!("{} of {} objects", progress.done, progress.total);
//!     ControlFlow::Continue(())
//! })?;
//! let id = disk.enable(MirrorImageMode::Journal)?;
//! wait::caught_up(&pool_a, &pool_b, &id, Duration::from_secs(600))?;
//!
//! // A planned move: nobody writes any more, then demote, wait, promote. Nothing is lost.
//! wait::reverse_registered(&pool_a, &pool_b, &id, Duration::from_secs(60))?;
//! disk.demote()?;
//! wait::demotion_arrived(&pool_a, &pool_b, &id, Duration::from_secs(60))?;
//! Pair::new(&pool_b, &pool_a).promote(&id)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! **One image, two sites.** Every image exists once at each site, and is what that site believes: its [`Role`]. Nobody but the
//! caller sees both. [`pair::Pair`] looks at both before it promotes or resyncs; the verbs of [`Image`] are librbd's own and look
//! at one.
//!
//! **Decide by records, not by reports.** [`Image::role`] and [`Image::journal`] are read from the cluster now. A [`status`] is what
//! rbd-mirror wrote up to 40 s ago. The functions of [`wait`] rest on the former.
//!
//! **Every call ends.** A connection has a limit for itself and one for each operation ([`Connect::within`],
//! [`Connect::operations_within`]); [`Cluster`], [`Pool`] and [`Image`] give views of themselves with another (`bounded_by`). A call
//! that a frozen site holds up is left behind, with its handle, and answers [`Error::InDoubt`]: it may still take effect.
//! Dropping a handle waits two seconds at the most.
//!
//! **Keep writable handles short.** A handle that may write has a watch on its image. When its site dies, librados repairs the watch
//! behind the scenes, and up to Ceph 20 that code has a use after free which can end the process (ceph/ceph#65698). Look with
//! read-only handles, which have none, as [`pair`] and [`wait`] do; open for a verb, and close after it.
//!
//! **Every refusal has a cause.** librbd says `EINVAL` for ten things; [`Refusal`] says which, and what to do.
//!
//! **Every call can be heard.** Each opens a span of `tracing` with its operation (`op`) and what it is done on (`image`, `pool`,
//! `cluster`); no span and no event holds a key or a token.
//!
//! **Nothing is forced, repeated or slept for** behind the caller's back.
//!
//! | word | what it is |
//! |---|---|
//! | [`Cluster`], [`Pool`], [`Image`] | a connection, a pool and namespace of it, an open image |
//! | [`Role`], [`journal`], [`status`], [`health`] | what an image is; who follows it; what was said of it; who serves it |
//! | [`Image::enable`], [`flatten`](Image::flatten), [`promote`](Image::promote), [`demote`](Image::demote), [`resync`](Image::resync) | the verbs |
//! | [`pair`], [`sync_state`] | both sites at once; whether a replica has everything |
//! | [`survey`] | two pools as a whole: what neither site's health says |
//! | [`wait`], [`Deadline`] | for what a site does by itself |
//! | [`lag`] | how far a replica is behind, in time, and how sure that is |
//! | [`watch`] | what changes in the statuses of a pool |
//! | [`fleet`] | many images at once, with an outcome for each |
//!
//! Ceph 16 (librbd 1.16) is the floor. The feature `serde` makes the report types serializable; `async` gives what librbd completes by itself as
//! futures that need no runtime.

#![deny(unsafe_code)]
#![warn(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr)]
// A program uses a few of three hundred functions: what is `inline` is compiled where it is used, and only there.
#![warn(clippy::missing_inline_in_public_items)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::expect_used))]

mod advisory;
mod aio;
mod blocklist;
mod bounded;
mod call;
mod cls;
mod cluster;
mod command;
mod copy;
mod create;
mod deadline;
mod demote;
mod diff;
mod directory;
mod enable;
mod errno;
mod error;
mod features;
mod flatten;
pub mod fleet;
pub mod health;
mod holders;
mod image;
mod info;
mod io;
pub mod journal;
mod json;
pub mod lag;
mod layout;
mod long_call;
mod metadata;
mod mirror_snapshot;
mod mirrored;
mod mode;
mod name;
#[cfg(feature = "async")]
pub mod nonblocking;
mod object;
mod op;
pub mod pair;
mod peer;
mod pending;
mod place;
mod pool;
mod progress;
mod promote;
mod queue;
mod raw;
mod refusal;
mod resync;
mod role;
mod rollback;
pub mod schedule;
mod snapshot;
mod sparsify;
pub mod status;
pub mod survey;
mod sync;
mod take_over;
mod trash;
mod turns;
mod version;
pub mod wait;
mod wake;
pub mod watch;

pub use advisory::{AdvisoryLock, LockKind, Locker};
pub use blocklist::Blocklisted;
pub use cluster::{Cluster, Connect};
pub use command::CommandReply;
pub use create::{CloneFormat, CreateOptions};
pub use deadline::Deadline;
pub use diff::{DiffOptions, Extent};
pub use enable::Disable;
pub use errno::Errno;
pub use error::{Error, Hopeless, Result};
pub use features::Features;
pub use holders::{LockOwner, Watcher};
pub use image::{Image, ImageInfo, LinkedImage, Parent};
pub use io::Zeroes;
pub use layout::{ImageFlags, Layout};
pub use metadata::{ConfigOption, ConfigSource};
pub use mirror_snapshot::SnapshotFlags;
pub use mirrored::{MirroredImage, Pages};
pub use mode::{MirrorImageMode, PoolMode};
pub use name::{GlobalImageId, ImageId, ImageSpec, MirrorUuid, PeerUuid, PoolSpec, Subject};
pub use object::ObjectLocker;
pub use op::Op;
pub use peer::{BootstrapToken, Direction, Peer, PeerAttributes};
pub use pool::{ImageEntry, Pool, TrashEntry, TrashSource};
pub use progress::Progress;
pub use promote::Promote;
pub use refusal::Refusal;
pub use role::Role;
pub use rollback::RemoveFlags;
pub use snapshot::{MirrorSnapshot, MirrorSnapshotState, Snapshot, SnapshotNamespace};
pub use sync::{SyncState, demotion_has_arrived, sync_state};
pub use take_over::TakenOver;
pub use trash::{Deferment, Purge, Purged};
pub use version::Version;
