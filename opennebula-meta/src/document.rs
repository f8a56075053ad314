//! What OpenNebula prints (`show -x`, `show -j`, the pools) as a tree that forgets nothing.
//!
//! A [`Document`] holds one object: its elements in order, known or not, each with its place in the input. The typed
//! views ([`Vm`](crate::Vm), [`Image`](crate::Image), ...) read fields out of it and leave the rest where it is, so a
//! field of a newer OpenNebula is carried, not lost. The schemas that OpenNebula ships are no gate here: its own
//! documents fail them.
//!
//! Not here: what a field means. Nothing here trusts the input: see [`Limits`].

mod build;
mod error;
mod json;
mod pool;
mod write;
mod xml;

use std::{
    fmt::{Debug, Formatter, Result as Fmt},
    iter,
    str::FromStr,
    sync::Arc,
};

use crate::{known::Known, secret};

pub use error::{Error, Place, Syntax, Why};
pub use pool::{Pool, pool};

/// Bounds on one document (of a pool: on each of its objects), so that hostile input costs bounded memory and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length in bytes, 2 GiB at most. OpenNebula itself refuses a value of 11 MiB (observed on 6.10.3), libxml2's text limit.
    pub bytes: u64,
    /// Nesting. Real documents have 6 levels.
    pub depth: usize,
    /// Number of elements. Real VMs have a few hundred.
    pub elements: usize,
}

/// The longest that a document can be, whatever its [`Limits`] are: places in it have 32 bits.
const LONGEST: u64 = 1 << 31;

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 32, elements: 200_000 }
    }
}

/// One object as OpenNebula printed it. Cloning is cheap: clones share what was read.
#[derive(Clone)]
pub struct Document(Arc<Tree>);

/// What was read.
#[derive(Debug)]
struct Tree {
    /// What was written, and the values that were not written as they are; [`Entry`] holds the spans.
    text: String,
    /// In document order; the root is the first and always there.
    entries: Vec<Entry>,
    /// Where the document starts in the input.
    from: u64,
    /// The lines of the input, as far as the document goes.
    lines: build::Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u32,
    to: u32,
}

impl Span {
    fn new(from: usize, to: usize) -> Self {
        Self { from: narrow(from), to: narrow(to) }
    }

    fn of(self, text: &str) -> Option<&str> {
        text.get(index(self.from)..index(self.to))
    }

    /// The same, with this text put before.
    fn behind(self, text: &str) -> Self {
        Self::new(index(self.from) + text.len(), index(self.to) + text.len())
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Span,
    known: Known,
    value: Span,
    parent: u32,
    /// Behind the last element below: there stands the next sibling, if there is one. The first child is the next entry.
    end: u32,
    /// From the document's start.
    offset: u32,
    /// How many siblings of the same name stand right before it.
    ordinal: u32,
    /// A sibling of the same name stands right before or behind it.
    repeated: bool,
    /// The value, empty or not, was stated (CDATA, text, a JSON string) rather than absent (`<K/>`).
    stated: bool,
}

/// Where an element stood, and how its value was written, is not part of what a document says.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        one.entries.len() == other.entries.len() && one.shape().eq(other.shape())
    }
}

impl Eq for Document {}

pub(crate) fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

pub(crate) fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Names from the root to this entry.
fn path(entries: &[Entry], text: &str, at: u32) -> String {
    let mut path = String::with_capacity(48);
    write_path(entries, text, at, &mut path);
    path
}

fn write_path(entries: &[Entry], text: &str, at: u32, path: &mut String) {
    let Some(entry) = entries.get(index(at)) else { return };
    if at != 0 {
        write_path(entries, text, entry.parent, path);
        path.push('/');
    }
    path.push_str(entry.name.of(text).unwrap_or_default());
    if entry.repeated {
        path.push('[');
        path.push_str(&entry.ordinal.to_string());
        path.push(']');
    }
}

