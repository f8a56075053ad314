//! What is not as it was, one entry a field, for programs and for people.

use std::fmt::{Display, Formatter, Result as Fmt};

use serde::Serialize;

use crate::secret;

/// A field that was left out, changed or added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field, by its path in the document of A (`TEMPLATE/DISK[1]/SOURCE`), or, for edits of the map and for what
    /// was added, in the template for B (`CONTEXT/PASSWORD`).
    pub path: String,
    /// What happened to it.
    pub what: What,
    /// Why.
    pub reason: Reason,
    /// What it held; `None` where there was nothing, or where it is a secret.
    pub was: Option<String>,
    /// What it holds now; `None` where there is nothing, or where it is a secret.
    pub now: Option<String>,
}

/// What happened to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum What {
    /// It is not in the template.
    Dropped,
    /// It has another value.
    Changed,
    /// It was not there before.
    Added,
}

/// Why a field is not as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Reason {
    /// A number of site A: at B it is another object, or none.
    SiteNumber,
    /// OpenNebula at B writes it itself.
    MadeThere,
    /// It belongs to the run at A: state, monitoring, history, errors.
    OfTheRun,
    /// It belongs to a host of A: a device's address, the name of an interface.
    OfTheHost,
    /// The datastore at B says it; a value left here would override that.
    FromDatastore,
    /// The registered image says it.
    FromImage,
    /// The network at B says it; a value left here would override that.
    FromNetwork,
    /// It is given by a call after the object is there.
    LaterCall,
    /// OpenNebula takes at most one address; the other follows from it.
    OneAddress,
    /// The map says that addresses are not kept.
    AddressNotKept,
    /// It is given out at the start of the VM; kept, the start fails where it is taken.
    AtDeploy,
    /// The map gives another name, or the suffix.
    Mapped,
    /// Devices are numbered anew.
    Renumbered,
    /// The map's edits say so.
    Asked,
    /// It is left to the network, which adds its own.
    LeftToNetwork,
    /// Cipher text of site A: B would encrypt it once more.
    CipherText,
    /// It contains a variable that would be replaced again, or that makes the call fail.
    ContextVariable,
    /// A file of A's front-end or its files datastore.
    SitePath,
    /// The time has passed: it would be done at once.
    PastTime,
    /// The next time of a repeated action.
    NextTime,
    /// Snapshots cannot be registered; the disk is as it is now.
    Snapshots,
    /// The data of a volatile disk is in no image: the disk starts empty.
    StartsEmpty,
    /// It was in `USER_TEMPLATE`, where it had no effect; in a template it would have one.
    WouldTakeEffect,
    /// It describes the image that the disk was cloned from, not the disk.
    OfTheParent,
    /// Not known at A: the usual value is stated.
    Assumed,
    /// An element that this crate does not know, outside of what a template can carry.
    Unknown,
}

impl Change {
    pub(super) fn dropped(path: String, reason: Reason, was: &str) -> Self {
        let was = shown(&path, was);
        Self { path, what: What::Dropped, reason, was, now: None }
    }

    pub(super) fn changed(path: String, reason: Reason, was: &str, now: &str) -> Self {
        let was = shown(&path, was);
        let now = shown(&path, now);
        Self { path, what: What::Changed, reason, was, now }
    }

    pub(super) fn added(path: String, reason: Reason, now: &str) -> Self {
        let now = shown(&path, now);
        Self { path, what: What::Added, reason, was: None, now }
    }
}

/// The value, unless the last part of its path names a secret.
fn shown(path: &str, value: &str) -> Option<String> {
    let key = path.rsplit('/').next().unwrap_or_default();
    secret::shown(key, value).map(str::to_owned)
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let value = |value: &Option<String>| {
            value.as_ref().map_or_else(|| "..".to_owned(), |text| format!("{text:?}"))
        };
        match self.what {
            What::Dropped => write!(f, "{}: dropped {} ({:?})", self.path, value(&self.was), self.reason),
            What::Changed => {
                write!(
                    f,
                    "{}: {} is now {} ({:?})",
                    self.path,
                    value(&self.was),
                    value(&self.now),
                    self.reason
                )
            }
            What::Added => write!(f, "{}: added {} ({:?})", self.path, value(&self.now), self.reason),
        }
    }
}
