//! What changed between two captures, and what is no longer protected.
//!
//! The dangerous ones make no noise at A: a disk added to a protected VM is simply not mirrored; a revert to a disk
//! snapshot renames the mirrored image and puts an unmirrored clone in its place, while mirroring stays healthy
//! (observed on real Ceph, 16.2.15 with 6.10.3). So compare at every capture, and compare with what Ceph mirrors.
//!
//! Not here: asking anybody, and repairing anything.

mod fields;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    capture::{Capture, Mirrored},
    document::Error,
    id::{DiskId, ImageId, Mebibytes, SnapshotId, VmId},
    image::{Image, Persistence},
    owner::Owner,
    source::{self, DiskSource, RbdImage, Reverted},
    vm::{DiskKind, Vm, VmState},
};

pub use fields::FieldChange;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Drift {
    /// A VM that was not there.
    VmAdded {
        /// The VM.
        vm: VmId,
        /// Its name.
        name: String,
    },
    /// A VM that is not there any more, or is `DONE`. Its clones and volatile disks are removed at A, and mirroring
    /// removes their replicas within seconds unless a delete delay is set.
    VmGone {
        /// The VM.
        vm: VmId,
        /// Its name.
        name: String,
        /// The RBD images that went, or go, with it.
        images: Vec<RbdImage>,
    },
    /// A VM has another name.
    VmRenamed {
        /// The VM.
        vm: VmId,
        /// Before.
        from: String,
        /// After.
        to: String,
    },
    /// A VM has another owner.
    OwnerChanged {
        /// The VM.
        vm: VmId,
        /// Before.
        from: Owner,
        /// After.
        to: Owner,
    },
    /// A disk that was not there.
    DiskAdded {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// Its RBD image, if it is one.
        image: Option<RbdImage>,
    },
    /// A disk that is not there any more.
    DiskGone {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// Its RBD image, if it was one.
        image: Option<RbdImage>,
    },
    /// A disk has another size. The replica follows; the registration at B does not.
    DiskResized {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// Before.
        from: Mebibytes,
        /// After.
        to: Mebibytes,
    },
    /// A disk is another RBD image, or of another kind.
    DiskReplaced {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// Before.
        from: (DiskKind, Option<RbdImage>),
        /// After.
        to: (DiskKind, Option<RbdImage>),
    },
    /// A disk was reverted to a snapshot: its image is a new clone without mirroring; the protection went with the
    /// former one, which now has another name.
    DiskReverted {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// The unprotected image, under the old name.
        image: RbdImage,
        /// The snapshot.
        to: SnapshotId,
        /// What the former image is probably called now.
        carrier: RbdImage,
    },
    /// A disk has other snapshots.
    SnapshotsChanged {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// Before.
        from: Vec<SnapshotId>,
        /// After.
        to: Vec<SnapshotId>,
    },
    /// The VM is configured otherwise: a template prepared at B is out of date.
    Configuration {
        /// The VM.
        vm: VmId,
        /// What, by field.
        fields: Vec<FieldChange>,
    },
    /// An image that was not there.
    ImageAdded {
        /// The image.
        image: ImageId,
        /// Its name.
        name: String,
    },
    /// An image that is not there any more.
    ImageGone {
        /// The image.
        image: ImageId,
        /// Its name.
        name: String,
    },
    /// An image was made persistent, or non-persistent: VMs use it otherwise from now on.
    PersistenceSwitched {
        /// The image.
        image: ImageId,
        /// Its name.
        name: String,
        /// What it is now.
        to: Persistence,
    },
    /// An image has another name, size, source, owner or datastore.
    ImageChanged {
        /// The image.
        image: ImageId,
        /// What, by field.
        fields: Vec<FieldChange>,
    },
    /// A disk's data is on Ceph and not mirrored.
    Unprotected {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// Its kind: an unprotected swap disk is no loss.
        kind: DiskKind,
        /// Its RBD image.
        image: RbdImage,
    },
    /// The mirroring of a disk's image is now that of another image: by its global id where an earlier capture knows
    /// it, else by its name, which is one that a revert gives.
    ProtectionMoved {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// The disk's image, unprotected.
        image: RbdImage,
        /// What carries the protection.
        carrier: RbdImage,
        /// Its identity.
        global_id: String,
    },
    /// A mirrored image is smaller or larger than the disk says: a resize has not arrived, or the capture is old.
    SizeDiffers {
        /// The VM.
        vm: VmId,
        /// The disk.
        disk: DiskId,
        /// The RBD image.
        image: RbdImage,
        /// What the disk says.
        stated: Mebibytes,
        /// What Ceph says.
        mirrored: Mebibytes,
    },
    /// A mirrored image that is no disk of a VM and no image: left over from a VM that is gone, or somebody else's.
    Unused {
        /// The RBD image.
        image: RbdImage,
        /// Its identity.
        global_id: String,
    },
    /// A VM whose disks cannot be told, so that nothing can be said about them: a short document, a missing source.
    Unreadable {
        /// The VM.
        vm: VmId,
        /// Where and why.
        error: String,
    },
}

