//! A stand-in for `oned`: the same XML-RPC, on loopback, without hypervisors. Its answers are held to recorded exchanges of
//! OpenNebula 6.10.3 and 7.4.0 by a test.
//!
//! It has oned's checks, and its lack of checks: any number of images register one RBD image, a VM runs on a read-only
//! replica, a name may be taken once per owner. Calls can be made to fail as networks and servers do ([`Trouble`]), and
//! what drivers do can be handed to a [`Hook`].
//!
//! ```
//! use lab::front_end::{FrontEnd, Rule, Setup, Trouble};
//!
//! let oned = FrontEnd::start(Setup::default())?;
//! oned.inject(Rule::new(Trouble::ReplyLost).method("one.image.allocate"));
//! println!("{}", oned.url());
//! # Ok::<(), lab::Error>(())
//! ```
//! What it is not: a scheduler (the first host takes everything), quotas, ACLs, virtual routers, PCI, backups, hot-plugging.
//! oned's AES is replaced by something that only looks like it.

mod hook;
mod http;
mod image;
mod machine;
mod methods;
mod network;
mod refusal;
mod server;
mod setup;
mod stored;
mod template;
mod tree;
mod trouble;
mod vm;
mod world;
mod xmlrpc;

pub use hook::{Disk, Hook, Work, WorkKind};
pub use server::FrontEnd;
pub use setup::Setup;
pub use trouble::{Rule, Trouble};
pub use world::Release;
