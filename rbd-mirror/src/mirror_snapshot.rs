//! Mirror snapshots: the moments that snapshot mode replicates.

use ceph_sys as sys;

use crate::call::{Failure, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::mode::MirrorImageMode;
use crate::op::Op;
use crate::peer::Direction;
use crate::refusal::Refusal;
use crate::role::Role;

bitflags::bitflags! {
    /// What a mirror snapshot does about the guests that write to the image.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SnapshotFlags: u32 {
        /// Do not ask them to be quiet.
        const SKIP_QUIESCE = sys::RBD_SNAP_CREATE_SKIP_QUIESCE;
        /// Ask them, and take the snapshot even where one does not become quiet.
        const IGNORE_QUIESCE_ERROR = sys::RBD_SNAP_CREATE_IGNORE_QUIESCE_ERROR;
    }
}

impl Image {
    /// Takes a mirror snapshot of a primary in snapshot mode: the peer fetches it, and has the image as it is now. Its id.
    ///
    /// # Errors
    /// [`Refusal::NotMirrored`], [`Refusal::NotPrimary`], [`Refusal::OtherMode`], [`Refusal::NoPeers`] (all `EINVAL`).
    ///
    /// Implements: `int rbd_aio_mirror_image_create_snapshot(rbd_image_t image, uint32_t flags, uint64_t *snap_id, rbd_completion_t c);`
    /// Similar to: `rbd mirror image snapshot <image-spec>`
    #[inline]
    pub fn create_mirror_snapshot(&self, flags: SnapshotFlags) -> Result<u64> {
        let op = Op::MirrorSnapshot;
        let _span = tracing::info_span!("mirror snapshot", op = op.word(), image = %self.spec()).entered();
        let taken = self.finish(op, |raw| raw.start_mirror_snapshot(flags.bits()));
        taken.map(|(_, id)| id).map_err(|failure| self.why_no_mirror_snapshot(failure))
    }

    pub(crate) fn why_no_mirror_snapshot(&self, failure: Failure) -> Error {
        let op = Op::MirrorSnapshot;
        let Some(errno @ (Errno::EINVAL | Errno::ENOENT)) = failure.errno() else {
            return self.write_error(op, failure);
        };
        let why = self.explaining();
        let reason = match (why.role(), why.mirror_mode(), why.pool().peers()) {
            (Ok(Role::NotMirrored), ..) => Refusal::NotMirrored,
            (Ok(Role::NonPrimary(_)), ..) => Refusal::NotPrimary,
            (_, Ok(Some(is)), _) if is != MirrorImageMode::Snapshot => Refusal::OtherMode { is },
            (_, _, Ok(peers)) if peers.iter().all(|peer| peer.direction == Direction::Rx) => Refusal::NoPeers,
            _ => Refusal::Unexplained,
        };
        refused(op, self.subject(), reason, errno)
    }
}
