//! The write-ahead journal of a run: one JSON object a line, durable before every change, each line sealed with the one
//! before it.
//!
//! ```text
//! {"seq":7,"at":..,"step":4,"phase":"intent","text":"demote one-9 at a","prev":"9f2c..","hash":".."}
//! ```
//! A torn last line is what a power cut leaves: it was never acted on, and is cut off. A line that is wrong anywhere else
//! ends the reading: somebody changed the file.
//!
//! A copy goes to an object in the pool of the site that the run cannot do without, so that another machine can resume.

mod store;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::Moment;

pub use store::{Directory, Log, Memory, Store};

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// The run begins; `data` is its plan.
    Started,
    /// A process takes the run up again.
    Resumed,
    /// A step begins to look.
    Began,
    /// A change is about to be made.
    Intent,
    /// It was made.
    Acted,
    /// Its answer was lost.
    InDoubt,
    /// It was refused, or failed.
    Failed,
    /// The step's end is reached.
    Done,
    /// The step stopped: the VM's other steps wait for a resume.
    Stopped,
    /// The run is over.
    Finished,
    /// The operator gave the run up.
    Aborted,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counted from 0.
    pub seq: u64,
    /// When.
    pub at: Moment,
    /// Which step of the plan.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<usize>,
    /// What.
    pub phase: Phase,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub text: String,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<Value>,
    /// The hash of the line before; empty for the first.
    pub prev: String,
    /// SHA-256 of this line without this field.
    #[serde(default)]
    pub hash: String,
}

impl Entry {
    fn sealed(mut self) -> Result<(Self, Vec<u8>), Error> {
        self.hash = self.digest()?;
        let mut line = serde_json::to_vec(&self).map_err(|error| Error::Write(error.to_string()))?;
        line.push(b'\n');
        Ok((self, line))
    }

    fn digest(&self) -> Result<String, Error> {
        let bare = Self { hash: String::new(), ..self.clone() };
        let bytes = serde_json::to_vec(&bare).map_err(|error| Error::Write(error.to_string()))?;
        Ok(hex(&Sha256::digest(&bytes)))
    }
}

/// The hexadecimal digits of a hash.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be written: nothing may be done without it.
    #[error("the journal cannot be written ({0}): nothing is done without it")]
    Write(String),
    /// It could not be read.
    #[error("the journal cannot be read: {0}")]
    Read(String),
    /// A line other than the last was changed or lost.
    #[error("line {line} of the journal is not what was written: it was changed, or a line is missing")]
    Broken {
        /// Counted from 1.
        line: usize,
    },
    /// It has no first line that says what is run.
    #[error("the journal does not begin with a plan: it was never started")]
    NoPlan,
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(String),
    /// Another process has it.
    #[error("run {0} is being carried out by another process of this machine")]
    InUse(String),
}

/// Reads lines: the entries, and the length of what is whole.
///
/// # Errors
/// [`Error::Broken`]
pub fn parse(bytes: &[u8]) -> Result<(Vec<Entry>, usize), Error> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut whole = 0;
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_last = whole + line.len() == bytes.len();
        let prev = entries.last().map_or("", |entry| entry.hash.as_str());
        let entry: Option<Entry> = line.ends_with(b"\n").then(|| serde_json::from_slice(line).ok()).flatten();
        let good = entry.filter(|entry| {
            entry.prev == prev
                && entry.seq == u64::try_from(entries.len()).unwrap_or(u64::MAX)
                && entry.digest().is_ok_and(|digest| digest == entry.hash)
        });
        match good {
            Some(entry) => {
                whole += line.len();
                entries.push(entry);
            }
            None if is_last => break,
            None => return Err(Error::Broken { line: number + 1 }),
        }
    }
    Ok((entries, whole))
}

/// A journal that is being written.
pub struct Journal {
    log: Box<dyn Log>,
    entries: Vec<Entry>,
    length: u64,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Journal {
    /// A journal on a log, with what it holds already; a torn last line is cut off.
    ///
    /// # Errors
    /// [`Error`]
    pub fn on(mut log: Box<dyn Log>) -> Result<Self, Error> {
        let bytes = log.read().map_err(|error| Error::Read(error.to_string()))?;
        let (entries, whole) = parse(&bytes)?;
        let length = u64::try_from(whole).unwrap_or(u64::MAX);
        if whole < bytes.len() {
            log.cut(length).map_err(|error| Error::Write(error.to_string()))?;
        }
        Ok(Self { log, entries, length })
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Writes a line, durably. Answers where it lies and its bytes, for the copy.
    ///
    /// # Errors
    /// [`Error::Write`]: nothing may be done then.
    pub fn write(
        &mut self,
        at: Moment,
        step: Option<usize>,
        phase: Phase,
        text: impl Into<String>,
        data: Option<Value>,
    ) -> Result<(u64, Vec<u8>), Error> {
        let seq = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        let prev = self.entries.last().map_or_else(String::new, |entry| entry.hash.clone());
        let entry = Entry { seq, at, step, phase, text: text.into(), data, prev, hash: String::new() };
        let (entry, line) = entry.sealed()?;
        self.log.append(&line).map_err(|error| Error::Write(error.to_string()))?;
        let offset = self.length;
        self.length += u64::try_from(line.len()).unwrap_or(0);
        self.entries.push(entry);
        Ok((offset, line))
    }

    /// Everything that is written, for a copy.
    ///
    /// # Errors
    /// [`Error::Read`]
    pub fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        self.log.read().map_err(|error| Error::Read(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
