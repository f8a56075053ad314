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
        Self::primary(|info, size| {
            // SAFETY: the image is open, the structure has that size.
            checked("get_info", unsafe { sys::rbd_mirror_image_get_info(self.image, info, size) }).map(drop)
        })
    }

    /// [`info`](Self::info) by the asynchronous call, waited for without a limit.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn info_aio(&self) -> Result<bool> {
        Self::primary(|info, size| {
            // SAFETY: the image is open, the structure has that size and outlives the call, which is waited for.
            awaited("aio_get_info", |completion| unsafe {
                sys::rbd_aio_mirror_image_get_info(self.image, info, size, completion)
            })
        })
    }

    fn primary(fill: impl FnOnce(&mut sys::rbd_mirror_image_info_t, usize) -> Result<()>) -> Result<bool> {
        let mut info = sys::rbd_mirror_image_info_t::default();
        fill(&mut info, size_of::<sys::rbd_mirror_image_info_t>())?;
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
        Self::sites(|status, size| {
            // SAFETY: the image is open, the structure has that size.
            let answered = unsafe { sys::rbd_mirror_image_get_global_status(self.image, status, size) };
            checked("get_global_status", answered).map(drop)
        })
    }

    /// [`status`](Self::status) by the asynchronous call, waited for without a limit.
    ///
    /// # Errors
    /// The number that the call answered.
    pub fn status_aio(&self) -> Result<u32> {
        Self::sites(|status, size| {
            // SAFETY: the image is open, the structure has that size and outlives the call, which is waited for.
            awaited("aio_get_global_status", |completion| unsafe {
                sys::rbd_aio_mirror_image_get_global_status(self.image, status, size, completion)
            })
        })
    }

    fn sites(
        fill: impl FnOnce(&mut sys::rbd_mirror_image_global_status_t, usize) -> Result<()>,
    ) -> Result<u32> {
        let mut status = sys::rbd_mirror_image_global_status_t::default();
        fill(&mut status, size_of::<sys::rbd_mirror_image_global_status_t>())?;
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

/// Begins a call and waits for its end, however long that takes.
fn awaited(what: &str, begin: impl FnOnce(sys::rbd_completion_t) -> c_int) -> Result<()> {
    let mut completion = ptr::null_mut();
    // SAFETY: no callback, and a place for the handle.
    let made = unsafe { sys::rbd_aio_create_completion(ptr::null_mut(), None, &mut completion) };
    checked(what, made)?;
    let begun = checked(what, begin(completion));
    let ended = begun.and_then(|_| {
        // SAFETY: the completion is live, and the call was begun.
        unsafe { sys::rbd_aio_wait_for_complete(completion) };
        // SAFETY: the completion is live.
        let value = unsafe { sys::rbd_aio_get_return_value(completion) };
        checked(what, c_int::try_from(value)?)
    });
    // SAFETY: the call has ended or never began; released once.
    unsafe { sys::rbd_aio_release(completion) };
    ended.map(drop)
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        // SAFETY: made by rbd_open, closed once.
        unsafe { sys::rbd_close(self.image) };
    }
}
