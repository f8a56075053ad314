//! What went wrong, as a decision for the caller: one variant a decision, the errno never lost.
//!
//! librbd answers one errno for many causes: `EINVAL` from `promote` is "not mirrored" as well as "already primary". Where
//! that is so, the operation asks once more after it has failed, and the error carries the cause ([`Refusal`]).

use std::fmt;
use std::time::Duration;

use crate::errno::Errno;
use crate::name::Subject;
use crate::op::Op;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::version::Version;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An operation that did not do what it was asked. Shown, it says what, where, why and what to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The state of the image, the pool or the peer forbids the operation. Nothing was changed.
    Refused {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// Why not.
        reason: Refusal,
        /// librbd's number; none where the refusal came before librbd was asked.
        errno: Option<Errno>,
    },

    /// There is no such thing (`ENOENT`).
    NotFound {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
    },

    /// There is such a thing already (`EEXIST`).
    AlreadyExists {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
    },

    /// The cluster does not let this client do it (`EACCES`, or `EPERM` where no image's state explains it).
    NotPermitted {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// librbd's number.
        errno: Errno,
    },

    /// The cluster did not answer within the limit that librados was given (`ETIMEDOUT`).
    Unreachable {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// How long.
        waited: Duration,
    },

    /// The call has not returned at its deadline. It goes on in the background and may still take effect: read the state
    /// again before doing anything else.
    InDoubt {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// How long.
        waited: Duration,
    },

    /// A wait ended without what it waited for.
    TimedOut {
        /// What was awaited.
        awaited: &'static str,
        /// Of what.
        on: Subject,
        /// How long.
        waited: Duration,
        /// The last state seen, in words.
        last: Box<str>,
    },

    /// A wait ended early: what was seen will not turn into what was awaited by itself.
    Hopeless {
        /// What was awaited.
        awaited: &'static str,
        /// Of what.
        on: Subject,
        /// What was seen.
        seen: Hopeless,
    },

    /// The caller's progress closure broke the operation off. What was done stays done; the operation can be repeated.
    Cancelled {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// How far it had come.
        progress: Progress,
    },

    /// The operation was not begun: one before it failed, or the caller cancelled the rest.
    NotBegun {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// Whether the caller cancelled it.
        cancelled: bool,
    },

    /// The loaded librbd is too old.
    Unsupported {
        /// What was asked.
        op: Op,
        /// The release that has it.
        needs: Version,
        /// The release that is loaded.
        have: Version,
    },

    /// The caller's words cannot be given to Ceph.
    InvalidInput {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// What is wrong with it.
        what: &'static str,
    },

    /// Ceph answered something that this crate cannot read: a newer format, or a damaged object.
    Unreadable {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// Which answer.
        what: &'static str,
    },

    /// A monitor or manager refused a command, with its own words.
    Command {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// The daemon's status line.
        words: Box<str>,
        /// The number.
        errno: Errno,
    },

    /// Any other errno, as the system has it.
    Os {
        /// What was asked.
        op: Op,
        /// Of what.
        on: Subject,
        /// librbd's number.
        errno: Errno,
    },
}

