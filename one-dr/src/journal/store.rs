//! Where journals are kept: files in a directory, or memory for the model.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use super::Error;

/// The bytes of one journal. Dropping it lets another process have it.
pub trait Log: Send {
    /// Everything.
    ///
    /// # Errors
    /// Of the file.
    fn read(&mut self) -> io::Result<Vec<u8>>;

    /// Adds bytes at the end; they survive a power cut once this has returned.
    ///
    /// # Errors
    /// Of the file.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts it to that length.
    ///
    /// # Errors
    /// Of the file.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// Where the journals of all runs are.
pub trait Store: Send + Sync {
    /// Opens the journal of a run for writing, for this process alone.
    ///
    /// # Errors
    /// [`Error::InUse`]; [`Error::NoRun`] unless `new`; [`Error::Write`].
    fn open(&self, run: &str, new: bool) -> Result<Box<dyn Log>, Error>;

    /// The bytes of a journal, for reading only, also while a run is going on.
    ///
    /// # Errors
    /// [`Error::NoRun`], [`Error::Read`]
    fn peek(&self, run: &str) -> Result<Vec<u8>, Error>;

    /// The names of all runs, oldest first.
    ///
    /// # Errors
    /// [`Error::Read`]
    fn runs(&self) -> Result<Vec<String>, Error>;
}

/// Journals as files `RUN.jsonl` of mode 0600 in a directory.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory; it is made when it is first written to.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn file(&self, run: &str) -> Result<PathBuf, Error> {
        // A name is ours: a date and a number. Nothing else becomes a path.
        let plain = !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if plain { Ok(self.path.join(format!("{run}.jsonl"))) } else { Err(Error::NoRun(run.to_owned())) }
    }
}

fn write_error(error: &io::Error) -> Error {
    Error::Write(error.to_string())
}

impl Store for Directory {
    fn open(&self, run: &str, new: bool) -> Result<Box<dyn Log>, Error> {
        use std::os::unix::fs::OpenOptionsExt;

        let path = self.file(run)?;
        if new {
            fs::create_dir_all(&self.path).map_err(|error| write_error(&error))?;
        }
        let opened = OpenOptions::new().read(true).write(true).create_new(new).mode(0o600).open(&path);
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoRun(run.to_owned()),
            _ => write_error(&error),
        })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| Error::InUse(run.to_owned()))?;
        if new {
            // The name is durable with the directory only.
            File::open(&self.path)
                .and_then(|directory| directory.sync_all())
                .map_err(|error| write_error(&error))?;
        }
        Ok(Box::new(FileLog(file)))
    }

    fn peek(&self, run: &str) -> Result<Vec<u8>, Error> {
        fs::read(self.file(run)?).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoRun(run.to_owned()),
            _ => Error::Read(error.to_string()),
        })
    }

    fn runs(&self) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::Read(error.to_string())),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut runs: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned)).collect();
        runs.sort();
        Ok(runs)
    }
}

struct FileLog(File);

impl Log for FileLog {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0))?;
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::End(0))?;
        self.0.write_all(bytes)?;
        self.0.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.sync_all()
    }
}

/// Journals in memory: for the model, where a crash is no power cut.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    runs: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Memory {
    /// Changes the bytes of a journal, as a bad disk would.
    pub fn damage(&self, run: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(bytes) = self.lock().get_mut(run) {
            change(bytes);
        }
    }

    /// Gives another store a copy of everything.
    pub fn copy_into(&self, other: &Self) {
        other.lock().clone_from(&self.lock());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn open(&self, run: &str, new: bool) -> Result<Box<dyn Log>, Error> {
        let mut runs = self.lock();
        match (runs.contains_key(run), new) {
            (false, false) => return Err(Error::NoRun(run.to_owned())),
            (true, true) => return Err(Error::Write(format!("run {run} is there already"))),
            _ => {}
        }
        runs.entry(run.to_owned()).or_default();
        Ok(Box::new(MemoryLog { store: self.clone(), run: run.to_owned() }))
    }

    fn peek(&self, run: &str) -> Result<Vec<u8>, Error> {
        self.lock().get(run).cloned().ok_or_else(|| Error::NoRun(run.to_owned()))
    }

    fn runs(&self) -> Result<Vec<String>, Error> {
        Ok(self.lock().keys().cloned().collect())
    }
}

struct MemoryLog {
    store: Memory,
    run: String,
}

impl Log for MemoryLog {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.store.lock().get(&self.run).cloned().unwrap_or_default())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.store.lock().entry(self.run.clone()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.store.lock().entry(self.run.clone()).or_default().truncate(length);
        Ok(())
    }
}
