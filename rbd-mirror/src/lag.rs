//! How far a replica is behind, in time: what would be lost if the primary were lost now.
//!
//! A status text cannot tell. It is up to 40 s old, and says "0 behind" of a site that is dead. So the lag is taken from the primary's
//! own records, and says how sure it is ([`Lag`]); where nothing is known it is [`Lag::Unknown`] and never zero.
//!
//! *Journal mode.* Every write is an entry in the primary's journal, with the time at which it was made, before it is acknowledged. The
//! replica's daemon commits the entries it is done with. The lag is the age of the first one it is not done with. (The replica's
//! data may be further than that, by up to five seconds.)
//!
//! *Snapshot mode.* The replica is as old as the newest snapshot that it has as a whole. What the primary wrote since then, if
//! anything, is not looked at.
//!
//! Ages are this machine's clock against that of the client that wrote, or of the primary's cluster: clocks that differ by a second
//! make a lag that is wrong by a second.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::image::Image;
use crate::journal::{PeerState, Position};
use crate::mode::MirrorImageMode;
use crate::name::{GlobalImageId, MirrorUuid};
use crate::pool::Pool;
use crate::sync::newest_complete;

mod entry;
mod tail;

pub use tail::Unreplayed;

/// How far a replica is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Lag {
    /// By just so much. Zero: the replica has everything that was acknowledged when this was read.
    Known(Duration),
    /// By no more than this.
    AtMost(Duration),
    /// Nothing is known, and why.
    Unknown(WhyUnknown),
}

/// Why a lag is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum WhyUnknown {
    /// The image is not primary where its primary should be.
    NotPrimary,
    /// The replica's daemon has not registered with the primary's journal, or has fetched no snapshot.
    NotRegistered,
    /// The first copy, or that after a resync, is still under way: there is no replica yet.
    Syncing,
    /// The replica fell too far behind and was cut off: it needs a resync.
    Disconnected,
    /// In journal mode only the primary knows, and it was not asked.
    PrimaryNotAsked,
    /// The journal has a format, or lies in a pool, that this crate does not read.
    UnreadableJournal,
}

impl Lag {
    /// The most that it can be; `None` if nothing is known.
    #[must_use]
    #[inline]
    pub fn bound(&self) -> Option<Duration> {
        match self {
            Self::Known(lag) | Self::AtMost(lag) => Some(*lag),
            Self::Unknown(_) => None,
        }
    }

    /// Whether it is known to be no more than this.
    #[must_use]
    #[inline]
    pub fn is_within(&self, limit: Duration) -> bool {
        self.bound().is_some_and(|bound| bound <= limit)
    }
}

impl fmt::Display for Lag {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(lag) => write!(f, "{:.1} s", lag.as_secs_f64()),
            Self::AtMost(lag) => write!(f, "at most {:.1} s", lag.as_secs_f64()),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

impl fmt::Display for WhyUnknown {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPrimary => "it is not primary where its primary should be",
            Self::NotRegistered => "the other site's daemon has not taken it up yet",
            Self::Syncing => "the copy is not complete yet",
            Self::Disconnected => "the replica was cut off and needs a resync",
            Self::PrimaryNotAsked => "only the primary's journal tells",
            Self::UnreadableJournal => "the journal cannot be read",
        })
    }
}

/// How far the replica is behind its primary, by the primary's records.
///
/// In journal mode it costs the primary about a dozen reads, of up to some hundred kilobytes each where much is not replayed yet.
///
/// # Errors
/// [`Error::NotFound`] if the primary has no such image; what reading either site answers. With a primary that does not answer,
/// [`lag_by_replica`] says what the replica alone knows.
#[inline]
pub fn lag(primary: &Pool, replica: &Pool, id: &GlobalImageId) -> Result<Lag> {
    let image = primary.open_by_global_id_read_only(id)?;
    if !image.role()?.is_primary() {
        return Ok(Lag::Unknown(WhyUnknown::NotPrimary));
    }
    match image.mirror_mode()? {
        Some(MirrorImageMode::Snapshot) => {
            let copy = match replica.open_by_global_id_read_only(id) {
                Err(Error::NotFound { .. }) => return Ok(Lag::Unknown(WhyUnknown::NotRegistered)),
                other => other?,
            };
            snapshot_lag(&image, &copy)
        }
        _ => journal_lag(&image, &replica.mirror_uuid()?),
    }
}

/// How far the replica is behind, by what its own site knows: in snapshot mode, by the time of the primary's snapshot that its daemon
/// last reported as complete; in journal mode nothing.
///
/// # Errors
/// [`Error::NotFound`] if there is no such image; what reading the site answers.
#[inline]
pub fn lag_by_replica(replica: &Pool, id: &GlobalImageId) -> Result<Lag> {
    let copy = replica.open_by_global_id_read_only(id)?;
    if copy.mirror_mode()? != Some(MirrorImageMode::Snapshot) {
        return Ok(Lag::Unknown(WhyUnknown::PrimaryNotAsked));
    }
    let replay = copy.status()?.local.and_then(|local| local.description.snapshot());
    let reported = replay.and_then(|replay| replay.local_snapshot_timestamp);
    let taken = reported.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    Ok(match taken {
        Some(taken) => Lag::AtMost(age(SystemTime::UNIX_EPOCH + taken)),
        None => Lag::Unknown(WhyUnknown::NotRegistered),
    })
}

fn journal_lag(image: &Image, follower: &MirrorUuid) -> Result<Lag> {
    Ok(match unreplayed(image, follower)? {
        Ok(None) => Lag::Known(Duration::ZERO),
        Ok(Some(first)) => Lag::AtMost(age(first.written)),
        Err(why) => Lag::Unknown(why),
    })
}

