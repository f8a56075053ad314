//! Whether a replica has everything: proof from the sites' own records, not from a status.
//!
//! Journal mode: the peer's entry in the primary's journal says whether it still copies or replays, and how far it is.
//! Snapshot mode: the replica's newest mirror snapshot names the primary's newest, and is complete.

use std::fmt;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::journal::{PeerState, Position, TagOwner};
use crate::mode::MirrorImageMode;
use crate::name::{GlobalImageId, MirrorUuid};
use crate::pool::Pool;
use crate::snapshot::{MirrorSnapshot, MirrorSnapshotState, SnapshotNamespace};
use crate::status::{ImageStatus, SiteState};

/// How a replica stands to its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum SyncState {
    /// The image is not primary where its primary should be: nothing follows it.
    NotPrimary,
    /// The image is primary at both sites: neither follows the other.
    TwoPrimaries,
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
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPrimary => f.write_str("not primary where its primary should be"),
            Self::TwoPrimaries => f.write_str("primary at both sites"),
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
#[inline]
pub fn sync_state(primary: &Pool, replica: &Pool, id: &GlobalImageId) -> Result<SyncState> {
    let image = primary.open_by_global_id_read_only(id)?;
    if !image.role()?.is_primary() {
        return Ok(SyncState::NotPrimary);
    }
    let copy = match replica.open_by_global_id_read_only(id) {
        // Also what a resync looks like from here, between the old copy and the new one.
        Err(Error::NotFound { .. }) => return Ok(SyncState::NoReplica),
        other => other?,
    };
    if copy.role()?.is_primary() {
        return Ok(SyncState::TwoPrimaries);
    }
    match image.mirror_mode()? {
        Some(MirrorImageMode::Snapshot) => snapshot_state(&image, &copy),
        _ => journal_state(&image, &replica.mirror_uuid()?),
    }
}

fn journal_state(primary: &Image, follower: &MirrorUuid) -> Result<SyncState> {
    let journal = primary.journal()?;
    let Some(peer) = journal.peer(follower) else { return Ok(SyncState::NotRegistered) };
    let shown =
        |position: Option<Position>| position.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
    Ok(match (peer.state, journal.local) {
        _ if !peer.connected => SyncState::Disconnected,
        // A primary has always committed something: at least its own promotion, or the point from which it was first copied.
        (PeerState::Replaying, Some(local)) if peer.position >= Some(local) => SyncState::CaughtUp,
        (PeerState::Replaying, local) => {
            SyncState::Behind { done: shown(peer.position), newest: shown(local) }
        }
        _ => SyncState::Syncing,
    })
}

fn snapshot_state(primary: &Image, copy: &Image) -> Result<SyncState> {
    let uuid = primary.pool().mirror_uuid()?;
    let (Some((newest, _)), Some((_, fetched))) =
        (newest_mirror_snapshot(primary)?, newest_mirror_snapshot(copy)?)
    else {
        return Ok(SyncState::NotRegistered);
    };
    Ok(match fetched.fetched_from(&uuid) {
        Some(at) if at == newest && fetched.complete => SyncState::CaughtUp,
        Some(at) => {
            let part = if fetched.complete { "" } else { " (incomplete)" };
            SyncState::Behind { done: format!("snapshot {at}{part}"), newest: format!("snapshot {newest}") }
        }
        None => SyncState::NotRegistered,
    })
}

impl MirrorSnapshot {
    /// The id that the snapshot has at that pool, if it was fetched from there.
    fn fetched_from(&self, pool: &MirrorUuid) -> Option<u64> {
        self.primary_id.filter(|_| self.primary_uuid.as_ref() == Some(pool))
    }
}

/// The id that the newest snapshot which the copy has as a whole has at that pool, its primary's.
pub(crate) fn newest_complete(copy: &Image, primary: &MirrorUuid) -> Result<Option<u64>> {
    let fetched = copy.snapshots()?.into_iter().filter_map(|snapshot| match snapshot.namespace {
        SnapshotNamespace::Mirror(mirror) if mirror.complete => mirror.fetched_from(primary),
        _ => None,
    });
    Ok(fetched.max())
}

