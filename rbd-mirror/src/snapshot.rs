//! Snapshots of an image: the user's own, and those that mirroring made.

use std::time::SystemTime;

use ceph_sys as sys;

use crate::call::{Failure, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::name::{MirrorUuid, PeerUuid};
use crate::op::Op;
use crate::raw::image::RawImage;
use crate::raw::snapshot::RawMirrorNamespace;
use crate::refusal::Refusal;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Snapshot {
    /// The snapshot's id in its image.
    pub id: u64,
    /// The snapshot's name.
    pub name: String,
    /// The image's size at that time, in bytes.
    pub size: u64,
    /// When it was taken, by the clock of who took it.
    pub created: SystemTime,
    /// What it is for.
    pub namespace: SnapshotNamespace,
}

/// What a snapshot is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum SnapshotNamespace {
    /// A user's own.
    User,
    /// Of a group.
    Group,
    /// Removed, and kept while clones hang on it.
    Trash,
    /// Of snapshot-mode mirroring.
    Mirror(MirrorSnapshot),
    /// A kind this crate has no name for.
    Other(u32),
}

/// What mirroring keeps with a snapshot of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MirrorSnapshot {
    /// At which side of a promotion or demotion it was taken.
    pub state: MirrorSnapshotState,
    /// Whether all of it has arrived (at a secondary).
    pub complete: bool,
    /// The peers that have not fetched it yet (at a primary).
    pub peers: Vec<PeerUuid>,
    /// The pool it was fetched from; `None` at a primary.
    pub primary_uuid: Option<MirrorUuid>,
    /// The id that it has at the primary; `None` at a primary.
    pub primary_id: Option<u64>,
    /// How many objects have been copied, of a snapshot that is not complete.
    pub last_copied_object: u64,
}

/// At which side of a promotion or demotion a mirror snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum MirrorSnapshotState {
    /// By the primary.
    Primary,
    /// By the primary, as it was demoted: nothing was written after it.
    PrimaryDemoted,
    /// Fetched from the primary.
    NonPrimary,
    /// Fetched, and it is the demotion: complete, it proves that everything is here.
    NonPrimaryDemoted,
    /// A state this crate has no name for.
    Other(u32),
}

