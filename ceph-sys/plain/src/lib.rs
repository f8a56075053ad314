//! The limit: librados and librbd called as a C program calls them, one thing after the other, with nothing in between.
//!
//! For the benchmarks alone: errors are the plain numbers, and nothing has a deadline of its own, which the run has for it. It counts
//! what the program that links it allocates.

#![allow(unsafe_code)]

pub mod alloc;
mod exec;
mod image;
mod pool;

use std::ffi::{CString, c_int};
use std::path::Path;
use std::ptr;

use anyhow::{Result, ensure};
use ceph_sys as sys;

pub use image::Image;
pub use pool::{Pool, Watch};

/// A connection as `client.admin`.
#[derive(Debug)]
pub struct Cluster(sys::rados_t);

impl Cluster {
    /// Connects with that configuration.
    ///
    /// # Errors
    /// The number that a call answered.
    pub fn connect(conf: &Path) -> Result<Self> {
        let (name, user) = (c"ceph", c"client.admin");
        let conf = CString::new(conf.as_os_str().as_encoded_bytes())?;
        let mut rados = ptr::null_mut();
        // SAFETY: a place for the handle, and strings that outlive the call.
        checked("rados_create2", unsafe { sys::rados_create2(&mut rados, name.as_ptr(), user.as_ptr(), 0) })?;
        let cluster = Self(rados);
        // SAFETY: the handle is live, the string outlives the call.
        checked("rados_conf_read_file", unsafe { sys::rados_conf_read_file(rados, conf.as_ptr()) })?;
        // SAFETY: the handle is live and not connected yet.
        checked("rados_connect", unsafe { sys::rados_connect(rados) })?;
        Ok(cluster)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SAFETY: made by rados_create2; pools borrow this value, so none is left.
        unsafe { sys::rados_shutdown(self.0) };
    }
}

fn checked(what: &str, code: c_int) -> Result<c_int> {
    ensure!(code >= 0, "{what} answered {code}");
    Ok(code)
}
