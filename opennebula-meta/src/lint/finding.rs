//! What is found, and how bad it is.

use std::fmt::{Display, Formatter, Result as Fmt};

use serde::Serialize;

use crate::{
    document::Element,
    id::{DatastoreId, DiskId, Mebibytes},
    name::NameError,
    site_map::Unmapped,
    source::{NoRbd, RbdImage},
};

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The field, by its path in the document.
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub lint: Lint,
}

/// How bad a finding is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Data may be destroyed, at both sites.
    Destroys,
    /// Registering or starting at B fails, or may.
    Fails,
    /// Something will not be there.
    Loses,
    /// Something will be otherwise.
    Differs,
}

/// What is found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lint {
    /// The VM cannot be converted.
    #[error("cannot be converted: {why}")]
    NoConversion {
        /// Why.
        why: String,
    },
    /// Something has no counterpart at B.
    #[error("no counterpart at site B for {0}")]
    Unmapped(Unmapped),
    /// OpenNebula refuses the name that it would have at B.
    #[error("the name {name:?} would be refused: {why}")]
    NameRefused {
        /// The name.
        name: String,
        /// Why.
        why: NameError,
    },
    /// The disk's data is in no RBD image.
    #[error("disk {disk} is no RBD image ({why:?}): its data does not reach site B")]
    NoRbd {
        /// The disk.
        disk: DiskId,
        /// Why.
        why: NoRbd,
    },
    /// The disk's RBD image is not mirrored.
    #[error("{image} is not mirrored")]
    NotMirrored {
        /// The RBD image.
        image: RbdImage,
    },
    /// The CD's RBD image is not mirrored: the VM would not start, for a CD that nobody may need any more.
    #[error("the CD {image} is not mirrored: mirror it, detach it, or name one at B in the map")]
    CdNotMirrored {
        /// The RBD image.
        image: RbdImage,
    },
    /// The disk starts empty at B.
    #[error("a volatile disk starts empty at site B")]
    StartsEmpty,
    /// The disk has snapshots, which cannot be registered.
    #[error("{count} disk snapshots cannot be registered at site B")]
    DiskSnapshots {
        /// How many.
        count: usize,
    },
    /// The disk was reverted: its image is a new clone, and mirroring stayed with the former one.
    #[error("the disk was reverted to a snapshot: {image} is an unmirrored clone of {carrier}")]
    Reverted {
        /// The disk's image.
        image: RbdImage,
        /// What the former one is probably called.
        carrier: RbdImage,
    },
    /// The format is not raw: the hypervisor would read something else.
    #[error("format {format:?} on an RBD image")]
    Format {
        /// The format.
        format: String,
    },
    /// A `DISK_TYPE` in the image's template goes over into disks.
    #[error("DISK_TYPE in the image's template goes over into disks")]
    DiskType,
    /// The disk is encrypted: the hosts of B need the secret of that number.
    #[error("the hosts of site B need the secret of an encrypted disk")]
    Encrypted,
    /// Two disks have one device: refused.
    #[error("two disks have the target {target:?}")]
    TargetTwice {
        /// The device.
        target: String,
    },
    /// The image that the disk uses is in error at A.
    #[error("the image is in error at site A")]
    ImageInError,
    /// The VM's memory is in a checkpoint, which cannot be resumed elsewhere.
    #[error("the VM is suspended or stopped: its memory is lost, it starts afresh")]
    MemoryInCheckpoint,
    /// The VM is being made.
    #[error("the VM is being made: capture again")]
    Unsettled,
    /// A system snapshot stays at A.
    #[error("system snapshot {name:?} stays at site A")]
    SystemSnapshot {
        /// Its name.
        name: String,
    },
    /// Backups stay at A.
    #[error("backups stay at site A")]
    BackupsStay,
    /// The VM may run on named hosts of A only.
    #[error("requires a host of site A")]
    PinnedToHost,
    /// The VM may run in a numbered cluster of A only.
    #[error("requires a cluster of site A by number")]
    PinnedToCluster,
    /// The VM may use a numbered system datastore of A only.
    #[error("requires a datastore of site A by number")]
    PinnedToDatastore,
    /// A PCI device must be there.
    #[error("needs a PCI device")]
    PciDevice,
    /// Something of the host's topology must be there.
    #[error("needs the host's processors or memory in a certain shape")]
    HostTopology,
    /// A processor model must be there.
    #[error("needs a processor model")]
    CpuModel,
    /// A file on the host must be there.
    #[error("needs a file of the host")]
    HostPath,
    /// A kernel or ramdisk of the files datastore must be there under the same name; it is not mirrored.
    #[error("needs a kernel or ramdisk of the files datastore, which is not mirrored")]
    KernelFile,
    /// UEFI variables lie on the host at A, and are not mirrored: boot entries and enrolled keys are lost.
    #[error("UEFI variables are on the host of site A and are lost")]
    UefiVariables,
    /// The state of the TPM lies on the host at A, and is not mirrored: what was sealed with it stays sealed.
    #[error("the state of the TPM is on the host of site A and is lost")]
    Tpm,
    /// The hypervisor's own language, which may name what is at A only.
    #[error("RAW may name what is at site A only")]
    Raw,
    /// The group that keeps VMs apart or together is left out, or mapped by name.
    #[error("belongs to a VM group of site A")]
    VmGroup,
    /// A virtual router's VM is made by its router, not by a template.
    #[error("belongs to a virtual router, which must be made at site B")]
    VirtualRouter,
    /// The password of the console goes over in the clear.
    #[error("the console's password is in the template in the clear")]
    GraphicsPassword,
    /// Files of the context are not mirrored.
    #[error("needs files for its context, which are not mirrored")]
    ContextFiles,
    /// B needs a OneGate.
    #[error("needs ONEGATE_ENDPOINT in the oned.conf of site B")]
    OneGate,
    /// A password is known only as cipher text of A.
    #[error("a password was captured encrypted and is lost: capture with --decrypt")]
    CipherText,
    /// A `$` that would be replaced once more, or make the call fail.
    #[error("a variable in CONTEXT would be replaced again, or make the registration fail")]
    ContextVariable,
    /// A card without a network.
    #[error("a card on a bare bridge, which site B may not have")]
    BareCard,
    /// B has an image of that name and owner already, for another RBD image.
    #[error("site B has an image {name:?} of {owner:?} already")]
    NameTaken {
        /// The name.
        name: String,
        /// The owner.
        owner: String,
    },
    /// B has the replica registered already. Two registrations would let two VMs write to one image.
    #[error("site B has {image} registered already, as {name:?}")]
    Registered {
        /// The RBD image.
        image: RbdImage,
        /// The name of the registration.
        name: String,
    },
    /// B makes images of its own in the mirrored pool: it will adopt the replica as a new VM's disk, or remove it.
    #[error(
        "site B may make {image} itself: datastore {datastore} of site B is on the mirrored pool {pool:?}"
    )]
    NameCollision {
        /// The RBD image.
        image: RbdImage,
        /// The pool.
        pool: String,
        /// The datastore of B that is on it.
        datastore: DatastoreId,
    },
    /// B has made an RBD image of that name: the replica cannot arrive, or is in use by another VM of B.
    #[error("site B has an image or a VM whose own RBD image is {image}")]
    NameCollided {
        /// The RBD image.
        image: RbdImage,
    },
    /// B's datastore has less room than the image states; it is asked for although the data is there.
    #[error("datastore {datastore} of site B has {free} MiB free, {size} are asked for")]
    NoRoom {
        /// The datastore.
        datastore: DatastoreId,
        /// What is free.
        free: Mebibytes,
        /// What is asked for.
        size: Mebibytes,
    },
    /// B's network has no range with that address, so no lease of it is possible.
    #[error("network {network:?} of site B has no range with {address}")]
    NoRange {
        /// The network.
        network: String,
        /// The address.
        address: String,
    },
    /// The address is leased at B.
    #[error("{address} is in use at site B")]
    AddressInUse {
        /// The address.
        address: String,
    },
    /// The card gets another MAC at B, because the address range there pairs other bases.
    #[error("{address} comes with the MAC {there} at site B, {here} at site A")]
    OtherMac {
        /// The address.
        address: String,
        /// At A.
        here: String,
        /// At B.
        there: String,
    },
    /// B adds `MACHINE=q35` where none is stated: other virtual hardware than at A.
    #[error("OS/MACHINE is not stated: site B makes it q35")]
    Machine,
    /// B cuts blanks at the ends of values.
    #[error("site B cuts the blanks at the ends of the value")]
    BlanksCut,
}

impl Finding {
    pub(super) fn at(element: Element<'_>, severity: Severity, lint: Lint) -> Self {
        Self { path: element.path(), severity, lint }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "{}: {}", self.path, self.lint)
    }
}
