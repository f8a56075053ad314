//! `SNAPSHOTS`: the disk snapshots of one disk, and whether the disk was ever reverted to one.
//!
//! A revert on Ceph renames the disk's RBD image and puts a new clone in its place
//! ([`source`](crate::source)); this tree is the only trace of it in OpenNebula's documents (observed).

use crate::{
    document::{Element, Error},
    id::{DiskId, SnapshotId},
    known::Known,
};

/// The disk snapshots of one disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshots {
    /// `DISK_ID`; absent in an image's.
    pub disk: Option<DiskId>,
    /// The snapshots that exist, by number.
    pub all: Vec<Snapshot>,
    /// Whether the disk was reverted.
    pub revert: Revert,
}

/// One disk snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `ID`, which is also the name of the RBD snapshot.
    pub id: SnapshotId,
    /// `NAME`.
    pub name: Option<String>,
    /// `PARENT`: what the disk had been reverted to when this snapshot was taken.
    pub parent: Option<SnapshotId>,
}

/// Whether a disk was reverted to a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revert {
    /// No: the disk's RBD image holds its snapshots itself.
    #[default]
    Never,
    /// The disk is a clone of this snapshot.
    To(SnapshotId),
    /// The document does not say (`ALLOW_ORPHANS` other than `MIXED`, where `CURRENT_BASE` moves with every snapshot).
    Unknown,
}

impl Snapshots {
    pub(crate) fn of(element: Element<'_>) -> Result<Self, Error> {
        let mut all = Vec::new();
        let mut active = None;
        for snapshot in element.get_all(Known::SNAPSHOT) {
            let id = snapshot.get_required_number(Known::ID)?;
            if snapshot.says_yes(Known::ACTIVE) {
                active = Some(id);
            }
            all.push(Snapshot {
                id,
                name: snapshot.get_filled(Known::NAME).map(str::to_owned),
                parent: numbered(snapshot.get_number(Known::PARENT)?),
            });
        }
        all.sort_by_key(|snapshot| snapshot.id);
        let mixed =
            element.get_value(Known::ALLOW_ORPHANS).is_some_and(|mode| mode.eq_ignore_ascii_case("MIXED"));
        // Versions before CURRENT_BASE mark the base as ACTIVE only.
        let base = match element.get_number::<i64>(Known::CURRENT_BASE)? {
            Some(base) => numbered(Some(base)),
            None => active,
        };
        let revert = match base {
            _ if all.is_empty() => Revert::Never,
            Some(base) if mixed => Revert::To(base),
            None if mixed => Revert::Never,
            _ => Revert::Unknown,
        };
        Ok(Self { disk: element.get_number(Known::DISK_ID)?, all, revert })
    }

    /// The snapshots that lay on one RBD image with `id` when the disk was last reverted, as far as the tree tells:
    /// those with the same `PARENT`. Two reverts to the same snapshot look like one.
    #[must_use]
    pub fn beside(&self, id: SnapshotId) -> Vec<SnapshotId> {
        let parent = self.all.iter().find(|snapshot| snapshot.id == id).and_then(|snapshot| snapshot.parent);
        self.all.iter().filter(|snapshot| snapshot.parent == parent).map(|snapshot| snapshot.id).collect()
    }
}

/// OpenNebula writes -1 for none.
fn numbered(number: Option<i64>) -> Option<SnapshotId> {
    number.and_then(|number| u32::try_from(number).ok()).map(SnapshotId)
}
