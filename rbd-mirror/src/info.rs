//! What an image's mirroring is at this site: role, mode, and the daemon that has it.

use crate::call::refused;
use crate::errno::Errno;
use crate::error::Result;
use crate::features::Features;
use crate::image::Image;
use crate::mode::MirrorImageMode;
use crate::name::GlobalImageId;
use crate::op::Op;
use crate::raw::image::RawImage;
use crate::refusal::Refusal;
use crate::role::Role;

impl Image {
    /// What the image is at this site. This, and not a status, is what to decide by: it is read from the cluster now, and a
    /// status is what rbd-mirror wrote up to half a minute ago.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] or [`crate::Error::InDoubt`] if the site does not answer.
    ///
    /// Implements: `int rbd_aio_mirror_image_get_info(rbd_image_t image, rbd_mirror_image_info_t *mirror_image_info, size_t info_size, rbd_completion_t c);`
    /// Similar to: `rbd info` (its lines on mirroring)
    #[inline]
    pub fn role(&self) -> Result<Role> {
        let fresh = self.fresh_for_role()?;
        let asked = fresh.as_ref().unwrap_or(self).finish(Op::MirrorInfo, RawImage::start_mirror_info);
        let (_, slot) = asked.map_err(|failure| self.error(Op::MirrorInfo, failure))?;
        Ok(Role::from_raw(slot.copy()))
    }

    /// In journal mode the role is read from the journal each time; in snapshot mode it is in the image's header, which a read-only
    /// handle knows as it was opened: then another handle.
    fn fresh_for_role(&self) -> Result<Option<Self>> {
        if self.is_read_only() && !self.features()?.contains(Features::JOURNALING) {
            self.up_to_date().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The identity that the image has at every site.
    ///
    /// # Errors
    /// [`Refusal::NotMirrored`]; as [`role`](Self::role).
    #[inline]
    pub fn global_id(&self) -> Result<GlobalImageId> {
        self.role()?.id().cloned().ok_or_else(|| self.refuse(Op::MirrorInfo, Refusal::NotMirrored))
    }

    /// How the image is mirrored; `None` if it is not. (librbd 16 answers "journal" for an image that is not mirrored.)
    ///
    /// # Errors
    /// As [`role`](Self::role).
    ///
    /// Implements: `int rbd_aio_mirror_image_get_mode(rbd_image_t image, rbd_mirror_image_mode_t *mode, rbd_completion_t c);`
    #[inline]
    pub fn mirror_mode(&self) -> Result<Option<MirrorImageMode>> {
        if self.role()? == Role::NotMirrored {
            return Ok(None);
        }
        self.mode_of_a_mirrored_image().map(Some)
    }

    /// [`mirror_mode`](Self::mirror_mode) of an image that is known to be mirrored.
    pub(crate) fn mode_of_a_mirrored_image(&self) -> Result<MirrorImageMode> {
        let fresh = self.fresh_for_role()?;
        let asked = fresh.as_ref().unwrap_or(self).finish(Op::ImageMode, RawImage::start_mirror_mode);
        let (_, mode) = asked.map_err(|failure| self.error(Op::ImageMode, failure))?;
        Ok(MirrorImageMode::from_raw(mode))
    }

    /// The instance of rbd-mirror at this site that has the image: the number of its client, by which its watch is told
    /// from others in [`watchers`](Self::watchers). `None` if no daemon has it.
    ///
    /// # Errors
    /// [`Refusal::NotMirrored`] (`EINVAL`).
    ///
    /// Implements: `int rbd_mirror_image_get_instance_id(rbd_image_t image, char *id, size_t *id_max_length);`
    #[inline]
    pub fn daemon_instance(&self) -> Result<Option<i64>> {
        let op = Op::InstanceId;
        match self.change(op, RawImage::mirror_instance_id) {
            Ok(id) => Ok(id.parse().ok()),
            Err(failure) => match failure.errno() {
                // No daemon has it, or the one that had it is gone.
                Some(Errno::ENOENT | Errno::ESTALE) => Ok(None),
                Some(errno @ Errno::EINVAL) => Err(refused(op, self.subject(), Refusal::NotMirrored, errno)),
                _ => Err(self.error(op, failure)),
            },
        }
    }
}
