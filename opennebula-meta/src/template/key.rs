//! Names of attributes.

use std::{
    cmp::Ordering,
    fmt::{Debug, Display, Formatter, Result as Fmt},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{document::Element, known::Known};

/// The name of an attribute, on top level or within a vector.
///
/// It holds what the XML form can carry: a letter or `_`, then letters, digits, `_`, `-` and `.`. The text form
/// takes less (`A` to `Z`, digits and `_`) and refuses the rest when it is written. A name that starts with a digit
/// is not possible: OpenNebula renames it on top level (`ONE_1A`) and refuses it within a vector.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Spelling);

/// A listed name is never spelled out, so that equal keys are equal here.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Spelling {
    Listed(Known),
    Other(Box<str>),
}

/// Not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot name an attribute")]
pub struct KeyError {
    /// What was to be a name, cut to 40 characters.
    pub name: String,
}

impl Key {
    /// Checks a name; its case is kept.
    ///
    /// # Errors
    /// [`KeyError`] where neither form can carry it.
    pub fn new(name: &str) -> Result<Self, KeyError> {
        match Known::find(name.as_bytes()) {
            Known::Unlisted => Self::unlisted(name),
            known => Ok(Self(Spelling::Listed(known))),
        }
    }

    /// The name of an element.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[inline]
    pub(crate) fn of(element: Element<'_>) -> Result<Self, KeyError> {
        match element.known() {
            Known::Unlisted => Self::unlisted(element.name()),
            known => Ok(Self(Spelling::Listed(known))),
        }
    }

    fn unlisted(name: &str) -> Result<Self, KeyError> {
        if is_name(name) {
            Ok(Self(Spelling::Other(name.into())))
        } else {
            Err(KeyError { name: name.chars().take(40).collect() })
        }
    }

    /// The name.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Spelling::Listed(known) => known.as_str(),
            Spelling::Other(name) => name,
        }
    }

    /// The name as a number, if it is listed.
    #[inline]
    pub(super) fn listed(&self) -> Option<Known> {
        match &self.0 {
            Spelling::Listed(known) => Some(*known),
            Spelling::Other(_) => None,
        }
    }

    /// What stands before and behind its value in CDATA, if that is at hand.
    pub(super) fn tags(&self) -> Option<(&'static str, &'static str)> {
        self.listed().and_then(Known::tags)
    }

    /// Whether this is that name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.as_str().eq_ignore_ascii_case(name)
    }

    /// Whether the two are one name, in any case.
    #[inline]
    pub(super) fn names_the_same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // Listed names differ by more than their case.
            (Spelling::Listed(one), Spelling::Listed(other)) => one == other,
            _ => self.is(other.as_str()),
        }
    }

    /// The name as OpenNebula stores it on top level: `Template` upper-cases it, and prefixes one that XML could not
    /// have as an element.
    #[inline]
    pub(super) fn at_top(self) -> Self {
        match &self.0 {
            Spelling::Other(name) if changes_at_top(name) => {
                let upper = name.to_ascii_uppercase();
                let upper = if upper.starts_with("XML") { format!("ONE_{upper}") } else { upper };
                match Known::find(upper.as_bytes()) {
                    Known::Unlisted => Self(Spelling::Other(upper.into())),
                    known => Self(Spelling::Listed(known)),
                }
            }
            _ => self,
        }
    }

    /// A name of the text form on top level; it may start with a digit there.
    pub(super) fn from_word_at_top(word: &str) -> Result<Self, KeyError> {
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            Self::new(&format!("ONE_{word}")).map(Self::at_top)
        } else {
            Self::new(word).map(Self::at_top)
        }
    }

    /// Whether the text form gives this very name back.
    pub(super) fn fits_text(&self) -> bool {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        self.as_str().bytes().all(fits)
    }
}

/// By the names.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Spelling::Listed(one), Spelling::Listed(other)) => one.cmp(other),
            _ => self.as_str().cmp(other.as_str()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Known> for Key {
    /// [`Known::Unlisted`] is no name, and nobody has it.
    fn from(known: Known) -> Self {
        debug_assert!(known != Known::Unlisted, "a name");
        Self(Spelling::Listed(known))
    }
}

impl Debug for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.debug_tuple("Key").field(&self.as_str()).finish()
    }
}

fn changes_at_top(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_lowercase()) || name.starts_with("XML")
}

fn is_name(name: &str) -> bool {
    // Nearly every name is plain.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'_');
    if name.bytes().fold(true, |all, byte| all & plain(byte)) {
        return name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    }
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|one| one.is_alphanumeric() || matches!(one, '_' | '-' | '.'))
        && name.chars().all(|one| u32::from(one) <= 0xFFFF)
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.write_str(self.as_str())
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::new(name)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(name: String) -> Result<Self, KeyError> {
        Self::new(&name)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        match key.0 {
            Spelling::Listed(known) => known.as_str().to_owned(),
            Spelling::Other(name) => name.into(),
        }
    }
}
