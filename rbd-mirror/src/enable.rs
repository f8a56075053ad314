//! Enable: an image becomes mirrored, and this site its primary. And disable, its opposite.

use crate::call::{Failure, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::{Image, Parent};
use crate::mode::{MirrorImageMode, PoolMode};
use crate::name::GlobalImageId;
use crate::op::Op;
use crate::refusal::Refusal;
use crate::role::Role;

/// What may become of the replica when mirroring is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disable {
    /// Only at the primary. rbd-mirror deletes the replica at the other site.
    Clean,
    /// At a non-primary site too: the image there becomes one of its own, unmirrored and writable.
    Force,
}

impl Image {
    /// Enables mirroring, and makes this site the primary. Repeating it in the same mode changes nothing.
    ///
    /// In journal mode librbd turns the features exclusive-lock and journaling on where they are off. The replica appears at
    /// the other site a few seconds later: [`crate::wait::caught_up`] proves that it did. Enabled is not protected.
    ///
    /// A call that was killed may leave an image that is enabled and that rbd-mirror never notices: it has no status at either site
    /// and no replica. Enabling it again changes nothing; [`disable`](Self::disable) and enable cure it.
    ///
    /// # Errors
    /// [`Refusal::ParentNotMirrored`]: a clone is to be flattened first; [`Refusal::PoolMirroringDisabled`],
    /// [`Refusal::PoolModePool`]; [`Refusal::OtherMode`]; [`Refusal::Disabling`]; [`Refusal::JournalOwnedByPeer`] (all
    /// `EINVAL`). [`Refusal::OrphanJournal`], found before librbd is asked, because librbd would crash.
    /// [`Refusal::ReadOnlyHandle`] (`EROFS`). [`Error::InDoubt`].
    ///
    /// Implements: `int rbd_mirror_image_enable2(rbd_image_t image, rbd_mirror_image_mode_t mode);`
    /// Similar to: `rbd mirror image enable <image-spec> <mode>`
    #[inline]
    pub fn enable(&self, mode: MirrorImageMode) -> Result<GlobalImageId> {
        let op = Op::Enable;
        // librbd 16 turns the features on before it refuses, so what is to be refused is refused first.
        if let Some(is) = self.mirror_mode()?.filter(|is| *is != mode) {
            return Err(self.refuse(op, Refusal::OtherMode { is }));
        }
        if mode == MirrorImageMode::Journal {
            self.refuse_orphan_journal(op)?;
        }
        let raw_mode = mode.to_raw();
        let _span = tracing::info_span!("enable", op = op.word(), image = %self.spec(), %mode).entered();
        self.attempt(move |raw| raw.mirror_enable(raw_mode))
            .map_err(|failure| self.why_not_enabled(failure, mode))?;
        self.global_id()
    }

    /// Disables mirroring. At the primary, rbd-mirror then **deletes the replica** at the other site. Disabling an image that
    /// is not mirrored does nothing.
    ///
    /// The journaling feature that [`enable`](Self::enable) turned on is turned off with it.
    ///
    /// # Errors
    /// [`Refusal::NotPrimary`] for [`Disable::Clean`] at a non-primary site (`EINVAL`); [`Refusal::ChildMirrored`] (`EBUSY`);
    /// [`Refusal::PoolModePool`].
    ///
    /// Implements: `int rbd_mirror_image_disable(rbd_image_t image, bool force);`
    /// Similar to: `rbd mirror image disable [--force] <image-spec>`
    #[inline]
    pub fn disable(&self, how: Disable) -> Result<()> {
        let op = Op::Disable;
        let force = how == Disable::Force;
        let _span = tracing::info_span!("disable", op = op.word(), image = %self.spec(), force).entered();
        let Err(failure) = self.attempt(move |raw| raw.mirror_disable(force)) else { return Ok(()) };
        let why = self.explaining();
        let reason = match failure.errno() {
            Some(Errno::EBUSY) => Refusal::ChildMirrored,
            Some(Errno::EINVAL) => match (why.pool().mirror_mode(), why.role()) {
                // Where nothing is mirrored, this image is not.
                (Ok(PoolMode::Disabled), Ok(Role::NotMirrored)) => return Ok(()),
                (Ok(PoolMode::Pool), _) => Refusal::PoolModePool,
                (_, Ok(Role::NonPrimary(_))) => Refusal::NotPrimary,
                _ => Refusal::Unexplained,
            },
            _ => return Err(self.write_error(op, failure)),
        };
        let errno = failure.errno();
        Err(Error::Refused { op, on: self.subject(), reason, errno })
    }

    /// Whether a parent is mirrored, as far as it can be told.
    fn is_mirrored(&self, parent: &Parent) -> bool {
        let pool = self.pool().cluster().bounded_by(self.bound()).pool(&parent.image.pool);
        let pool = pool.and_then(|pool| pool.namespace(&parent.image.namespace));
        let role =
            pool.and_then(|pool| pool.open_by_id_read_only(&parent.image.id)).and_then(|image| image.role());
        role.is_ok_and(|role| role != Role::NotMirrored)
    }

    fn why_not_enabled(&self, failure: Failure, mode: MirrorImageMode) -> Error {
        let op = Op::Enable;
        let Some(errno @ Errno::EINVAL) = failure.errno() else { return self.write_error(op, failure) };
        let why = self.explaining();
        let reason = match why.pool().mirror_mode() {
            Ok(PoolMode::Disabled) => Refusal::PoolMirroringDisabled,
            Ok(PoolMode::Pool) => Refusal::PoolModePool,
            _ => match (why.role(), why.mirror_mode(), why.parent()) {
                (Ok(Role::Disabling(_)), ..) => Refusal::Disabling,
                (_, Ok(Some(is)), _) if is != mode => Refusal::OtherMode { is },
                (_, _, Ok(Some(parent))) if !why.is_mirrored(&parent) => {
                    Refusal::ParentNotMirrored { parent: parent.to_string().into() }
                }
                (Ok(Role::NonPrimary(_)), ..) => Refusal::JournalOwnedByPeer,
                _ => Refusal::Unexplained,
            },
        };
        refused(op, self.subject(), reason, errno)
    }
}
