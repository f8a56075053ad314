//! Whether a replica has everything: proof from the primary's own records, not from a status.
//!
//! Journal mode: the peer's entry in the primary's journal says whether it still copies or replays, and how far it is.
//! Snapshot mode: the replica's newest mirror snapshot names the primary's newest, and is complete.

use std::fmt;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::journal::{PeerState, Position, TagOwner};
use crate::mode::MirrorImageMode;
use crate::name::GlobalImageId;
use crate::pool::Pool;
use crate::snapshot::{MirrorSnapshot, MirrorSnapshotState, SnapshotNamespace};

/// How a replica stands to its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum SyncState {
    /// The other site has no image of that id (yet).
    NoReplica,
    /// The other site's daemon has not registered with the primary's journal yet, or no snapshot has been fetched.
    NotRegistered,
    /// The image is being copied as a whole.
    Syncing,
    /// The replica fell so far behind that it was cut off: it needs a resync.
    Disconnected,
    /// The replica follows, and is behind what the primary has committed.
    Behind {
        /// What the replica is done with: a position, or a snapshot id of the primary.
        done: String,
        /// What the primary has.
        newest: String,
    },
    /// The replica has all that the primary had committed when it was looked at.
    CaughtUp,
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReplica => f.write_str("no replica at the other site"),
            Self::NotRegistered => f.write_str("the other site's daemon has not registered"),
            Self::Syncing => f.write_str("the first copy is not complete"),
            Self::Disconnected => f.write_str("cut off: too far behind, needs a resync"),
            Self::Behind { done, newest } => write!(f, "behind: at {done} of {newest}"),
            Self::CaughtUp => f.write_str("caught up"),
        }
    }
}

/// How the replica of an image stands to its primary: what `primary` has written, and what `replica` is done with.
///
/// "Caught up" holds for the moment of the look, and for what the primary has **committed**: in journal mode a writer that is
/// at work is up to five seconds ahead of that. Only a demotion that has arrived proves that nothing is missing.
///
/// # Errors
/// [`Error::NotFound`] if the primary has no such image; what reading either site answers.
pub fn sync_state(primary: &Pool, replica: &Pool, id: &GlobalImageId) -> Result<SyncState> {
    let image = primary.open_by_global_id_read_only(id)?;
    match replica.find(id) {
        Err(Error::NotFound { .. }) => return Ok(SyncState::NoReplica),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    match image.mirror_mode()? {
        Some(MirrorImageMode::Snapshot) => snapshot_state(&image, replica, id),
        _ => journal_state(&image, replica),
    }
}

fn journal_state(primary: &Image, replica: &Pool) -> Result<SyncState> {
    let follower = replica.mirror_uuid()?;
    let journal = primary.journal()?;
    let Some(peer) = journal.peer(&follower) else { return Ok(SyncState::NotRegistered) };
    let shown = |position: Option<Position>| {
        position.map_or_else(|| "start".to_owned(), |position| position.to_string())
    };
    Ok(match peer.state {
        _ if !peer.connected => SyncState::Disconnected,
        PeerState::Replaying if peer.position >= journal.local => SyncState::CaughtUp,
        PeerState::Replaying => {
            SyncState::Behind { done: shown(peer.position), newest: shown(journal.local) }
        }
        _ => SyncState::Syncing,
    })
}

fn snapshot_state(primary: &Image, replica: &Pool, id: &GlobalImageId) -> Result<SyncState> {
    let uuid = primary.pool().mirror_uuid()?;
    let Some((newest, _)) = newest_mirror_snapshot(primary)? else { return Ok(SyncState::NotRegistered) };
    let copy = match replica.open_by_global_id_read_only(id) {
        Err(Error::NotFound { .. }) => return Ok(SyncState::NoReplica),
        other => other?,
    };
    let Some((_, fetched)) = newest_mirror_snapshot(&copy)? else { return Ok(SyncState::NotRegistered) };
    let from_primary = fetched.primary_uuid.as_ref() == Some(&uuid);
    Ok(match fetched.primary_id {
        Some(at) if from_primary && at == newest && fetched.complete => SyncState::CaughtUp,
        Some(at) if from_primary => {
            let part = if fetched.complete { "" } else { " (incomplete)" };
            SyncState::Behind { done: format!("snapshot {at}{part}"), newest: format!("snapshot {newest}") }
        }
        _ => SyncState::NotRegistered,
    })
}

fn newest_mirror_snapshot(image: &Image) -> Result<Option<(u64, MirrorSnapshot)>> {
    let mirror = image.snapshots()?.into_iter().filter_map(|snapshot| match snapshot.namespace {
        SnapshotNamespace::Mirror(mirror) => Some((snapshot.id, mirror)),
        _ => None,
    });
    Ok(mirror.max_by_key(|(id, _)| *id))
}

/// Whether the demotion of an image has arrived at `here`, with everything before it: a clean promotion will succeed, and it
/// will lose nothing.
///
/// # Errors
/// [`Error::NotFound`] if there is no such image; what reading the site answers.
pub fn demotion_has_arrived(here: &Pool, id: &GlobalImageId) -> Result<bool> {
    let image = here.open_by_global_id_read_only(id)?;
    match image.mirror_mode()? {
        Some(MirrorImageMode::Snapshot) => {
            let newest = newest_mirror_snapshot(&image)?;
            Ok(newest.is_some_and(|(_, newest)| {
                newest.complete && newest.state == MirrorSnapshotState::NonPrimaryDemoted
            }))
        }
        _ => Ok(image.journal()?.owner() == Some(&TagOwner::Orphan)),
    }
}

/// Whether the copy at `here` is at least as new as the one at `there`, both of them demoted.
///
/// It is when `there` follows `here`, or when `here` has replayed the demotion of `there` to its end. A copy that was demoted
/// after it had diverged is neither, although librbd would promote it without force.
///
/// # Errors
/// What reading either site answers.
pub(crate) fn is_current(here: &Pool, there: &Pool, id: &GlobalImageId) -> Result<bool> {
    let (ours, theirs) = (here.open_by_global_id_read_only(id)?, there.open_by_global_id_read_only(id)?);
    if ours.mirror_mode()? == Some(MirrorImageMode::Snapshot) {
        return snapshot_is_current(&ours, &theirs);
    }
    let (our_uuid, their_journal) = (here.mirror_uuid()?, theirs.journal()?);
    if their_journal.newest_tag.as_ref().is_some_and(|tag| tag.follows(&our_uuid)) {
        return Ok(true);
    }
    // They did the last epoch themselves. Then we must have replayed it, up to the demotion that ended it.
    let replayed = their_journal.peer(&our_uuid).is_some_and(|peer| {
        peer.connected && peer.state == PeerState::Replaying && peer.position >= their_journal.local
    });
    Ok(their_journal.is_demoted() && replayed)
}

fn snapshot_is_current(ours: &Image, theirs: &Image) -> Result<bool> {
    let (Some((our_id, our)), Some((their_id, their))) =
        (newest_mirror_snapshot(ours)?, newest_mirror_snapshot(theirs)?)
    else {
        return Ok(false);
    };
    let they_follow = their.primary_id.is_some_and(|at| at <= our_id) && our.primary_id.is_none();
    let we_have_theirs = our.complete && our.primary_id == Some(their_id);
    Ok(they_follow || we_have_theirs)
}
