//! Promote: this site becomes the primary, and its image writable.

use crate::call::{Failure, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::op::Op;
use crate::refusal::Refusal;
use crate::role::Role;

/// Whether a promotion asks the journal who owns the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promote {
    /// Only after a demotion at the peer has arrived here.
    Clean,
    /// Whatever the peer is. It is not told: it still believes itself primary, and must be demoted and resynced before it can
    /// follow again. Writes that had not arrived here are lost by then.
    Force,
}

impl Image {
    /// Makes this image primary, so that the local site accepts writes.
    ///
    /// The remote image is not told. librbd looks at this site's journal only: it does **not** see that the peer is primary
    /// once this image was demoted, nor that this copy has diverged. [`crate::pair::Pair::promote`] looks at both sites.
    ///
    /// After [`Promote::Force`] with a frozen peer, rbd-mirror may keep the lock, and every write is refused, until
    /// [`take_over`](Self::take_over).
    ///
    /// # Errors
    /// [`Refusal::PrimaryElsewhere`] for [`Promote::Clean`] if the peer has not demoted, or its demotion has not arrived
    /// (`EBUSY`): [`crate::wait::demotion_arrived`]. [`Refusal::AlreadyPrimary`], [`Refusal::NotMirrored`] (`EINVAL`,
    /// `ENOENT`). [`Refusal::LockHeld`] in snapshot mode while rbd-mirror still has the image (`EROFS`). [`Refusal::ReadOnlyHandle`]. [`Error::InDoubt`] if the site does not answer.
    ///
    /// Implements: `int rbd_aio_mirror_image_promote(rbd_image_t image, bool force, rbd_completion_t c);`
    /// Similar to: `rbd mirror image promote [--force] <image-spec>`
    #[inline]
    pub fn promote(&self, how: Promote) -> Result<()> {
        let force = how == Promote::Force;
        let _span =
            tracing::info_span!("promote", op = Op::Promote.word(), image = %self.spec(), force).entered();
        self.refuse_read_only(Op::Promote)?;
        let promoted = self.finish(Op::Promote, |raw| raw.start_promote(force));
        promoted.map(drop).map_err(|failure| self.why_not_promoted(failure, how))
    }

    pub(crate) fn why_not_promoted(&self, failure: Failure, how: Promote) -> Error {
        let op = Op::Promote;
        let Some(errno) = failure.errno() else { return self.error(op, failure) };
        let reason = match errno {
            Errno::EBUSY if how == Promote::Clean => Refusal::PrimaryElsewhere,
            // In snapshot mode a promotion takes the lock, and rbd-mirror gives it up a moment after the demotion has arrived.
            Errno::EROFS => Refusal::LockHeld,
            Errno::EINVAL | Errno::ENOENT => match self.explaining().role() {
                Ok(Role::Primary(_)) => Refusal::AlreadyPrimary,
                Ok(Role::NotMirrored) => Refusal::NotMirrored,
                Ok(Role::Disabling(_)) => Refusal::Disabling,
                Ok(_) if errno == Errno::EINVAL => Refusal::Unexplained,
                _ => return self.error(op, failure),
            },
            _ => return self.write_error(op, failure),
        };
        refused(op, self.subject(), reason, errno)
    }
}
