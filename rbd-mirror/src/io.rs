//! The data of an image: read, written, given up, made durable.

use crate::error::{Error, Result};
use crate::image::Image;
use crate::op::Op;
use crate::raw::image::{CompareAndWrite, RawImage};
use crate::raw::io::Vectors;

/// What zeroes are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Zeroes {
    /// Space may be given back.
    Thin,
    /// Space is allocated, as for an image that must not run out of it later.
    Thick,
}

impl Image {
    /// Reads up to `length` bytes at `offset`; fewer at the end of the image.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::InDoubt`] if the site does not answer.
    ///
    /// Implements: `int rbd_aio_read2(rbd_image_t image, uint64_t off, size_t len, char *buf, rbd_completion_t c, int op_flags);`
    #[inline]
    pub fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let read = self.finish(Op::Read, |raw| {
            // No more is set aside than there is to be read.
            let rest = usize::try_from(raw.stat()?.size.saturating_sub(offset)).unwrap_or(usize::MAX);
            raw.start_read(offset, length.min(rest))
        });
        let (count, mut data) = read.map_err(|failure| self.write_error(Op::Read, failure))?;
        data.truncate(count);
        Ok(data)
    }

    /// Writes all of `data` at `offset`. librbd's cache acknowledges it at once, unless the connection was made with `rbd_cache` set
    /// to `false`: then it is in the journal of a journaled image, and on the OSDs otherwise. [`flush`](Self::flush) makes sure.
    ///
    /// # Errors
    /// [`Refusal::Replica`](crate::Refusal::Replica) (`EROFS` while rbd-mirror holds the lock, `EPERM` when nobody does);
    /// [`Refusal::LockHeldByDaemon`](crate::Refusal::LockHeldByDaemon) on a primary whose former replayer still holds the lock: see
    /// [`take_over`](Self::take_over); [`Refusal::ReadOnlyHandle`](crate::Refusal::ReadOnlyHandle); [`Error::InDoubt`].
    ///
    /// Implements: `int rbd_aio_write2(rbd_image_t image, uint64_t off, size_t len, const char *buf, rbd_completion_t c, int op_flags);`
    #[inline]
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let write = self.finish(Op::Write, |raw| raw.start_write(offset, data.to_vec()));
        write.map(drop).map_err(|failure| self.write_error(Op::Write, failure))
    }

    /// Writes `data` at `offset` if what is there equals `compare`, in one step; both of one length, within one object.
    ///
    /// # Errors
    /// [`Error::Os`] with `EILSEQ` if something else is there: nothing is written. Otherwise as [`write_at`](Self::write_at).
    ///
    /// Implements: `int rbd_aio_compare_and_write(rbd_image_t image, uint64_t off, size_t len, const char *cmp_buf, const char *buf, rbd_completion_t c, uint64_t *mismatch_off, int op_flags);`
    #[inline]
    pub fn compare_and_write(&self, offset: u64, compare: &[u8], data: &[u8]) -> Result<()> {
        if compare.len() != data.len() {
            let what = "compare and data differ in length";
            return Err(Error::InvalidInput { op: Op::Write, on: self.subject(), what });
        }
        let buffers = CompareAndWrite::new(compare, data);
        let written = self.finish(Op::Write, |raw| raw.start_compare_and_write(offset, buffers));
        written.map(drop).map_err(|failure| self.write_error(Op::Write, failure))
    }

    /// Makes all acknowledged writes durable.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// Implements: `int rbd_aio_flush(rbd_image_t image, rbd_completion_t c);`
    #[inline]
    pub fn flush(&self) -> Result<()> {
        let flush = self.finish(Op::Flush, RawImage::start_flush);
        flush.map(drop).map_err(|failure| self.write_error(Op::Flush, failure))
    }

    /// Gives up the data of a range; it reads as zeroes.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// Implements: `int rbd_aio_discard(rbd_image_t image, uint64_t off, uint64_t len, rbd_completion_t c);`
    #[inline]
    pub fn discard(&self, offset: u64, length: u64) -> Result<()> {
        let discard = self.finish(Op::Discard, |raw| raw.start_discard(offset, length));
        discard.map(drop).map_err(|failure| self.write_error(Op::Discard, failure))
    }

    /// Reads into buffers of these lengths, one behind the other from `offset` on, in one operation. At the end of the image the last
    /// buffers are shorter, or empty.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    ///
    /// Implements: `int rbd_aio_readv(rbd_image_t image, const struct iovec *iov, int iovcnt, uint64_t off, rbd_completion_t c);`
    #[inline]
    pub fn read_vectored_at(&self, offset: u64, lengths: &[usize]) -> Result<Vec<Vec<u8>>> {
        if lengths.iter().all(|length| *length == 0) {
            return Ok(vec![Vec::new(); lengths.len()]);
        }
        let op = Op::Read;
        let vectors = Vectors::new(lengths.iter().map(|length| vec![0; *length]).collect());
        let read = self.finish(op, |raw| raw.start_readv(offset, vectors));
        let (mut left, vectors) = read.map_err(|failure| self.write_error(op, failure))?;
        let mut buffers = vectors.buffers;
        for buffer in &mut buffers {
            buffer.truncate(left);
            left -= buffer.len();
        }
        Ok(buffers)
    }

    /// Writes buffers one behind the other from `offset` on, in one operation and without copying them.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// Implements: `int rbd_aio_writev(rbd_image_t image, const struct iovec *iov, int iovcnt, uint64_t off, rbd_completion_t c);`
    #[inline]
    pub fn write_vectored_at(&self, offset: u64, buffers: Vec<Vec<u8>>) -> Result<()> {
        if buffers.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let op = Op::Write;
        let vectors = Vectors::new(buffers);
        let write = self.finish(op, |raw| raw.start_writev(offset, vectors));
        write.map(drop).map_err(|failure| self.write_error(op, failure))
    }

    /// Writes zeroes to a range. They are journaled and replicated as any write.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    ///
    /// Implements: `int rbd_aio_write_zeroes(rbd_image_t image, uint64_t off, size_t len, rbd_completion_t c, int zero_flags, int op_flags);`
    #[inline]
    pub fn write_zeroes(&self, offset: u64, length: u64, how: Zeroes) -> Result<()> {
        let op = Op::WriteZeroes;
        let length = self.length(op, length)?;
        let write = self.finish(op, |raw| raw.start_write_zeroes(offset, length, how == Zeroes::Thick));
        write.map(drop).map_err(|failure| self.write_error(op, failure))
    }

    /// Writes a pattern over a range, again and again; the range is a multiple of it.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the range is no multiple of the pattern; as [`write_at`](Self::write_at).
    ///
    /// Implements: `int rbd_aio_writesame(rbd_image_t image, uint64_t off, size_t len, const char *buf, size_t data_len, rbd_completion_t c, int op_flags);`
    #[inline]
    pub fn write_same(&self, offset: u64, length: u64, pattern: &[u8]) -> Result<()> {
        let op = Op::Write;
        let length = self.length(op, length)?;
        if pattern.is_empty() || length % pattern.len() != 0 {
            let what = "the range is no multiple of the pattern";
            return Err(Error::InvalidInput { op, on: self.subject(), what });
        }
        let write = self.finish(op, |raw| raw.start_write_same(offset, length, pattern.to_vec()));
        write.map(drop).map_err(|failure| self.write_error(op, failure))
    }

    fn length(&self, op: Op, length: u64) -> Result<usize> {
        let what = "more bytes than this machine can count";
        usize::try_from(length).map_err(|_| Error::InvalidInput { op, on: self.subject(), what })
    }
}
