//! The trash: one entry, and what is removed from it with progress.

use ceph_sys as sys;

use super::call::{check, from_c, to_c};
use super::callback;
use super::pool::{RawTrashed, time};
use super::rados::RawIoCtx;
use crate::errno::Errno;
use crate::progress::Rendezvous;

impl RawIoCtx {
    /// `int rbd_trash_get(rados_ioctx_t io, const char *id, rbd_trash_image_info_t *info);`
    #[inline]
    pub(crate) fn trashed(&self, id: &str) -> Result<RawTrashed, Errno> {
        let id = to_c(id)?;
        let mut entry = sys::rbd_trash_image_info_t::default();
        // SAFETY: the io context is live; a NUL-terminated id, and a place for the entry.
        check(unsafe { sys::rbd_trash_get(self.handle(), id.as_ptr(), &mut entry) })?;
        let copy = RawTrashed {
            // SAFETY: librbd filled the id with a NUL-terminated string.
            id: unsafe { from_c(entry.id) },
            // SAFETY: as above, the name.
            name: unsafe { from_c(entry.name) },
            source: entry.source,
            deleted: time(entry.deletion_time),
            deferred_until: time(entry.deferment_end_time),
        };
        // SAFETY: filled by librbd above, freed once.
        unsafe { sys::rbd_trash_get_cleanup(&mut entry) };
        Ok(copy)
    }

    /// `int rbd_trash_remove_with_progress(rados_ioctx_t io, const char *id, bool force, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn remove_trashed(&self, id: &str, force: bool, progress: &Rendezvous) -> Result<(), Errno> {
        let id = to_c(id)?;
        let context = callback::context(progress);
        // SAFETY: the io context is live; a NUL-terminated id; the context is a live reference for the whole call.
        let rc = unsafe {
            sys::rbd_trash_remove_with_progress(
                self.handle(),
                id.as_ptr(),
                force,
                Some(callback::progress),
                context,
            )
        };
        check(rc).map(drop)
    }

    /// `int rbd_remove_with_progress(rados_ioctx_t io, const char *name, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn remove_image(&self, name: &str, progress: &Rendezvous) -> Result<(), Errno> {
        let name = to_c(name)?;
        let context = callback::context(progress);
        // SAFETY: the io context is live; a NUL-terminated name; the context is a live reference for the whole call.
        let rc = unsafe {
            sys::rbd_remove_with_progress(self.handle(), name.as_ptr(), Some(callback::progress), context)
        };
        check(rc).map(drop)
    }
}
