//! Disks: whether their data will be there, and what of them will not.

use std::collections::BTreeSet;

use super::{Around, Finding, Lint, Severity};
use crate::{
    image::ImageState,
    site_map::Volatile,
    source::{self, Backing, DiskSource, Reverted},
    vm::{Disk, DiskKind, Vm},
};

pub(super) fn disks(vm: &Vm, around: &Around<'_>, findings: &mut Vec<Finding>) {
    // A disk that cannot be told is a problem of the conversion, and found there.
    let Ok(sources) = source::disks(vm) else { return };
    let mut targets = BTreeSet::new();
    for source in &sources {
        let disk = vm.disks().find(|disk| disk.id().is_ok_and(|id| id == source.disk));
        if let Some(disk) = disk {
            self::disk(disk, source, around, findings);
        }
        if let Some(target) = &source.target
            && !targets.insert(target)
        {
            let at = disk.map(Disk::element).or(vm.context()).unwrap_or(vm.root());
            findings.push(Finding::at(at, Severity::Fails, Lint::TargetTwice { target: target.clone() }));
        }
    }
}

fn disk(disk: Disk<'_>, source: &DiskSource, around: &Around<'_>, findings: &mut Vec<Finding>) {
    let element = disk.element();
    let mut find = |severity, lint| findings.push(Finding::at(element, severity, lint));
    let known = disk.image_id().ok().flatten().and_then(|id| around.images.by_id(id));
    let elsewhere = disk.image().is_some_and(|name| {
        let owner = element.filled("IMAGE_UNAME");
        around.site_map.existing_image(name, owner).is_ok_and(|existing| existing.is_some())
    });
    let volatile = matches!(source.kind, DiskKind::Volatile | DiskKind::Swap);
    let empty = volatile && (source.kind == DiskKind::Swap || around.site_map.volatile == Volatile::Empty);
    if empty && source.kind == DiskKind::Volatile {
        find(Severity::Loses, Lint::StartsEmpty);
    }
    if let (Backing::Rbd(image), Some(mirrored), false, false) =
        (&source.backing, around.mirrored, empty, elsewhere)
        && !mirrored.contains(image)
    {
        let image = image.clone();
        if source.kind == DiskKind::Cdrom {
            find(Severity::Fails, Lint::CdNotMirrored { image });
        } else {
            find(Severity::Fails, Lint::NotMirrored { image });
        }
    }
    if let (Reverted::Yes { carrier, .. }, Some(image)) = (&source.reverted, source.rbd())
        && around.mirrored.is_none_or(|mirrored| !mirrored.contains(image))
    {
        find(Severity::Fails, Lint::Reverted { image: image.clone(), carrier: carrier.clone() });
    }
    if !source.snapshots.is_empty() {
        find(Severity::Loses, Lint::DiskSnapshots { count: source.snapshots.len() });
    }
    if let Some(format) = element.filled("FORMAT").filter(|format| *format != "raw")
        && source.rbd().is_some()
    {
        find(Severity::Fails, Lint::Format { format: format.to_owned() });
    }
    if element.filled("LUKS_SECRET").is_some() {
        find(Severity::Fails, Lint::Encrypted);
    }
    if let Some(image) = known {
        if image.state().is_ok_and(|state| state == ImageState::Error) {
            find(Severity::Differs, Lint::ImageInError);
        }
        if image.root().child("TEMPLATE").is_some_and(|template| template.filled("DISK_TYPE").is_some()) {
            find(Severity::Differs, Lint::DiskType);
        }
    }
}
