//! A difference in words, for people. Values of fields are left out: the front-end has them.

use std::fmt::{Display, Formatter, Result};

use super::{Drift, FieldChange};

impl Display for Drift {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::VmAdded { vm, name } => write!(f, "VM {vm} {name:?} is new"),
            Self::VmGone { vm, name, images } => {
                write!(f, "VM {vm} {name:?} is gone")?;
                if images.is_empty() {
                    return Ok(());
                }
                f.write_str(", and its disks go with it at both sites:")?;
                images.iter().try_for_each(|image| write!(f, " {image}"))
            }
            Self::VmRenamed { vm, from, to } => write!(f, "VM {vm}: renamed from {from:?} to {to:?}"),
            Self::OwnerChanged { vm, to, .. } => write!(f, "VM {vm}: now owned by {}/{}", to.user, to.group),
            Self::DiskAdded { vm, disk, .. } => write!(f, "VM {vm}: disk {disk} was added"),
            Self::DiskGone { vm, disk, .. } => write!(f, "VM {vm}: disk {disk} is gone"),
            Self::DiskResized { vm, disk, from, to } => {
                write!(f, "VM {vm}: disk {disk} went from {from} to {to} MiB")
            }
            Self::DiskReplaced { vm, disk, .. } => write!(f, "VM {vm}: disk {disk} is another one"),
            Self::DiskReverted { vm, disk, to, carrier, .. } => write!(
                f,
                "VM {vm}: disk {disk} was reverted to its snapshot {to}: its protection stayed with the old image, {carrier}"
            ),
            Self::SnapshotsChanged { vm, disk, .. } => {
                write!(f, "VM {vm}: the snapshots of disk {disk} are others")
            }
            Self::Configuration { vm, fields } => write!(f, "VM {vm}: changed: {}", Paths(fields)),
            Self::ImageAdded { image, name } => write!(f, "image {image} {name:?} is new"),
            Self::ImageGone { image, name } => write!(f, "image {image} {name:?} is gone"),
            Self::PersistenceSwitched { image, name, to } => {
                write!(f, "image {image} {name:?} is now {to:?}")
            }
            Self::ImageChanged { image, fields } => write!(f, "image {image}: changed: {}", Paths(fields)),
            Self::Unprotected { vm, disk, image, .. } => {
                write!(f, "VM {vm}: disk {disk}, {image}, is not mirrored")
            }
            Self::ProtectionMoved { vm, disk, image, carrier, .. } => {
                write!(f, "VM {vm}: disk {disk}: {image} is not mirrored any more, {carrier} is in its place")
            }
            Self::SizeDiffers { vm, disk, stated, mirrored, .. } => {
                write!(f, "VM {vm}: disk {disk} is {mirrored} MiB on Ceph, and OpenNebula says {stated}")
            }
            Self::Unused { image, .. } => write!(f, "{image} is mirrored, and no disk of a VM and no image"),
            Self::Unreadable { vm, error } => write!(f, "VM {vm}: its disks cannot be told: {error}"),
        }
    }
}

struct Paths<'a>(&'a [FieldChange]);

impl Display for Paths<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, field) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", field.path)?;
        }
        Ok(())
    }
}
