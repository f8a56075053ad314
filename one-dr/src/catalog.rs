//! The catalog: what was captured of site A, kept at site B, where a failover needs it and A's database is no more.
//!
//! Each version is a [`Record`] under the name of its content; an index says which came when. A version is written before the
//! index names it. Records check themselves: of a damaged one the version before is taken, and it is said. The catalog
//! **holds secrets** (contexts): its pool, and its directory, are to be kept as such.

mod capture;
mod shelf;

use std::fmt;

use opennebula_meta::Record;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::storage::Error as StorageError;

pub use capture::{CaptureError, Refreshed, capture, forget, refresh};
pub use shelf::{Directory, Shelf};

const INDEX: &str = "one-dr.catalog";
const RECORD: &str = "one-dr.record.";
/// Older versions are removed as new ones come.
const VERSIONS_MAX: usize = 50;

/// A line of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The name of its content, `sha256:...`.
    pub address: String,
    /// When it was captured.
    pub captured_at: Moment,
}

/// The best version that there is.
#[derive(Clone, Debug)]
pub struct Newest {
    /// The record.
    pub record: Record,
    /// Its line.
    pub version: Version,
    /// Newer versions that cannot be read, and why.
    pub damaged: Vec<String>,
}

/// Why there is nothing in the catalog, or why it was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The place does not answer, or refuses.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The directory.
    #[error("the catalog's directory: {0}")]
    Directory(String),
    /// Nothing was ever captured.
    #[error("nothing was ever captured into this catalog: `one-dr capture` while site A answers")]
    Empty,
    /// Every version is damaged.
    #[error("no version of the catalog can be read: {0}")]
    AllDamaged(Damaged),
    /// The record that a plan was made from is gone or damaged.
    #[error("the captured record {address} cannot be read: {why}")]
    Record {
        /// Its name.
        address: String,
        /// Why.
        why: String,
    },
}

/// What is damaged, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged(pub Vec<String>);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

fn name_of(address: &str) -> String {
    format!("{RECORD}{}", address.strip_prefix("sha256:").unwrap_or(address))
}

/// Keeps a record: the content first, then the line of the index. The same content again only gets a new line.
///
/// # Errors
/// [`Error`]
pub fn publish(shelf: &dyn Shelf, record: &Record, captured_at: Moment) -> Result<Version, Error> {
    let version = Version { address: record.address().as_str().to_owned(), captured_at };
    // Written again even if it is there: the one that is there may be damaged.
    shelf.put(&name_of(&version.address), record.to_json().as_bytes())?;
    let mut versions = index(shelf)?;
    versions.retain(|other| other.address != version.address);
    versions.push(version.clone());
    versions.sort_by_key(|version| version.captured_at);
    let old = versions.len().saturating_sub(VERSIONS_MAX);
    let removed: Vec<Version> = versions.drain(..old).collect();
    shelf.put(INDEX, &serde_json::to_vec(&versions).unwrap_or_default())?;
    for version in removed {
        shelf.remove(&name_of(&version.address))?;
    }
    Ok(version)
}

/// The newest version that can be read.
///
/// # Errors
/// [`Error::Empty`], [`Error::AllDamaged`]; what the place answers.
pub fn newest(shelf: &dyn Shelf) -> Result<Newest, Error> {
    let mut damaged = Vec::new();
    for version in index(shelf)?.into_iter().rev() {
        match read(shelf, &version.address) {
            Ok(record) => return Ok(Newest { record, version, damaged }),
            Err(Error::Record { address, why }) => {
                damaged.push(format!("{address} of {}: {why}", version.captured_at));
            }
            Err(other) => return Err(other),
        }
    }
    Err(if damaged.is_empty() { Error::Empty } else { Error::AllDamaged(Damaged(damaged)) })
}

/// A version by its name, whole and unchanged.
///
/// # Errors
/// [`Error::Record`]; what the place answers.
pub fn read(shelf: &dyn Shelf, address: &str) -> Result<Record, Error> {
    let bad = |why: String| Error::Record { address: address.to_owned(), why };
    let bytes = shelf.get(&name_of(address))?.ok_or_else(|| bad("it is not there".to_owned()))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("it is no text".to_owned()))?;
    let record = Record::parse(&text).map_err(|error| bad(error.to_string()))?;
    if record.address().as_str() == address { Ok(record) } else { Err(bad("it is another one".to_owned())) }
}

/// The versions, oldest first. An index that is gone or damaged is made again from the records.
///
/// # Errors
/// What the place answers.
pub fn index(shelf: &dyn Shelf) -> Result<Vec<Version>, Error> {
    if let Some(bytes) = shelf.get(INDEX)?
        && let Ok(versions) = serde_json::from_slice::<Vec<Version>>(&bytes)
    {
        return Ok(versions);
    }
    let mut versions = Vec::new();
    for name in shelf.list(RECORD)? {
        let address = format!("sha256:{}", name.trim_start_matches(RECORD));
        let captured_at = read(shelf, &address).ok().and_then(|record| record.stamp().captured_at);
        let captured_at = Moment(captured_at.map_or(0, |time| time.0.saturating_mul(1000)));
        versions.push(Version { address, captured_at });
    }
    versions.sort_by_key(|version| version.captured_at);
    Ok(versions)
}

#[cfg(test)]
mod tests;
