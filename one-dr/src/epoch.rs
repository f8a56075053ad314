//! Who is the active site of a VM, by our own record: an object in each pool, which survives what Ceph's roles do not tell.
//!
//! Each switch raises the number. A site that comes back with a lower number than the other's was left behind: nothing that
//! it says of the VM counts any more, and its copies are what is given up if both are primary.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::site::Side;
use crate::storage::{Result, Storage};

/// The record of one VM at one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1; a VM that was never switched has no record, which counts as 0.
    pub number: u64,
    /// Where it was switched to.
    pub active: Side,
    /// Whether that was done without the other site: its copies have to be fetched anew before they follow.
    pub forced: bool,
    /// When.
    pub at: Moment,
    /// By which run.
    pub run: String,
}

/// The object's name.
#[must_use]
pub fn object(vm: u32) -> String {
    format!("one-dr.epoch.{vm}")
}

/// Reads the record of a VM. One that cannot be read counts as none; the other site's, or the roles, tell then.
///
/// # Errors
/// What the pool answers.
pub fn read(storage: &dyn Storage, vm: u32) -> Result<Option<Epoch>> {
    Ok(storage.object(&object(vm))?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Writes the record of a VM.
///
/// # Errors
/// What the pool answers.
pub fn write(storage: &dyn Storage, vm: u32, epoch: &Epoch) -> Result<()> {
    storage.put_object(&object(vm), &serde_json::to_vec(epoch).unwrap_or_default())
}
