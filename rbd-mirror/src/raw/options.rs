//! `rbd_image_options_t`, and the calls that make images with it.

use std::ptr;

use ceph_sys as sys;

use super::call::{check, to_c};
use super::rados::RawIoCtx;
use crate::errno::Errno;

/// Options for a new image, destroyed when dropped.
#[derive(Debug)]
pub(crate) struct RawOptions {
    handle: sys::rbd_image_options_t,
}

impl RawOptions {
    /// `void rbd_image_options_create(rbd_image_options_t* opts);`
    #[inline]
    pub(crate) fn new() -> Self {
        let mut handle = ptr::null_mut();
        // SAFETY: a valid place for the handle.
        unsafe { sys::rbd_image_options_create(&mut handle) };
        Self { handle }
    }

    /// `int rbd_image_options_set_uint64(rbd_image_options_t opts, int optname, uint64_t optval);`
    #[inline]
    pub(crate) fn set_number(&self, option: u32, value: u64) -> Result<(), Errno> {
        let option = i32::try_from(option).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the options are live.
        check(unsafe { sys::rbd_image_options_set_uint64(self.handle, option, value) }).map(drop)
    }

    /// `int rbd_image_options_set_string(rbd_image_options_t opts, int optname, const char* optval);`
    #[inline]
    pub(crate) fn set_text(&self, option: u32, value: &str) -> Result<(), Errno> {
        let option = i32::try_from(option).map_err(|_| Errno::EINVAL)?;
        let value = to_c(value)?;
        // SAFETY: the options are live; a NUL-terminated string.
        check(unsafe { sys::rbd_image_options_set_string(self.handle, option, value.as_ptr()) }).map(drop)
    }
}

impl RawOptions {
    #[inline]
    pub(crate) fn handle(&self) -> sys::rbd_image_options_t {
        self.handle
    }
}

impl Drop for RawOptions {
    fn drop(&mut self) {
        // SAFETY: the handle came from create; its last use.
        unsafe { sys::rbd_image_options_destroy(self.handle) };
    }
}

/// `int rbd_create4(rados_ioctx_t io, const char *name, uint64_t size, rbd_image_options_t opts);`
#[inline]
pub(crate) fn create(io: &RawIoCtx, name: &str, size: u64, options: &RawOptions) -> Result<(), Errno> {
    let name = to_c(name)?;
    // SAFETY: the io context and the options are live; a NUL-terminated name.
    check(unsafe { sys::rbd_create4(io.handle(), name.as_ptr(), size, options.handle) }).map(drop)
}

/// `int rbd_clone3(rados_ioctx_t p_ioctx, const char *p_name, const char *p_snapname, rados_ioctx_t c_ioctx, const char *c_name, rbd_image_options_t c_opts);`
#[inline]
pub(crate) fn clone(
    parent: (&RawIoCtx, &str, &str),
    child: (&RawIoCtx, &str),
    options: &RawOptions,
) -> Result<(), Errno> {
    let (parent_io, parent_name, snapshot) = parent;
    let (child_io, child_name) = child;
    let (parent_name, snapshot, child_name) = (to_c(parent_name)?, to_c(snapshot)?, to_c(child_name)?);
    // SAFETY: both io contexts and the options are live; three NUL-terminated names.
    let rc = unsafe {
        sys::rbd_clone3(
            parent_io.handle(),
            parent_name.as_ptr(),
            snapshot.as_ptr(),
            child_io.handle(),
            child_name.as_ptr(),
            options.handle,
        )
    };
    check(rc).map(drop)
}
