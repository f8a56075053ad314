//! A capture as one document that checks itself: what failover at B needs when A is gone.
//!
//! A record is JSON. Each object in it is kept as XML, without what changes by itself (monitoring, free space), and
//! named by the SHA-256 of that; the record's [`Address`] is the SHA-256 of all those names. So the same site gives
//! the same address however often it is captured, and two records can be compared, or stored once, by it. A record
//! that was cut, edited or mixed up with another is refused when it is read, with the object that is wrong.
//!
//! ```
//! use opennebula_meta::{Capture, Vm, record::{Record, Stamp}};
//!
//! let vm = Vm::parse("<VM><ID>7</ID><NAME>web</NAME><LAST_POLL>1795347855</LAST_POLL></VM>")?;
//! let capture = Capture { vms: vec![vm], ..Capture::default() };
//! let record = Record::new(capture, Stamp { site: "a".to_owned(), captured_at: None });
//! let text = record.to_json();
//! assert_eq!(Record::parse(&text)?.address(), record.address());
//! assert!(Record::parse(&text.replace("web", "wet")).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A record holds secrets** (passwords in contexts, if they were read decrypted): its file is to be kept as such.
//! Nothing here encrypts.

mod stored;

use std::{
    fmt::{Debug, Display, Formatter, Result as Fmt},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{capture::Capture, document::Error as DocumentError, id::EpochSeconds};

use stored::Stored;

/// The version of the format that is written. Older ones are read, newer ones refused.
pub const VERSION: u32 = 1;

/// The longest record that is read, in bytes: some 100,000 VMs.
pub const BYTES_MAX: usize = 1 << 30;

/// A capture that can be written, and checks itself when it is read.
#[derive(Clone)]
pub struct Record {
    capture: Capture,
    stamp: Stamp,
    address: Address,
    stored: Arc<Stored>,
}

/// Where and when a capture was made. It is not part of the [`Address`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The name of the site.
    pub site: String,
    /// The time; there is no clock here, the caller says it.
    pub captured_at: Option<EpochSeconds>,
}

/// The name of a record's content, `sha256:` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

/// Why a record is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not JSON, or was cut.
    #[error("not a record")]
    Json(#[source] Arc<serde_json::Error>),
    /// It is JSON of something else.
    #[error("not a record of this crate")]
    Format,
    /// It was written by a newer version of this crate.
    #[error("format version {found}, at most {VERSION} is understood")]
    Version {
        /// The version it has.
        found: u32,
    },
    /// It is longer than [`BYTES_MAX`].
    #[error("a record of {0} bytes is too long")]
    TooLong(usize),
    /// An object is not what its digest says.
    #[error("{kind} {id} was changed")]
    Digest {
        /// The root element.
        kind: String,
        /// Its number.
        id: u32,
    },
    /// An object is there twice.
    #[error("{kind} {id} is there twice")]
    Twice {
        /// The root element.
        kind: String,
        /// Its number.
        id: u32,
    },
    /// An object cannot be read.
    #[error("{kind} {id} cannot be read")]
    Document {
        /// The root element.
        kind: String,
        /// Its number.
        id: u32,
        /// Why.
        #[source]
        error: DocumentError,
    },
    /// An object of a kind, or under a number, that it is not.
    #[error("{kind} {id} is something else")]
    Kind {
        /// The root element.
        kind: String,
        /// Its number.
        id: u32,
    },
    /// The objects are not those that the address names: one is missing, or was exchanged.
    #[error("the objects are not those of the record's address")]
    Address,
    /// The rest of the record (site, time, mirrored images) was changed.
    #[error("the record was changed after it was sealed")]
    Seal,
}

impl Record {
    /// A record of what was captured.
    #[must_use]
    pub fn new(capture: Capture, stamp: Stamp) -> Self {
        let stored = Stored::of(&capture, &stamp);
        Self { address: Address(stored.address.clone()), capture, stamp, stored: Arc::new(stored) }
    }

    /// Reads a record and checks it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > BYTES_MAX {
            return Err(Error::TooLong(text.len()));
        }
        let stored = stored::read(text)?;
        let capture = stored.check()?;
        let stamp = stored.stamp.clone();
        Ok(Self { capture, stamp, address: Address(stored.address.clone()), stored: Arc::new(stored) })
    }

    /// The record as JSON, one object a line, the same bytes for the same record.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.stored.to_json()
    }

    /// The name of its content.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where and when it was made.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// What was captured.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// What was captured, to keep.
    #[must_use]
    pub fn into_capture(self) -> Capture {
        self.capture
    }
}

impl Address {
    /// `sha256:...`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.write_str(&self.0)
    }
}

impl Debug for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.write_str(&self.0)
    }
}

/// Says which record it is, not what is in it.
impl Debug for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "Record({:?}, {}, {} objects)", self.stamp.site, self.address, self.stored.objects.len())
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.stored.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(from)?;
        let capture = stored.check().map_err(D::Error::custom)?;
        let stamp = stored.stamp.clone();
        Ok(Self { capture, stamp, address: Address(stored.address.clone()), stored: Arc::new(stored) })
    }
}

#[cfg(test)]
mod tests;
