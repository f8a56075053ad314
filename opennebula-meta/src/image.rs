//! `IMAGE`: what `oneimage show` and `one.imagepool.info` say about an image.
//!
//! Read `SOURCE` and `SIZE` here, never below `IMAGE/TEMPLATE`: `one.image.update` can put such attributes there
//! without any effect (observed on 6.10.3).

use std::{fmt::Debug, io::BufRead};

use serde::Serialize;

use crate::{
    document::{Document, Element, Error, Pool, Why, pool},
    id::{DatastoreId, ImageId, Mebibytes},
    owner::{Owner, Permissions},
    source::{RbdImage, SpecError},
    vm::Snapshots,
};

/// An image as OpenNebula printed it. The fields that it cannot be without are checked; all others are read on
/// demand, and unknown ones stay in [`document`](Self::document).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    id: ImageId,
    document: Document,
}

impl Image {
    /// Reads `oneimage show -x` or `-j`.
    ///
    /// # Errors
    /// See [`Why`]; of the fields only `ID` and `NAME` must be there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::try_from(Document::parse(text)?)
    }

    /// Reads a whole pool, XML or JSON.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); the first bad image ends it.
    pub fn parse_pool(text: &str) -> Result<Vec<Self>, Error> {
        pool(text)?.into_iter().map(Self::try_from).collect()
    }

    /// Reads a pool in XML as a stream, one image in memory at a time.
    pub fn stream<R: BufRead>(input: R) -> impl Iterator<Item = Result<Self, Error>> {
        Pool::new(input).map(|document| document.and_then(Self::try_from))
    }

    /// Everything that was printed.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The root element.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        self.document.root()
    }

    /// `ID`.
    #[must_use]
    pub fn id(&self) -> ImageId {
        self.id
    }

    /// `NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root().value("NAME").unwrap_or_default()
    }

    /// `UNAME` and `GNAME`.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::of(self.root())
    }

    /// `PERMISSIONS`.
    ///
    /// # Errors
    /// [`Why::Number`].
    pub fn permissions(&self) -> Result<Option<Permissions>, Error> {
        Permissions::of(self.root())
    }

    /// `TYPE`.
    ///
    /// # Errors
    /// [`Why::Missing`], [`Why::Number`].
    pub fn image_type(&self) -> Result<ImageType, Error> {
        self.root().required_number("TYPE").map(ImageType::from_number)
    }

    /// `STATE`.
    ///
    /// # Errors
    /// [`Why::Missing`], [`Why::Number`].
    pub fn state(&self) -> Result<ImageState, Error> {
        self.root().required_number("STATE").map(ImageState::from_number)
    }

    /// `PERSISTENT`. To tell what a *disk* is, ask its `CLONE` ([`Disk`](crate::vm::Disk)), not this.
    #[must_use]
    pub fn persistence(&self) -> Persistence {
        match self.root().value("PERSISTENT") {
            Some(flag) if flag == "1" || flag.eq_ignore_ascii_case("YES") => Persistence::Persistent,
            _ => Persistence::NonPersistent,
        }
    }

    /// `SOURCE`.
    ///
    /// # Errors
    /// [`Why::Missing`]: an image whose creation failed has none.
    pub fn source(&self) -> Result<&str, Error> {
        self.root().required("SOURCE")
    }

    /// `SOURCE` as an RBD image. Whether it is one, the datastore knows; see [`is_rbd`](Self::is_rbd).
    ///
    /// # Errors
    /// [`SpecError`] where it is missing or no RBD name.
    pub fn rbd(&self) -> Result<RbdImage, SpecError> {
        RbdImage::parse(self.root().value("SOURCE").unwrap_or_default(), None)
    }

    /// Whether `DISK_TYPE` says RBD.
    #[must_use]
    pub fn is_rbd(&self) -> bool {
        // src/image/Image.h: RBD = 3, RBD_CDROM = 4. A CDROM image on Ceph has 3 (observed).
        matches!(self.root().value("DISK_TYPE"), Some("3" | "4"))
    }

    /// `SIZE`.
    ///
    /// # Errors
    /// [`Why::Missing`], [`Why::Number`]. 0 passes: OpenNebula accepts it.
    pub fn size(&self) -> Result<Mebibytes, Error> {
        self.root().required_number("SIZE").map(Mebibytes)
    }

    /// `DATASTORE`, the name.
    #[must_use]
    pub fn datastore(&self) -> &str {
        self.root().value("DATASTORE").unwrap_or_default()
    }

    /// `DATASTORE_ID`.
    ///
    /// # Errors
    /// [`Why::Number`].
    pub fn datastore_id(&self) -> Result<Option<DatastoreId>, Error> {
        self.root().number("DATASTORE_ID")
    }

    /// The disk snapshots of a persistent image; empty where `SNAPSHOTS` is.
    ///
    /// # Errors
    /// [`Why::Number`].
    pub fn snapshots(&self) -> Result<Snapshots, Error> {
        self.root().child("SNAPSHOTS").map(Snapshots::of).transpose().map(Option::unwrap_or_default)
    }
}

