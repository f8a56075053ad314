//! The template language of OpenNebula, exactly: attributes in order, repeated names kept, in both of its forms.
//!
//! The *text form* is the one of the manuals (`NAME="x"`, `DISK=[ IMAGE="y" ]`). It has one escape (`\"`) and cannot
//! carry everything. The *XML form* carries more, and OpenNebula takes it wherever it takes text: anything that starts
//! with `<` ([`Template::to_xml`]; prefer it for what is sent). What a form cannot carry is refused by
//! [`Refused`], which names the attribute; nothing is escaped in hope. A value can never leave its quotes.
//!
//! ```
//! use opennebula_meta::template::Template;
//!
//! let template = Template::parse("name = web\nDISK = [ IMAGE = \"a \\\"b\\\"\", size = 10 ]\n")?;
//! assert_eq!(template.single("NAME"), Some("web"));
//! assert_eq!(template.vectors("DISK").next().and_then(|disk| disk.get("SIZE")), Some("10"));
//! assert_eq!(template.to_text()?, "NAME=\"web\"\nDISK=[\n  IMAGE=\"a \\\"b\\\"\",\n  SIZE=\"10\" ]\n");
//! assert_eq!(Template::parse(&template.to_text()?)?, template);
//! assert_eq!(Template::parse(&template.to_xml()?)?, template);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Not here: what an attribute means, and the second pass that OpenNebula runs over `CONTEXT`
//! ([`context`](crate::context)).

mod key;
mod parse;
mod vector;
mod write;
mod xml;

use std::{
    fmt::{Debug, Formatter, Result as Fmt},
    mem,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{document::Element, secret};

pub use compact_str::CompactString as Text;
pub use key::{Key, KeyError};
pub use parse::{ParseError, Refusal};
pub use vector::Vector;
pub use write::{Refused, Unfit};

/// A list of attributes, in order; a name may occur more than once.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template {
    attributes: Vec<Attribute>,
    /// The XML form refuses nothing of it.
    #[serde(skip)]
    is_checked: bool,
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.attributes == other.attributes
    }
}

impl Eq for Template {}

/// One attribute: a name and what it holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The name, in upper case.
    pub key: Key,
    /// What it holds.
    pub value: Value,
}

/// What an attribute holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `KEY="value"`
    Single(Text),
    /// `KEY=[ NAME="value", ... ]`
    Vector(Vector),
}

