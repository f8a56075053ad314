//! Names of attributes.

use std::{
    borrow::Cow,
    fmt::{Display, Formatter, Result as Fmt},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::known::known;

/// The name of an attribute, on top level or within a vector.
///
/// It holds what the XML form can carry: a letter or `_`, then letters, digits, `_`, `-` and `.`. The text form
/// takes less (`A` to `Z`, digits and `_`) and refuses the rest when it is written. A name that starts with a digit
/// is not possible: OpenNebula renames it on top level (`ONE_1A`) and refuses it within a vector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Cow<'static, str>);

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
        if let Some(known) = known(name) {
            Ok(Self(Cow::Borrowed(known)))
        } else if is_name(name) {
            Ok(Self(Cow::Owned(name.to_owned())))
        } else {
            Err(KeyError { name: name.chars().take(40).collect() })
        }
    }

    /// A name that this crate itself writes; `name` is a literal that stays on top level as it is.
    pub(crate) fn literal(name: &'static str) -> Self {
        debug_assert!(is_name(name) && !changes_at_top(name), "{name} is a name in upper case");
        Self(Cow::Borrowed(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is that name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }

    /// The name as OpenNebula stores it on top level: `Template` upper-cases it, and prefixes one that XML could not
    /// have as an element.
    pub(super) fn at_top(self) -> Self {
        match self.0 {
            Cow::Owned(name) if changes_at_top(&name) => {
                let upper = name.to_ascii_uppercase();
                Self(Cow::Owned(if upper.starts_with("XML") { format!("ONE_{upper}") } else { upper }))
            }
            unchanged => Self(unchanged),
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
        self.0.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
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
        f.write_str(&self.0)
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
        key.0.into_owned()
    }
}
