//! Flatten: a clone gets a copy of everything it still reads from its parent, and stands alone.

use std::ops::ControlFlow;

use crate::call::refused;
use crate::errno::Errno;
use crate::error::Result;
use crate::image::Image;
use crate::op::Op;
use crate::progress::Progress;
use crate::raw::image::RawImage;
use crate::refusal::Refusal;
use crate::role::Role;

impl Image {
    /// Copies what the image still shares with its parent, so that it can be mirrored without it.
    ///
    /// `progress` is called on this thread for every object and once more at the end, when all is done. It must not use this image:
    /// librbd waits for its answer.  `ControlFlow::Break(())` stops at once with
    /// [`Error::Cancelled`](crate::Error::Cancelled). What was copied stays, the image stays usable, and flattening again goes on from there. A panic in
    /// `progress` is raised here, after librbd has returned.
    ///
    /// The image may be in use: librbd then has the client that holds the lock (a running VM's) do the work. **That client does not
    /// heed a `Break`**: the flatten goes on to its end, without further calls of `progress`, and `Ok` says that the image is flat.
    ///
    /// The handle's limit ([`bounded_by`](Self::bounded_by)) is for the time without a sign of progress.
    ///
    /// # Errors
    /// [`Refusal::NotAClone`] (`EINVAL`): it is flat already; [`Refusal::Replica`], [`Refusal::ReadOnlyHandle`] (`EROFS`);
    /// [`Refusal::Full`] (`ENOSPC`); [`Error::InDoubt`](crate::Error::InDoubt) if nothing was heard for the limit.
    ///
    /// Implements: `int rbd_flatten_with_progress(rbd_image_t image, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd flatten`
    #[inline]
    pub fn flatten(&self, progress: impl FnMut(Progress) -> ControlFlow<()>) -> Result<()> {
        let op = Op::Flatten;
        self.long(op, progress, RawImage::flatten, |failure| match failure.errno() {
            Some(errno @ Errno::EINVAL) => refused(op, self.subject(), self.why_not_flattened(), errno),
            _ => self.write_error(op, failure),
        })
    }

    fn why_not_flattened(&self) -> Refusal {
        let why = self.explaining();
        match (why.parent(), why.role()) {
            (Ok(None), _) => Refusal::NotAClone,
            (_, Ok(Role::NonPrimary(_))) => Refusal::Replica,
            _ => Refusal::Unexplained,
        }
    }
}
