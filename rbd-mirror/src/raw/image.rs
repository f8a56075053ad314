//! `rbd_image_t`: open, close, and the calls on an image that are not mirroring.

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_sys as sys;

use super::call::{check, from_c, to_c};
use super::completion::Aio;
use super::rados::RawIoCtx;
use super::{buffer, callback};
use crate::errno::Errno;
use crate::progress::Rendezvous;

/// An open image, closed when dropped. Closing may take as long as the cluster likes: see [`crate::image::Image`].
#[derive(Debug)]
pub(crate) struct RawImage {
    handle: sys::rbd_image_t,
    /// Outlives the image: fields are dropped after `Drop::drop` has closed it.
    io: Arc<RawIoCtx>,
}

// SAFETY: an `rbd_image_t` is a librbd::ImageCtx, which locks around its state; librbd's API may be used from every
// thread (the QEMU driver and the Python binding do). rbd_close, which must be the last call, is in Drop; calls that are
// still running hold the value in an Arc.
unsafe impl Send for RawImage {}
// SAFETY: as above.
unsafe impl Sync for RawImage {}

/// How an image is named when it is opened.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    Name(String),
    Id(String),
}

impl RawImage {
    /// `int rbd_open(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name);` and its kin
    /// `rbd_open_read_only`, `rbd_open_by_id`, `rbd_open_by_id_read_only`.
    #[inline]
    pub(crate) fn open(
        io: &Arc<RawIoCtx>,
        which: &Which,
        snapshot: Option<&str>,
        read_only: bool,
    ) -> Result<Self, Errno> {
        let call = match (which, read_only) {
            (Which::Name(_), false) => sys::rbd_open,
            (Which::Name(_), true) => sys::rbd_open_read_only,
            (Which::Id(_), false) => sys::rbd_open_by_id,
            (Which::Id(_), true) => sys::rbd_open_by_id_read_only,
        };
        let (Which::Name(text) | Which::Id(text)) = which;
        let text = to_c(text)?;
        let snapshot = snapshot.map(to_c).transpose()?;
        let snapshot = snapshot.as_ref().map_or(ptr::null(), |snapshot| snapshot.as_ptr());
        let mut handle = ptr::null_mut();
        // SAFETY: the io context is live; NUL-terminated strings, the snapshot may be null; a place for the handle.
        check(unsafe { call(io.handle(), text.as_ptr(), &mut handle, snapshot) })?;
        Ok(Self { handle, io: Arc::clone(io) })
    }

    /// An image of a handle that an open call has filled, and that nobody else has.
    #[inline]
    pub(super) fn from_handle(handle: sys::rbd_image_t, io: Arc<RawIoCtx>) -> Self {
        Self { handle, io }
    }

    #[inline]
    pub(super) fn io(&self) -> Arc<RawIoCtx> {
        Arc::clone(&self.io)
    }

    /// The handle, which this value then has no more.
    #[inline]
    pub(super) fn take_handle(&mut self) -> sys::rbd_image_t {
        std::mem::replace(&mut self.handle, ptr::null_mut())
    }

    #[inline]
    pub(crate) fn handle(&self) -> sys::rbd_image_t {
        self.handle
    }

    /// `int rbd_get_name(rbd_image_t image, char *name, size_t *name_len);`
    #[inline]
    pub(crate) fn name(&self) -> Result<String, Errno> {
        buffer::string(|buffer, length| {
            // SAFETY: the image is open; the buffer has `length` bytes.
            check(unsafe { sys::rbd_get_name(self.handle, buffer, length) }).map(drop)
        })
    }

    /// `int rbd_get_id(rbd_image_t image, char *id, size_t id_len);`
    #[inline]
    pub(crate) fn id(&self) -> Result<String, Errno> {
        buffer::string(|buffer, length| {
            // SAFETY: the image is open; the buffer has `length` bytes.
            check(unsafe { sys::rbd_get_id(self.handle, buffer, *length) }).map(drop)
        })
    }

