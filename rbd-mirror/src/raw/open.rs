//! Opening and closing an image by completion: what many images at once need, without a thread for each.

use std::ptr;
use std::sync::Arc;

use ceph_sys as sys;

use super::call::to_c;
use super::completion::Aio;
use super::image::{RawImage, Which};
use super::rados::RawIoCtx;
use crate::errno::Errno;

/// The place of a handle that librbd opens. A handle that nobody fetched is closed with it, which waits for the cluster: the last
/// reference must not be dropped where nobody may wait.
pub(crate) struct OpenSlot {
    handle: sys::rbd_image_t,
    io: Arc<RawIoCtx>,
}

// SAFETY: an image's handle may be used from every thread: see `RawImage`.
unsafe impl Send for OpenSlot {}

impl OpenSlot {
    /// The image, once it was opened.
    #[inline]
    pub(crate) fn into_image(mut self) -> Option<RawImage> {
        let handle = std::mem::replace(&mut self.handle, ptr::null_mut());
        (!handle.is_null()).then(|| RawImage::from_handle(handle, Arc::clone(&self.io)))
    }
}

impl Drop for OpenSlot {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            drop(RawImage::from_handle(self.handle, Arc::clone(&self.io)));
        }
    }
}

impl RawImage {
    /// `int rbd_aio_open(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name, rbd_completion_t c);` and its
    /// kin `rbd_aio_open_read_only`, `rbd_aio_open_by_id`, `rbd_aio_open_by_id_read_only`.
    #[inline]
    pub(crate) fn start_open(
        io: &Arc<RawIoCtx>,
        which: &Which,
        read_only: bool,
    ) -> Result<Aio<OpenSlot>, Errno> {
        let call = match (which, read_only) {
            (Which::Name(_), false) => sys::rbd_aio_open,
            (Which::Name(_), true) => sys::rbd_aio_open_read_only,
            (Which::Id(_), false) => sys::rbd_aio_open_by_id,
            (Which::Id(_), true) => sys::rbd_aio_open_by_id_read_only,
        };
        let (Which::Name(text) | Which::Id(text)) = which;
        let text = to_c(text)?;
        let slot = OpenSlot { handle: ptr::null_mut(), io: Arc::clone(io) };
        let held: Arc<RawIoCtx> = Arc::clone(io);
        Aio::start_on(held, slot, |slot, completion| {
            // SAFETY: the slot is live; the pointer is to one of its fields.
            let handle = unsafe { &raw mut (*slot).handle };
            // SAFETY: the io context is live; a NUL-terminated string that librbd copies; the place stays valid until the completion
            // has fired; librbd leaves null there when it fails.
            unsafe { call(io.handle(), text.as_ptr(), handle, ptr::null(), completion) }
        })
    }

    /// `int rbd_aio_close(rbd_image_t image, rbd_completion_t c);`: the handle is gone whatever comes of it.
    #[inline]
    pub(crate) fn start_close(mut self) -> Result<Aio<()>, Errno> {
        let handle = self.take_handle();
        let io: Arc<RawIoCtx> = self.io();
        Aio::start_on(io, (), |_, completion| {
            // SAFETY: the handle came from an open call, and this is its last use: no call runs on it, since this was the only value
            // that held it.
            unsafe { sys::rbd_aio_close(handle, completion) }
        })
    }
}
