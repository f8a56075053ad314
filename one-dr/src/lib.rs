//! Disaster recovery of OpenNebula VMs on Ceph: protect, move, fail over, fail back, and resume after a crash.
//!
//! A site is three things behind traits: its Ceph pool ([`Storage`]), its OpenNebula ([`FrontEnd`]), and time ([`Clock`]).

#![forbid(unsafe_code)]
#![warn(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::expect_used))]

pub mod catalog;
pub mod clock;
pub mod convert;
pub mod epoch;
pub mod frontend;
pub mod journal;
pub mod lease;
pub mod observe;
pub mod settings;
pub mod site;
pub mod stamp;
pub mod storage;

pub use clock::{Clock, Moment};
pub use frontend::FrontEnd;
pub use observe::{Observation, Scope, observe};
pub use settings::Settings;
pub use site::{Side, Site, SitePair};
pub use storage::Storage;