impl Template {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { attributes: Vec::with_capacity(count), is_checked: false }
    }

    /// A template without attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads either form: XML if the very first character is `<`, else text, as OpenNebula decides.
    ///
    /// Unknown characters between attributes are skipped, names become upper case, `V=[ ]` stores nothing, and of a
    /// name that is twice in a vector the first counts: all as OpenNebula does (observed on 6.10.3 and 7.4.0). In the
    /// XML form an element without text (`<K/>`) is dropped and inner names keep their case, for the same reason.
    ///
    /// # Errors
    /// [`ParseError`] where OpenNebula refuses.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.starts_with('<') { xml::parse(text) } else { parse::text(text) }
    }

    /// The attributes below an element of a document, such as `VM/TEMPLATE`.
    ///
    /// # Errors
    /// [`Refusal::Key`] for a name that no template can have, [`Refusal::ThreeLevels`].
    pub fn from_element(element: Element<'_>) -> Result<Self, ParseError> {
        xml::attributes(element, xml::Empty::Keep)
    }

    /// The attributes, in order.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The value of the first single attribute of this name.
    #[must_use]
    pub fn single(&self, key: &str) -> Option<&str> {
        self.all(key).find_map(|value| match value {
            Value::Single(text) => Some(text.as_str()),
            Value::Vector(_) => None,
        })
    }

    /// The vectors of this name, in order.
    pub fn vectors<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a Vector> + use<'a, 'k> {
        self.all(key).filter_map(|value| match value {
            Value::Vector(vector) => Some(vector),
            Value::Single(_) => None,
        })
    }

    /// Everything that this name holds, in order.
    pub fn all<'a, 'k>(&'a self, key: &'k str) -> impl Iterator<Item = &'a Value> + use<'a, 'k> {
        self.attributes
            .iter()
            .filter(move |attribute| attribute.key.is(key))
            .map(|attribute| &attribute.value)
    }

    pub(crate) fn all_mut<'a, 'k>(
        &'a mut self,
        key: &'k str,
    ) -> impl Iterator<Item = &'a mut Value> + use<'a, 'k> {
        self.is_checked = false;
        self.attributes
            .iter_mut()
            .filter(move |attribute| attribute.key.is(key))
            .map(|attribute| &mut attribute.value)
    }

    /// Appends an attribute. Its name is changed as OpenNebula changes it on top level: upper case, and `ONE_` before
    /// a name that starts with `XML`.
    pub fn push(&mut self, key: Key, value: Value) {
        self.is_checked = false;
        self.attributes.push(Attribute { key: key.at_top(), value });
    }

    /// Appends all attributes of another template.
    pub fn append(&mut self, mut other: Self) {
        self.is_checked = false;
        self.attributes.append(&mut other.attributes);
    }

    /// Appends a single attribute.
    pub fn push_single(&mut self, key: Key, value: impl Into<Text>) {
        self.push(key, Value::Single(value.into()));
    }

    /// Appends a vector.
    pub fn push_vector(&mut self, key: Key, vector: Vector) {
        self.push(key, Value::Vector(vector));
    }

    /// Removes every attribute of this name and hands them back.
    pub fn remove(&mut self, key: &str) -> Vec<Value> {
        let mut removed = Vec::new();
        for attribute in mem::take(&mut self.attributes) {
            if attribute.key.is(key) {
                removed.push(attribute.value);
            } else {
                self.attributes.push(attribute);
            }
        }
        removed
    }

    /// Sorts by name; equal names keep their order. OpenNebula's own order.
    pub fn sort(&mut self) {
        self.attributes.sort_by(|one, other| one.key.cmp(&other.key));
    }

    /// As [`sort`](Self::sort), leaving the first attribute where it is.
    pub(crate) fn sort_behind_first(&mut self) {
        if let Some((_, rest)) = self.attributes.split_first_mut() {
            rest.sort_by(|one, other| one.key.cmp(&other.key));
        }
    }

    /// The text form.
    ///
    /// # Errors
    /// [`Refused`], naming the attribute: a trailing backslash that cannot stand as a bare word, `]]>`, characters
    /// that OpenNebula does not take, a name that the text form cannot have, a vector without attributes.
    pub fn to_text(&self) -> Result<String, Refused> {
        write::text(self)
    }

    /// The XML form, with `<TEMPLATE>` as the root; OpenNebula takes any.
    ///
    /// # Errors
    /// [`Refused`], naming the attribute: `]]>`, characters that OpenNebula does not take, a vector without
    /// attributes.
    pub fn to_xml(&self) -> Result<String, Refused> {
        write::xml(self)
    }

    /// Everything that the XML form refuses, all at once.
    #[must_use]
    pub fn refused(&self) -> Vec<Refused> {
        write::refused_by_xml(self)
    }

    /// As [`refused`](Self::refused); what passes is not looked at again when it is written.
    pub(crate) fn check(&mut self) -> Vec<Refused> {
        let refused = self.refused();
        self.is_checked = refused.is_empty();
        refused
    }
}

impl FromStr for Template {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl FromIterator<(Key, Value)> for Template {
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(attributes: I) -> Self {
        let mut template = Self::new();
        for (key, value) in attributes {
            template.push(key, value);
        }
        template
    }
}

/// Shows a value unless its name says that it is a secret.
struct Shown<'a>(&'a Key, &'a str);

impl Debug for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match secret::shown(self.0.as_str(), self.1) {
            Some(value) => write!(f, "{}={value:?}", self.0),
            None => write!(f, "{}=..", self.0),
        }
    }
}

impl Debug for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match &self.value {
            Value::Single(value) => Shown(&self.key, value).fmt(f),
            Value::Vector(vector) => write!(f, "{}={vector:?}", self.key),
        }
    }
}

/// Silent for a single value: without its name nobody can tell whether it is a secret.
impl Debug for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match self {
            Self::Single(_) => f.write_str("Single(..)"),
            Self::Vector(vector) => vector.fmt(f),
        }
    }
}

impl Debug for Template {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.debug_list().entries(&self.attributes).finish()
    }
}

#[cfg(test)]
mod tests;
