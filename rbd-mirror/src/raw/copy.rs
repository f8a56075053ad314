//! Long calls on an image that report their progress: copies, sparsify, rollback, the object map.

use std::ffi::{c_int, c_void};

use ceph_sys as sys;

use super::call::{check, to_c};
use super::callback;
use super::image::RawImage;
use super::options::RawOptions;
use super::rados::RawIoCtx;
use crate::errno::Errno;
use crate::progress::Rendezvous;

/// Where a copy goes: a pool and namespace, a name, and what the new image is to be.
pub(crate) struct Target<'a> {
    pub(crate) io: &'a RawIoCtx,
    pub(crate) name: &'a str,
    pub(crate) options: &'a RawOptions,
}

impl RawImage {
    /// `int rbd_deep_copy_with_progress(rbd_image_t image, rados_ioctx_t dest_io_ctx, const char *destname, rbd_image_options_t dest_opts, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn deep_copy(&self, to: &Target<'_>, progress: &Rendezvous) -> Result<(), Errno> {
        let name = to_c(to.name)?;
        let (io, options) = (to.io.handle(), to.options.handle());
        let context = callback::context(progress);
        // SAFETY: the image is open, the io context and the options are live, the name ends with NUL; the context is a live
        // reference for the whole call.
        let rc = unsafe {
            sys::rbd_deep_copy_with_progress(
                self.handle(),
                io,
                name.as_ptr(),
                options,
                Some(callback::progress),
                context,
            )
        };
        check(rc).map(drop)
    }

    /// `int rbd_copy_with_progress4(rbd_image_t image, rados_ioctx_t dest_p, const char *destname, rbd_image_options_t dest_opts, librbd_progress_fn_t cb, void *cbdata, size_t sparse_size);`
    #[inline]
    pub(crate) fn copy(&self, to: &Target<'_>, sparse: usize, progress: &Rendezvous) -> Result<(), Errno> {
        let name = to_c(to.name)?;
        let (io, options) = (to.io.handle(), to.options.handle());
        let context = callback::context(progress);
        // SAFETY: the image is open, the io context and the options are live, the name ends with NUL; the context is a live
        // reference for the whole call.
        let rc = unsafe {
            sys::rbd_copy_with_progress4(
                self.handle(),
                io,
                name.as_ptr(),
                options,
                Some(callback::progress),
                context,
                sparse,
            )
        };
        check(rc).map(drop)
    }

    /// `int rbd_sparsify_with_progress(rbd_image_t image, size_t sparse_size, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn sparsify(&self, sparse: usize, progress: &Rendezvous) -> Result<(), Errno> {
        let context = callback::context(progress);
        // SAFETY: the image is open; the context is a live reference for the whole call.
        let rc = unsafe {
            sys::rbd_sparsify_with_progress(self.handle(), sparse, Some(callback::progress), context)
        };
        check(rc).map(drop)
    }

    /// `int rbd_snap_rollback_with_progress(rbd_image_t image, const char *snapname, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn rollback(&self, snapshot: &str, progress: &Rendezvous) -> Result<(), Errno> {
        let snapshot = to_c(snapshot)?;
        let context = callback::context(progress);
        // SAFETY: the image is open; a NUL-terminated name; the context is a live reference for the whole call.
        let rc = unsafe {
            sys::rbd_snap_rollback_with_progress(
                self.handle(),
                snapshot.as_ptr(),
                Some(callback::progress),
                context,
            )
        };
        check(rc).map(drop)
    }

    /// `int rbd_rebuild_object_map(rbd_image_t image, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn rebuild_object_map(&self, progress: &Rendezvous) -> Result<(), Errno> {
        let context = callback::context(progress);
        // SAFETY: the image is open; the context is a live reference for the whole call.
        let rc = unsafe { sys::rbd_rebuild_object_map(self.handle(), Some(callback::progress), context) };
        check(rc).map(drop)
    }

    /// `int rbd_diff_iterate2(rbd_image_t image, const char *fromsnapname, uint64_t ofs, uint64_t len, uint8_t include_parent, uint8_t whole_object, int (*cb)(uint64_t, size_t, int, void *), void *arg);`
    ///
    /// `found` is called on threads of librbd, with offset, length and whether there is data; `false` ends the call.
    pub(crate) fn diff<F: Fn(u64, u64, bool) -> bool + Sync>(
        &self,
        asked: &RawDiff,
        found: &F,
    ) -> Result<(), Errno> {
        let from = asked.from.as_deref().map(to_c).transpose()?;
        let from = from.as_ref().map_or(std::ptr::null(), |from| from.as_ptr());
        let (parent, whole) = (u8::from(asked.include_parent), u8::from(asked.whole_objects));
        let context = std::ptr::from_ref(found).cast_mut().cast();
        // SAFETY: the image is open; the snapshot's name is null or ends with NUL; the context is a live reference for the
        // whole call, to a value that the callback only reads.
        let rc = unsafe {
            sys::rbd_diff_iterate2(
                self.handle(),
                from,
                asked.offset,
                asked.length,
                parent,
                whole,
                Some(extent::<F>),
                context,
            )
        };
        check(rc).map(drop)
    }
}

/// What a diff is asked for.
#[derive(Clone, Debug)]
pub(crate) struct RawDiff {
    pub(crate) from: Option<String>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) include_parent: bool,
    pub(crate) whole_objects: bool,
}

/// `int (*cb)(uint64_t, size_t, int, void *)`
extern "C" fn extent<F: Fn(u64, u64, bool) -> bool + Sync>(
    offset: u64,
    length: usize,
    exists: c_int,
    context: *mut c_void,
) -> c_int {
    // SAFETY: the context is the `&F` given together with this function; `diff` keeps it alive until librbd has returned.
    let found = unsafe { &*context.cast_const().cast::<F>() };
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if found(offset, length, exists != 0) { 0 } else { -Errno::ECANCELED.number() }
}