impl fmt::Display for Error {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { op, on, reason, errno } => {
                write!(f, "{op} {on}: refused: {reason}{}", shown(*errno))
            }
            Self::NotFound { op, on } => write!(f, "{op} {on}: not found"),
            Self::AlreadyExists { op, on } => write!(f, "{op} {on}: exists already"),
            Self::NotPermitted { op, on, errno } => write!(
                f,
                "{op} {on}: not permitted{}: check the client's capabilities (`ceph auth get`)",
                shown(Some(*errno))
            ),
            Self::Unreachable { op, on, waited } => {
                write!(f, "{op} {on}: the cluster does not answer (waited {})", seconds(*waited))
            }
            Self::InDoubt { op, on, waited } => write!(
                f,
                "{op} {on}: in doubt: no answer within {}; it may still take effect, so read the state again before anything else",
                seconds(*waited)
            ),
            Self::TimedOut { awaited, on, waited, last } => {
                write!(f, "wait {on}: not {awaited} within {}; last seen: {last}", seconds(*waited))
            }
            Self::Hopeless { awaited, on, seen } => {
                write!(f, "wait {on}: cannot become {awaited} by itself: {seen}")
            }
            Self::Cancelled { op, on, progress } => write!(
                f,
                "{op} {on}: stopped at {} of {} by its caller; it can be repeated",
                progress.done, progress.total
            ),
            Self::NotBegun { op, on, cancelled } => write!(
                f,
                "{op} {on}: not begun: {}",
                if *cancelled { "cancelled by the caller" } else { "an operation before it failed" }
            ),
            Self::Unsupported { op, needs, have } => {
                write!(f, "{op}: needs librbd {needs}, and {have} is loaded")
            }
            Self::InvalidInput { op, on, what } => write!(f, "{op} {on}: {what}"),
            Self::Unreadable { op, on, what } => write!(f, "{op} {on}: cannot read {what}"),
            Self::Command { op, on, words, errno } => write!(f, "{op} {on}: {words}{}", shown(Some(*errno))),
            Self::Os { op, on, errno } => write!(f, "{op} {on}: {errno}"),
        }
    }
}

impl std::error::Error for Error {}

/// Why a wait gave up before its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hopeless {
    /// rbd-mirror has seen a split brain, twice in a row.
    SplitBrain,
    /// rbd-mirror has reported the same error for two status periods.
    ReplayError(Box<str>),
    /// The image is primary at both sites.
    TwoPrimaries,
    /// The image is not mirrored.
    NotMirrored,
    /// The image is not primary where its primary should be.
    NotPrimary,
    /// The image is primary already where it is to be promoted.
    PrimaryHere,
    /// The image that should have been demoted is primary.
    StillPrimary,
    /// A demotion was killed half-way: its end is not in the journal, so it will never arrive.
    BrokenDemotion,
}

impl fmt::Display for Hopeless {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SplitBrain => {
                f.write_str("split brain: decide which site's data stays, demote and resync the other")
            }
            Self::ReplayError(text) => write!(f, "rbd-mirror reports: {text}"),
            Self::TwoPrimaries => f.write_str(
                "it is primary at both sites: decide which site's data stays, demote and resync the other",
            ),
            Self::NotMirrored => f.write_str("mirroring is not enabled for it"),
            Self::NotPrimary => {
                f.write_str("it is not primary where its primary should be: promote it there first")
            }
            Self::PrimaryHere => f.write_str("it is primary here already"),
            Self::StillPrimary => f.write_str("it is primary: demote it first"),
            Self::BrokenDemotion => f.write_str(
                "its demotion was broken off half-way: promote it there again, then demote it again",
            ),
        }
    }
}

impl Error {
    /// The C call's number, where there was one.
    #[must_use]
    #[inline]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } => *errno,
            Self::NotFound { .. } => Some(Errno::ENOENT),
            Self::AlreadyExists { .. } => Some(Errno::EEXIST),
            Self::Unreachable { .. } => Some(Errno::ETIMEDOUT),
            Self::Cancelled { .. } => Some(Errno::ECANCELED),
            Self::NotPermitted { errno, .. } | Self::Command { errno, .. } | Self::Os { errno, .. } => {
                Some(*errno)
            }
            _ => None,
        }
    }

    /// Why it was refused, where it was.
    #[must_use]
    #[inline]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Whether the operation may have taken effect although this error was returned.
    #[must_use]
    #[inline]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt { .. } | Self::Unreachable { .. })
    }

    /// Whether the reason is a site that does not answer, rather than one that says no.
    #[must_use]
    #[inline]
    pub fn is_unreachable(&self) -> bool {
        self.is_in_doubt() || self.errno() == Some(Errno::ENOTCONN)
    }
}

/// As its text: what an error says is what is reported of it.
#[cfg(feature = "serde")]
impl serde::Serialize for Error {
    #[inline]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn shown(errno: Option<Errno>) -> String {
    errno.map(|errno| format!(" ({errno:?} {})", errno.number())).unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
