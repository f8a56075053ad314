//! Where the catalog lies: objects in a pool, or files in a directory. Each is written as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::Error;
use crate::storage::Storage;

/// A place for named content.
pub trait Shelf {
    /// Content by name.
    ///
    /// # Errors
    /// Of the place.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Writes content as a whole, in one step.
    ///
    /// # Errors
    /// Of the place.
    fn put(&self, name: &str, content: &[u8]) -> Result<(), Error>;

    /// Names that begin so.
    ///
    /// # Errors
    /// Of the place.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Removes it; it need not be there.
    ///
    /// # Errors
    /// Of the place.
    fn remove(&self, name: &str) -> Result<(), Error>;
}

impl Shelf for &dyn Storage {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.object(name)?)
    }

    fn put(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        Ok(self.put_object(name, content)?)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.objects(prefix)?)
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        Ok(self.remove_object(name)?)
    }
}

/// A directory, files of mode 0600.
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
}

fn failed(error: &io::Error) -> Error {
    Error::Directory(error.to_string())
}

impl Shelf for Directory {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match fs::read(self.path.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn put(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        use std::os::unix::fs::OpenOptionsExt;

        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.path)?;
            let new = self.path.join(format!(".{name}.new"));
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&new, self.path.join(name))?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error| failed(&error))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        Ok(names)
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&error)),
            _ => Ok(()),
        }
    }
}
