//! The way back: whose RBD image a name is. It tells which names a front-end will make next, and so which replicas it
//! would run into.

use crate::id::{DiskId, ImageId, SnapshotId, VmId};

/// What OpenNebula means by the name of an RBD image. The numbers are those of the site that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// `one-I`
    Image(ImageId),
    /// `one-I-<ids>`: what a persistent image was called before a revert.
    ImageCarrier(ImageId, Vec<SnapshotId>),
    /// `one-I-V-D`
    Clone(ImageId, VmId, DiskId),
    /// `one-I-V-D-<ids>`: what a clone was called before a revert.
    CloneCarrier(ImageId, VmId, DiskId, Vec<SnapshotId>),
    /// `one-sys-V-D`
    Volatile(VmId, DiskId),
    /// `one-sys-V-checkpoint`
    Checkpoint(VmId),
    /// Not a name that OpenNebula makes.
    Foreign,
}

impl Origin {
    /// Reads the name of an RBD image, without its pool.
    ///
    /// `one-1-2` is read as the carrier of image 1, which holds snapshot 2; OpenNebula makes no other such name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::read(name).unwrap_or(Self::Foreign)
    }

    fn read(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("one-")?;
        if let Some(system) = rest.strip_prefix("sys-") {
            let (vm, disk) = system.split_once('-')?;
            let vm = VmId(number(vm)?);
            return Some(match disk {
                "checkpoint" => Self::Checkpoint(vm),
                disk => Self::Volatile(vm, DiskId(number(disk)?)),
            });
        }
        let parts: Vec<&str> = rest.split('-').collect();
        Some(match parts.as_slice() {
            [image] => Self::Image(ImageId(number(image)?)),
            [image, ids] => Self::ImageCarrier(ImageId(number(image)?), snapshots(ids)?),
            [image, vm, disk] => {
                Self::Clone(ImageId(number(image)?), VmId(number(vm)?), DiskId(number(disk)?))
            }
            [image, vm, disk, ids] => Self::CloneCarrier(
                ImageId(number(image)?),
                VmId(number(vm)?),
                DiskId(number(disk)?),
                snapshots(ids)?,
            ),
            _ => return None,
        })
    }
}

/// A number as OpenNebula writes it: digits, no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn snapshots(text: &str) -> Option<Vec<SnapshotId>> {
    text.split(':').map(|id| number(id).map(SnapshotId)).collect()
}
