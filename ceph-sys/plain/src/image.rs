//! An image in C calls.

use std::ffi::{CString, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use anyhow::Result;
use ceph_sys as sys;

use crate::{Pool, checked};

/// An open image.
#[derive(Debug)]
pub struct Image<'a> {
    image: sys::rbd_image_t,
    pool: PhantomData<&'a Pool<'a>>,
}

impl<'a> Image<'a> {
    pub(super) fn open(pool: &'a Pool<'a>, name: &str) -> Result<Self> {
        let name = CString::new(name)?;
        let mut image = ptr::null_mut();
        // SAFETY: the pool is live, the string outlives the call, there is a place for the handle, no snapshot.
        checked("rbd_open", unsafe { sys::rbd_open(pool.io, name.as_ptr(), &mut image, ptr::null()) })?;
        Ok(Self { image, pool: PhantomData })
    }

    /// Whether it is primary.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn info(&self) -> Result<bool> {
        let mut info = sys::rbd_mirror_image_info_t::default();
        let size = size_of::<sys::rbd_mirror_image_info_t>();
        // SAFETY: the image is open, the structure has that size.
        checked("get_info", unsafe { sys::rbd_mirror_image_get_info(self.image, &mut info, size) })?;
        let primary = info.primary;
        // SAFETY: filled by the call above, freed once.
        unsafe { sys::rbd_mirror_image_get_info_cleanup(&mut info) };
        Ok(primary)
    }

    /// Its status; how many sites have one.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn status(&self) -> Result<u32> {
        let mut status = sys::rbd_mirror_image_global_status_t::default();
        let size = size_of::<sys::rbd_mirror_image_global_status_t>();
        // SAFETY: the image is open, the structure has that size.
        checked("get_global_status", unsafe {
            sys::rbd_mirror_image_get_global_status(self.image, &mut status, size)
        })?;
        let sites = status.site_statuses_count;
        // SAFETY: filled by the call above, freed once.
        unsafe { sys::rbd_mirror_image_global_status_cleanup(&mut status) };
        Ok(sites)
    }

    /// Promotes it.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn promote(&self) -> Result<()> {
        // SAFETY: the image is open.
        checked("promote", unsafe { sys::rbd_mirror_image_promote(self.image, false) }).map(drop)
    }

    /// Demotes it.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn demote(&self) -> Result<()> {
        // SAFETY: the image is open.
        checked("demote", unsafe { sys::rbd_mirror_image_demote(self.image) }).map(drop)
    }

    /// Flattens it. `reported` makes librbd call back for every object.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn flatten(&self, reported: bool) -> Result<()> {
        extern "C" fn go_on(_: u64, _: u64, _: *mut c_void) -> c_int {
            0
        }
        let done = if reported {
            // SAFETY: the image is open; the function uses no context.
            unsafe { sys::rbd_flatten_with_progress(self.image, Some(go_on), ptr::null_mut()) }
        } else {
            // SAFETY: the image is open.
            unsafe { sys::rbd_flatten(self.image) }
        };
        checked("flatten", done).map(drop)
    }
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        // SAFETY: made by rbd_open, closed once.
        unsafe { sys::rbd_close(self.image) };
    }
}
