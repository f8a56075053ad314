//! What a guest notes of each acknowledged write: its number and its time, in a file that outlives a guest that is killed.
//!
//! A record is written after the acknowledgement and before the next write: of a killed guest one write at most was acknowledged,
//! or under way, that is not noted.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

const RECORD_BYTES: usize = 16;

/// The notes of one disk, being written.
#[derive(Debug)]
pub struct Notes(File);

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub number: u64,
    /// When, since 1970.
    pub at: Duration,
}

impl Notes {
    /// Begins new ones.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self(File::create(path).with_context(|| path.display().to_string())?))
    }

    /// Notes a write that was acknowledged now.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, number: u64) -> Result<()> {
        let nanoseconds = u64::try_from(now().as_nanos()).unwrap_or(u64::MAX);
        let mut record = [0; RECORD_BYTES];
        record[..8].copy_from_slice(&number.to_le_bytes());
        record[8..].copy_from_slice(&nanoseconds.to_le_bytes());
        Ok(self.0.write_all(&record)?)
    }
}

/// The file for the notes of a disk.
#[must_use]
pub fn file(folder: &Path, rbd: &str) -> PathBuf {
    folder.join(format!("{}.notes", rbd.replace('/', ".")))
}

/// Reads notes; of a file that is not there, none.
///
/// # Errors
/// If the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Note>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
    let note =
        |record: &[u8]| Note { number: number(&record[..8]), at: Duration::from_nanos(number(&record[8..])) };
    Ok(bytes.chunks_exact(RECORD_BYTES).map(note).collect())
}

/// Now, since 1970: what every process of this machine agrees on.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Notes, read};

    #[test]
    fn notes_are_read_as_they_were_written_and_half_a_record_is_none() {
        let folder = std::env::temp_dir().join(format!("notes-{}", std::process::id()));
        let mut notes = Notes::create(&folder).unwrap();
        notes.add(7).unwrap();
        notes.add(8).unwrap();
        let whole = std::fs::read(&folder).unwrap();
        let numbers = || read(&folder).unwrap().iter().map(|note| note.number).collect::<Vec<_>>();
        assert_eq!(numbers(), [7, 8]);
        std::fs::write(&folder, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(numbers(), [7]);
        std::fs::remove_file(&folder).unwrap();
        assert!(numbers().is_empty());
    }
}
