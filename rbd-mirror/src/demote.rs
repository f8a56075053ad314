//! Demote: this site gives the image up, so that another can take it.

use crate::call::{Failure, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::op::Op;
use crate::raw::image::RawImage;
use crate::refusal::Refusal;
use crate::role::Role;

impl Image {
    /// Makes this image non-primary: it refuses writes from now on, and the peer can be promoted once the demotion has
    /// arrived there.
    ///
    /// A client that has the image open is **not** an obstacle: its writes are refused (`EPERM`), and after a resync they
    /// would be accepted again, into nowhere. Stop the writer first and look at [`watchers`](Self::watchers).
    ///
    /// Killed half-way, a demotion leaves an image that no side can promote: [`crate::journal::Journal::has_broken_demotion`].
    ///
    /// # Errors
    /// [`Refusal::NotPrimary`], [`Refusal::NotMirrored`] (`EINVAL`); [`Refusal::LockHeld`] if a client holds the lock and does
    /// not give it up (`EROFS`); [`Refusal::ReadOnlyHandle`]; [`Error::InDoubt`] if the site does not answer. A dead client's
    /// lock is waited for until the OSD forgets it: 30 s.
    ///
    /// Implements: `int rbd_aio_mirror_image_demote(rbd_image_t image, rbd_completion_t c);`
    /// Similar to: `rbd mirror image demote <image-spec>`
    #[inline]
    pub fn demote(&self) -> Result<()> {
        let _span = tracing::info_span!("demote", op = Op::Demote.word(), image = %self.spec()).entered();
        self.refuse_read_only(Op::Demote)?;
        let demoted = self.finish(Op::Demote, RawImage::start_demote);
        demoted.map(drop).map_err(|failure| self.why_not_demoted(failure))
    }

    pub(crate) fn why_not_demoted(&self, failure: Failure) -> Error {
        let op = Op::Demote;
        let Some(errno) = failure.errno() else { return self.error(op, failure) };
        let reason = match errno {
            Errno::EINVAL | Errno::ENOENT => match self.explaining().role() {
                Ok(Role::NonPrimary(_)) => Refusal::NotPrimary,
                Ok(Role::NotMirrored) => Refusal::NotMirrored,
                Ok(Role::Disabling(_)) => Refusal::Disabling,
                Ok(_) if errno == Errno::EINVAL => Refusal::NoExclusiveLock,
                _ => return self.error(op, failure),
            },
            Errno::EROFS => Refusal::LockHeld,
            _ => return self.error(op, failure),
        };
        refused(op, self.subject(), reason, errno)
    }
}