fn newest_mirror_snapshot(image: &Image) -> Result<Option<(u64, MirrorSnapshot)>> {
    let mirror = image.snapshots()?.into_iter().filter_map(|snapshot| match snapshot.namespace {
        SnapshotNamespace::Mirror(mirror) => Some((snapshot.id, mirror)),
        _ => None,
    });
    Ok(mirror.max_by_key(|(id, _)| *id))
}

/// Whether the demotion of an image at `demoted` has arrived at `here`, with everything before it: a clean promotion at `here` will
/// succeed, and it will lose nothing.
///
/// A copy that was primary itself and was demoted is not a copy of the other one: it answers `false`, although librbd would promote
/// it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such image; what reading either site answers.
#[inline]
pub fn demotion_has_arrived(demoted: &Pool, here: &Pool, id: &GlobalImageId) -> Result<bool> {
    let uuid = demoted.mirror_uuid()?;
    let image = here.open_by_global_id_read_only(id)?;
    if image.mirror_mode()? == Some(MirrorImageMode::Snapshot) {
        let source = newest_mirror_snapshot(&demoted.open_by_global_id_read_only(id)?)?;
        let newest = newest_mirror_snapshot(&image)?;
        let (Some((at, source)), Some((_, newest))) = (source, newest) else { return Ok(false) };
        return Ok(source.state == MirrorSnapshotState::PrimaryDemoted
            && newest.state == MirrorSnapshotState::NonPrimaryDemoted
            && newest.complete
            && newest.fetched_from(&uuid) == Some(at));
    }
    let newest_tag = image.journal()?.newest_tag;
    Ok(newest_tag.is_some_and(|tag| tag.owner == TagOwner::Orphan && tag.predecessor == TagOwner::Peer(uuid)))
}

/// Whether a copy was ever complete, by what its own site knows: `None` where nothing there says so either way.
///
/// # Errors
/// What reading the site answers.
pub(crate) fn was_ever_complete(copy: &Image, status: &ImageStatus) -> Result<Option<bool>> {
    if status.id.is_none() {
        return Ok(None);
    }
    match copy.mode_of_a_mirrored_image()? {
        MirrorImageMode::Snapshot => {
            let mut mirror = copy.snapshots()?.into_iter().filter_map(|snapshot| match snapshot.namespace {
                SnapshotNamespace::Mirror(mirror) => Some(mirror),
                _ => None,
            });
            // A primary's own snapshots are complete from the start, those that are fetched once they are marked so.
            Ok(Some(mirror.any(|mirror| mirror.complete || mirror.primary_id.is_none())))
        }
        _ if copy.journal()?.was_primary() => Ok(Some(true)),
        _ => Ok(status.local.as_ref().and_then(|local| match local.state {
            SiteState::Syncing => Some(false),
            // Whether the daemon is still alive does not matter: what it wrote last was so.
            SiteState::Replaying | SiteState::StoppingReplay | SiteState::Stopped => Some(true),
            _ => None,
        })),
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
    let our_uuid = here.mirror_uuid()?;
    if ours.mirror_mode()? == Some(MirrorImageMode::Snapshot) {
        return snapshot_is_current(&ours, &our_uuid, &theirs, &there.mirror_uuid()?);
    }
    let their_journal = theirs.journal()?;
    if their_journal.newest_tag.as_ref().is_some_and(|tag| tag.follows(&our_uuid)) {
        return Ok(true);
    }
    // They did the last epoch themselves. Then we must have replayed it, up to the demotion that ended it.
    let replayed = their_journal.peer(&our_uuid).is_some_and(|peer| {
        peer.connected && peer.state == PeerState::Replaying && peer.position >= their_journal.local
    });
    Ok(their_journal.is_demoted() && replayed)
}

fn snapshot_is_current(
    ours: &Image,
    our_uuid: &MirrorUuid,
    theirs: &Image,
    their_uuid: &MirrorUuid,
) -> Result<bool> {
    let (Some((our_id, our)), Some((their_id, their))) =
        (newest_mirror_snapshot(ours)?, newest_mirror_snapshot(theirs)?)
    else {
        return Ok(false);
    };
    let they_follow = our.primary_id.is_none() && their.fetched_from(our_uuid).is_some_and(|at| at <= our_id);
    let we_have_theirs = our.complete && our.fetched_from(their_uuid) == Some(their_id);
    Ok(they_follow || we_have_theirs)
}
