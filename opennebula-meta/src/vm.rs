//! `VM`: what `onevm show` and `one.vmpool.infoextended` say about a virtual machine.
//!
//! `one.vmpool.info` is short: its VMs have no `USER_TEMPLATE` content, no `CONTEXT`, and their disks no `SOURCE`. It
//! is read too, but a disk of it cannot be mapped ([`source`](crate::source)).

mod disk;
mod nic;
mod snapshots;
mod state;

use std::{fmt::Debug, io::BufRead};

use crate::{
    document::{Document, Element, Error, Pool, pool},
    id::{DatastoreId, EpochSeconds, VmId},
    image::expect_root,
    known::Known,
    owner::{Owner, Permissions},
};

pub use disk::{Disk, DiskKind};
pub use nic::{Nic, NicKind};
pub use snapshots::{Revert, Snapshot, Snapshots};
pub use state::VmState;

/// A virtual machine as OpenNebula printed it. The fields that it cannot be without are checked; all others are read
/// on demand, and unknown ones stay in [`document`](Self::document).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vm {
    id: VmId,
    secrets: Secrets,
    document: Document,
    /// Where `TEMPLATE` and `USER_TEMPLATE` are: they are asked for again and again.
    template: Option<u32>,
    user_template: Option<u32>,
}

/// Whether `CONTEXT/PASSWORD` and its like are as the user wrote them. The document does not say; who asked for it
/// knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Read with `onevm show --decrypt` (`one.vm.info(id, true)`).
    Decrypted,
    /// Read without, or from a pool, `one.vmpool.infoextended` included (observed on 6.10.3): the values are cipher text under site A's key, and useless at B.
    Encrypted,
    /// Nobody said. A value that looks like cipher text is then taken as such.
    #[default]
    Unknown,
}

impl Vm {
    /// Reads `onevm show -x` or `-j`.
    ///
    /// # Errors
    /// See [`Why`](crate::document::Why); of the fields only `ID` and `NAME` must be there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::try_from(Document::parse(text)?)
    }

    /// Reads a whole pool, XML or JSON.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); the first bad VM ends it.
    pub fn parse_pool(text: &str) -> Result<Vec<Self>, Error> {
        pool(text)?.into_iter().map(Self::try_from).collect()
    }

    /// Reads a pool in XML as a stream, one VM in memory at a time.
    pub fn stream<R: BufRead>(input: R) -> impl Iterator<Item = Result<Self, Error>> {
        Pool::new(input).map(|document| document.and_then(Self::try_from))
    }

    /// The same VM, with what is known of its secrets.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// What is known of its secrets.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets
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
    pub fn id(&self) -> VmId {
        self.id
    }

    /// `NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.root().get_value(Known::NAME).unwrap_or_default()
    }

    /// `UNAME` and `GNAME`.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::of(self.root())
    }

    /// `PERMISSIONS`.
    ///
    /// # Errors
    /// [`Why::Number`](crate::document::Why::Number).
    pub fn permissions(&self) -> Result<Option<Permissions>, Error> {
        Permissions::of(self.root())
    }

    /// `STATE`.
    ///
    /// # Errors
    /// [`Why::Missing`](crate::document::Why::Missing), [`Why::Number`](crate::document::Why::Number).
    pub fn state(&self) -> Result<VmState, Error> {
        self.root().get_required_number(Known::STATE).map(VmState::from_number)
    }

    /// `TEMPLATE`.
    #[must_use]
    pub fn template(&self) -> Option<Element<'_>> {
        self.template.map(|at| self.document.at(at))
    }

    /// `USER_TEMPLATE`.
    #[must_use]
    pub fn user_template(&self) -> Option<Element<'_>> {
        self.user_template.map(|at| self.document.at(at))
    }

    /// `TEMPLATE/CONTEXT`.
    #[must_use]
    pub fn context(&self) -> Option<Element<'_>> {
        self.template().and_then(|template| template.get(Known::CONTEXT))
    }

    /// `TEMPLATE/DISK`, in order. The context CD is not among them: see [`context`](Self::context).
    pub fn disks(&self) -> impl Iterator<Item = Disk<'_>> {
        self.in_template(Known::DISK).map(|element| Disk::new(element, self.id))
    }

    /// `TEMPLATE/NIC`, in order.
    pub fn nics(&self) -> impl Iterator<Item = Nic<'_>> {
        self.in_template(Known::NIC).map(|element| Nic::new(element, NicKind::Nic))
    }

    /// `TEMPLATE/NIC_ALIAS`, in order.
    pub fn aliases(&self) -> impl Iterator<Item = Nic<'_>> {
        self.in_template(Known::NIC_ALIAS).map(|element| Nic::new(element, NicKind::Alias))
    }

    /// `SNAPSHOTS`: the disk snapshots, one tree a disk. System snapshots are elsewhere (`TEMPLATE/SNAPSHOT`).
    ///
    /// # Errors
    /// [`Why::Number`](crate::document::Why::Number).
    pub fn snapshots(&self) -> Result<Vec<Snapshots>, Error> {
        self.root().get_all(Known::SNAPSHOTS).map(Snapshots::of).collect()
    }

    /// The system datastore of the last placement (`HISTORY_RECORDS`); `None` for a VM that was never deployed.
    ///
    /// # Errors
    /// [`Why::Number`](crate::document::Why::Number).
    pub fn system_datastore(&self) -> Result<Option<DatastoreId>, Error> {
        let last = self
            .root()
            .get(Known::HISTORY_RECORDS)
            .and_then(|records| records.get_all(Known::HISTORY).last());
        last.map_or(Ok(None), |history| history.get_number(Known::DS_ID))
    }

    /// A moment that had passed when this document was printed, at least: the latest time in it.
    #[must_use]
    pub fn printed_after(&self) -> Option<EpochSeconds> {
        let root = self.root();
        let mut times: Vec<u64> = Vec::new();
        let mut push = |text: Option<&str>| times.extend(text.and_then(|text| text.parse::<u64>().ok()));
        push(root.get_value(Known::LAST_POLL));
        push(root.get_value(Known::STIME));
        for history in
            root.get(Known::HISTORY_RECORDS).into_iter().flat_map(|records| records.get_all(Known::HISTORY))
        {
            for field in [Known::STIME, Known::ETIME, Known::PETIME, Known::RSTIME, Known::RETIME] {
                push(history.get_value(field));
            }
        }
        times.into_iter().max().filter(|latest| *latest > 0).map(EpochSeconds)
    }

    fn in_template<'a>(&'a self, name: Known) -> impl Iterator<Item = Element<'a>> + use<'a> {
        self.template().into_iter().flat_map(move |template| template.get_all(name))
    }
}

impl TryFrom<Document> for Vm {
    type Error = Error;

    fn try_from(document: Document) -> Result<Self, Error> {
        let root = document.root();
        expect_root(root, "VM")?;
        root.get_required(Known::NAME)?;
        let at = |name| root.get(name).map(Element::number_in_document);
        let (template, user_template) = (at(Known::TEMPLATE), at(Known::USER_TEMPLATE));
        let id = root.get_required_number(Known::ID)?;
        Ok(Self { id, secrets: Secrets::Unknown, document, template, user_template })
    }
}
