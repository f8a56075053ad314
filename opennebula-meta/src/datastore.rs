//! `DATASTORE`: which Ceph pool, and what for.

use std::io::BufRead;

use crate::{
    document::{Document, Element, Error, Pool, pool},
    id::{DatastoreId, Mebibytes},
    image::expect_root,
};

/// A datastore as OpenNebula printed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datastore {
    id: DatastoreId,
    document: Document,
}

/// `DATASTORE/TYPE` (`src/datastore/Datastore.h`, read at 6.10.3; 0 to 2 observed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatastoreType {
    /// 0: images
    Image,
    /// 1: disks of running VMs
    System,
    /// 2: kernels, ramdisks, context files
    File,
    /// 3: backups
    Backup,
    /// A number that this crate has no name for.
    Other(u32),
}

impl Datastore {
    /// Reads `onedatastore show -x` or `-j`.
    ///
    /// # Errors
    /// See [`Why`](crate::document::Why); of the fields only `ID` and `NAME` must be there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::try_from(Document::parse(text)?)
    }

    /// Reads a whole pool, XML or JSON.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); the first bad datastore ends it.
    pub fn parse_pool(text: &str) -> Result<Vec<Self>, Error> {
        pool(text)?.into_iter().map(Self::try_from).collect()
    }

    /// Reads a pool in XML as a stream.
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
    pub fn id(&self) -> DatastoreId {
        self.id
    }

    /// `NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root().value("NAME").unwrap_or_default()
    }

    /// `TYPE`.
    ///
    /// # Errors
    /// [`Why::Missing`](crate::document::Why::Missing), [`Why::Number`](crate::document::Why::Number).
    pub fn datastore_type(&self) -> Result<DatastoreType, Error> {
        Ok(match self.root().required_number("TYPE")? {
            0 => DatastoreType::Image,
            1 => DatastoreType::System,
            2 => DatastoreType::File,
            3 => DatastoreType::Backup,
            other => DatastoreType::Other(other),
        })
    }

    /// The Ceph pool; `None` where the datastore is not on Ceph. Without `POOL_NAME` the drivers use `one`
    /// (`datastore_mad/remotes/ceph/ceph.conf`).
    #[must_use]
    pub fn ceph_pool(&self) -> Option<&str> {
        if self.root().value("TM_MAD") != Some("ceph") {
            return None;
        }
        let stated = self.root().child("TEMPLATE").and_then(|template| template.filled("POOL_NAME"));
        Some(stated.unwrap_or("one"))
    }

    /// `FREE_MB`: what `one.image.allocate` compares `SIZE` with, for a registration by `SOURCE` too.
    ///
    /// # Errors
    /// [`Why::Number`](crate::document::Why::Number).
    pub fn free(&self) -> Result<Option<Mebibytes>, Error> {
        Ok(self.root().number("FREE_MB")?.map(Mebibytes))
    }
}

impl TryFrom<Document> for Datastore {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self, Error> {
        let root = document.root();
        expect_root(root, "DATASTORE")?;
        root.required("NAME")?;
        Ok(Self { id: root.required_number("ID")?, document })
    }
}
