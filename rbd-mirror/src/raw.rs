//! The border to C: the only place in this crate with `unsafe`.
//!
//! One C call a block, no logic inside. What crosses the border outwards is plain Rust: owned values and [`Errno`]. No
//! function here waits, retries, or chooses; deadlines are given by [`crate::bounded`] and by [`completion`].
//!
//! A function for one C call is `inline`, as the public function above it is: one that nobody calls is not compiled.

#![allow(unsafe_code)]

pub(crate) mod advisory;
pub(crate) mod buffer;
pub(crate) mod call;
pub(crate) mod callback;
pub(crate) mod completion;
pub(crate) mod copy;
pub(crate) mod image;
pub(crate) mod io;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod metadata;
pub(crate) mod mirror_image;
pub(crate) mod mirror_pool;
pub(crate) mod object;
pub(crate) mod open;
pub(crate) mod options;
pub(crate) mod pool;
pub(crate) mod rados;
pub(crate) mod snapshot;
pub(crate) mod trash;
