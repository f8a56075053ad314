//! A file that one process at a time may hold, and that its holder may delete.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::directory::make_private;
use crate::error::{At, Result};
use crate::wait::{Seen, until};

/// Held until dropped. Daemons do not inherit it: Rust opens files close-on-exec.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock at `path`, making the file and its folder if needed.
    pub(crate) fn acquire(path: &Path, within: Duration) -> Result<Self> {
        let what = format!("the lock {}", path.display());
        until(&what, within, path, || {
            Ok(match Self::attempt(path)? {
                Some(lock) => Seen::Done(lock),
                None => Seen::NotYet("another process holds it".to_owned()),
            })
        })
    }

    /// Takes the lock if it is free.
    pub(crate) fn attempt(path: &Path) -> Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            make_private(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).at("open", path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            other => other.at("lock", path)?,
        }
        // The holder before us may have deleted the file: then this lock keeps nobody out.
        let held = file.metadata().at("look at", path)?;
        let there =
            fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()));
        Ok(there.then_some(Self { _file: file }))
    }
}
