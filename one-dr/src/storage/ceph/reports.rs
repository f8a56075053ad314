//! What the daemons report of a whole pool: a read for some thousands of images. To show; a decision looks at each image.

use rbd_mirror::status::description::Meaning;
use rbd_mirror::status::{ImageStatus, SiteState};
use serde::{Deserialize, Serialize};

use super::Ceph;
use crate::clock::Moment;
use crate::storage::{GlobalImageId, Result};

/// What a site's daemon last said of an image, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Word {
    /// It is primary there.
    Primary,
    /// It follows.
    Replaying,
    /// It is copied for the first time, or about to follow.
    Syncing,
    /// Nobody is primary, as far as that daemon has heard.
    NobodyPrimary,
    /// The copies have diverged.
    SplitBrain,
    /// Cut off: it needs a resync.
    Disconnected,
    /// Another error; see its words.
    Error,
    /// It was promoted by force, and the daemon has not let go.
    Stopping,
    /// No word yet, or none that is known.
    Unknown,
}

/// One image as a site reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its name there.
    pub name: String,
    /// Its identity.
    pub global_id: GlobalImageId,
    /// What it is, reportedly.
    pub word: Word,
    /// Whether that site's daemon is alive.
    pub up: bool,
    /// The daemon's words.
    pub text: String,
    /// When they were written.
    pub at: Option<Moment>,
    /// When the *peer's* daemon last reached this site.
    pub peer_at: Option<Moment>,
    /// Entries that are known to be missing, in journal mode. None is no proof that nothing is.
    pub entries_behind: Option<u64>,
}

impl Ceph {
    /// The reports on all mirrored images of the pool, in pages.
    ///
    /// # Errors
    /// [`Error::Unreachable`](crate::storage::Error::Unreachable)
    pub fn reports(&self) -> Result<Vec<Report>> {
        self.here.read("read the statuses", |pool| {
            let mut reports = Vec::new();
            for status in pool.statuses() {
                reports.extend(report(status?));
            }
            Ok(reports)
        })
    }
}

fn report(status: ImageStatus) -> Option<Report> {
    let peer_at = status.peers.iter().filter_map(|(_, word)| word.last_update).max();
    let local = status.local.as_ref();
    let meaning = local.map(|local| local.description.meaning());
    let behind = match &meaning {
        Some(Meaning::Journal(replay)) => replay.entries_behind_primary,
        _ => None,
    };
    Some(Report {
        global_id: status.id.clone()?,
        word: local.zip(meaning).map_or(Word::Unknown, |(local, meaning)| word(local.state, &meaning)),
        up: local.is_some_and(|local| local.up),
        text: words(&status),
        at: local.and_then(|local| local.last_update).map(Into::into),
        peer_at: peer_at.map(Into::into),
        entries_behind: behind.map(|entries| u64::try_from(entries).unwrap_or(0)),
        name: status.name,
    })
}

/// The text of a status, without its numbers.
fn words(status: &ImageStatus) -> String {
    let text = status.to_string();
    text.split_once(", {").map_or(text.as_str(), |(words, _)| words).to_owned()
}

fn word(state: SiteState, meaning: &Meaning) -> Word {
    // "stopped" has three meanings, and "error" many: the text decides.
    match (state, meaning) {
        (SiteState::Error, Meaning::SplitBrain) => Word::SplitBrain,
        (_, Meaning::Disconnected) => Word::Disconnected,
        (SiteState::Error, _) => Word::Error,
        (_, Meaning::LocalIsPrimary | Meaning::ForcePromoted) => Word::Primary,
        (_, Meaning::RemoteNotPrimary) => Word::NobodyPrimary,
        (SiteState::Replaying, _) => Word::Replaying,
        (SiteState::Syncing | SiteState::StartingReplay, _) => Word::Syncing,
        (SiteState::StoppingReplay, _) => Word::Stopping,
        _ => Word::Unknown,
    }
}
