//! Snapshots beyond taking and removing: back to one, by id, renamed, limited.

use std::ops::ControlFlow;

use crate::call::{Failure, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::{Access, Image};
use crate::name::ImageId;
use crate::op::Op;
use crate::pool::Pool;
use crate::progress::Progress;
use crate::raw::image::Which;
use crate::refusal::Refusal;

bitflags::bitflags! {
    /// What may be done so that a snapshot can be removed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct RemoveFlags: u32 {
        /// Lift its protection.
        const UNPROTECT = ceph_sys::RBD_SNAP_REMOVE_UNPROTECT;
        /// Flatten the clones that hang on it.
        const FLATTEN = ceph_sys::RBD_SNAP_REMOVE_FLATTEN;
    }
}

impl Pool {
    /// Opens an image as it was at a snapshot of any kind, mirror snapshots included, by the snapshot's id
    /// ([`Image::snapshots`]). For reading alone; [`Image::deep_copy`] refuses it, [`Image::copy`] does not.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the image has no such snapshot; as [`open`](Self::open).
    ///
    /// Implements: `int rbd_snap_set_by_id(rbd_image_t image, uint64_t snap_id);`
    #[inline]
    pub fn open_at_snapshot_id(&self, name: &str, snapshot: u64) -> Result<Image> {
        Image::open(self, Which::Name(name.to_owned()), Access::AtSnapshot(snapshot))
    }

    /// [`open_at_snapshot_id`](Self::open_at_snapshot_id) for an image by its id.
    ///
    /// # Errors
    /// As there.
    ///
    /// Implements: `int rbd_snap_set_by_id(rbd_image_t image, uint64_t snap_id);`
    #[inline]
    pub fn open_by_id_at_snapshot_id(&self, id: &ImageId, snapshot: u64) -> Result<Image> {
        Image::open(self, Which::Id(id.as_str().to_owned()), Access::AtSnapshot(snapshot))
    }
}

impl Image {
    /// Makes the image what it was at one of its snapshots. **What was written since is lost.** Nobody may have it open for writing
    /// besides this handle: librbd does not look. Replicated as any other change.
    ///
    /// `progress` is in objects. `Break` stops with [`Error::Cancelled`] and leaves the image **half of each**: roll back again.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such snapshot; [`Refusal::Replica`], [`Refusal::ReadOnlyHandle`] (`EROFS`).
    ///
    /// Implements: `int rbd_snap_rollback_with_progress(rbd_image_t image, const char *snapname, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd snap rollback <snap-spec>`
    #[inline]
    pub fn roll_back(&self, snapshot: &str, progress: impl FnMut(Progress) -> ControlFlow<()>) -> Result<()> {
        let op = Op::RollBack;
        let snapshot = snapshot.to_owned();
        self.long(
            op,
            progress,
            move |raw, rendezvous| raw.rollback(&snapshot, rendezvous),
            |failure| self.write_error(op, failure),
        )
    }

    /// Removes a snapshot with all that hangs on it, as `flags` allow.
    ///
    /// # Errors
    /// As [`remove_snapshot`](Self::remove_snapshot); [`Error::Cancelled`] while clones are flattened.
    ///
    /// Implements: `int rbd_snap_remove2(rbd_image_t image, const char *snap_name, uint32_t flags, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd snap rm --force <snap-spec>`
    #[inline]
    pub fn remove_snapshot_with(
        &self,
        name: &str,
        flags: RemoveFlags,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let op = Op::RemoveSnapshot;
        let name = name.to_owned();
        self.long(
            op,
            progress,
            move |raw, rendezvous| raw.remove_snapshot_with(&name, flags.bits(), rendezvous),
            |failure| self.snapshot_error(op, failure),
        )
    }

    /// Removes a snapshot of any kind by its id: also one that is kept, unnamed, for clones that are gone by now. Removing a mirror
    /// snapshot that a peer has yet to fetch costs that peer a full copy.
    ///
    /// # Errors
    /// As [`remove_snapshot`](Self::remove_snapshot).
    ///
    /// Implements: `int rbd_snap_remove_by_id(rbd_image_t image, uint64_t snap_id);`
    /// Similar to: `rbd snap rm --snap-id <id> <image-spec>`
    #[inline]
    pub fn remove_snapshot_by_id(&self, id: u64) -> Result<()> {
        let op = Op::RemoveSnapshot;
        self.change(op, move |raw| raw.remove_snapshot_by_id(id))
            .map_err(|failure| self.snapshot_error(op, failure))
    }

    /// Gives a snapshot another name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::AlreadyExists`] if the new name is taken; [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_snap_rename(rbd_image_t image, const char *snapname, const char *dstsnapname);`
    /// Similar to: `rbd snap rename <snap-spec> <snap-spec>`
    #[inline]
    pub fn rename_snapshot(&self, from: &str, to: &str) -> Result<()> {
        let op = Op::RenameSnapshot;
        let (from, to) = (from.to_owned(), to.to_owned());
        self.change(op, move |raw| raw.rename_snapshot(&from, &to))
            .map_err(|failure| self.snapshot_error(op, failure))
    }

    /// How many snapshots the image may have; `None` is as many as anybody likes. Mirror snapshots count.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the site does not answer.
    ///
    /// Implements: `int rbd_snap_get_limit(rbd_image_t image, uint64_t *limit);`
    #[inline]
    pub fn snapshot_limit(&self) -> Result<Option<u64>> {
        let limit = self.run(Op::SnapshotLimit, |raw| raw.snapshot_limit())?;
        Ok((limit != u64::MAX).then_some(limit))
    }

    /// Limits how many snapshots the image may have; taking one more is then refused with `EDQUOT`
    /// ([`Refusal::SnapshotLimit`]). Those that it has stay. A limit on a primary in snapshot mode stops its mirroring once it is reached.
    ///
    /// # Errors
    /// [`Refusal::Replica`], [`Refusal::ReadOnlyHandle`] (`EROFS`).
    ///
    /// Implements: `int rbd_snap_set_limit(rbd_image_t image, uint64_t limit);`
    /// Similar to: `rbd snap limit set --limit <count> <image-spec>`, `rbd snap limit clear <image-spec>`
    #[inline]
    pub fn set_snapshot_limit(&self, limit: Option<u64>) -> Result<()> {
        let op = Op::SnapshotLimit;
        self.change(op, move |raw| raw.set_snapshot_limit(limit.unwrap_or(u64::MAX)))
            .map_err(|failure| self.write_error(op, failure))
    }

    /// The name that a removed snapshot had, one that is kept for its clones
    /// ([`SnapshotNamespace::Trash`](crate::SnapshotNamespace::Trash)).
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Os`] with `EINVAL` for a snapshot that is not removed.
    ///
    /// Implements: `int rbd_snap_get_trash_namespace(rbd_image_t image, uint64_t snap_id, char* original_name, size_t max_length);`
    #[inline]
    pub fn removed_snapshot_name(&self, id: u64) -> Result<String> {
        self.run(Op::Snapshots, move |raw| raw.trashed_snapshot_name(id))
    }

    fn snapshot_error(&self, op: Op, failure: Failure) -> Error {
        match failure.errno() {
            Some(errno @ Errno::EBUSY) => refused(op, self.subject(), Refusal::Busy, errno),
            _ => self.write_error(op, failure),
        }
    }
}