impl TryFrom<Document> for Image {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self, Error> {
        let root = document.root();
        expect_root(root, "IMAGE")?;
        root.required("NAME")?;
        Ok(Self { id: root.required_number("ID")?, document })
    }
}

/// Refuses another root than the one expected.
pub(crate) fn expect_root(root: Element<'_>, expected: &'static str) -> Result<(), Error> {
    if root.name() == expected {
        return Ok(());
    }
    Err(Error::new(root.place(), Why::Root { expected, found: root.name().to_owned() }))
}

/// Whether an image keeps what its VM writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Persistence {
    /// The VM writes to the image itself.
    Persistent,
    /// Each VM has its own clone.
    NonPersistent,
}

/// `IMAGE/TYPE`; the numbers are those of `src/image/Image.h` (read at 6.10.3; 0 to 2 and 5 observed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageType {
    /// 0
    Os,
    /// 1
    Cdrom,
    /// 2
    Datablock,
    /// 3, only in a file datastore
    Kernel,
    /// 4, only in a file datastore
    Ramdisk,
    /// 5, only in a file datastore
    Context,
    /// 6, only in a backup datastore
    Backup,
    /// A number that this crate has no name for.
    Other(u32),
}

impl ImageType {
    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Os,
            1 => Self::Cdrom,
            2 => Self::Datablock,
            3 => Self::Kernel,
            4 => Self::Ramdisk,
            5 => Self::Context,
            6 => Self::Backup,
            other => Self::Other(other),
        }
    }

    /// The word that a template takes; `None` for a number without a name.
    #[must_use]
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Os => Some("OS"),
            Self::Cdrom => Some("CDROM"),
            Self::Datablock => Some("DATABLOCK"),
            Self::Kernel => Some("KERNEL"),
            Self::Ramdisk => Some("RAMDISK"),
            Self::Context => Some("CONTEXT"),
            Self::Backup => Some("BACKUP"),
            Self::Other(_) => None,
        }
    }

    /// Whether a disk can be made of it.
    #[must_use]
    pub fn is_disk(self) -> bool {
        matches!(self, Self::Os | Self::Cdrom | Self::Datablock)
    }
}

/// `IMAGE/STATE`; the numbers are those of `src/image/Image.h` (read at 6.10.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageState {
    /// 0
    Init,
    /// 1
    Ready,
    /// 2
    Used,
    /// 3
    Disabled,
    /// 4: being copied; not the lock of `oneimage lock`
    Locked,
    /// 5
    Error,
    /// 6
    Clone,
    /// 7
    Delete,
    /// 8
    UsedPersistent,
    /// 9
    LockedUsed,
    /// 10
    LockedUsedPersistent,
    /// A number that this crate has no name for.
    Other(u32),
}

impl ImageState {
    fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Init,
            1 => Self::Ready,
            2 => Self::Used,
            3 => Self::Disabled,
            4 => Self::Locked,
            5 => Self::Error,
            6 => Self::Clone,
            7 => Self::Delete,
            8 => Self::UsedPersistent,
            9 => Self::LockedUsed,
            10 => Self::LockedUsedPersistent,
            other => Self::Other(other),
        }
    }
}

/// The images of a site, found by number or by name and owner.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// By number, ascending.
    all: Vec<Image>,
}

impl Images {
    /// The image of this number, at the site that these images are from.
    #[must_use]
    pub fn by_id(&self, id: ImageId) -> Option<&Image> {
        let at = self.all.binary_search_by_key(&id, Image::id).ok()?;
        self.all.get(at)
    }

    /// The image of this name and owner; names are unique for one owner only.
    #[must_use]
    pub fn by_name(&self, name: &str, user: &str) -> Option<&Image> {
        self.all.iter().find(|image| image.name() == name && image.root().value("UNAME") == Some(user))
    }

    /// The image whose `SOURCE` is this text.
    #[must_use]
    pub fn by_source(&self, source: &str) -> Option<&Image> {
        self.all.iter().find(|image| image.root().value("SOURCE") == Some(source))
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Image> {
        self.all.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl FromIterator<Image> for Images {
    fn from_iter<I: IntoIterator<Item = Image>>(images: I) -> Self {
        let mut all: Vec<Image> = images.into_iter().collect();
        all.sort_by_key(Image::id);
        all.dedup_by_key(|image| image.id());
        Self { all }
    }
}

impl From<Vec<Image>> for Images {
    fn from(images: Vec<Image>) -> Self {
        images.into_iter().collect()
    }
}