    /// `int rbd_stat(rbd_image_t image, rbd_image_info_t *info, size_t infosize);`
    #[inline]
    pub(crate) fn stat(&self) -> Result<sys::rbd_image_info_t, Errno> {
        let mut info = sys::rbd_image_info_t::default();
        // SAFETY: the image is open; `info` is valid for writes of its size.
        check(unsafe { sys::rbd_stat(self.handle, &mut info, size_of::<sys::rbd_image_info_t>()) })?;
        Ok(info)
    }

    /// `int rbd_get_features(rbd_image_t image, uint64_t *features);`
    #[inline]
    pub(crate) fn features(&self) -> Result<u64, Errno> {
        self.number(sys::rbd_get_features)
    }

    /// `int rbd_get_overlap(rbd_image_t image, uint64_t *overlap);`
    #[inline]
    pub(crate) fn overlap(&self) -> Result<u64, Errno> {
        self.number(sys::rbd_get_overlap)
    }

    fn number(&self, call: unsafe extern "C" fn(sys::rbd_image_t, *mut u64) -> c_int) -> Result<u64, Errno> {
        let mut number = 0;
        // SAFETY: the image is open; a valid place for the answer.
        check(unsafe { call(self.handle, &mut number) })?;
        Ok(number)
    }

    /// `int rbd_get_create_timestamp(rbd_image_t image, struct timespec *timestamp);`
    #[inline]
    pub(crate) fn created(&self) -> Result<SystemTime, Errno> {
        let mut time = sys::timespec::default();
        // SAFETY: the image is open; a valid place for the answer.
        check(unsafe { sys::rbd_get_create_timestamp(self.handle, &mut time) })?;
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Ok(UNIX_EPOCH + Duration::new(seconds, nanoseconds))
    }