impl Drift {
    /// Whether a disk's data does not reach the other site any more, or nobody can tell.
    #[must_use]
    pub fn is_dangerous(&self) -> bool {
        match self {
            Self::Unprotected { kind, .. } => *kind != DiskKind::Swap,
            Self::DiskReverted { .. } | Self::ProtectionMoved { .. } | Self::Unreadable { .. } => true,
            _ => false,
        }
    }
}

/// What changed from one capture to the next, and what the later one leaves unprotected (if it knows what is mirrored).
#[must_use]
pub fn between(before: &Capture, after: &Capture) -> Vec<Drift> {
    let mut drift = Vec::new();
    for old in before.vms.iter().filter(|vm| is_there(vm)) {
        match after.vm(old.id()).filter(|vm| is_there(vm)) {
            Some(new) => compare(old, new, &mut drift),
            None => drift.push(Drift::VmGone {
                vm: old.id(),
                name: old.name().to_owned(),
                images: own_images(old),
            }),
        }
    }
    for new in after.vms.iter().filter(|vm| is_there(vm)) {
        if before.vm(new.id()).is_none_or(|old| !is_there(old)) {
            drift.push(Drift::VmAdded { vm: new.id(), name: new.name().to_owned() });
        }
    }
    for old in before.images.iter() {
        match after.images.by_id(old.id()) {
            Some(new) => compare_images(old, new, &mut drift),
            None => drift.push(Drift::ImageGone { image: old.id(), name: old.name().to_owned() }),
        }
    }
    for new in after.images.iter().filter(|new| before.images.by_id(new.id()).is_none()) {
        drift.push(Drift::ImageAdded { image: new.id(), name: new.name().to_owned() });
    }
    if let Some(mirrored) = &after.mirrored {
        protection(after, mirrored, before.mirrored.as_ref(), &mut drift);
    }
    drift
}

/// What a capture leaves unprotected, by the list of what is mirrored now. `earlier`, if there is one, tells which
/// identity each name had before.
#[must_use]
pub fn against(capture: &Capture, mirrored: &Mirrored, earlier: Option<&Mirrored>) -> Vec<Drift> {
    let mut drift = Vec::new();
    protection(capture, mirrored, earlier, &mut drift);
    drift
}

/// A VM that is `DONE` is still listed by some calls, and has nothing any more.
fn is_there(vm: &Vm) -> bool {
    vm.state().is_ok_and(|state| state != VmState::Done) || vm.state().is_err()
}

fn disks(vm: &Vm, drift: &mut Vec<Drift>) -> Option<Vec<DiskSource>> {
    let unreadable = |error: Error| Drift::Unreadable { vm: vm.id(), error: error.to_string() };
    source::disks(vm).map_err(|error| drift.push(unreadable(error))).ok()
}

/// The RBD images that go with a VM.
fn own_images(vm: &Vm) -> Vec<RbdImage> {
    let own = |disk: DiskSource| {
        matches!(disk.kind, DiskKind::Clone | DiskKind::Volatile | DiskKind::Swap)
            .then(|| disk.rbd().cloned())
            .flatten()
    };
    source::disks(vm).map(|disks| disks.into_iter().filter_map(own).collect()).unwrap_or_default()
}

fn compare(old: &Vm, new: &Vm, drift: &mut Vec<Drift>) {
    let vm = new.id();
    if old.name() != new.name() {
        drift.push(Drift::VmRenamed { vm, from: old.name().to_owned(), to: new.name().to_owned() });
    }
    if old.owner() != new.owner() {
        drift.push(Drift::OwnerChanged { vm, from: old.owner(), to: new.owner() });
    }
    if let (Some(before), Some(after)) = (disks(old, &mut Vec::new()), disks(new, drift)) {
        let (before, after) = (by_number(&before), by_number(&after));
        for (number, disk) in &before {
            match after.get(number) {
                Some(other) => compare_disks(disk, other, drift),
                None => drift.push(Drift::DiskGone { vm, disk: disk.disk, image: disk.rbd().cloned() }),
            }
        }
        for (_, disk) in after.iter().filter(|(number, _)| !before.contains_key(*number)) {
            drift.push(Drift::DiskAdded { vm, disk: disk.disk, image: disk.rbd().cloned() });
        }
    }
    let fields = fields::of_vms(old, new);
    if !fields.is_empty() {
        drift.push(Drift::Configuration { vm, fields });
    }
}

