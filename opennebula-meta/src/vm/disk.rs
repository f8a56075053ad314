//! `TEMPLATE/DISK`.

use std::{
    fmt::{Debug, Formatter, Result as Fmt},
    str::FromStr,
};

use crate::{
    document::{Element, Error, Why},
    id::{DiskId, ImageId, Mebibytes, VmId},
    known::{COUNT, Known},
};

/// One disk of a VM.
#[derive(Clone, Copy)]
pub struct Disk<'a> {
    element: Element<'a>,
    vm: VmId,
    /// The first element of each name in [`READ`], by its number in the document; 0, which is the root, for none.
    fields: [u32; READ.len() + 1],
}

/// What is asked for again and again, found in one pass over the disk.
const READ: [Known; 19] = [
    Known::CLONE,
    Known::DATASTORE,
    Known::DEV_PREFIX,
    Known::DISK_ID,
    Known::DISK_TYPE,
    Known::FORMAT,
    Known::FS,
    Known::IMAGE,
    Known::IMAGE_ID,
    Known::IMAGE_UNAME,
    Known::LUKS_SECRET,
    Known::PERSISTENT,
    Known::POOL_NAME,
    Known::SAVE,
    Known::SIZE,
    Known::SOURCE,
    Known::TARGET,
    Known::TM_MAD,
    Known::TYPE,
];

/// Where each name is in a disk's fields. All that are not read share the place behind.
static PLACES: [usize; COUNT] = {
    let mut places = [READ.len(); COUNT];
    let mut at = 0;
    while at < READ.len() {
        places[READ[at].index()] = at;
        at += 1;
    }
    places
};

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
        let mut fields = [0; READ.len() + 1];
        for child in element.children() {
            let field = &mut fields[PLACES[child.known().index()]];
            if *field == 0 {
                *field = child.number_in_document();
            }
        }
        Self { element, vm, fields }
    }

    /// The first field of this name, which is one that is read.
    #[inline]
    pub(crate) fn get(&self, name: Known) -> Option<Element<'a>> {
        debug_assert!(READ.contains(&name), "{name:?} is read");
        match self.fields[PLACES[name.index()]] {
            0 => None,
            at => Some(self.element.document().at(at)),
        }
    }

    /// Its value.
    #[inline]
    pub(crate) fn value(&self, name: Known) -> Option<&'a str> {
        self.get(name).map(Element::text)
    }

    /// Its value, `None` where that is empty.
    #[inline]
    pub(crate) fn filled(&self, name: Known) -> Option<&'a str> {
        self.value(name).filter(|text| !text.is_empty())
    }

    fn says_yes(&self, name: Known) -> bool {
        self.value(name).is_some_and(|text| text.eq_ignore_ascii_case("YES"))
    }

    /// Its value, which must be there.
    pub(crate) fn required(&self, name: Known) -> Result<&'a str, Error> {
        self.filled(name).ok_or_else(|| self.missing(name))
    }

    fn number<T: FromStr>(&self, name: Known) -> Result<Option<T>, Error> {
        self.get(name).map_or(Ok(None), |field| field.as_number(name.as_str()))
    }

    fn required_number<T: FromStr>(&self, name: Known) -> Result<T, Error> {
        self.number(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: Known) -> Error {
        Error::new(self.element.place(), Why::Missing(name.as_str()))
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
        self.required_number(Known::DISK_ID)
    }

    /// What it is made of. `CLONE` decides, not `PERSISTENT`: a persistent image in use by one VM and a CDROM both
    /// say `CLONE=NO`, and a volatile disk says nothing.
    ///
    /// # Errors
    /// [`Why::Missing`] where a disk with an image has no `CLONE`.
    pub fn kind(self) -> Result<DiskKind, Error> {
        let has = |field| self.filled(field).is_some();
        let clone = self.filled(Known::CLONE);
        if clone.is_some_and(|clone| clone.eq_ignore_ascii_case("YES")) {
            return Ok(DiskKind::Clone);
        }
        let kind = self.value(Known::TYPE).unwrap_or_default();
        if clone.is_none() && !has(Known::SOURCE) && !has(Known::IMAGE) && !has(Known::IMAGE_ID) {
            let swap = kind.eq_ignore_ascii_case("swap");
            return Ok(if swap { DiskKind::Swap } else { DiskKind::Volatile });
        }
        self.required(Known::CLONE)?;
        Ok(if kind.to_ascii_uppercase().ends_with("CDROM") {
            DiskKind::Cdrom
        } else if self.says_yes(Known::PERSISTENT) || !has(Known::PERSISTENT) && self.says_yes(Known::SAVE) {
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
        match self.required_number(Known::SIZE)? {
            0 => {
                let place = self.get(Known::SIZE).unwrap_or(self.element).place();
                Err(Error::new(place, Why::Number { field: "SIZE", text: "0".to_owned() }))
            }
            size => Ok(Mebibytes(size)),
        }
    }

    /// `TARGET`, the device in the guest.
    #[must_use]
    pub fn target(self) -> Option<&'a str> {
        self.filled(Known::TARGET)
    }

    /// `IMAGE`, the name.
    #[must_use]
    pub fn image(self) -> Option<&'a str> {
        self.filled(Known::IMAGE)
    }

    /// `IMAGE_ID`.
    ///
    /// # Errors
    /// [`Why::Number`].
    pub fn image_id(self) -> Result<Option<ImageId>, Error> {
        self.number(Known::IMAGE_ID)
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
        let stated = if kind.has_image() { self.filled(Known::TYPE) } else { None };
        stated.or_else(|| self.value(Known::DISK_TYPE)).is_some_and(|text| text.starts_with("RBD"))
    }
}

impl Debug for Disk<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.debug_struct("Disk").field("element", &self.element).field("vm", &self.vm).finish()
    }
}
