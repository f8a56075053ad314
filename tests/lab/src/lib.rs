//! Two real Ceph sites on one machine, for tests, drills and benchmarks.
//!
//! Each site is one monitor, one manager, one OSD (bluestore on a sparse file) and one `rbd-mirror`, with cephx
//! on, bound to loopback or in a container of its own: the packaged daemons, unmodified. The sites are asked through Ceph's own tools (`ceph`,
//! `rbd`, `rados`) and admin sockets only. This crate imports none of the project's others, which makes it an
//! independent witness of what they do.
//!
//! ```no_run
//! use lab::{Daemon, Lab, Options, SiteId};
//!
//! let lab = Lab::up(Options::temporary("failover"))?;       // both sites healthy, peered both ways
//! let (a, b) = (lab.site(SiteId::A), lab.site(SiteId::B));
//! a.rbd(["create", "one/disk", "--size", "64M"])?;
//! lab.kill(SiteId::A, &Daemon::ALL)?;                       // the disaster
//! println!("{}", b.pool_status("one")?);
//! # Ok::<(), lab::Error>(())
//! ```
//! Dropped, the lab leaves no process and no file.
//!
//! | module | what |
//! |---|---|
//! | `options` | what a lab is made of, and the defaults |
//! | `lab` | up, down, and the disasters: stop, kill, freeze, thaw |
//! | `witness` | what Ceph's tools say: images, mirroring, data, OSD counters |
//! | `front_end` | a stand-in for oned, OpenNebula's front-end, with faults on purpose |
//! | `wait` | the only place that sleeps: every wait has a deadline and a name |
//! | `bring_up`, `conf`, `keys` | how a site is made from nothing |
//! | `processes`, `process`, `guardian` | daemons as plain processes; nothing else is ever signalled |
//! | `backend`, `containers`, `engine` | the same daemons with a container for each site, and of any release |
//! | `between` | the way between the sites: cut, losing packets, healed |
//! | `directory`, `registry`, `lock`, `record` | whose directory and whose ports: labs side by side |
#![forbid(unsafe_code)]

mod admin_socket;
mod backend;
mod between;
mod bring_up;
mod conf;
mod containers;
mod directory;
mod engine;
mod error;
pub mod front_end;
mod guardian;
mod keys;
mod lab;
mod lock;
mod options;
mod process;
mod processes;
mod record;
mod registry;
mod site;
mod tool;
mod wait;
mod witness;

pub use backend::Backend;
pub use engine::{engine, has_image};
pub use error::{Error, Result};
pub use lab::{Lab, Teardown};
pub use options::{MirrorMode, Options, Owner, Peering, Pool, Proposals, Timers};
pub use processes::{DaemonStatus, State};
pub use registry::reap;
pub use site::{Daemon, SiteId};
pub use tool::{PACKAGES, require_installed};
pub use wait::{Seen, until};
pub use witness::{ImageInfo, ImageStatus, Mirroring, OsdCounters, Pattern, PeerSite, Site};
