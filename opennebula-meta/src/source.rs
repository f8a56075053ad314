//! Which RBD image each disk of a VM is, or why it is none; what must be flattened before it can be mirrored.
//!
//! The names are those of OpenNebula's drivers (`tm_mad/ceph`, `datastore_mad/remotes/ceph`; identical in 6.10.3 and
//! 7.4.0, observed with the real scripts). `I`, `V`, `D` are numbers of the site that made the image:
//!
//! | disk | RBD image |
//! | --- | --- |
//! | clone of a non-persistent image | `<SOURCE>-V-D`, mostly `pool/one-I-V-D`; its parent is `<SOURCE>@snap` |
//! | persistent, immutable, CDROM | `SOURCE` itself |
//! | volatile, swap | `pool/one-sys-V-D`, the pool of the system datastore |
//! | context CD | none: a file on the host, made anew at every start |
//! | memory of a suspended or stopped VM | `pool/one-sys-V-checkpoint` |
//! | after a revert to disk snapshot `n` | the name stays, but the image is a new clone of `@n`, unmirrored; what was called so is now `<disk>-<ids>` and keeps the protection |
//!
//! Nothing here looks into a pool. What is said about parents is what the documents let one expect: ask Ceph before
//! relying on it.

mod origin;
mod spec;

use serde::{Deserialize, Serialize};

use crate::{
    datastore::Datastore,
    document::{Error, Place, Why},
    id::{DiskId, Mebibytes, SnapshotId, VmId},
    known::Known,
    vm::{Disk, DiskKind, Revert, Snapshots, Vm},
};

pub use origin::Origin;
pub use spec::{RbdImage, RbdSnapshot, SpecError};

/// Where the data of one disk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSource {
    /// The VM.
    pub vm: VmId,
    /// `DISK_ID`; of the context CD, `CONTEXT/DISK_ID`.
    pub disk: DiskId,
    /// `TARGET`.
    pub target: Option<String>,
    /// What the disk is made of.
    pub kind: DiskKind,
    /// `SIZE`; `None` for the context CD.
    pub size: Option<Mebibytes>,
    /// The RBD image, or why there is none.
    pub backing: Backing,
    /// The RBD images that this one is cloned from, as far as the documents tell, nearest first.
    pub parents: Vec<RbdSnapshot>,
    /// The disk snapshots that exist. They cannot be registered at the other site.
    pub snapshots: Vec<SnapshotId>,
    /// Whether the disk was reverted to one.
    pub reverted: Reverted,
}

/// The RBD image of a disk, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backing {
    /// This one.
    Rbd(RbdImage),
    /// None.
    None(NoRbd),
}

/// Why a disk has no RBD image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NoRbd {
    /// The context CD: a file on the host. Nothing is lost, OpenNebula makes it at every start.
    ContextCd,
    /// The disk is a file, on a datastore that is not Ceph or on the host. Its data is out of reach of RBD mirroring.
    File,
    /// A volatile disk of a VM that was never deployed: it does not exist yet.
    NotDeployed,
}

/// What a revert did to a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reverted {
    /// Nothing.
    No,
    /// The disk's image is a clone of snapshot `to`.
    Yes {
        /// The snapshot.
        to: SnapshotId,
        /// The renamed image that holds it, and the protection. A guess: its name carries the numbers of all
        /// snapshots it had *then*, deleted ones included. See [`RbdImage::is_carrier_of`].
        carrier: RbdImage,
    },
    /// The documents do not tell.
    Unknown,
}

/// What it takes to mirror a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Mirroring can be enabled as it is.
    Ready(RbdImage),
    /// The image has a parent: flatten it first, or mirror the parent too. Enabling without either is refused (`EINVAL`,
    /// "mirroring is not enabled for the parent", measured on Ceph 16.2.15) or, in pool mode, silently does nothing.
    Flatten {
        /// The image.
        image: RbdImage,
        /// Its parent.
        parent: RbdSnapshot,
    },
    /// Look first: the image may have a parent.
    Ask(RbdImage),
    /// It cannot be mirrored.
    Impossible(NoRbd),
}

impl DiskSource {
    /// The RBD image, if there is one.
    #[must_use]
    pub fn rbd(&self) -> Option<&RbdImage> {
        match &self.backing {
            Backing::Rbd(image) => Some(image),
            Backing::None(_) => None,
        }
    }

    /// What it takes to mirror it.
    #[must_use]
    pub fn protection(&self) -> Protection {
        match (&self.backing, self.parents.first(), &self.reverted) {
            (Backing::None(why), _, _) => Protection::Impossible(*why),
            (Backing::Rbd(image), Some(parent), _) => {
                Protection::Flatten { image: image.clone(), parent: parent.clone() }
            }
            (Backing::Rbd(image), None, Reverted::Unknown) => Protection::Ask(image.clone()),
            (Backing::Rbd(image), None, _) => Protection::Ready(image.clone()),
        }
    }
}

