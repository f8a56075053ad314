//! The free text of a status, read: numbers of a replay where it has them, the cause of a stop where it is known.
//!
//! ```text
//!   replaying, {"entries_behind_primary":0,…}                  journal mode, since Ceph 15
//!   replaying, {"replay_state":"idle",…}                       snapshot mode
//!   replaying, master_position=[object_number=3, …], …         journal mode, before
//!   split-brain detected                                       a cause
//! ```
//! Absent is not zero: every number is an `Option`. Text that is not understood is kept, never an error. It is read when it is asked
//! for: to list ten thousand statuses, or to compare them, takes no number of them.

use std::fmt;

use crate::journal::Position;
use crate::json;

/// The text of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The text as the daemon wrote it.
    pub text: String,
}

/// What the text of a status says.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Meaning {
    /// Following, in journal mode.
    Journal(JournalReplay),
    /// Following, in snapshot mode.
    Snapshot(SnapshotReplay),
    /// About to follow.
    StartingReplay,
    /// Copying the image as a whole.
    Bootstrapping,
    /// Not following, because the image is primary here.
    LocalIsPrimary,
    /// Not following, because the image was promoted here by force.
    ForcePromoted,
    /// Waiting: the peer's image is not primary either.
    RemoteNotPrimary,
    /// The copies have diverged. Sticky: it may be a moment's echo, so believe it only when it persists.
    SplitBrain,
    /// A resync was asked for.
    ResyncRequested,
    /// The peer's image is gone, and this copy with it.
    RemoteGone,
    /// This peer fell too far behind and was cut off: it needs a resync.
    Disconnected,
    /// Stopped, without a reason given.
    Stopped,
    /// Nothing was written, or librbd lost it.
    NotFound,
    /// A text this crate has no name for; usually a cause of [`super::SiteState::Error`].
    Other,
}

/// How a replay in journal mode is getting on.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct JournalReplay {
    /// The last position that the primary had committed when the daemon looked.
    pub primary_position: Option<Position>,
    /// The last position that the replica has committed. It may be ahead of the primary's.
    pub non_primary_position: Option<Position>,
    /// Entries between the two. Zero means that nothing is known to be missing, not that nothing is. Negative in old releases.
    pub entries_behind_primary: Option<i64>,
    /// The speed of the replay.
    pub bytes_per_second: Option<f64>,
    /// The speed of the replay.
    pub entries_per_second: Option<f64>,
    /// An estimate, only while behind and moving. A number that makes no sense (librbd divides by almost zero) is `None`.
    pub seconds_until_synced: Option<u64>,
}

/// How a replica in snapshot mode is getting on.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SnapshotReplay {
    /// Whether a snapshot is being fetched.
    pub replay_state: Option<String>,
    /// When the primary's newest snapshot was taken, by the primary's clock, in Unix seconds.
    pub remote_snapshot_timestamp: Option<i64>,
    /// When the newest snapshot that is complete here was taken, by the primary's clock, in Unix seconds.
    pub local_snapshot_timestamp: Option<i64>,
    /// When the primary's newest snapshot was taken, while one is fetched (not necessarily that one), in Unix seconds.
    pub syncing_snapshot_timestamp: Option<i64>,
    /// How much of the snapshot is here, in percent.
    pub syncing_percent: Option<f64>,
    /// The speed of the transfer.
    pub bytes_per_second: Option<f64>,
    /// The mean size of a snapshot's difference.
    pub bytes_per_snapshot: Option<f64>,
    /// The size of the last snapshot's difference.
    pub last_snapshot_bytes: Option<i64>,
    /// How long the last snapshot took.
    pub last_snapshot_sync_seconds: Option<u64>,
    /// An estimate, while one is fetched.
    pub seconds_until_synced: Option<u64>,
}

impl Description {
    /// The text of a status.
    #[must_use]
    #[inline]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Reads what the text says. Total: what is not understood is [`Meaning::Other`].
    #[must_use]
    #[inline]
    pub fn meaning(&self) -> Meaning {
        match self.text.strip_prefix("replaying, ") {
            Some(detail) => replay(detail.trim()),
            None => cause(self.text.trim()),
        }
    }

    /// Whether the text is one of Ceph's two for a split brain.
    #[must_use]
    #[inline]
    pub fn is_split_brain(&self) -> bool {
        cause(self.text.trim()) == Meaning::SplitBrain
    }

    /// The numbers of a replay in journal mode.
    #[must_use]
    #[inline]
    pub fn journal(&self) -> Option<JournalReplay> {
        match self.meaning() {
            Meaning::Journal(replay) => Some(replay),
            _ => None,
        }
    }

