//! Reading a site for the catalog. Reads only.

use opennebula_meta::capture::{Mirror, Mirrored};
use opennebula_meta::document::Error as DocumentError;
use opennebula_meta::id::{EpochSeconds, VmId};
use opennebula_meta::record::Stamp;
use opennebula_meta::source::{RbdImage, SpecError};
use opennebula_meta::vm::Secrets;
use opennebula_meta::{Capture, Record, Vm};

use super::{Error, Shelf, Version, newest, publish};
use crate::clock::Moment;
use crate::frontend::Error as FrontEndError;
use crate::site::{Side, SitePair};
use crate::storage::Error as StorageError;

/// Why a site could not be captured.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Its pool.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Its front-end.
    #[error(transparent)]
    FrontEnd(#[from] FrontEndError),
    /// A document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A name.
    #[error(transparent)]
    Name(#[from] SpecError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] Error),
}

/// Reads the VMs of `scope`, decrypted, and everything around them, of the site where they are defined.
///
/// # Errors
/// [`CaptureError`]
pub fn capture(pair: &SitePair, side: Side, scope: &[VmId]) -> Result<Record, CaptureError> {
    let (site, frontend, storage) = (pair.at(side), pair.frontend(side), pair.storage(side));
    let mut capture = Capture { version: Some(frontend.version()?), ..Capture::default() };
    for id in scope {
        if let Some(vm) = frontend.vm(*id)? {
            capture.vms.push(vm.with_secrets(Secrets::Decrypted));
        }
    }
    capture.images = frontend.images()?.into();
    capture.networks = frontend.networks()?;
    capture.datastores = frontend.datastores()?;
    let pool = storage.identity()?.pool;
    let mut mirrored = Vec::new();
    for image in storage.mirrored()? {
        let name = RbdImage::parse(&format!("{pool}/{}", image.name), None)?;
        mirrored.push((name, Mirror { global_id: image.global_id.as_str().to_owned(), bytes: None }));
    }
    capture.mirrored = Some(mirrored.into_iter().collect::<Mirrored>());
    let captured_at = Some(EpochSeconds(pair.clock.now().seconds()));
    Ok(Record::new(capture, Stamp { site: site.name.clone(), captured_at }))
}

/// Captures home anew into a catalog: the VMs of `more`, and those that are in its newest version. A VM that is gone from home is
/// kept as it was: its replica may be all that is left of it.
///
/// # Errors
/// [`CaptureError`]
pub fn refresh(
    pair: &SitePair,
    shelf: &dyn Shelf,
    more: &[VmId],
    now: Moment,
) -> Result<Version, CaptureError> {
    let before = match newest(shelf) {
        Ok(newest) => newest.record.into_capture(),
        Err(Error::Storage(error)) => return Err(error.into()),
        Err(_) => Capture::default(),
    };
    let mut scope: Vec<VmId> = before.vms.iter().map(Vm::id).collect();
    scope.extend(more.iter().filter(|id| before.vm(**id).is_none()));
    let fresh = capture(pair, Side::Home, &scope)?;
    let stamp = fresh.stamp().clone();
    let mut content = fresh.into_capture();
    for vm in before.vms {
        if content.vm(vm.id()).is_none() {
            content.vms.push(vm);
        }
    }
    content.vms.sort_by_key(Vm::id);
    Ok(publish(shelf, &Record::new(content, stamp), now)?)
}

/// Keeps the newest version once more, without a VM. The others stay as old as they are.
///
/// # Errors
/// [`Error`]
pub fn forget(shelf: &dyn Shelf, vm: VmId, now: Moment) -> Result<Version, Error> {
    let newest = newest(shelf)?;
    let stamp = newest.record.stamp().clone();
    let mut content = newest.record.into_capture();
    content.vms.retain(|kept| kept.id() != vm);
    // Later than what it is made from, so that it is the newest; at most by as little as tells them apart.
    let captured_at = Moment(newest.version.captured_at.0.saturating_add(1).min(now.0));
    publish(shelf, &Record::new(content, stamp), captured_at)
}