/// What is in the primary's journal that the follower is not done with; `Ok(None)` if there is nothing.
fn unreplayed(
    image: &Image,
    follower: &MirrorUuid,
) -> Result<std::result::Result<Option<Unreplayed>, WhyUnknown>> {
    let journal = image.journal()?;
    let Some(peer) = journal.peer(follower) else { return Ok(Err(WhyUnknown::NotRegistered)) };
    Ok(match peer.state {
        _ if !peer.connected => Err(WhyUnknown::Disconnected),
        PeerState::Replaying => {
            let done = peer.position.zip(peer.object);
            tail::first_after(image, done)?.ok_or(WhyUnknown::UnreadableJournal)
        }
        _ => Err(WhyUnknown::Syncing),
    })
}

fn snapshot_lag(image: &Image, copy: &Image) -> Result<Lag> {
    let Some(fetched) = newest_complete(copy, &image.pool().mirror_uuid()?)? else {
        return Ok(Lag::Unknown(WhyUnknown::NotRegistered));
    };
    let source = image.snapshots()?.into_iter().find(|snapshot| snapshot.id == fetched);
    // The primary keeps the newest snapshot that its peer has; without it there is nothing to go by.
    Ok(source.map_or(Lag::Unknown(WhyUnknown::NotRegistered), |snapshot| Lag::AtMost(age(snapshot.created))))
}

/// A time in the future is one of a clock that is ahead of ours: just now.
fn age(when: SystemTime) -> Duration {
    SystemTime::now().duration_since(when).unwrap_or_default()
}

/// What was seen of a primary's journal while it could be read, kept where the replica is: what remains to be said of the loss once the
/// primary is gone.
///
/// Each look says how far the writer was at a time. The replica has at least everything up to the newest look that it is done with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Looks {
    /// The time of a look, and the newest entry then; oldest first.
    heads: Vec<(SystemTime, Position)>,
    /// The last entry that the replica was seen to be done with.
    done: Option<Position>,
    /// Whose journal that is: positions of another one say nothing about it.
    primary: Option<MirrorUuid>,
}

/// Looks that are kept: enough for hours at one each few seconds, since those that are passed are dropped.
const LOOKS_MAX: usize = 4096;

impl Looks {
    /// Adds a look at the journal of that primary: the newest entry it had committed at that time, and how far the replica was. After a
    /// switch-over the looks begin anew.
    #[inline]
    pub fn add(&mut self, at: SystemTime, primary: &MirrorUuid, newest: Position, done: Option<Position>) {
        if self.primary.as_ref() != Some(primary) {
            *self = Self { primary: Some(primary.clone()), ..Self::default() };
        }
        self.done = self.done.max(done);
        if self.heads.len() < LOOKS_MAX {
            self.heads.push((at, newest));
        } else if let Some(last) = self.heads.last_mut() {
            *last = (at, newest);
        }
        // Of those that the replica has passed, only the newest says anything.
        let passed = self.heads.iter().rposition(|(_, newest)| Some(*newest) <= self.done);
        self.heads.drain(..passed.unwrap_or(0));
    }

    /// How much can have been lost at the most, if the primary ended at that time.
    #[must_use]
    #[inline]
    pub fn lost_by(&self, ended: SystemTime) -> Lag {
        let passed = self.heads.first().filter(|(_, newest)| Some(*newest) <= self.done);
        match passed {
            Some((at, _)) => Lag::AtMost(ended.duration_since(*at).unwrap_or_default()),
            None => Lag::Unknown(WhyUnknown::PrimaryNotAsked),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Lag, Looks, WhyUnknown};
    use crate::journal::Position;
    use crate::name::MirrorUuid;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    fn entry(entry_tid: u64) -> Position {
        Position { tag_tid: 1, entry_tid }
    }

    fn a() -> MirrorUuid {
        MirrorUuid::new("a")
    }

    #[test]
    fn after_a_switch_over_the_positions_of_the_other_journal_count_for_nothing() {
        let mut looks = Looks::default();
        looks.add(at(10), &a(), entry(900), Some(entry(900)));
        // The new primary's own journal counts from the beginning.
        looks.add(at(40), &MirrorUuid::new("b"), entry(5), None);
        assert_eq!(looks.lost_by(at(50)), Lag::Unknown(WhyUnknown::PrimaryNotAsked));
    }

    #[test]
    fn what_was_never_seen_is_unknown_and_not_zero() {
        let mut looks = Looks::default();
        assert_eq!(looks.lost_by(at(50)), Lag::Unknown(WhyUnknown::PrimaryNotAsked));
        looks.add(at(10), &a(), entry(100), Some(entry(40)));
        assert_eq!(looks.lost_by(at(50)), Lag::Unknown(WhyUnknown::PrimaryNotAsked));
    }

    #[test]
    fn the_loss_is_counted_from_the_newest_look_that_the_replica_has_passed() {
        let mut looks = Looks::default();
        looks.add(at(10), &a(), entry(100), Some(entry(40)));
        looks.add(at(15), &a(), entry(200), Some(entry(120)));
        assert_eq!(looks.lost_by(at(50)), Lag::AtMost(Duration::from_secs(40)));
        looks.add(at(20), &a(), entry(300), Some(entry(200)));
        looks.add(at(25), &a(), entry(400), Some(entry(250)));
        assert_eq!(looks.lost_by(at(26)), Lag::AtMost(Duration::from_secs(11)));
    }

    #[test]
    fn looks_do_not_pile_up_behind_a_replica_that_stands_still() {
        let mut looks = Looks::default();
        for second in 0..10_000 {
            looks.add(at(second), &a(), entry(second), None);
        }
        assert!(looks.heads.len() <= super::LOOKS_MAX);
    }
}
