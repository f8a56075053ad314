//! Which attribute of a template a rule is about.

use std::{
    fmt::{Display, Formatter, Result as Fmt},
    mem,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::template::{Key, KeyError, Template, Value, Vector};

/// `KEY`, or `VECTOR/KEY` for an attribute within every vector of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttributePath {
    /// The name on top level, in upper case.
    pub key: Key,
    /// The name within the vector.
    pub inner: Option<Key>,
}

/// Not a path of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A part is no name.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// More than two parts: templates have two levels.
    #[error("more than two levels")]
    Levels,
}

impl AttributePath {
    /// Removes the attribute wherever it is; hands back what was there, with its path.
    pub(crate) fn drop_from(&self, template: &mut Template) -> Vec<(String, String)> {
        let mut dropped = Vec::new();
        match &self.inner {
            None => {
                for value in template.remove(self.key.as_str()) {
                    dropped.push((self.to_string(), as_text(value)));
                }
            }
            Some(inner) => self.each(template, |at, vector| {
                if let Some(was) = vector.remove(inner.as_str()) {
                    dropped.push((at, was));
                }
            }),
        }
        dropped
    }

    /// Sets the attribute wherever it is; hands back what was there, with its path.
    pub(crate) fn replace_in(&self, template: &mut Template, value: &str) -> Vec<(String, String)> {
        let mut replaced = Vec::new();
        match &self.inner {
            None => {
                for old in template.all_mut(self.key.as_str()) {
                    let was = mem::replace(old, Value::Single(value.into()));
                    replaced.push((self.to_string(), as_text(was)));
                }
            }
            Some(inner) => self.each(template, |at, vector| {
                if let Some(was) = vector.get(inner.as_str()).map(str::to_owned) {
                    vector.set(inner.clone(), value);
                    replaced.push((at, was));
                }
            }),
        }
        replaced
    }

    /// Adds the attribute where nothing is; whether it did, and where.
    pub(crate) fn add_to(&self, template: &mut Template, value: &str) -> Vec<String> {
        let there = template.all(self.key.as_str()).next().is_some();
        match &self.inner {
            None if there => Vec::new(),
            None => {
                template.push_single(self.key.clone(), value);
                vec![self.to_string()]
            }
            Some(inner) if !there => {
                template
                    .push_vector(self.key.clone(), Vector::from_iter([(inner.clone(), value.to_owned())]));
                vec![self.to_string()]
            }
            Some(inner) => {
                let mut added = Vec::new();
                self.each(template, |at, vector| {
                    if vector.get(inner.as_str()).is_none() {
                        vector.push(inner.clone(), value);
                        added.push(at);
                    }
                });
                added
            }
        }
    }

    fn each(&self, template: &mut Template, mut act: impl FnMut(String, &mut Vector)) {
        let Some(inner) = &self.inner else { return };
        let many = template.vectors(self.key.as_str()).count() > 1;
        for (at, value) in template.all_mut(self.key.as_str()).enumerate() {
            if let Value::Vector(vector) = value {
                let path = if many { format!("{}[{at}]/{inner}", self.key) } else { self.to_string() };
                act(path, vector);
            }
        }
    }
}

fn as_text(value: Value) -> String {
    match value {
        Value::Single(text) => text.into(),
        Value::Vector(vector) => {
            let pairs: Vec<String> = vector.iter().map(|(key, _)| key.to_string()).collect();
            format!("[ {} ]", pairs.join(", "))
        }
    }
}

impl Display for AttributePath {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        match &self.inner {
            Some(inner) => write!(f, "{}/{inner}", self.key),
            None => write!(f, "{}", self.key),
        }
    }
}

impl FromStr for AttributePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut parts = text.split('/');
        let key = Key::new(&parts.next().unwrap_or_default().to_ascii_uppercase())?;
        let inner = parts.next().map(Key::new).transpose()?;
        if parts.next().is_some() {
            return Err(PathError::Levels);
        }
        Ok(Self { key, inner })
    }
}

impl TryFrom<String> for AttributePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<AttributePath> for String {
    fn from(path: AttributePath) -> Self {
        path.to_string()
    }
}
