//! What is not as it was, one entry a field, for programs and for people.

use std::fmt::{Display, Formatter, Result as Fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    document::{Anchor, Element},
    secret,
};

/// A field that was left out, changed or added.
///
/// As JSON: `path`, `what`, `reason`, and, where there is one and it is no secret, `was` and `now`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    field: Field,
    /// What happened to it.
    pub what: What,
    /// Why.
    pub reason: Reason,
    now: Option<String>,
}

/// Most changes are of a field of a document, and most of them nobody looks at: what is shown is made when it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Of(Anchor),
    Named { path: String, was: Option<String> },
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
    /// A name that is twice in a vector: OpenNebula keeps the first.
    Repeated,
    /// An element that this crate does not know, outside of what a template can carry.
    Unknown,
}

impl Change {
    pub(super) fn dropped(field: Element<'_>, reason: Reason) -> Self {
        Self { field: Field::Of(field.anchor()), what: What::Dropped, reason, now: None }
    }

    pub(super) fn changed(field: Element<'_>, reason: Reason, now: &str) -> Self {
        Self { field: Field::Of(field.anchor()), what: What::Changed, reason, now: Some(now.to_owned()) }
    }

    pub(super) fn added(path: String, reason: Reason, now: &str) -> Self {
        Self { field: Field::Named { path, was: None }, what: What::Added, reason, now: Some(now.to_owned()) }
    }

    /// A change of what is in no document, or no longer as it was there.
    pub(super) fn named(path: String, reason: Reason, was: &str, now: Option<&str>) -> Self {
        let what = if now.is_some() { What::Changed } else { What::Dropped };
        Self {
            field: Field::Named { path, was: Some(was.to_owned()) },
            what,
            reason,
            now: now.map(str::to_owned),
        }
    }

    /// The field, by its path in the document of A (`VM/TEMPLATE/DISK[1]/SOURCE`), or, for edits of the map and for
    /// what was added, in the template for B (`CONTEXT/PASSWORD`).
    #[must_use]
    pub fn path(&self) -> String {
        match &self.field {
            Field::Of(anchor) => anchor.element().path(),
            Field::Named { path, .. } => path.clone(),
        }
    }

    /// What it held; `None` where there was no value, or where its name says that it is a secret.
    #[must_use]
    pub fn was(&self) -> Option<&str> {
        let was = match &self.field {
            Field::Of(anchor) => {
                Some(anchor.element()).filter(|element| element.is_leaf()).map(Element::text)
            }
            Field::Named { was, .. } => was.as_deref(),
        };
        was.filter(|_| !self.is_secret())
    }

    /// What it holds now; `None` where there is no value, or where its name says that it is a secret.
    #[must_use]
    pub fn now(&self) -> Option<&str> {
        self.now.as_deref().filter(|_| !self.is_secret())
    }

    fn is_secret(&self) -> bool {
        match &self.field {
            Field::Of(anchor) => secret::is_secret(anchor.element().name()),
            Field::Named { path, .. } => secret::is_secret(path.rsplit('/').next().unwrap_or_default()),
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut change = to.serialize_struct("Change", 5)?;
        change.serialize_field("path", &self.path())?;
        change.serialize_field("what", &self.what)?;
        change.serialize_field("reason", &self.reason)?;
        change.serialize_field("was", &self.was())?;
        change.serialize_field("now", &self.now())?;
        change.end()
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let value = |value: Option<&str>| value.map_or_else(|| "..".to_owned(), |text| format!("{text:?}"));
        let (path, was, now) = (self.path(), value(self.was()), value(self.now()));
        match self.what {
            What::Dropped => write!(f, "{path}: dropped {was} ({:?})", self.reason),
            What::Changed => write!(f, "{path}: {was} is now {now} ({:?})", self.reason),
            What::Added => write!(f, "{path}: added {now} ({:?})", self.reason),
        }
    }
}
