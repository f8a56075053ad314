//! Sparsify and the object map: an image's upkeep, with progress.

use std::ops::ControlFlow;

use crate::call::refused;
use crate::errno::Errno;
use crate::error::Result;
use crate::image::Image;
use crate::op::Op;
use crate::progress::Progress;
use crate::refusal::Refusal;

impl Image {
    /// Gives back the space of what is zero: every run of `extent_bytes` zeroes (a power of two, from 4096 to the object's size).
    /// The content stays the same. In journal mode the replica is not sparsified with it: do it there after a promotion.
    ///
    /// `progress` is called on this thread, in objects, as in [`flatten`](Self::flatten); `Break` stops with
    /// [`Error::Cancelled`](crate::Error::Cancelled), and what was given back stays given back.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) with `EINVAL` for a size that is no power of two or out of range; [`Refusal::Replica`],
    /// [`Refusal::ReadOnlyHandle`] (`EROFS`); [`Error::InDoubt`](crate::Error::InDoubt) if nothing was heard for the limit.
    ///
    /// Implements: `int rbd_sparsify_with_progress(rbd_image_t image, size_t sparse_size, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd sparsify --sparse-size <bytes> <image-spec>`
    #[inline]
    pub fn sparsify(
        &self,
        extent_bytes: usize,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let op = Op::Sparsify;
        self.refuse_read_only(op)?;
        self.long(
            op,
            progress,
            move |raw, rendezvous| raw.sparsify(extent_bytes, rendezvous),
            |failure| self.write_error(op, failure),
        )
    }

    /// Makes the object map and the fast diff right again, after they were marked invalid ([`Layout`](crate::Layout) shows it):
    /// what a client that was fenced in the middle of a write, or a promotion by force, may leave behind. It reads which objects
    /// exist, and changes no data.
    ///
    /// # Errors
    /// [`Refusal::NoObjectMap`] (`EINVAL`); [`Refusal::Replica`], [`Refusal::ReadOnlyHandle`] (`EROFS`);
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    ///
    /// Implements: `int rbd_rebuild_object_map(rbd_image_t image, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd object-map rebuild <image-spec>`
    #[inline]
    pub fn rebuild_object_map(&self, progress: impl FnMut(Progress) -> ControlFlow<()>) -> Result<()> {
        let op = Op::ObjectMap;
        self.refuse_read_only(op)?;
        self.long(
            op,
            progress,
            |raw, rendezvous| raw.rebuild_object_map(rendezvous),
            |failure| match failure.errno() {
                Some(errno @ Errno::EINVAL) => refused(op, self.subject(), Refusal::NoObjectMap, errno),
                _ => self.write_error(op, failure),
            },
        )
    }
}