    /// `int rbd_update_features(rbd_image_t image, uint64_t features, uint8_t enabled);`
    #[inline]
    pub(crate) fn update_features(&self, features: u64, enabled: bool) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_update_features(self.handle, features, u8::from(enabled)) }).map(drop)
    }

    /// `int rbd_resize2(rbd_image_t image, uint64_t size, bool allow_shrink, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn resize(&self, size: u64, allow_shrink: bool) -> Result<(), Errno> {
        // SAFETY: the image is open; librbd is given a callback, since it calls it without a look; it ignores the context.
        let rc =
            unsafe { sys::rbd_resize2(self.handle, size, allow_shrink, Some(no_progress), ptr::null_mut()) };
        check(rc).map(drop)
    }

    /// `int rbd_flatten_with_progress(rbd_image_t image, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn flatten(&self, progress: &Rendezvous) -> Result<(), Errno> {
        // SAFETY: the image is open; the context is a live reference for the whole call.
        let rc = unsafe {
            sys::rbd_flatten_with_progress(self.handle, Some(callback::progress), callback::context(progress))
        };
        check(rc).map(drop)
    }

    /// `int rbd_get_parent(rbd_image_t image, rbd_linked_image_spec_t *parent_image, rbd_snap_spec_t *parent_snap);`
    #[inline]
    pub(crate) fn parent(&self) -> Result<RawParent, Errno> {
        let mut image = sys::rbd_linked_image_spec_t::default();
        let mut snapshot = sys::rbd_snap_spec_t::default();
        // SAFETY: the image is open; two valid places, zeroed.
        check(unsafe { sys::rbd_get_parent(self.handle, &mut image, &mut snapshot) })?;
        let parent = RawParent {
            image: RawLinked::copy(&image),
            // SAFETY: librbd filled the name with a NUL-terminated string.
            snapshot: unsafe { from_c(snapshot.name) },
        };
        // SAFETY: filled by librbd above, freed once.
        unsafe { sys::rbd_linked_image_spec_cleanup(&mut image) };
        // SAFETY: as above.
        unsafe { sys::rbd_snap_spec_cleanup(&mut snapshot) };
        Ok(parent)
    }

    /// `int rbd_list_children3(rbd_image_t image, rbd_linked_image_spec_t *images, size_t *max_images);`
    #[inline]
    pub(crate) fn children(&self) -> Result<Vec<RawLinked>, Errno> {
        let mut images = buffer::list(sys::rbd_linked_image_spec_t::default(), |images, length| {
            // SAFETY: the image is open; the buffer has `length` entries.
            check(unsafe { sys::rbd_list_children3(self.handle, images, length) }).map(drop)
        })?;
        let children = images.iter().map(RawLinked::copy).collect();
        // SAFETY: `images` are the entries that librbd filled, freed once.
        unsafe { sys::rbd_linked_image_spec_list_cleanup(images.as_mut_ptr(), images.len()) };
        Ok(children)
    }

    /// `int rbd_metadata_get(rbd_image_t image, const char *key, char *value, size_t *val_len);`
    #[inline]
    pub(crate) fn metadata(&self, key: &str) -> Result<String, Errno> {
        let key = to_c(key)?;
        buffer::string(|buffer, length| {
            // SAFETY: the image is open; the buffer has `length` bytes.
            check(unsafe { sys::rbd_metadata_get(self.handle, key.as_ptr(), buffer, length) }).map(drop)
        })
    }

    /// `int rbd_metadata_set(rbd_image_t image, const char *key, const char *value);`
    #[inline]
    pub(crate) fn set_metadata(&self, key: &str, value: &str) -> Result<(), Errno> {
        let (key, value) = (to_c(key)?, to_c(value)?);
        // SAFETY: the image is open; two NUL-terminated strings.
        check(unsafe { sys::rbd_metadata_set(self.handle, key.as_ptr(), value.as_ptr()) }).map(drop)
    }

    /// `int rbd_metadata_remove(rbd_image_t image, const char *key);`
    #[inline]
    pub(crate) fn remove_metadata(&self, key: &str) -> Result<(), Errno> {
        let key = to_c(key)?;
        // SAFETY: the image is open; a NUL-terminated string.
        check(unsafe { sys::rbd_metadata_remove(self.handle, key.as_ptr()) }).map(drop)
    }

    /// `int rbd_aio_read2(rbd_image_t image, uint64_t off, size_t len, char *buf, rbd_completion_t c, int op_flags);`
    #[inline]
    pub(crate) fn start_read(self: &Arc<Self>, offset: u64, length: usize) -> Result<Aio<Vec<u8>>, Errno> {
        Aio::start(self, vec![0; length], |image, slot, completion| {
            // SAFETY: the slot holds a live Vec that nobody else touches.
            let buffer = unsafe { &mut *slot };
            // SAFETY: the image is open; the Vec's heap memory stays where it is until the completion has fired.
            unsafe {
                sys::rbd_aio_read2(image, offset, buffer.len(), buffer.as_mut_ptr().cast(), completion, 0)
            }
        })
    }

    /// `int rbd_aio_write2(rbd_image_t image, uint64_t off, size_t len, const char *buf, rbd_completion_t c, int op_flags);`
    #[inline]
    pub(crate) fn start_write(self: &Arc<Self>, offset: u64, data: Vec<u8>) -> Result<Aio<Vec<u8>>, Errno> {
        Aio::start(self, data, |image, slot, completion| {
            // SAFETY: the slot holds a live Vec that nobody else touches.
            let buffer = unsafe { &*slot };
            // SAFETY: the image is open; the Vec's heap memory stays where it is until the completion has fired.
            unsafe { sys::rbd_aio_write2(image, offset, buffer.len(), buffer.as_ptr().cast(), completion, 0) }
        })
    }

    /// `int rbd_aio_compare_and_write(rbd_image_t image, uint64_t off, size_t len, const char *cmp_buf, const char *buf, rbd_completion_t c, uint64_t *mismatch_off, int op_flags);`
    #[inline]
    pub(crate) fn start_compare_and_write(
        self: &Arc<Self>,
        offset: u64,
        buffers: CompareAndWrite,
    ) -> Result<Aio<CompareAndWrite>, Errno> {
        Aio::start(self, buffers, |image, slot, completion| {
            // SAFETY: the slot holds a live value that nobody else touches.
            let buffers = unsafe { &mut *slot };
            let (compare, data) = (buffers.compare.as_ptr().cast(), buffers.data.as_ptr().cast());
            let (length, mismatch) = (buffers.data.len(), &raw mut buffers.mismatch);
            // SAFETY: the image is open; both buffers are `length` bytes long and stay where they are, as does the place for the
            // mismatch, until the completion has fired.
            let rc = unsafe {
                sys::rbd_aio_compare_and_write(image, offset, length, compare, data, completion, mismatch, 0)
            };
            // The only one of its kind that is declared to return a size; it returns 0 or an errno like the others.
            c_int::try_from(rc).unwrap_or(-Errno::EIO.number())
        })
    }

    /// `int rbd_aio_flush(rbd_image_t image, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_flush(self: &Arc<Self>) -> Result<Aio<()>, Errno> {
        Aio::start(self, (), |image, _, completion| {
            // SAFETY: the image is open; the completion is live.
            unsafe { sys::rbd_aio_flush(image, completion) }
        })
    }

    /// `int rbd_aio_discard(rbd_image_t image, uint64_t off, uint64_t len, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_discard(self: &Arc<Self>, offset: u64, length: u64) -> Result<Aio<()>, Errno> {
        Aio::start(self, (), |image, _, completion| {
            // SAFETY: the image is open; the completion is live.
            unsafe { sys::rbd_aio_discard(image, offset, length, completion) }
        })
    }
}