impl Document {
    /// Reads XML or JSON, whichever it is, within the default [`Limits`].
    ///
    /// # Errors
    /// See [`Why`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_within(text, &Limits::default())
    }

    /// Reads XML or JSON, whichever it is: a document whose first character that is no blank is `{` is JSON.
    ///
    /// # Errors
    /// See [`Why`].
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Self, Error> {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        if body.trim_start().starts_with('{') { json::parse(body, limits) } else { xml::parse(body, limits) }
    }

    /// As [`parse`](Self::parse), from bytes that may not be UTF-8.
    ///
    /// # Errors
    /// [`Why::NotUtf8`] with the place of the first wrong byte, and those of [`parse`](Self::parse).
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(wrong) => {
                let good = bytes.get(..wrong.valid_up_to()).unwrap_or_default();
                let good = String::from_utf8_lossy(good);
                let end = u64::try_from(good.len()).unwrap_or(u64::MAX);
                Err(Error::new(build::Lines::of(&good).place(end, String::new()), Why::NotUtf8))
            }
        }
    }

    /// The element of this number, as [`Element::number_in_document`] gave it.
    pub(crate) fn at(&self, at: u32) -> Element<'_> {
        Element { document: self, at }
    }

    /// Whether this is a clone of that.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The root element.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        Element { document: self, at: 0 }
    }

    /// The same document as XML in one fixed form: no blanks between elements, values in CDATA. Two documents that
    /// say the same give the same bytes, whether they came as XML, indented XML or JSON.
    #[must_use]
    pub fn to_xml(&self) -> String {
        write::xml(self.root(), &|_| true)
    }

    /// As [`to_xml`](Self::to_xml), leaving out the elements that `keep` refuses, with all below them.
    #[must_use]
    pub fn to_xml_where(&self, keep: &dyn Fn(Element<'_>) -> bool) -> String {
        write::xml(self.root(), keep)
    }
}

impl Tree {
    fn slice(&self, span: Span) -> &str {
        span.of(&self.text).unwrap_or_default()
    }

    fn entry(&self, at: u32) -> Entry {
        self.entries.get(index(at)).copied().unwrap_or(build::NOWHERE)
    }

    /// Name, value and place in the tree of every element.
    fn shape(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        self.entries.iter().map(|entry| (self.slice(entry.name), self.slice(entry.value), entry.parent))
    }

    /// The first entry below `at` that bears this name, which is `known` or, where that is unlisted, `name`.
    #[inline]
    fn child(&self, at: u32, known: Known, name: &str) -> Option<u32> {
        let end = self.entries.get(index(at))?.end;
        let mut child = at + 1;
        while child < end {
            let entry = self.entries.get(index(child))?;
            if entry.known == known && (known != Known::Unlisted || self.slice(entry.name) == name) {
                return Some(child);
            }
            child = entry.end;
        }
        None
    }
}

impl FromStr for Document {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// Says which object it is, not what is in it: a document carries passwords.
impl Debug for Document {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        let root = self.root();
        let id = root.value("ID").unwrap_or("?");
        write!(f, "Document(<{}> {id}, {} elements)", root.name(), self.0.entries.len())
    }
}

/// One element of a [`Document`]: a name, and either a value or elements below it.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    document: &'a Document,
    at: u32,
}

impl<'a> Element<'a> {
    /// The name, as OpenNebula spells it.
    #[must_use]
    #[inline]
    pub fn name(self) -> &'a str {
        self.document.0.slice(self.entry().name)
    }

    /// The value; empty for an element that has elements below it.
    #[must_use]
    #[inline]
    pub fn text(self) -> &'a str {
        self.document.0.slice(self.entry().value)
    }

    /// Whether nothing is below this element.
    #[must_use]
    pub fn is_leaf(self) -> bool {
        self.entry().end <= self.at + 1
    }

    /// Whether a value was written, if only an empty one: `<K><![CDATA[]]></K>`, as opposed to `<K/>`.
    #[must_use]
    pub fn is_stated(self) -> bool {
        self.entry().stated
    }

    /// The elements below, in order.
    pub fn children(self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let document = self.document;
        let (mut at, end) = (self.at + 1, self.entry().end);
        iter::from_fn(move || {
            let child = (at < end).then_some(Element { document, at })?;
            // An entry ends behind itself, so this goes on.
            at = document.0.entries.get(index(at))?.end;
            Some(child)
        })
    }

    /// The elements below that bear this name, in order.
    pub fn all<'n>(self, name: &'n str) -> impl Iterator<Item = Element<'a>> + use<'a, 'n> {
        let known = Known::find(name.as_bytes());
        self.children()
            .filter(move |child| child.known() == known && (known != Known::Unlisted || child.name() == name))
    }

    /// The element above; `None` for the root.
    #[must_use]
    pub fn parent(self) -> Option<Element<'a>> {
        (self.at != 0).then(|| Element { document: self.document, at: self.entry().parent })
    }

    /// The first element below that bears this name.
    #[must_use]
    pub fn child(self, name: &str) -> Option<Element<'a>> {
        let known = Known::find(name.as_bytes());
        self.document.0.child(self.at, known, name).map(|at| Element { document: self.document, at })
    }

    /// The value of the first element below that bears this name.
    #[must_use]
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.child(name).map(Element::text)
    }

    /// The value as [`value`](Self::value), `None` where it is empty.
    #[must_use]
    pub fn filled(self, name: &str) -> Option<&'a str> {
        self.value(name).filter(|text| !text.is_empty())
    }

    /// Whether the value is OpenNebula's yes, in any case.
    #[must_use]
    pub fn is_yes(self, name: &str) -> bool {
        self.value(name).is_some_and(|text| text.eq_ignore_ascii_case("YES"))
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// [`Why::Missing`] where it is absent or empty.
    pub fn required(self, name: &'static str) -> Result<&'a str, Error> {
        self.filled(name).ok_or_else(|| Error::new(self.place(), Why::Missing(name)))
    }

    /// A number that must be there.
    ///
    /// # Errors
    /// [`Why::Missing`], [`Why::Number`].
    pub fn required_number<T: FromStr>(self, name: &'static str) -> Result<T, Error> {
        self.number(name)?.ok_or_else(|| Error::new(self.place(), Why::Missing(name)))
    }

    /// A number, `None` where it is absent or empty.
    ///
    /// # Errors
    /// [`Why::Number`] where it is something else.
    pub fn number<T: FromStr>(self, name: &'static str) -> Result<Option<T>, Error> {
        self.child(name).map_or(Ok(None), |child| child.as_number(name))
    }

    /// Where this element stood in the input.
    #[must_use]
    pub fn place(self) -> Place {
        let offset = self.document.0.from + u64::from(self.entry().offset);
        self.document.0.lines.place(offset, self.path())
    }

    /// Names from the root; see [`Place::path`].
    #[must_use]
    pub fn path(self) -> String {
        path(&self.document.0.entries, &self.document.0.text, self.at)
    }

    /// A number by which [`Document::at`] finds this element again.
    pub(crate) fn number_in_document(self) -> u32 {
        self.at
    }

    /// The document that it is of.
    pub(crate) fn document(self) -> &'a Document {
        self.document
    }

    pub(crate) fn as_number<T: FromStr>(self, name: &'static str) -> Result<Option<T>, Error> {
        let text = self.text().trim();
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            let text = text.chars().take(40).collect();
            Error::new(self.place(), Why::Number { field: name, text })
        })
    }

    #[inline]
    fn entry(self) -> Entry {
        self.document.0.entry(self.at)
    }
}

