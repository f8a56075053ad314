//! What a site's pool answers when it does not do what it was asked.

use std::time::Duration;

/// `Result` with this module's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A call that was not done, as a decision for the caller. Shown, it says what, where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The site did not answer a read, or could not be connected to. Nothing was changed.
    #[error("site {site} does not answer ({op}): {why}")]
    Unreachable {
        /// The site.
        site: String,
        /// What was asked.
        op: &'static str,
        /// In words.
        why: String,
    },
    /// A change was asked for and no answer came: it may have been made, or be made yet. Read the state before anything else.
    #[error("{op} {on} at site {site}: no answer within {} s; it may have happened, or may yet", waited.as_secs())]
    InDoubt {
        /// The site.
        site: String,
        /// What was asked.
        op: &'static str,
        /// Of what.
        on: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The state forbids it. Nothing was changed.
    #[error("{op} {on} at site {site}: {cause}")]
    Refused {
        /// The site.
        site: String,
        /// What was asked.
        op: &'static str,
        /// Of what.
        on: String,
        /// Why.
        cause: Cause,
    },
    /// There is no such image.
    #[error("{op} {on} at site {site}: there is no such image")]
    NotFound {
        /// The site.
        site: String,
        /// What was asked.
        op: &'static str,
        /// Of what.
        on: String,
    },
    /// Anything else. Nothing is known of a change.
    #[error("{op} {on} at site {site}: {why}")]
    Other {
        /// The site.
        site: String,
        /// What was asked.
        op: &'static str,
        /// Of what.
        on: String,
        /// In words, with the errno.
        why: String,
    },
}

/// Why a change was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The image is not mirrored.
    #[error("the image is not mirrored")]
    NotMirrored,
    /// It is primary here already.
    #[error("it is primary there already")]
    AlreadyPrimary,
    /// It is not primary here.
    #[error("it is not primary there")]
    NotPrimary,
    /// librbd: primary at the peer, or its demotion has not arrived yet (`EBUSY`).
    #[error("the peer is primary, or its demotion has not arrived yet")]
    PrimaryElsewhere,
    /// The peer answers, and it is primary there.
    #[error("the other site answers, and the image is primary there")]
    PeerIsPrimary,
    /// Both are demoted, and this copy is not the newest.
    #[error("this copy has not replayed the other site's demotion to its end: it may be stale or diverged")]
    NotSynced,
    /// The first copy is not complete.
    #[error("the first copy is not complete: this is no image of any moment")]
    StillSyncing,
    /// Nothing says whether the first copy is complete.
    #[error("nothing there says that the first copy was ever complete")]
    CompletenessUnknown,
    /// A resync while the peer is not primary.
    #[error("the other site is not primary: a resync would delete this copy with nothing to fetch it from")]
    PeerNotPrimary,
    /// A resync while the peer is silent.
    #[error("the other site does not answer: a resync would delete this copy with nothing to fetch it from")]
    PeerUnknown,
    /// A resync of a primary.
    #[error("it is primary there: demote it first")]
    IsPrimary,
    /// Somebody has it open; who, in words.
    #[error("it is open at {0}")]
    InUse(String),
    /// The exclusive lock is held by somebody who does not give it up; who, in words.
    #[error("its lock is held by {0}")]
    LockHeld(String),
    /// It has a parent that is not mirrored; which, in words.
    #[error("it is a clone of {0}, which is not mirrored: flatten it first")]
    HasParent(String),
    /// It has no parent.
    #[error("it has no parent")]
    NoParent,
    /// It is mirrored in the other mode.
    #[error("it is mirrored in another mode")]
    OtherMode,
    /// The pool's mode does not allow it.
    #[error("the pool's mirroring mode does not allow it: `rbd mirror pool enable POOL image`")]
    PoolMode,
    /// There is one of that name.
    #[error("there is one of that name already")]
    Exists,
    /// It is no clone of ours.
    #[error("it is no clone of ours")]
    NotAClone,
    /// The caller's own closure ended it.
    #[error("stopped by its caller; it can be repeated")]
    Stopped,
    /// Another owner has the lease.
    #[error("{owner} has it until {until}")]
    LeaseHeld {
        /// Who.
        owner: String,
        /// Until when, unless it is prolonged.
        until: crate::Moment,
    },
    /// The client's capabilities do not allow it.
    #[error("not permitted: check the client's capabilities (`ceph auth get`)")]
    NotPermitted,
    /// No space, or a quota.
    #[error("no space left")]
    NoSpace,
    /// Another cause, in words.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Whether the site is silent, rather than unwilling.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether the change may have been made.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt { .. })
    }

    /// Why it was refused, if it was.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Refused { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
