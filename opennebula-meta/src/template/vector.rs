//! The inner attributes of a vector.

use std::{
    collections::HashSet,
    fmt::{Debug, Formatter, Result as Fmt},
};

use serde::{Deserialize, Serialize, Serializer};

use super::{Key, Shown};

/// The inner attributes of a vector, in order. A name occurs once: of two, OpenNebula keeps the first.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Vec<(Key, String)>")]
pub struct Vector {
    pairs: Vec<Pair>,
    /// All values, one after the other: a vector has many, and most are short.
    text: String,
    /// The names, in upper case, once there are so many that looking at each would cost a hostile vector too much.
    names: Option<HashSet<String>>,
}

/// A name, and where its value is in the text.
#[derive(Clone)]
struct Pair {
    key: Key,
    from: usize,
    to: usize,
}

/// How many names are looked at one by one.
const FEW: usize = 64;

impl Vector {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { pairs: Vec::with_capacity(count), text: String::with_capacity(count * 16), names: None }
    }

    /// A vector without attributes. It can be built on, but not written: OpenNebula stores nothing for it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|pair| pair.key.is(key)).map(|pair| self.value(pair))
    }

    /// Appends an attribute; where the name is there already, in whatever case, nothing happens (the first wins).
    /// Whether it was new.
    pub fn push(&mut self, key: Key, value: impl AsRef<str>) -> bool {
        let new = if self.pairs.len() < FEW {
            !self.pairs.iter().any(|pair| pair.key.is(key.as_str()))
        } else {
            let upper = |key: &Key| key.as_str().to_ascii_uppercase();
            let pairs = &self.pairs;
            let names = self.names.get_or_insert_with(|| pairs.iter().map(|pair| upper(&pair.key)).collect());
            names.insert(upper(&key))
        };
        if new {
            self.append(key, value.as_ref());
        }
        new
    }

    /// Sets an attribute, in its place where the name is there already.
    pub fn set(&mut self, key: Key, value: impl AsRef<str>) {
        let from = self.text.len();
        match self.pairs.iter_mut().find(|pair| pair.key.is(key.as_str())) {
            Some(pair) => {
                self.text.push_str(value.as_ref());
                (pair.from, pair.to) = (from, self.text.len());
            }
            None => {
                self.push(key, value);
            }
        }
    }

    /// Removes an attribute and hands its value back.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let at = self.pairs.iter().position(|pair| pair.key.is(key))?;
        self.names = None;
        let pair = self.pairs.remove(at);
        Some(self.value(&pair).to_owned())
    }

    /// The attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.pairs.iter().map(|pair| (&pair.key, self.value(pair)))
    }

    /// Whether there is no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All values, one after the other, and maybe some that are gone.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn value(&self, pair: &Pair) -> &str {
        self.text.get(pair.from..pair.to).unwrap_or_default()
    }

    fn append(&mut self, key: Key, value: &str) {
        let from = self.text.len();
        self.text.push_str(value);
        self.pairs.push(Pair { key, from, to: self.text.len() });
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
