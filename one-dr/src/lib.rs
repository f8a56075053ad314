//! Disaster recovery of OpenNebula VMs on Ceph: protect, move, fail over, fail back, and resume after a crash.
//!
//! A site is three things behind traits: its Ceph pool ([`Storage`]), its OpenNebula ([`FrontEnd`]), and time ([`Clock`]).

#![forbid(unsafe_code)]
#![warn(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::expect_used))]

pub mod clock;
pub mod frontend;
pub mod storage;

pub use clock::{Clock, Moment};
pub use frontend::FrontEnd;
pub use storage::Storage;
