//! Our library against two real sites that mirror each other.
//!
//! Tests that harm no site share one lab; each of the others has one of its own, one at a time. What our library says is held
//! against Ceph's own tools, and data against the checksums of exports.

mod bootstrap;
mod demote;
mod diverged;
mod examples;
mod frozen;
mod killed;
mod lag;
mod manager;
mod partition;
mod promote;
mod resync;
mod schedule;
mod sites;
mod snapshot_mode;
mod status;
mod survey;
mod wait;
