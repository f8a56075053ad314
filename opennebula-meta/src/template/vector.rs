//! The inner attributes of a vector.

use std::{
    collections::HashSet,
    fmt::{Debug, Formatter, Result as Fmt},
};

use serde::{Deserialize, Serialize, Serializer};

use super::{Key, Shown, Text};
use crate::{document::Element, known::Known};

/// The inner attributes of a vector, in order. A name occurs once: of two, OpenNebula keeps the first.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Vec<(Key, String)>")]
pub struct Vector {
    pairs: Vec<Pair>,
    highest: Highest,
    /// The names, in upper case, once there are so many that looking at each would cost a hostile vector too much.
    #[expect(clippy::box_collection, reason = "hardly any vector has it, and every vector is moved")]
    names: Option<Box<HashSet<String>>>,
}

/// The last of the names in order, as long as all of them are listed ones: what sorts behind it is new.
#[derive(Clone, Copy, Default)]
enum Highest {
    #[default]
    None,
    Listed(Known),
    Unknown,
}

#[derive(Clone)]
struct Pair {
    key: Key,
    value: Text,
}

/// How many names are looked at one by one.
const FEW: usize = 64;

impl Vector {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { pairs: Vec::with_capacity(count), ..Self::default() }
    }

    /// With memory for about the fields of this element.
    pub(crate) fn for_fields_of(element: Element<'_>) -> Self {
        Self::with_capacity(element.count_below().min(FEW))
    }

    /// A vector without attributes. It can be built on, but not written: OpenNebula stores nothing for it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|pair| pair.key.is(key)).map(|pair| pair.value.as_str())
    }

    /// Appends an attribute; where the name is there already, in whatever case, nothing happens (the first wins).
    /// Whether it was new.
    pub fn push(&mut self, key: Key, value: impl Into<Text>) -> bool {
        let new = match (self.highest, key.listed()) {
            (Highest::None, Some(_)) => true,
            // Once there is a set of the names, every name has to get into it.
            (Highest::Listed(highest), Some(listed)) if highest < listed && self.names.is_none() => true,
            _ => self.is_new(&key),
        };
        if new {
            self.highest = match (self.highest, key.listed()) {
                (Highest::None, Some(listed)) => Highest::Listed(listed),
                (Highest::Listed(highest), Some(listed)) => Highest::Listed(highest.max(listed)),
                _ => Highest::Unknown,
            };
            self.pairs.push(Pair { key, value: value.into() });
        }
        new
    }

    fn is_new(&mut self, key: &Key) -> bool {
        if self.pairs.len() < FEW {
            !self.pairs.iter().any(|pair| pair.key.names_the_same_as(key))
        } else {
            let upper = |key: &Key| key.as_str().to_ascii_uppercase();
            let pairs = &self.pairs;
            let names = self
                .names
                .get_or_insert_with(|| Box::new(pairs.iter().map(|pair| upper(&pair.key)).collect()));
            names.insert(upper(key))
        }
    }

    /// Sets an attribute, in its place where the name is there already.
    pub fn set(&mut self, key: Key, value: impl Into<Text>) {
        match self.pairs.iter_mut().find(|pair| pair.key.names_the_same_as(&key)) {
            Some(pair) => pair.value = value.into(),
            None => {
                self.push(key, value);
            }
        }
    }

    /// Removes an attribute and hands its value back.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let at = self.pairs.iter().position(|pair| pair.key.is(key))?;
        self.names = None;
        Some(self.pairs.remove(at).value.into())
    }

    /// The attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.pairs.iter().map(|pair| (&pair.key, pair.value.as_str()))
    }

    /// Whether there is no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl PartialEq for Vector {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Vector {}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl From<Vec<(Key, String)>> for Vector {
    fn from(pairs: Vec<(Key, String)>) -> Self {
        pairs.into_iter().collect()
    }
}

impl FromIterator<(Key, String)> for Vector {
    fn from_iter<I: IntoIterator<Item = (Key, String)>>(pairs: I) -> Self {
        let mut vector = Self::new();
        for (key, value) in pairs {
            vector.push(key, value);
        }
        vector
    }
}

impl Debug for Vector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.debug_list().entries(self.iter().map(|(key, value)| Shown(key, value))).finish()
    }
}
