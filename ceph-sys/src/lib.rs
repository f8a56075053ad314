//! Raw bindings to librados and librbd: what the C headers say, and no opinion about it.
//!
//! No `Result`, no decision, no allocation: the crate `rbd-mirror` gives these functions types, deadlines and causes.
//! The bindings are checked in ([`bindings/`]), generated from librbd 1.16 (Ceph 16, Pacific), the oldest release that is
//! supported. Enums are integer constants, because a newer Ceph adds values. The 57 mirroring functions have the same
//! prototypes in every release from 16 to 20; what is newer is looked up at run time, in [`newer`].
//!
//! [`bindings/`]: https://docs.rs/crate/ceph-sys/latest/source/bindings/

#![no_std]
pub use generated::*;

pub mod newer;

#[allow(missing_docs, reason = "generated; Ceph's headers are the documentation")]
#[allow(non_camel_case_types, reason = "C names")]
#[allow(non_upper_case_globals, reason = "C names")]
#[allow(clippy::all, reason = "generated")]
#[allow(clippy::absolute_paths, clippy::ptr_as_ptr, reason = "generated")]
#[allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block, reason = "generated zeroing Defaults")]
#[allow(unused_qualifications, reason = "generated")]
#[rustfmt::skip]
#[path = "../bindings/librbd_1_16.rs"]
mod generated;

#[cfg(test)]
mod tests;