/// The disks that hold data, by number; of equal numbers, which OpenNebula does not give, by their order too.
fn by_number(disks: &[DiskSource]) -> BTreeMap<(DiskId, usize), &DiskSource> {
    let mut numbered = BTreeMap::new();
    let mut seen: BTreeMap<DiskId, usize> = BTreeMap::new();
    for disk in disks.iter().filter(|disk| disk.kind != DiskKind::Context) {
        let equals = seen.entry(disk.disk).or_default();
        numbered.insert((disk.disk, *equals), disk);
        *equals += 1;
    }
    numbered
}

fn compare_disks(old: &DiskSource, new: &DiskSource, drift: &mut Vec<Drift>) {
    let (vm, disk) = (new.vm, new.disk);
    if (old.kind, &old.backing) != (new.kind, &new.backing) {
        let (from, to) = ((old.kind, old.rbd().cloned()), (new.kind, new.rbd().cloned()));
        drift.push(Drift::DiskReplaced { vm, disk, from, to });
    }
    if let (Some(from), Some(to)) = (old.size, new.size)
        && from != to
    {
        drift.push(Drift::DiskResized { vm, disk, from, to });
    }
    if let (Reverted::Yes { to, carrier }, Some(image)) = (&new.reverted, new.rbd())
        && old.reverted != new.reverted
    {
        drift.push(Drift::DiskReverted { vm, disk, image: image.clone(), to: *to, carrier: carrier.clone() });
    }
    if old.snapshots != new.snapshots {
        drift.push(Drift::SnapshotsChanged {
            vm,
            disk,
            from: old.snapshots.clone(),
            to: new.snapshots.clone(),
        });
    }
}

fn compare_images(old: &Image, new: &Image, drift: &mut Vec<Drift>) {
    if old.persistence() != new.persistence() {
        drift.push(Drift::PersistenceSwitched {
            image: new.id(),
            name: new.name().to_owned(),
            to: new.persistence(),
        });
    }
    let fields = fields::of_images(old, new);
    if !fields.is_empty() {
        drift.push(Drift::ImageChanged { image: new.id(), fields });
    }
}

fn protection(capture: &Capture, mirrored: &Mirrored, earlier: Option<&Mirrored>, drift: &mut Vec<Drift>) {
    let mut used: Vec<RbdImage> = Vec::new();
    for vm in capture.vms.iter().filter(|vm| is_there(vm)) {
        let Some(disks) = disks(vm, drift) else { continue };
        for disk in disks {
            let Some(image) = disk.rbd() else { continue };
            used.push(image.clone());
            used.extend(disk.parents.iter().map(|parent| parent.image.clone()));
            let Some(mirror) = mirrored.get(image) else {
                drift.push(unprotected(&disk, image, mirrored, earlier));
                continue;
            };
            if let (Some(stated), Some(size)) = (disk.size, mirror.size())
                && stated != size
            {
                let (vm, disk) = (disk.vm, disk.disk);
                drift.push(Drift::SizeDiffers { vm, disk, image: image.clone(), stated, mirrored: size });
            }
        }
    }
    used.extend(capture.images.iter().filter(|image| image.is_rbd()).filter_map(|image| image.rbd().ok()));
    for (image, mirror) in mirrored.iter() {
        let carrier = || used.iter().any(|disk| image.is_carrier_of(disk, None));
        if !used.contains(image) && !carrier() {
            drift.push(Drift::Unused { image: image.clone(), global_id: mirror.global_id.clone() });
        }
    }
}

/// Where the protection of an image went, if it had one.
fn unprotected(
    disk: &DiskSource,
    image: &RbdImage,
    mirrored: &Mirrored,
    earlier: Option<&Mirrored>,
) -> Drift {
    let known = earlier.and_then(|earlier| earlier.get(image));
    let moved =
        known.and_then(|known| mirrored.iter().find(|(_, mirror)| mirror.global_id == known.global_id));
    let snapshot = match &disk.reverted {
        Reverted::Yes { to, .. } => Some(*to),
        Reverted::No | Reverted::Unknown => None,
    };
    let carrier = moved.or_else(|| mirrored.iter().find(|(name, _)| name.is_carrier_of(image, snapshot)));
    let (vm, number) = (disk.vm, disk.disk);
    match carrier {
        Some((carrier, mirror)) => Drift::ProtectionMoved {
            vm,
            disk: number,
            image: image.clone(),
            carrier: carrier.clone(),
            global_id: mirror.global_id.clone(),
        },
        None => Drift::Unprotected { vm, disk: number, kind: disk.kind, image: image.clone() },
    }
}

#[cfg(test)]
mod tests;
