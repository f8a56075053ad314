//! What can go wrong, by what the reader does about it.

use std::io;
use std::path::{Path, PathBuf};
use std::result;
use std::time::Duration;

use crate::site::{Daemon, SiteId};

/// A result of the lab.
pub type Result<T, E = Error> = result::Result<T, E>;

/// What went wrong. No variant ever carries a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Ceph is not installed.
    #[error(
        "not installed: {programs}. The lab needs these packages: {packages}. `cargo xtask setup` installs them"
    )]
    NotInstalled {
        /// The programs that are missing.
        programs: String,
        /// The packages that hold them.
        packages: String,
    },
    /// No container engine answers, and the lab is to be in containers.
    #[error(
        "no container engine answers ({why}). Start Docker or Podman, or use the backend of plain processes"
    )]
    NoEngine {
        /// What each of them said.
        why: String,
    },
    /// There is no image of a release.
    #[error("no image {image}: `cargo xtask images --release {release}` makes it")]
    NoImage {
        /// The image's name.
        image: String,
        /// The release that was asked for.
        release: String,
    },
    /// The sites cannot be cut from each other here.
    #[error(
        "cannot come between the sites: {why}. As root with nftables it works, and so it does in containers"
    )]
    NoCut {
        /// What is missing.
        why: &'static str,
    },
    /// A tool ended with an error.
    #[error("`{command}` ended with {}: {stderr}", code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}")))]
    Tool {
        /// The command line.
        command: String,
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
        /// What it said.
        stderr: String,
    },
    /// A tool did not answer: its site may be frozen.
    #[error("`{command}` did not answer within {within:?}")]
    ToolTimedOut {
        /// The command line.
        command: String,
        /// How long it was given.
        within: Duration,
    },
    /// A tool's answer is not what it should be.
    #[error("`{command}` answered what we cannot read: {why}")]
    Answer {
        /// The command line.
        command: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// A wait came to its deadline.
    #[error("waited {waited:?} for {what}; last seen: {last}; logs in {}", logs.display())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// What was there instead.
        last: String,
        /// Where the daemons' logs are.
        logs: PathBuf,
    },
    /// A daemon that should run does not.
    #[error("{daemon} of {site} is not running; the end of {}:\n{tail}", log.display())]
    Died {
        /// Its site.
        site: SiteId,
        /// Which daemon.
        daemon: Daemon,
        /// What it wrote on its way.
        log: PathBuf,
        /// The last lines of that.
        tail: String,
    },
    /// The directory belongs to a lab of a process that is alive.
    #[error("the lab in {} belongs to the running process {pid}", dir.display())]
    InUse {
        /// The lab's directory.
        dir: PathBuf,
        /// The process that owns it.
        pid: i32,
    },
    /// There is a lab, made otherwise than asked for.
    #[error("the lab in {} was made with other options; take it down first", dir.display())]
    OtherOptions {
        /// The lab's directory.
        dir: PathBuf,
    },
    /// There is no lab.
    #[error("no lab in {}", dir.display())]
    NoLab {
        /// Where one was looked for.
        dir: PathBuf,
    },
    /// The directory holds something that is not a lab: we leave it alone.
    #[error("{} holds {entry:?}, which is no lab's; choose another directory", dir.display())]
    NotALab {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        entry: String,
    },
    /// The directory's path leaves no room for a socket's.
    #[error("{} is too long a path: sockets in it would exceed {limit} bytes", dir.display())]
    PathTooLong {
        /// The directory.
        dir: PathBuf,
        /// What the kernel allows.
        limit: usize,
    },
    /// Every range of ports is taken.
    #[error("no free range of ports between {first} and {last}")]
    NoPorts {
        /// Start of the first range.
        first: u16,
        /// Start of the last range.
        last: u16,
    },
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What we were doing.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Says what was being done to which path when the system refused.
pub(crate) trait At<T> {
    /// Adds the operation and the path.
    fn at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { what, path: path.to_owned(), source: source.into() })
    }
}