/// Every disk of a VM, in order, then the context CD.
///
/// ```
/// use opennebula_meta::{Vm, source};
///
/// let vm = Vm::parse(
///     "<VM><ID>7</ID><NAME>web</NAME><TEMPLATE><DISK><CLONE>YES</CLONE><DISK_ID>0</DISK_ID><SIZE>256</SIZE>\
///      <SOURCE>one/one-3</SOURCE><TYPE>RBD</TYPE></DISK></TEMPLATE></VM>",
/// )?;
/// let disks = source::disks(&vm)?;
/// assert_eq!(disks[0].rbd().map(ToString::to_string).as_deref(), Some("one/one-3-7-0"));
/// assert_eq!(disks[0].parents[0].to_string(), "one/one-3@snap");
/// # Ok::<(), opennebula_meta::document::Error>(())
/// ```
///
/// # Errors
/// [`Why::Missing`] for a disk on RBD without `SOURCE` or `SIZE` (a short VM of `one.vmpool.info`), [`Why::Number`],
/// [`Why::Source`]: a name that is guessed wrong would protect, or remove, somebody else's image.
pub fn disks(vm: &Vm) -> Result<Vec<DiskSource>, Error> {
    let trees = vm.snapshots()?;
    let mut sources = Vec::new();
    for disk in vm.disks() {
        let id = disk.id()?;
        let tree = trees.iter().find(|tree| tree.disk == Some(id));
        sources.push(disk_source(disk, tree)?);
    }
    if let Some(context) = vm.context()
        && let Some(disk) = context.get_number(Known::DISK_ID)?
    {
        sources.push(DiskSource {
            vm: vm.id(),
            disk,
            target: context.get_filled(Known::TARGET).map(str::to_owned),
            kind: DiskKind::Context,
            size: None,
            backing: Backing::None(NoRbd::ContextCd),
            parents: Vec::new(),
            snapshots: Vec::new(),
            reverted: Reverted::No,
        });
    }
    Ok(sources)
}

/// What a registration takes of a disk.
pub(crate) struct Outline {
    pub(crate) disk: DiskId,
    pub(crate) kind: DiskKind,
    pub(crate) size: Mebibytes,
    pub(crate) backing: Backing,
}

impl Outline {
    pub(crate) fn of(disk: Disk<'_>) -> Result<Self, Error> {
        let (kind, id) = (disk.kind()?, disk.id()?);
        let backing = backing(disk, kind, id)?;
        Ok(Self { disk: id, kind, size: disk.size()?, backing })
    }
}

/// One disk, with its tree of snapshots if it has one.
fn disk_source(disk: Disk<'_>, tree: Option<&Snapshots>) -> Result<DiskSource, Error> {
    let Outline { disk: id, kind, size, backing } = Outline::of(disk)?;
    let mut parents = Vec::new();
    if kind == DiskKind::Clone && matches!(backing, Backing::Rbd(_)) {
        parents.push(RbdSnapshot { image: image_source(disk)?, name: "snap".to_owned() });
    }
    let mut reverted = Reverted::No;
    if let (Backing::Rbd(image), Some(tree)) = (&backing, tree) {
        match tree.revert {
            Revert::Never => {}
            Revert::Unknown => reverted = Reverted::Unknown,
            Revert::To(to) => {
                let carrier = image.carrier(&tree.beside(to));
                parents.insert(0, RbdSnapshot { image: carrier.clone(), name: to.to_string() });
                reverted = Reverted::Yes { to, carrier };
            }
        }
    }
    Ok(DiskSource {
        vm: disk.vm(),
        disk: id,
        target: disk.target().map(str::to_owned),
        kind,
        size: Some(size),
        backing,
        parents,
        snapshots: tree.map(|tree| tree.all.iter().map(|snapshot| snapshot.id).collect()).unwrap_or_default(),
        reverted,
    })
}

/// The RBD image.
fn backing(disk: Disk<'_>, kind: DiskKind, id: DiskId) -> Result<Backing, Error> {
    if kind.has_image() {
        if !disk.is_rbd_as(kind) {
            return Ok(Backing::None(NoRbd::File));
        }
        let source = image_source(disk)?;
        let is_clone = kind == DiskKind::Clone;
        return Ok(Backing::Rbd(if is_clone { source.clone_for(disk.vm(), id) } else { source }));
    }
    if disk.is_rbd_as(kind) {
        let Some(pool) = disk.filled(Known::POOL_NAME) else {
            return Ok(Backing::None(NoRbd::NotDeployed));
        };
        return Ok(Backing::Rbd(
            RbdImage::volatile(pool, disk.vm(), id).map_err(|_| bad_source(disk, "POOL_NAME"))?,
        ));
    }
    let placed = disk.filled(Known::TM_MAD).is_some() || disk.filled(Known::DISK_TYPE).is_some();
    Ok(Backing::None(if placed { NoRbd::File } else { NoRbd::NotDeployed }))
}

fn image_source(disk: Disk<'_>) -> Result<RbdImage, Error> {
    let source = disk.required(Known::SOURCE)?;
    RbdImage::parse(source, disk.filled(Known::POOL_NAME)).map_err(|_| bad_source(disk, "SOURCE"))
}

fn bad_source(disk: Disk<'_>, field: &'static str) -> Error {
    let element = disk.element();
    let place: Place = element.child(field).unwrap_or(element).place();
    Error::new(place, Why::Source)
}

/// The RBD image that holds the memory of a suspended or stopped VM, if it is one and its system datastore is on
/// Ceph. It is of no use at the other site (a checkpoint resumes on the host and version it was made on), but any
/// terminate of a VM of that number there removes it.
///
/// # Errors
/// [`Why::Missing`], [`Why::Number`].
pub fn checkpoint<'a>(
    vm: &Vm,
    datastores: impl IntoIterator<Item = &'a Datastore>,
) -> Result<Option<RbdImage>, Error> {
    if !vm.state()?.has_checkpoint() {
        return Ok(None);
    }
    let Some(system) = vm.system_datastore()? else { return Ok(None) };
    let pool =
        datastores.into_iter().find(|datastore| datastore.id() == system).and_then(Datastore::ceph_pool);
    Ok(pool.and_then(|pool| RbdImage::parse(&format!("one-sys-{}-checkpoint", vm.id()), Some(pool)).ok()))
}
