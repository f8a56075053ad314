//! Disks: each by the name and owner of an image at B, with what the user set; volatile ones anew.

use super::{
    Change, Job, NewImage, Problem, Reason,
    image::{self, Origin},
    rules,
};
use crate::{
    document::Element,
    id::DiskId,
    image::{Image, ImageType, Images},
    known::Known,
    owner::{Owner, Permissions},
    site_map::{ImageNames, Volatile},
    source::{Backing, NoRbd, Outline},
    template::Vector,
    vm::{Disk, DiskKind, Vm},
};

/// One disk for B, and the image to register for it if one is needed.
pub(super) struct NewDisk {
    pub(super) vector: Vector,
    pub(super) image: Option<NewImage>,
}

/// What all disks of a VM have in common.
pub(super) struct Disks<'a> {
    pub(super) vm: &'a Vm,
    /// Those of A.
    pub(super) images: &'a Images,
    pub(super) permissions: Option<Permissions>,
    /// The datastore of the first disk with an image.
    pub(super) beside: Option<&'a str>,
}

/// Converts one disk; `None` where a problem stands in the way.
pub(super) fn disk(job: &mut Job<'_>, disks: &Disks<'_>, disk: Disk<'_>, source: Outline) -> Option<NewDisk> {
    let images = disks.images;
    if source.kind.has_image() {
        let image_id = job.take(disk.image_id())?;
        let known = image_id.and_then(|id| images.by_id(id)).or_else(|| {
            let owner = disk.filled(Known::IMAGE_UNAME)?;
            images.by_name(disk.image()?, owner)
        });
        if let Some(existing) = existing(job, disk, &source, known)? {
            return Some(existing);
        }
        return registered(job, disks, disk, source, known);
    }
    match (&source.backing, job.map.volatile, source.kind) {
        (Backing::Rbd(_), Volatile::Register, DiskKind::Volatile) => {
            registered(job, disks, disk, source, None)
        }
        _ => Some(empty(job, disk)),
    }
}

/// The disk uses an image that is at B already: a CD, or one that is not on Ceph.
fn existing(
    job: &mut Job<'_>,
    disk: Disk<'_>,
    source: &Outline,
    known: Option<&Image>,
) -> Option<Option<NewDisk>> {
    let written = matches!(source.kind, DiskKind::Clone | DiskKind::Persistent)
        && matches!(source.backing, Backing::Rbd(_));
    let name = disk.image().or(known.map(Image::name));
    let (Some(name), false) = (name, written) else { return Some(None) };
    let owner = image_owner(disk, known);
    let map = job.map;
    let there = job.take(map.existing_image(name, owner.as_deref()))?;
    let Some(there) = there.cloned() else { return Some(None) };
    let element = disk.element();
    job.changes.push(Change::changed(disk.get(Known::IMAGE).unwrap_or(element), Reason::Mapped, &there.name));
    let vector = kept(job, element, source.kind, &there.name, &there.owner);
    Some(Some(NewDisk { vector, image: None }))
}

/// The disk's RBD image is registered at B.
fn registered(
    job: &mut Job<'_>,
    disks: &Disks<'_>,
    disk: Disk<'_>,
    source: Outline,
    known: Option<&Image>,
) -> Option<NewDisk> {
    let vm = disks.vm;
    let element = disk.element();
    if let Backing::None(why) = source.backing {
        job.problem(Problem::NoData { disk: source.disk, why });
        return None;
    }
    let name = image_name(job, vm, disk, &source, known);
    job.check_name(&name);
    // What the VM alone writes to is the VM owner's; an image that it uses as it is keeps its own owner.
    let shared = matches!(source.kind, DiskKind::Persistent | DiskKind::Cdrom | DiskKind::Immutable);
    let (vm_user, vm_group) = Owner::names(vm.root());
    let owner_at_a = match (shared, known) {
        (true, Some(image)) => Owner::names(image.root()),
        (true, None) => {
            let user = disk.filled(Known::IMAGE_UNAME).unwrap_or(vm_user);
            (user, if user == vm_user { vm_group } else { "oneadmin" })
        }
        (false, _) => (vm_user, vm_group),
    };
    let permissions = match (shared, known) {
        (true, Some(image)) => job.take(image.permissions())?,
        _ => disks.permissions,
    };
    let image_type = image_type(vm, &source, known);
    let datastore = datastore(job, disk, &source, disks.beside);
    let Outline { disk: id, kind, size, backing: Backing::Rbd(source) } = source else { return None };
    let new = image::build(
        job,
        Origin {
            name,
            image_type,
            source,
            disk: Some(disk),
            known,
            kind,
            id: Some(id),
            size,
            owner: owner_at_a,
            permissions,
            datastore,
        },
    )?;
    if disk.image().is_some_and(|was| was != new.name) {
        let field = disk.get(Known::IMAGE).unwrap_or(element);
        job.changes.push(Change::changed(field, Reason::Mapped, &new.name));
    }
    let vector = kept(job, element, kind, &new.name, &new.owner.user);
    Some(NewDisk { vector, image: Some(new) })
}