    /// The numbers of a replay in snapshot mode.
    #[must_use]
    #[inline]
    pub fn snapshot(&self) -> Option<SnapshotReplay> {
        match self.meaning() {
            Meaning::Snapshot(replay) => Some(replay),
            _ => None,
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Description {
    #[inline]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;

        let mut fields = serializer.serialize_struct("Description", 2)?;
        fields.serialize_field("text", &self.text)?;
        fields.serialize_field("meaning", &self.meaning())?;
        fields.end()
    }
}

impl fmt::Display for Description {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn replay(detail: &str) -> Meaning {
    if !detail.starts_with('{') {
        return legacy(detail).map_or(Meaning::Other, Meaning::Journal);
    }
    // The two modes have no key in common that is always there: the one of snapshot mode decides.
    let snapshot = detail.contains("\"replay_state\"");
    let read = if snapshot {
        SnapshotReplay::read(detail).map(Meaning::Snapshot)
    } else {
        JournalReplay::read(detail).map(Meaning::Journal)
    };
    read.unwrap_or(Meaning::Other)
}

impl JournalReplay {
    fn read(json: &str) -> Option<Self> {
        let names = [
            "bytes_per_second",
            "entries_behind_primary",
            "entries_per_second",
            "non_primary_position",
            "primary_position",
            "seconds_until_synced",
        ];
        let [bytes, behind, entries, non_primary, primary, left] = json::fields(json, names)?;
        Some(Self {
            primary_position: primary.position(),
            non_primary_position: non_primary.position(),
            entries_behind_primary: behind.integer(),
            bytes_per_second: bytes.number(),
            entries_per_second: entries.number(),
            seconds_until_synced: left.seconds(),
        })
    }
}

impl SnapshotReplay {
    fn read(json: &str) -> Option<Self> {
        let names = [
            "bytes_per_second",
            "bytes_per_snapshot",
            "last_snapshot_bytes",
            "last_snapshot_sync_seconds",
            "local_snapshot_timestamp",
            "remote_snapshot_timestamp",
            "replay_state",
            "seconds_until_synced",
            "syncing_percent",
            "syncing_snapshot_timestamp",
        ];
        let [speed, mean, last, took, local, remote, state, left, percent, syncing] =
            json::fields(json, names)?;
        Some(Self {
            replay_state: state.text(),
            remote_snapshot_timestamp: remote.integer(),
            local_snapshot_timestamp: local.integer(),
            syncing_snapshot_timestamp: syncing.integer(),
            syncing_percent: percent.number(),
            bytes_per_second: speed.number(),
            bytes_per_snapshot: mean.number(),
            last_snapshot_bytes: last.integer(),
            last_snapshot_sync_seconds: took.seconds(),
            seconds_until_synced: left.seconds(),
        })
    }
}

/// The texts of rbd-mirror, as in tools/rbd_mirror/ImageReplayer.cc and its bootstrap requests, Ceph 10 to 20.
fn cause(text: &str) -> Meaning {
    match text {
        "split-brain detected" | "split-brain" => Meaning::SplitBrain,
        "local image is primary" => Meaning::LocalIsPrimary,
        "force promoted" => Meaning::ForcePromoted,
        "remote image is not primary" | "remote image is non-primary" | "remote image demoted" => {
            Meaning::RemoteNotPrimary
        }
        "remote image no longer exists" => Meaning::RemoteGone,
        "resync requested" => Meaning::ResyncRequested,
        "starting replay" => Meaning::StartingReplay,
        "stopped" | "" => Meaning::Stopped,
        "status not found" => Meaning::NotFound,
        _ if text.starts_with("bootstrapping") || text.starts_with("syncing") => Meaning::Bootstrapping,
        _ if text.starts_with("disconnected") => Meaning::Disconnected,
        _ if text.starts_with("remote image is non-primary") => Meaning::RemoteNotPrimary,
        _ => Meaning::Other,
    }
}

/// `master_position=[object_number=3, tag_tid=2, entry_tid=3], mirror_position=[], entries_behind_master=-3`
fn legacy(detail: &str) -> Option<JournalReplay> {
    let bracketed = |key: &str| -> Option<&str> {
        let rest = detail.split_once(key)?.1.strip_prefix("=[")?;
        rest.split_once(']').map(|(inside, _)| inside)
    };
    let behind = detail.split_once("entries_behind_master=")?.1;
    let behind = behind.split(|c: char| c != '-' && !c.is_ascii_digit()).next()?;
    Some(JournalReplay {
        primary_position: legacy_position(bracketed("master_position")?),
        non_primary_position: legacy_position(bracketed("mirror_position")?),
        entries_behind_primary: behind.parse().ok(),
        ..JournalReplay::default()
    })
}

fn legacy_position(inside: &str) -> Option<Position> {
    let field = |name: &str| -> Option<u64> {
        inside.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    Some(Position { tag_tid: field("tag_tid")?, entry_tid: field("entry_tid")? })
}

#[cfg(test)]
mod tests;
