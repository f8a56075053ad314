//! `TEMPLATE/DISK`.

use crate::{
    document::{Element, Error, Why},
    id::{DiskId, ImageId, Mebibytes, VmId},
};

/// One disk of a VM.
#[derive(Clone, Copy, Debug)]
pub struct Disk<'a> {
    element: Element<'a>,
    vm: VmId,
}

/// What a disk is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum DiskKind {
    /// `CLONE=YES`: the VM's own clone of a non-persistent image. It dies with the VM.
    Clone,
    /// `CLONE=NO`, `PERSISTENT=YES`: the image itself.
    Persistent,
    /// `CLONE=NO`, a CDROM: the image itself, read only, shared by VMs.
    Cdrom,
    /// `CLONE=NO` without `PERSISTENT`: the image itself, read only (`PERSISTENT_TYPE=IMMUTABLE`).
    Immutable,
    /// No image: an empty disk made at every first start.
    Volatile,
    /// No image: a swap disk.
    Swap,
    /// The CD with the context. Not a `DISK`, but it takes a number and a target among them.
    Context,
}

impl DiskKind {
    /// Whether the disk comes from an image.
    #[must_use]
    pub fn has_image(self) -> bool {
        matches!(self, Self::Clone | Self::Persistent | Self::Cdrom | Self::Immutable)
    }
}

impl<'a> Disk<'a> {
    pub(super) fn new(element: Element<'a>, vm: VmId) -> Self {
        Self { element, vm }
    }

    /// The disk's element.
    #[must_use]
    pub fn element(self) -> Element<'a> {
        self.element
    }

    /// The VM that it belongs to.
    #[must_use]
    pub fn vm(self) -> VmId {
        self.vm
    }

    /// `DISK_ID`.
    ///
    /// # Errors
    /// [`Why::Missing`], [`Why::Number`].
    pub fn id(self) -> Result<DiskId, Error> {
        self.element.required_number("DISK_ID")
    }

    /// What it is made of. `CLONE` decides, not `PERSISTENT`: a persistent image in use by one VM and a CDROM both
    /// say `CLONE=NO`, and a volatile disk says nothing.
    ///
    /// # Errors
    /// [`Why::Missing`] where a disk with an image has no `CLONE`.
    pub fn kind(self) -> Result<DiskKind, Error> {
        let has = |field| self.element.filled(field).is_some();
        let clone = self.element.filled("CLONE");
        if clone.is_some_and(|clone| clone.eq_ignore_ascii_case("YES")) {
            return Ok(DiskKind::Clone);
        }
        let kind = self.element.value("TYPE").unwrap_or_default();
        if clone.is_none() && !has("SOURCE") && !has("IMAGE") && !has("IMAGE_ID") {
            let swap = kind.eq_ignore_ascii_case("swap");
            return Ok(if swap { DiskKind::Swap } else { DiskKind::Volatile });
        }
        self.element.required("CLONE")?;
        Ok(if kind.to_ascii_uppercase().ends_with("CDROM") {
            DiskKind::Cdrom
        } else if self.element.is_yes("PERSISTENT") || !has("PERSISTENT") && self.element.is_yes("SAVE") {
            DiskKind::Persistent
        } else {
            DiskKind::Immutable
        })
    }

    /// `SIZE`: what the guest sees, which may be more than the image's.
    ///
    /// # Errors
    /// [`Why::Missing`]; [`Why::Number`], also for 0, which OpenNebula would take.
    pub fn size(self) -> Result<Mebibytes, Error> {
        match self.element.required_number("SIZE")? {
            0 => {
                let place = self.element.child("SIZE").unwrap_or(self.element).place();
                Err(Error::new(place, Why::Number { field: "SIZE", text: "0".to_owned() }))
            }
            size => Ok(Mebibytes(size)),
        }
    }

    /// `TARGET`, the device in the guest.
    #[must_use]
    pub fn target(self) -> Option<&'a str> {
        self.element.filled("TARGET")
    }

    /// `IMAGE`, the name.
    #[must_use]
    pub fn image(self) -> Option<&'a str> {
        self.element.filled("IMAGE")
    }

    /// `IMAGE_ID`.
    ///
    /// # Errors
    /// [`Why::Number`].
    pub fn image_id(self) -> Result<Option<ImageId>, Error> {
        self.element.number("IMAGE_ID")
    }

    /// Whether its data is an RBD image. `TYPE` says so for a disk with an image, `DISK_TYPE` for a volatile one;
    /// with a local system datastore (`TM_MAD_SYSTEM` ssh) both say `FILE`, although the image is on Ceph.
    ///
    /// # Errors
    /// As [`kind`](Self::kind).
    pub fn is_rbd(self) -> Result<bool, Error> {
        self.kind().map(|kind| self.is_rbd_as(kind))
    }

    /// As [`is_rbd`](Self::is_rbd), of a disk that is known to be of this kind.
    pub(crate) fn is_rbd_as(self, kind: DiskKind) -> bool {
        let stated = if kind.has_image() { self.element.filled("TYPE") } else { None };
        stated.or_else(|| self.element.value("DISK_TYPE")).is_some_and(|text| text.starts_with("RBD"))
    }
}