/// The datastore of the image at A. A volatile disk has a system datastore, which takes no images: unless the map says
/// where to, its replica goes where those of the VM's other disks go.
fn datastore<'a>(job: &Job<'_>, disk: Disk<'a>, source: &Outline, beside: Option<&'a str>) -> &'a str {
    let own = disk.filled(Known::DATASTORE).unwrap_or_default();
    if source.kind.has_image() || job.map.datastores.contains_key(own) {
        return own;
    }
    beside.unwrap_or(own)
}

/// A volatile disk is made anew, empty.
fn empty(job: &mut Job<'_>, disk: Disk<'_>) -> NewDisk {
    let mut vector = Vector::new();
    for field in disk.element().children() {
        let reason = match field.known() {
            Known::TYPE | Known::SIZE | Known::FORMAT | Known::FS => None,
            _ => rules::disk(field),
        };
        job.keep(&mut vector, field, reason);
    }
    job.changes.push(Change::changed(disk.element(), Reason::StartsEmpty, "empty"));
    NewDisk { vector, image: None }
}

/// What stays of a disk that has an image at B.
fn kept(job: &mut Job<'_>, element: Element<'_>, kind: DiskKind, image: &str, owner: &str) -> Vector {
    let mut vector = Vector::with_capacity(8);
    vector.push(Known::IMAGE.into(), image);
    vector.push(Known::IMAGE_UNAME.into(), owner);
    for field in element.children() {
        let reason = match field.known() {
            Known::IMAGE => continue,
            Known::IMAGE_UNAME => {
                if field.text() != owner {
                    job.changes.push(Change::changed(field, Reason::Mapped, owner));
                }
                continue;
            }
            // OpenNebula writes NO for every disk, and YES for a CDROM; a user writes YES for another.
            Known::READONLY if kind == DiskKind::Cdrom || !field.text().eq_ignore_ascii_case("YES") => {
                Some(Reason::FromImage)
            }
            _ => rules::disk(field),
        };
        job.keep(&mut vector, field, reason);
    }
    vector
}

fn image_owner(disk: Disk<'_>, known: Option<&Image>) -> Option<String> {
    known.map(|image| image.owner().user).or_else(|| disk.filled(Known::IMAGE_UNAME).map(str::to_owned))
}

fn image_name(job: &Job<'_>, vm: &Vm, disk: Disk<'_>, source: &Outline, known: Option<&Image>) -> String {
    let suffix = &job.map.name_suffix;
    let own = match source.kind {
        DiskKind::Persistent | DiskKind::Cdrom | DiskKind::Immutable => {
            disk.image().or(known.map(Image::name))
        }
        _ => None,
    };
    match (job.map.image_names, own) {
        (ImageNames::Familiar, Some(own)) => [own, suffix].concat(),
        (ImageNames::Familiar, None) if source.disk == DiskId(0) => [vm.name(), suffix].concat(),
        _ => [vm.name(), suffix, "-disk-", &source.disk.0.to_string()].concat(),
    }
}

/// The type of the image at A; where that is not known, what the disk lets one think. It changes nothing for the VM.
fn image_type(vm: &Vm, source: &Outline, known: Option<&Image>) -> ImageType {
    let stated = known.and_then(|image| image.image_type().ok()).filter(|stated| stated.is_disk());
    if let Some(stated) = stated {
        return stated;
    }
    let boot =
        vm.template().and_then(|template| template.get(Known::OS)).and_then(|os| os.get_filled(Known::BOOT));
    let booted = match boot {
        Some(boot) => boot.split(',').any(|device| device.trim() == format!("disk{}", source.disk)),
        None => source.disk == DiskId(0),
    };
    match source.kind {
        DiskKind::Cdrom => ImageType::Cdrom,
        DiskKind::Volatile | DiskKind::Swap => ImageType::Datablock,
        _ if booted => ImageType::Os,
        _ => ImageType::Datablock,
    }
}

/// Whether the data of a disk is out of reach.
pub(super) fn is_out_of_reach(source: &Outline) -> Option<NoRbd> {
    match source.backing {
        Backing::None(why) if source.kind.has_image() => Some(why),
        _ => None,
    }
}
