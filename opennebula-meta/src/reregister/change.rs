//! What is not as it was, one entry a field, for programs and for people.

use std::fmt::{Debug, Display, Formatter, Result as Fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    document::{Document, Element, index, narrow},
    secret,
};

/// A field that was left out, changed or added.
///
/// As JSON: `path`, `what`, `reason`, and, where there is one and it is no secret, `was` and `now`.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    field: Field<'a>,
    /// What happened to it.
    pub what: What,
    /// Why.
    pub reason: Reason,
    now: Option<&'a str>,
}

/// Most changes are of a field of a document, and most of them nobody looks at: what is shown is made when it is.
#[derive(Clone, Copy, Debug)]
enum Field<'a> {
    Of(Element<'a>),
    Named { path: &'a str, was: Option<&'a str> },
}

/// Everything that is not as it was, in the order in which it was found.
#[derive(Clone, Default)]
pub struct Changes {
    /// What the fields are of.
    document: Option<Document>,
    all: Vec<Kept>,
    /// What some of them borrow besides.
    words: Vec<Words>,
    /// Paths and values, one after the other.
    text: String,
}

/// A change. Most are of a field of the document that was left out, and there is nothing more to say.
#[derive(Clone, Copy)]
struct Kept {
    /// The number of the field in the document, or of its words.
    at: u32,
    of: Of,
    what: What,
    reason: Reason,
}

/// Whose number it is.
#[derive(Clone, Copy)]
enum Of {
    Field,
    Words,
}

/// A change with more to it.
#[derive(Clone, Copy)]
struct Words {
    field: KeptField,
    now: Option<Piece>,
}

#[derive(Clone, Copy)]
enum KeptField {
    Of(u32),
    Named { path: Piece, was: Option<Piece> },
}

/// Where in the text.
type Piece = (u32, u32);

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

impl Changes {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { all: Vec::with_capacity(count), words: Vec::with_capacity(count / 16), ..Self::default() }
    }

    /// A field was left out: most changes are that, and no more.
    #[inline]
    pub(super) fn drop_field(&mut self, field: Element<'_>, reason: Reason) {
        let what = What::Dropped;
        if self.is_of(field) {
            self.all.push(Kept { at: field.number_in_document(), of: Of::Field, what, reason });
        } else {
            self.push(Change { field: Field::Of(field), what, reason, now: None });
        }
    }

    pub(super) fn push(&mut self, change: Change<'_>) {
        let Change { field, what, reason, now } = change;
        let at = self.keep_words(field, now);
        self.all.push(Kept { at, of: Of::Words, what, reason });
    }

    /// Whether all fields so far are of the same document as this one.
    #[inline]
    fn is_of(&mut self, element: Element<'_>) -> bool {
        self.document.get_or_insert_with(|| element.document().clone()).is(element.document())
    }

    fn keep_words(&mut self, field: Field<'_>, now: Option<&str>) -> u32 {
        let field = match field {
            Field::Of(element) if self.is_of(element) => KeptField::Of(element.number_in_document()),
            Field::Of(element) => self.named(&element.path(), value_of(element)),
            Field::Named { path, was } => self.named(path, was),
        };
        let now = now.map(|now| self.keep(now));
        self.words.push(Words { field, now });
        narrow(self.words.len() - 1)
    }

    fn named(&mut self, path: &str, was: Option<&str>) -> KeptField {
        KeptField::Named { path: self.keep(path), was: was.map(|was| self.keep(was)) }
    }

    fn keep(&mut self, text: &str) -> Piece {
        if self.text.is_empty() {
            self.text.reserve(256);
        }
        let from = narrow(self.text.len());
        self.text.push_str(text);
        (from, narrow(self.text.len()))
    }

    fn text(&self, (from, to): Piece) -> &str {
        self.text.get(index(from)..index(to)).unwrap_or_default()
    }

    /// The changes, in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.all.iter().filter_map(|kept| {
            let Words { field, now } = match kept.of {
                Of::Field => Words { field: KeptField::Of(kept.at), now: None },
                Of::Words => *self.words.get(index(kept.at))?,
            };
            let field = match field {
                KeptField::Of(number) => Field::Of(self.document.as_ref()?.at(number)),
                KeptField::Named { path, was } => {
                    Field::Named { path: self.text(path), was: was.map(|was| self.text(was)) }
                }
            };
            let now = now.map(|now| self.text(now));
            Some(Change { field, what: kept.what, reason: kept.reason, now })
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether all is as it was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl PartialEq for Changes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Changes {}

impl Debug for Changes {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'a> Change<'a> {
    pub(super) fn changed(field: Element<'a>, reason: Reason, now: &'a str) -> Self {
        Self { field: Field::Of(field), what: What::Changed, reason, now: Some(now) }
    }

    pub(super) fn added(path: &'a str, reason: Reason, now: &'a str) -> Self {
        Self { field: Field::Named { path, was: None }, what: What::Added, reason, now: Some(now) }
    }

    /// A change of what is in no document, or no longer as it was there.
    pub(super) fn named(path: &'a str, reason: Reason, was: &'a str, now: Option<&'a str>) -> Self {
        let what = if now.is_some() { What::Changed } else { What::Dropped };
        Self { field: Field::Named { path, was: Some(was) }, what, reason, now }
    }

    /// The field, by its path in the document of A (`VM/TEMPLATE/DISK[1]/SOURCE`), or, for edits of the map and for
    /// what was added, in the template for B (`CONTEXT/PASSWORD`).
    #[must_use]
    pub fn path(&self) -> String {
        match self.field {
            Field::Of(element) => element.path(),
            Field::Named { path, .. } => path.to_owned(),
        }
    }

    /// What it held; `None` where there was no value, or where its name says that it is a secret.
    #[must_use]
    pub fn was(&self) -> Option<&'a str> {
        self.value_before().filter(|_| !self.is_secret())
    }

    /// What it holds now; `None` where there is no value, or where its name says that it is a secret.
    #[must_use]
    pub fn now(&self) -> Option<&'a str> {
        self.now.filter(|_| !self.is_secret())
    }

    fn value_before(&self) -> Option<&'a str> {
        match self.field {
            Field::Of(element) => value_of(element),
            Field::Named { was, .. } => was,
        }
    }

    fn is_secret(&self) -> bool {
        match self.field {
            Field::Of(element) => secret::is_secret(element.name()),
            Field::Named { path, .. } => secret::is_secret(path.rsplit('/').next().unwrap_or_default()),
        }
    }
}

/// The value of an element without elements below it.
fn value_of(element: Element<'_>) -> Option<&str> {
    Some(element).filter(|element| element.is_leaf()).map(Element::text)
}

/// The same was done to the same, wherever that stands.
impl PartialEq for Change<'_> {
    fn eq(&self, other: &Self) -> bool {
        let told = |change: &Self| (change.what, change.reason, change.value_before(), change.now);
        self.path() == other.path() && told(self) == told(other)
    }
}

impl Eq for Change<'_> {}

impl Serialize for Change<'_> {
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

impl Display for Change<'_> {
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