/// The same questions, asked by number.
impl<'a> Element<'a> {
    /// The name as a number.
    #[inline]
    pub(crate) fn known(self) -> Known {
        self.document.0.entries.get(index(self.at)).map_or(Known::Unlisted, |entry| entry.known)
    }

    /// How many elements are below, at every depth.
    pub(crate) fn count_below(self) -> usize {
        index(self.entry().end.saturating_sub(self.at + 1))
    }

    /// As [`child`](Self::child).
    #[inline]
    pub(crate) fn get(self, name: Known) -> Option<Element<'a>> {
        self.document.0.child(self.at, name, "").map(|at| Element { document: self.document, at })
    }

    /// As [`all`](Self::all).
    #[inline]
    pub(crate) fn get_all(self, name: Known) -> impl Iterator<Item = Element<'a>> + use<'a> {
        self.children().filter(move |child| child.known() == name)
    }

    /// As [`value`](Self::value).
    #[inline]
    pub(crate) fn get_value(self, name: Known) -> Option<&'a str> {
        self.get(name).map(Element::text)
    }

    /// As [`filled`](Self::filled).
    #[inline]
    pub(crate) fn get_filled(self, name: Known) -> Option<&'a str> {
        self.get_value(name).filter(|text| !text.is_empty())
    }

    /// As [`is_yes`](Self::is_yes).
    #[inline]
    pub(crate) fn says_yes(self, name: Known) -> bool {
        self.get_value(name).is_some_and(|text| text.eq_ignore_ascii_case("YES"))
    }

    /// As [`required`](Self::required).
    pub(crate) fn get_required(self, name: Known) -> Result<&'a str, Error> {
        self.get_filled(name).ok_or_else(|| Error::new(self.place(), Why::Missing(name.as_str())))
    }

    /// As [`number`](Self::number).
    pub(crate) fn get_number<T: FromStr>(self, name: Known) -> Result<Option<T>, Error> {
        self.get(name).map_or(Ok(None), |child| child.as_number(name.as_str()))
    }

    /// As [`required_number`](Self::required_number).
    pub(crate) fn get_required_number<T: FromStr>(self, name: Known) -> Result<T, Error> {
        self.get_number(name)?.ok_or_else(|| Error::new(self.place(), Why::Missing(name.as_str())))
    }
}

impl Debug for Element<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        if self.is_leaf() && !secret::is_secret(self.name()) {
            write!(f, "<{}>{:?}", self.name(), self.text())
        } else {
            write!(f, "<{}>..", self.name())
        }
    }
}

#[cfg(test)]
mod tests;
