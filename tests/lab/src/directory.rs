//! What lies where in a lab's directory.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{self, Path, PathBuf};

use crate::error::{At, Error, Result};
use crate::site::{Daemon, SiteId};

/// `sun_path` of a Unix socket's address has 108 bytes, one of them for the end (unix(7)).
const SOCKET_PATH_MAX: usize = 107;

/// A lab's directory: names only, whether or not anything is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`, which becomes absolute.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let path = path::absolute(path).at("resolve", path)?;
        let directory = Self { path };
        let longest = directory.socket(SiteId::A, Daemon::RbdMirror);
        if longest.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(Error::PathTooLong { dir: directory.path, limit: SOCKET_PATH_MAX });
        }
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// The file that says what the lab is.
    pub(crate) fn record(&self) -> PathBuf {
        self.path.join("lab.json")
    }

    /// Exists once both sites are complete: without it, what is here is half-made.
    pub(crate) fn made(&self) -> PathBuf {
        self.path.join("made")
    }

    pub(crate) fn etc(&self) -> PathBuf {
        self.path.join("etc")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn conf(&self, site: SiteId) -> PathBuf {
        self.etc().join(format!("{site}.conf"))
    }

    /// The current folder of a site's daemons, with the configuration files that they can find by a site's name.
    pub(crate) fn seen_by(&self, site: SiteId) -> PathBuf {
        self.etc().join(format!("seen-by-{site}"))
    }

    /// The keyring of a client, named as in `client.admin`.
    pub(crate) fn client_keyring(&self, site: SiteId, client: &str) -> PathBuf {
        self.etc().join(format!("{site}.{client}.keyring"))
    }

    pub(crate) fn daemon_data(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        self.data().join(format!("{site}.{daemon}"))
    }

    pub(crate) fn daemon_keyring(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        self.data().join(format!("{site}.{daemon}.keyring"))
    }

    /// What the monitor is born with: everybody's keys.
    pub(crate) fn initial_keyring(&self, site: SiteId) -> PathBuf {
        self.data().join(format!("{site}.initial.keyring"))
    }

    pub(crate) fn monmap(&self, site: SiteId) -> PathBuf {
        self.data().join(format!("{site}.monmap"))
    }

    pub(crate) fn socket(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        self.run().join(format!("{site}.{daemon}.asok"))
    }

    pub(crate) fn pid_file(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        self.run().join(format!("{site}.{daemon}.pid"))
    }

    /// Exists while a daemon is frozen by us; its age says for how long.
    pub(crate) fn frozen(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        self.run().join(format!("{site}.{daemon}.frozen"))
    }

    /// Exists while the way between the sites is not whole, and says how.
    pub(crate) fn between(&self) -> PathBuf {
        self.run().join("between")
    }

    pub(crate) fn daemon_log(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        self.log().join(format!("{site}.{daemon}.log"))
    }

    /// What a daemon writes to its standard output and error.
    pub(crate) fn output(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        self.log().join(format!("{site}.{daemon}.out"))
    }

    /// Makes the folders.
    pub(crate) fn make(&self) -> Result<()> {
        for folder in [self.etc(), self.run(), self.log(), self.data()] {
            make_private(&folder)?;
        }
        Ok(())
    }

    /// Refuses a directory that holds anything but a lab's files.
    pub(crate) fn check_ours(&self) -> Result<()> {
        let known = ["lock", "lab.json", "lab.json.new", "made", "etc", "run", "log", "data"];
        let has_record = self.record().exists();
        for entry in fs::read_dir(&self.path).at("read", &self.path)? {
            let entry = entry.at("read", &self.path)?.file_name().to_string_lossy().into_owned();
            // Folders with such common names are ours only beside a record; `log` alone may be a failed lab's.
            let ours = known.contains(&entry.as_str())
                && (has_record || matches!(entry.as_str(), "lock" | "log" | "lab.json.new"));
            if !ours {
                return Err(Error::NotALab { dir: self.path.clone(), entry });
            }
        }
        Ok(())
    }

    /// Removes everything but the lock; with `keep_logs`, not the logs either. What is already gone is no error.
    ///
    /// The record goes last: a removal that is interrupted can be taken up again.
    pub(crate) fn wipe(&self, keep_logs: bool) -> Result<()> {
        let made = self.made();
        absent_is_fine(fs::remove_file(&made)).at("remove", &made)?;
        for folder in [self.data(), self.run(), self.etc()] {
            absent_is_fine(fs::remove_dir_all(&folder)).at("remove", &folder)?;
        }
        if !keep_logs {
            absent_is_fine(fs::remove_dir_all(self.log())).at("remove", &self.log())?;
        }
        for file in [self.record().with_extension("json.new"), self.record()] {
            absent_is_fine(fs::remove_file(&file)).at("remove", &file)?;
        }
        Ok(())
    }

    /// Removes the lock, which the caller holds, and the directory if it is empty then.
    pub(crate) fn remove(&self) -> Result<()> {
        absent_is_fine(fs::remove_file(self.lock())).at("remove", &self.lock())?;
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            other => absent_is_fine(other).at("remove", &self.path),
        }
    }
}

/// Makes a folder and those above it that only its owner may enter: a monitor's database holds every key.
pub(crate) fn make_private(folder: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).at("make", folder)
}

/// Removing what is not there has succeeded.
pub(crate) fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