impl Image {
    /// The image's snapshots, oldest first, those of mirroring included.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the site does not answer.
    ///
    /// Implements: `int rbd_snap_list(rbd_image_t image, rbd_snap_info_t *snaps, int *max_snaps);`
    /// Implements: `int rbd_snap_get_mirror_namespace(rbd_image_t image, uint64_t snap_id, rbd_snap_mirror_namespace_t *mirror_snap, size_t mirror_snap_size);`
    /// Similar to: `rbd snap ls --all`
    #[inline]
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        self.run(Op::Snapshots, |raw| {
            let mut snapshots = Vec::new();
            for listed in raw.snapshots()? {
                // One that is removed between the list and the look is left out.
                match namespace(raw, listed.id).and_then(|kind| Ok((kind, raw.snapshot_created(listed.id)?)))
                {
                    Ok((namespace, created)) => snapshots.push(Snapshot {
                        id: listed.id,
                        name: listed.name,
                        size: listed.size,
                        created,
                        namespace,
                    }),
                    Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Ok(snapshots)
        })
    }

    /// Takes a snapshot. In journal mode it is replicated with the next event, under the same name.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if the name is taken; [`Refusal::Replica`] (`EROFS`); [`Refusal::SnapshotLimit`] (`EDQUOT`).
    ///
    /// Implements: `int rbd_snap_create(rbd_image_t image, const char *snapname);`
    #[inline]
    pub fn create_snapshot(&self, name: &str) -> Result<()> {
        self.snapshot_verb(Op::CreateSnapshot, name, RawImage::create_snapshot)
    }

    /// Removes a snapshot. One with clones of format 2 is kept, unnamed, until the last of them is gone.
    ///
    /// # Errors
    /// [`Refusal::Busy`] (`EBUSY`) if it is protected; [`Error::NotFound`]; [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_snap_remove(rbd_image_t image, const char *snapname);`
    #[inline]
    pub fn remove_snapshot(&self, name: &str) -> Result<()> {
        self.snapshot_verb(Op::RemoveSnapshot, name, RawImage::remove_snapshot)
    }

    /// Protects a snapshot, which clones of format 1 need. Protecting it twice is no error.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_snap_protect(rbd_image_t image, const char *snap_name);`
    #[inline]
    pub fn protect_snapshot(&self, name: &str) -> Result<()> {
        let done = self.snapshot_verb(Op::ProtectSnapshot, name, RawImage::protect_snapshot);
        match done {
            Err(Error::Refused { reason: Refusal::Busy, .. }) if self.snapshot_is_protected(name)? => Ok(()),
            other => other,
        }
    }

    /// Lifts the protection of a snapshot. Clones of format 1 that hang on its **replica** at the other site are not seen
    /// here, and stop the replication there.
    ///
    /// # Errors
    /// [`Refusal::Busy`] (`EBUSY`) if clones hang on it; [`Error::NotFound`]; [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_snap_unprotect(rbd_image_t image, const char *snap_name);`
    #[inline]
    pub fn unprotect_snapshot(&self, name: &str) -> Result<()> {
        self.snapshot_verb(Op::UnprotectSnapshot, name, RawImage::unprotect_snapshot)
    }

    /// Whether a snapshot is protected.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such snapshot.
    ///
    /// Implements: `int rbd_snap_is_protected(rbd_image_t image, const char *snap_name, int *is_protected);`
    #[inline]
    pub fn snapshot_is_protected(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.run(Op::Snapshots, move |raw| raw.snapshot_is_protected(&name))
    }

    fn snapshot_verb(
        &self,
        op: Op,
        name: &str,
        verb: fn(&RawImage, &str) -> Result<(), Errno>,
    ) -> Result<()> {
        let name = name.to_owned();
        self.change(op, move |raw| verb(raw, &name)).map_err(|failure| match failure {
            Failure::Errno(errno @ Errno::EBUSY) => refused(op, self.subject(), Refusal::Busy, errno),
            Failure::Errno(errno @ Errno::EDQUOT) => {
                refused(op, self.subject(), Refusal::SnapshotLimit, errno)
            }
            _ => self.write_error(op, failure),
        })
    }
}

fn namespace(raw: &RawImage, id: u64) -> Result<SnapshotNamespace, Errno> {
    Ok(match raw.snapshot_namespace(id)? {
        sys::RBD_SNAP_NAMESPACE_TYPE_USER => SnapshotNamespace::User,
        sys::RBD_SNAP_NAMESPACE_TYPE_GROUP => SnapshotNamespace::Group,
        sys::RBD_SNAP_NAMESPACE_TYPE_TRASH => SnapshotNamespace::Trash,
        sys::RBD_SNAP_NAMESPACE_TYPE_MIRROR => {
            SnapshotNamespace::Mirror(MirrorSnapshot::from_raw(raw.mirror_namespace(id)?))
        }
        other => SnapshotNamespace::Other(other),
    })
}

impl MirrorSnapshot {
    fn from_raw(raw: RawMirrorNamespace) -> Self {
        let fetched = !raw.primary_mirror_uuid.is_empty();
        Self {
            state: match raw.state {
                sys::RBD_SNAP_MIRROR_STATE_PRIMARY => MirrorSnapshotState::Primary,
                sys::RBD_SNAP_MIRROR_STATE_PRIMARY_DEMOTED => MirrorSnapshotState::PrimaryDemoted,
                sys::RBD_SNAP_MIRROR_STATE_NON_PRIMARY => MirrorSnapshotState::NonPrimary,
                sys::RBD_SNAP_MIRROR_STATE_NON_PRIMARY_DEMOTED => MirrorSnapshotState::NonPrimaryDemoted,
                other => MirrorSnapshotState::Other(other),
            },
            complete: raw.complete,
            peers: raw.peer_uuids.into_iter().map(PeerUuid::new).collect(),
            primary_id: fetched.then_some(raw.primary_snapshot_id),
            primary_uuid: fetched.then(|| MirrorUuid::new(raw.primary_mirror_uuid)),
            last_copied_object: raw.last_copied_object,
        }
    }
}