impl RawImage {
    /// `int rbd_close(rbd_image_t image);`
    #[inline]
    pub(crate) fn close(mut self) -> Result<(), Errno> {
        self.close_once().map(drop)
    }

    /// The handle is gone whatever librbd answers, so it is forgotten first.
    fn close_once(&mut self) -> Result<i32, Errno> {
        let handle = self.take_handle();
        if handle.is_null() {
            return Ok(0);
        }
        // SAFETY: the handle came from an open call, and this is its last use.
        check(unsafe { sys::rbd_close(handle) })
    }
}

impl Drop for RawImage {
    fn drop(&mut self) {
        // What close answers cannot be acted upon here; `close` gives it to who wants to know.
        let _ = self.close_once();
    }
}

extern "C" fn no_progress(_done: u64, _total: u64, _context: *mut std::ffi::c_void) -> c_int {
    0
}

/// What a compare-and-write works on: two buffers of one length, and where they first differed from the image.
#[derive(Debug)]
pub(crate) struct CompareAndWrite {
    compare: Vec<u8>,
    data: Vec<u8>,
    mismatch: u64,
}

impl CompareAndWrite {
    /// The two must be of one length.
    #[inline]
    pub(crate) fn new(compare: &[u8], data: &[u8]) -> Self {
        debug_assert_eq!(compare.len(), data.len());
        Self { compare: compare.to_vec(), data: data.to_vec(), mismatch: 0 }
    }
}

/// Another image, as librbd names it.
#[derive(Clone, Debug)]
pub(crate) struct RawLinked {
    pub(crate) pool: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) in_trash: bool,
}

impl RawLinked {
    #[inline]
    pub(super) fn copy(spec: &sys::rbd_linked_image_spec_t) -> Self {
        // SAFETY: librbd fills every string of the structure, or leaves it null.
        let text = |at: *mut c_char| unsafe { from_c(at) };
        Self {
            pool: text(spec.pool_name),
            namespace: text(spec.pool_namespace),
            name: text(spec.image_name),
            id: text(spec.image_id),
            in_trash: spec.trash,
        }
    }
}

/// The image and snapshot that a clone hangs on.
#[derive(Clone, Debug)]
pub(crate) struct RawParent {
    pub(crate) image: RawLinked,
    pub(crate) snapshot: String,
}

/// `int rbd_remove(rados_ioctx_t io, const char *name);`
#[inline]
pub(crate) fn remove(io: &RawIoCtx, name: &str) -> Result<(), Errno> {
    let name = to_c(name)?;
    // SAFETY: the io context is live; a NUL-terminated name.
    check(unsafe { sys::rbd_remove(io.handle(), name.as_ptr()) }).map(drop)
}

/// `int rbd_rename(rados_ioctx_t src_io_ctx, const char *srcname, const char *destname);`
#[inline]
pub(crate) fn rename(io: &RawIoCtx, from: &str, to: &str) -> Result<(), Errno> {
    let (from, to) = (to_c(from)?, to_c(to)?);
    // SAFETY: the io context is live; two NUL-terminated names.
    check(unsafe { sys::rbd_rename(io.handle(), from.as_ptr(), to.as_ptr()) }).map(drop)
}
