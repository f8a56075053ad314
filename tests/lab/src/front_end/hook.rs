//! The drivers: what oned would have a hypervisor or a datastore do is handed to a hook, so that a drill can attach a real
//! writer to the real disks. Without a hook everything succeeds.

use std::fmt;
use std::sync::Arc;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Work {
    /// Which kind of work.
    pub kind: WorkKind,
    /// The number of the VM; of the image for [`WorkKind::RemoveImage`].
    pub id: i32,
    /// Its name.
    pub name: String,
    /// The disks of the VM; the image's own for [`WorkKind::RemoveImage`].
    pub disks: Vec<Disk>,
}

/// A disk, by the name that OpenNebula's Ceph drivers give it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Disk {
    /// `DISK_ID`
    pub id: i64,
    /// `pool/image`
    pub rbd: String,
    /// The image that it is a clone of, for a non-persistent disk.
    pub cloned_from: Option<String>,
    /// `SIZE`, in MiB: what a volatile disk is made of.
    pub size_mib: Option<i64>,
}

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WorkKind {
    /// Make the disks: clone, create, link. Failure leads to PROLOG_FAILURE.
    Prolog,
    /// Start the machine. Failure leads to BOOT_FAILURE, or back to POWEROFF.
    Deploy,
    /// Ask the guest to go down. Failure: it runs on.
    Shutdown,
    /// Pull the plug.
    Cancel,
    /// Memory into a checkpoint.
    Save,
    /// Back from a checkpoint.
    Restore,
    /// Remove clones and volatile disks after the machine is down. The drivers swallow a failure.
    Epilog,
    /// The same for a VM that failed, its machine stopped too.
    Delete,
    /// `rbd rm` of an image that was deleted. Failure leads to ERROR, unless forced.
    RemoveImage,
}

impl WorkKind {
    /// The word by which a hook program is told.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Prolog => "prolog",
            Self::Deploy => "deploy",
            Self::Shutdown => "shutdown",
            Self::Cancel => "cancel",
            Self::Save => "save",
            Self::Restore => "restore",
            Self::Epilog => "epilog",
            Self::Delete => "delete",
            Self::RemoveImage => "remove-image",
        }
    }
}

/// What does the work. An error's text is shown as the VM's `ERROR`.
#[derive(Clone)]
pub struct Hook(Arc<Driver>);

type Driver = dyn Fn(&Work) -> Result<(), String> + Send + Sync;

impl Hook {
    /// A hook of this process.
    pub fn new(hook: impl Fn(&Work) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(crate) fn run(&self, work: &Work) -> Result<(), String> {
        (self.0)(work)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
