//! A pool in C calls.

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr;

use anyhow::{Result, ensure};
use ceph_sys as sys;

use crate::{Cluster, Image, checked};

/// A pool of a connection.
#[derive(Debug)]
pub struct Pool<'a> {
    pub(super) io: sys::rados_ioctx_t,
    cluster: PhantomData<&'a Cluster>,
}

impl Cluster {
    /// A pool.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn pool(&self, name: &str) -> Result<Pool<'_>> {
        let name = CString::new(name)?;
        let mut io = ptr::null_mut();
        // SAFETY: the connection is live, the string outlives the call, there is a place for the handle.
        checked("rados_ioctx_create", unsafe { sys::rados_ioctx_create(self.0, name.as_ptr(), &mut io) })?;
        Ok(Pool { io, cluster: PhantomData })
    }
}

impl Pool<'_> {
    /// An image, for writing.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn open(&self, name: &str) -> Result<Image<'_>> {
        Image::open(self, name)
    }

    /// Reads all statuses in pages of so many, and counts them: what a binding does that hands C's structures on.
    ///
    /// # Errors
    /// The number that a call answered.
    pub fn statuses(&self, page: usize) -> Result<usize> {
        let mut ids: Vec<*mut c_char> = vec![ptr::null_mut(); page];
        let mut entries: Vec<sys::rbd_mirror_image_global_status_t> =
            (0..page).map(|_| sys::rbd_mirror_image_global_status_t::default()).collect();
        let (mut start, mut count) = (CString::default(), 0);
        loop {
            let mut length = page;
            // SAFETY: both arrays have `length` places, and the string outlives the call.
            checked("rbd_mirror_image_global_status_list", unsafe {
                sys::rbd_mirror_image_global_status_list(
                    self.io,
                    start.as_ptr(),
                    length,
                    ids.as_mut_ptr(),
                    entries.as_mut_ptr(),
                    &mut length,
                )
            })?;
            ensure!(length <= page, "more entries than there is room for");
            if length == 0 {
                return Ok(count);
            }
            count += length;
            // SAFETY: librbd has put a string in each of the first `length` places.
            start = unsafe { CStr::from_ptr(ids[length - 1]) }.to_owned();
            // SAFETY: what the call above has put there, freed once.
            unsafe {
                sys::rbd_mirror_image_global_status_list_cleanup(
                    ids.as_mut_ptr(),
                    entries.as_mut_ptr(),
                    length,
                );
            }
        }
    }
}

/// A watch on an object, by which others see that this client is alive. It hears nothing.
#[derive(Debug)]
pub struct Watch<'a> {
    pool: &'a Pool<'a>,
    cookie: u64,
}

impl Pool<'_> {
    /// Watches an object.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn watch(&self, object: &str) -> Result<Watch<'_>> {
        extern "C" fn heard(_: *mut c_void, _: u64, _: u64, _: u64, _: *mut c_void, _: usize) {}
        let object = CString::new(object)?;
        let mut cookie = 0;
        // SAFETY: the pool is live, the string outlives the call, a place for the cookie, a function that uses no context.
        checked("rados_watch2", unsafe {
            sys::rados_watch2(self.io, object.as_ptr(), &mut cookie, Some(heard), None, ptr::null_mut())
        })?;
        Ok(Watch { pool: self, cookie })
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // SAFETY: the pool is live, which this value borrows; the cookie is of rados_watch2, used last here.
        unsafe { sys::rados_unwatch2(self.pool.io, self.cookie) };
    }
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        // SAFETY: made by rados_ioctx_create; images borrow this value, so none is left.
        unsafe { sys::rados_ioctx_destroy(self.io) };
    }
}
