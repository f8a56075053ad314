//! One site's OpenNebula, as disaster recovery needs it.
//!
//! [`FrontEnd`] is object-safe: the real one speaks XML-RPC as a member of `oneadmin`, the model's stands on memory. What it
//! reads are `opennebula_meta`'s documents. OpenNebula checks little (any number of images may register one RBD image, a
//! VM on a read-only replica runs): the checks are its caller's.
//!
//! Every call ends. A lost reply to a change is [`Error::InDoubt`]: look before anything else. Nothing is repeated here
//! but reads.

pub mod capture;
mod error;
mod http;
pub mod oned;
mod power;
mod redact;
mod session;
mod xmlrpc;

use std::net::IpAddr;

use opennebula_meta::id::{DatastoreId, GroupId, ImageId, NetworkId, TemplateId, UserId, VmId};
use opennebula_meta::owner::Permissions;
use opennebula_meta::version::Version;
use opennebula_meta::{Datastore, Image, Network, StoredTemplate, Template, Vm};
use serde::{Deserialize, Serialize};

pub use error::{Error, Result};
pub use oned::{Oned, Options};
pub use power::Power;
pub use session::{Endpoint, Session, SetupError};

/// An object that can be owned, locked, renamed and deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// `one.image.*`
    Image(ImageId),
    /// `one.template.*`
    Template(TemplateId),
    /// `one.vm.*`
    Vm(VmId),
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Image(id) => write!(f, "image {id}"),
            Self::Template(id) => write!(f, "template {id}"),
            Self::Vm(id) => write!(f, "VM {id}"),
        }
    }
}

/// How firmly an object is locked (`one.X.lock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockLevel {
    /// 1: neither deleted, nor changed, nor used by a new VM.
    Use,
    /// 2: neither deleted nor changed.
    Manage,
    /// 3: an image can still be deleted.
    Admin,
}

/// `one.vm.action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VmAction {
    /// From PENDING to HOLD.
    Hold,
    /// From HOLD to PENDING.
    Release,
    /// By ACPI.
    Poweroff,
    /// As if the plug was pulled: what the guest has not written is lost.
    PoweroffHard,
    /// From POWEROFF, SUSPENDED, UNDEPLOYED, UNKNOWN.
    Resume,
    /// **Removes non-persistent disks.**
    Terminate,
    /// The same, without asking the guest.
    TerminateHard,
    /// Off its host.
    Undeploy,
    /// The same, without asking the guest.
    UndeployHard,
    /// Memory into a checkpoint.
    Suspend,
}

impl VmAction {
    /// OpenNebula's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Poweroff => "poweroff",
            Self::PoweroffHard => "poweroff-hard",
            Self::Resume => "resume",
            Self::Terminate => "terminate",
            Self::TerminateHard => "terminate-hard",
            Self::Undeploy => "undeploy",
            Self::UndeployHard => "undeploy-hard",
            Self::Suspend => "suspend",
        }
    }
}

/// `one.X.update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// 0: the new template takes the old one's place.
    Replace,
    /// 1: merged into it.
    Merge,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// `UID`.
    pub id: UserId,
    /// `NAME`.
    pub name: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `GID`.
    pub id: GroupId,
    /// `NAME`.
    pub name: String,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `ID`.
    pub id: u32,
    /// `NAME`.
    pub name: String,
    /// Whether it takes VMs: monitored (or being monitored), not disabled, offline or in error.
    pub usable: bool,
    /// `HOST_SHARE/MAX_CPU - CPU_USAGE`, in hundredths of a processor.
    pub free_cpu_percent: i64,
    /// `HOST_SHARE/MAX_MEM - MEM_USAGE`, in KiB.
    pub free_memory_kib: i64,
}

/// One site's OpenNebula.
pub trait FrontEnd: Send + Sync {
    // Reads. `Error::Unreachable` of each, and `Error::Refused` where the user may not.

    /// `one.system.version`; it proves that the credentials are taken.
    ///
    /// # Errors
    /// [`Error::Unreachable`]; [`Error::Refused`] for a wrong user or password.
    fn version(&self) -> Result<Version>;

    /// All VMs that are not DONE, in full (`one.vmpool.infoextended`). Secrets are encrypted.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn vms(&self) -> Result<Vec<Vm>>;

    /// One VM with its secrets decrypted, DONE ones too (`one.vm.info`).
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn vm(&self, id: VmId) -> Result<Option<Vm>>;

    /// All images.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn images(&self) -> Result<Vec<Image>>;

    /// One image.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn image(&self, id: ImageId) -> Result<Option<Image>>;

    /// All stored templates.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn templates(&self) -> Result<Vec<StoredTemplate>>;

    /// All networks, with their leases.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn networks(&self) -> Result<Vec<Network>>;

    /// All datastores.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn datastores(&self) -> Result<Vec<Datastore>>;

    /// All hosts.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn hosts(&self) -> Result<Vec<Host>>;

    /// All users.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn users(&self) -> Result<Vec<User>>;

    /// All groups.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn groups(&self) -> Result<Vec<Group>>;

    // Changes. Each may answer `Error::InDoubt`.

    /// `one.image.allocate`. `skip_capacity`: register what the pool holds already, however full the datastore looks.
    ///
    /// # Errors
    /// [`Error::Refused`], "NAME is already taken" among them; [`Error::InDoubt`].
    fn allocate_image(
        &self,
        template: &Template,
        datastore: DatastoreId,
        skip_capacity: bool,
    ) -> Result<ImageId>;

    /// `one.template.allocate`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn allocate_template(&self, template: &Template) -> Result<TemplateId>;

    /// `one.template.instantiate`. `extra` is merged into the template. VM names need not be unique: look first.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn instantiate(&self, template: TemplateId, name: &str, hold: bool, extra: &Template) -> Result<VmId>;

    /// `one.vm.allocate`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn allocate_vm(&self, template: &Template, hold: bool) -> Result<VmId>;

    /// `one.X.chown`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn chown(&self, object: Object, user: UserId, group: GroupId) -> Result<()>;

    /// `one.X.chmod`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn chmod(&self, object: Object, permissions: Permissions) -> Result<()>;

    /// `one.X.lock`, over a lock that is there too.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn lock(&self, object: Object, level: LockLevel) -> Result<()>;

    /// `one.X.unlock`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn unlock(&self, object: Object) -> Result<()>;

    /// `one.X.rename`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn rename(&self, object: Object, name: &str) -> Result<()>;

    /// `one.X.update`: the user template of a VM, the template of an image or of a stored template.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn update(&self, object: Object, template: &Template, how: Update) -> Result<()>;

    /// `one.image.delete`, `one.template.delete`; a VM cannot be deleted so. **Deleting an image removes its RBD image** unless
    /// that is non-primary. It goes on after the call.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn delete(&self, object: Object, force: bool) -> Result<()>;

    /// `one.image.enable`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn enable_image(&self, image: ImageId, enabled: bool) -> Result<()>;

    /// `one.vm.action`. It goes on after the call.
    ///
    /// # Errors
    /// [`Error::Refused`] in a state that does not allow it; [`Error::InDoubt`].
    fn act(&self, vm: VmId, action: VmAction) -> Result<()>;

    /// `one.vn.hold`: nobody else gets the address.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn hold_address(&self, network: NetworkId, address: IpAddr) -> Result<()>;

    /// `one.vn.release`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn release_address(&self, network: NetworkId, address: IpAddr) -> Result<()>;
}
