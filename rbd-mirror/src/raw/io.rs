//! Data of an image beyond one buffer: vectors, zeroes, patterns. Started here, waited for elsewhere.

use std::ffi::c_int;
use std::sync::Arc;

use ceph_sys as sys;

use super::completion::Aio;
use super::image::RawImage;
use crate::errno::Errno;

/// Buffers and the C array that points into them; both stay where they are until the completion has fired.
#[derive(Debug)]
pub(crate) struct Vectors {
    pub(crate) buffers: Vec<Vec<u8>>,
    pointers: Vec<sys::iovec>,
}

// SAFETY: the pointers are into the heap memory of `buffers`, which this value owns alone.
unsafe impl Send for Vectors {}

impl Vectors {
    #[inline]
    pub(crate) fn new(mut buffers: Vec<Vec<u8>>) -> Self {
        let pointer =
            |buffer: &mut Vec<u8>| sys::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let pointers = buffers.iter_mut().map(pointer).collect();
        Self { buffers, pointers }
    }

    fn count(&self) -> Result<c_int, Errno> {
        c_int::try_from(self.pointers.len()).map_err(|_| Errno::EINVAL)
    }
}

impl RawImage {
    /// `int rbd_aio_readv(rbd_image_t image, const struct iovec *iov, int iovcnt, uint64_t off, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_readv(self: &Arc<Self>, offset: u64, into: Vectors) -> Result<Aio<Vectors>, Errno> {
        let count = into.count()?;
        Aio::start(self, into, |image, slot, completion| {
            // SAFETY: the slot holds a live value that nobody else touches.
            let vectors = unsafe { &*slot };
            // SAFETY: the image is open; array and buffers stay where they are until the completion has fired.
            unsafe { sys::rbd_aio_readv(image, vectors.pointers.as_ptr(), count, offset, completion) }
        })
    }

    /// `int rbd_aio_writev(rbd_image_t image, const struct iovec *iov, int iovcnt, uint64_t off, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_writev(self: &Arc<Self>, offset: u64, of: Vectors) -> Result<Aio<Vectors>, Errno> {
        let count = of.count()?;
        Aio::start(self, of, |image, slot, completion| {
            // SAFETY: the slot holds a live value that nobody else touches.
            let vectors = unsafe { &*slot };
            // SAFETY: the image is open; array and buffers stay where they are until the completion has fired.
            unsafe { sys::rbd_aio_writev(image, vectors.pointers.as_ptr(), count, offset, completion) }
        })
    }

    /// `int rbd_aio_write_zeroes(rbd_image_t image, uint64_t off, size_t len, rbd_completion_t c, int zero_flags, int op_flags);`
    #[inline]
    pub(crate) fn start_write_zeroes(
        self: &Arc<Self>,
        offset: u64,
        length: usize,
        thick: bool,
    ) -> Result<Aio<()>, Errno> {
        let flag = c_int::try_from(sys::RBD_WRITE_ZEROES_FLAG_THICK_PROVISION).map_err(|_| Errno::EINVAL)?;
        let flags = if thick { flag } else { 0 };
        Aio::start(self, (), |image, _, completion| {
            // SAFETY: the image is open; the completion is live.
            unsafe { sys::rbd_aio_write_zeroes(image, offset, length, completion, flags, 0) }
        })
    }

    /// `int rbd_aio_writesame(rbd_image_t image, uint64_t off, size_t len, const char *buf, size_t data_len, rbd_completion_t c, int op_flags);`
    #[inline]
    pub(crate) fn start_write_same(
        self: &Arc<Self>,
        offset: u64,
        length: usize,
        pattern: Vec<u8>,
    ) -> Result<Aio<Vec<u8>>, Errno> {
        Aio::start(self, pattern, |image, slot, completion| {
            // SAFETY: the slot holds a live Vec that nobody else touches.
            let pattern = unsafe { &*slot };
            let data = pattern.as_ptr().cast();
            // SAFETY: the image is open; the Vec's heap memory stays where it is until the completion has fired.
            unsafe { sys::rbd_aio_writesame(image, offset, length, data, pattern.len(), completion, 0) }
        })
    }
}
