//! Resync: the local copy is thrown away and fetched again from the primary.

use crate::call::refused;
use crate::errno::Errno;
use crate::error::Result;
use crate::image::Image;
use crate::name::GlobalImageId;
use crate::op::Op;
use crate::raw::image::RawImage;
use crate::refusal::Refusal;
use crate::role::Role;

impl Image {
    /// **Destroys this copy**, snapshots included, and has rbd-mirror make it again from the primary: under a new image id,
    /// after seconds without any image. With `rbd_mirroring_delete_delay` set at this site, the old copy stays in the trash.
    ///
    /// Nothing here proves that there is a primary to fetch from: without one, the last copy is gone.
    /// [`crate::pair::Pair::resync`] proves it first, and that nobody has this copy open. `consent` is the id of the image
    /// whose local copy may be destroyed; it must be this one's.
    ///
    /// The handle goes stale: close it. [`crate::wait::resynced`] waits for the new image.
    ///
    /// # Errors
    /// [`Refusal::ReadOnlyHandle`]; [`Refusal::ConsentMismatch`]; [`Refusal::IsPrimary`] (`EINVAL`); [`Refusal::NotMirrored`] (`ENOENT`);
    /// [`crate::Error::InDoubt`] if the site does not answer.
    ///
    /// Implements: `int rbd_mirror_image_resync(rbd_image_t image);`
    /// Similar to: `rbd mirror image resync <image-spec>`
    #[inline]
    pub fn resync(&self, consent: &GlobalImageId) -> Result<()> {
        let op = Op::Resync;
        let _span = tracing::info_span!("resync", op = op.word(), image = %self.spec(), global_id = %consent)
            .entered();
        self.refuse_read_only(op)?;
        match self.role()? {
            Role::NotMirrored => return Err(self.refuse(op, Refusal::NotMirrored)),
            Role::Primary(_) => return Err(self.refuse(op, Refusal::IsPrimary)),
            role => {
                if let Some(actual) = role.id().filter(|actual| *actual != consent) {
                    return Err(self.refuse(op, Refusal::ConsentMismatch { actual: actual.clone() }));
                }
            }
        }
        self.attempt(RawImage::mirror_resync).map_err(|failure| match failure.errno() {
            Some(errno @ Errno::EINVAL) => refused(op, self.subject(), Refusal::IsPrimary, errno),
            Some(errno @ Errno::ENOENT) => refused(op, self.subject(), Refusal::NotMirrored, errno),
            _ => self.write_error(op, failure),
        })
    }
}
