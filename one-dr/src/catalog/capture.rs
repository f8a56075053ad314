//! Reading a site for the catalog. Reads only.
//!
//! A capture that lacks something is no newer version of what is kept: an image that could not be read would be one that does not
//! exist. Only a VM whose secrets the front-end would not tell is kept without them, and the lint says so.

use opennebula_meta::capture::{Mirror, Mirrored};
use opennebula_meta::document::Error as DocumentError;
use opennebula_meta::drift::{self, Drift};
use opennebula_meta::id::{EpochSeconds, ImageId, VmId};
use opennebula_meta::lint::{self, Around, Finding};
use opennebula_meta::record::Stamp;
use opennebula_meta::source::{RbdImage, SpecError};
use opennebula_meta::{Capture, Record, Vm};

use super::{Error, Shelf, Version, newest, publish};
use crate::clock::Moment;
use crate::frontend::Error as FrontEndError;
use crate::frontend::capture::{Captured, Missing, Part, Scope, capture as read};
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
    /// No VM was asked for, and none is in the catalog.
    #[error("no VM is protected yet, so there is nothing to capture: one-dr protect VM")]
    Nothing,
    /// Something could not be read. The version before it stays the newest.
    #[error("not captured, the version before stays: {}", words(.0))]
    Missing(Vec<Missing>),
}

fn words(missing: &[Missing]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl CaptureError {
    /// Whether a site is silent, rather than unwilling.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Storage(error) | Self::Catalog(Error::Storage(error)) => error.is_unreachable(),
            Self::FrontEnd(error) => error.is_unreachable(),
            Self::Missing(missing) => missing.iter().any(|one| one.why.is_unreachable()),
            _ => false,
        }
    }

    /// Whether the change, a new version, may have been made.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        match self {
            Self::Storage(error) | Self::Catalog(Error::Storage(error)) => error.is_in_doubt(),
            _ => false,
        }
    }
}

/// Reads the VMs of `scope`, decrypted, and everything around them, of the site where they are defined.
///
/// # Errors
/// [`CaptureError`]
pub fn capture(pair: &SitePair, side: Side, scope: &[VmId]) -> Result<Record, CaptureError> {
    let (site, frontend, storage) = (pair.at(side), pair.frontend(side), pair.storage(side));
    let scope = Scope::These(scope.to_vec());
    let Captured { mut capture, missing, .. } = read(frontend, &scope, pair.settings.limits.at_once())?;
    let bearable = |one: &Missing| matches!(one.what, Part::Secrets(_)) && !one.why.is_unreachable();
    let missing: Vec<Missing> = missing.into_iter().filter(|one| !bearable(one)).collect();
    if !missing.is_empty() {
        return Err(CaptureError::Missing(missing));
    }
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

/// What a capture tells.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// The new version.
    pub version: Version,
    /// Its content.
    pub record: Record,
    /// What changed since the version before, and what is not mirrored.
    pub drift: Vec<Drift>,
    /// What would fail, be lost, or be otherwise at the recovery site, VM by VM, worst first.
    pub lint: Vec<(VmId, Finding)>,
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
) -> Result<Refreshed, CaptureError> {
    let before = match newest(shelf) {
        Ok(newest) => newest.record.into_capture(),
        Err(Error::Storage(error)) => return Err(error.into()),
        Err(_) => Capture::default(),
    };
    let mut scope: Vec<VmId> = before.vms.iter().map(Vm::id).collect();
    scope.extend(more.iter().filter(|id| before.vm(**id).is_none()));
    if scope.is_empty() {
        return Err(CaptureError::Nothing);
    }
    let fresh = capture(pair, Side::Home, &scope)?;
    let stamp = fresh.stamp().clone();
    let mut content = fresh.into_capture();
    // The first capture is all news, and none of it matters.
    let mut drift = if before.vms.is_empty() { Vec::new() } else { drift::between(&before, &content) };
    let matters = |one: &Drift| match one {
        Drift::VmAdded { .. } | Drift::ImageAdded { .. } => false,
        Drift::ImageGone { image, .. } | Drift::ImageChanged { image, .. } => is_used(&before, *image),
        // A pool has images of VMs that nobody has protected.
        Drift::Unused { .. } => false,
        _ => true,
    };
    drift.retain(matters);
    let around = Around {
        images: &content.images,
        site_map: &pair.settings.site_map,
        mirrored: content.mirrored.as_ref(),
    };
    let of = |vm: &Vm| lint::vm(vm, &around).into_iter().map(|found| (vm.id(), found)).collect::<Vec<_>>();
    let mut lint: Vec<(VmId, Finding)> = content.vms.iter().flat_map(of).collect();
    lint.sort_by_key(|(_, found)| found.severity);
    for vm in before.vms {
        if content.vm(vm.id()).is_none() {
            content.vms.push(vm);
        }
    }
    content.vms.sort_by_key(Vm::id);
    let record = Record::new(content, stamp);
    let version = publish(shelf, &record, now)?;
    Ok(Refreshed { version, record, drift, lint })
}

/// Whether a captured VM has a disk on this image.
fn is_used(capture: &Capture, image: ImageId) -> bool {
    let id = image.to_string();
    let has = |vm: &Vm| vm.disks().any(|disk| disk.element().value("IMAGE_ID") == Some(id.as_str()));
    capture.vms.iter().any(has)
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

#[cfg(test)]
mod tests;
