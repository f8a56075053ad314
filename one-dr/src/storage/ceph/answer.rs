//! `rbd-mirror`'s errors as those of [`Storage`](crate::Storage).

use std::time::Duration;

use rbd_mirror::{Errno, Error as CephError, Refusal};

use crate::storage::{Cause, Error};

/// An error of a read: nothing was changed.
pub(super) fn to_read(site: &str, op: &'static str, on: &str, error: &CephError) -> Error {
    if error.is_unreachable() {
        return Error::Unreachable { site: site.to_owned(), op, why: error.to_string() };
    }
    other(site, op, on, error)
}

/// An error of a change: without an answer it may have been made.
pub(super) fn to_change(site: &str, op: &'static str, on: &str, error: &CephError) -> Error {
    let waited = match error {
        CephError::InDoubt { waited, .. }
        | CephError::Unreachable { waited, .. }
        | CephError::TimedOut { waited, .. } => *waited,
        error if error.is_unreachable() => Duration::ZERO,
        error => return other(site, op, on, error),
    };
    Error::InDoubt { site: site.to_owned(), op, on: on.to_owned(), waited }
}

/// An error of connecting that is no silence.
pub(super) fn connecting(site: &str, op: &'static str, client: &str, error: &CephError) -> Error {
    let on = format!("as client.{client}");
    match error {
        CephError::NotPermitted { .. } => other(site, op, &on, error),
        _ => Error::Other { site: site.to_owned(), op, on, why: error.to_string() },
    }
}

fn other(site: &str, op: &'static str, on: &str, error: &CephError) -> Error {
    let (site, on) = (site.to_owned(), on.to_owned());
    let cause = match error {
        CephError::NotFound { .. } => return Error::NotFound { site, op, on },
        CephError::AlreadyExists { .. } => Cause::Exists,
        CephError::NotPermitted { .. } => Cause::NotPermitted,
        CephError::Command { errno: Errno::EACCES | Errno::EPERM, .. } => Cause::NotPermitted,
        CephError::Cancelled { .. } => Cause::Stopped,
        CephError::Refused { reason, .. } => cause(reason),
        other => return Error::Other { site, op, on, why: other.to_string() },
    };
    Error::Refused { site, op, on, cause }
}

fn cause(reason: &Refusal) -> Cause {
    match reason {
        Refusal::NotMirrored => Cause::NotMirrored,
        Refusal::AlreadyPrimary => Cause::AlreadyPrimary,
        Refusal::NotPrimary | Refusal::Replica => Cause::NotPrimary,
        Refusal::PrimaryElsewhere => Cause::PrimaryElsewhere,
        Refusal::PeerIsPrimary | Refusal::PeerAliveAndPrimary => Cause::PeerIsPrimary,
        Refusal::NotSynced => Cause::NotSynced,
        Refusal::StillSyncing => Cause::StillSyncing,
        Refusal::CompletenessUnknown => Cause::CompletenessUnknown,
        Refusal::PeerNotPrimary => Cause::PeerNotPrimary,
        Refusal::PeerUnknown => Cause::PeerUnknown,
        Refusal::IsPrimary => Cause::IsPrimary,
        Refusal::InUse(who) => Cause::InUse(who.to_string()),
        Refusal::Busy => Cause::InUse("snapshots, clones or watchers".to_owned()),
        Refusal::LockHeld => Cause::LockHeld("another client".to_owned()),
        Refusal::LockHeldByDaemon { owner } => Cause::LockHeld(owner.to_string()),
        Refusal::ParentNotMirrored { parent } => Cause::HasParent(parent.to_string()),
        Refusal::NotAClone => Cause::NoParent,
        Refusal::OtherMode { .. } => Cause::OtherMode,
        Refusal::PoolMirroringDisabled | Refusal::PoolModePool => Cause::PoolMode,
        Refusal::Full => Cause::NoSpace,
        reason => Cause::Other(reason.to_string()),
    }
}
