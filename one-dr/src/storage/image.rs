//! What a site says of an image.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GlobalImageId, ImageId};
use crate::Moment;

/// What an image is at one site, by that site's own cluster, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Mirroring is not enabled for it.
    NotMirrored,
    /// Mirroring is being disabled, or an enable or disable was broken off.
    Disabling,
    /// Written here. The other site may believe the same of itself.
    Primary,
    /// Not written here, and owned by another site, as far as this one has heard.
    NonPrimary,
    /// Not written here, and owned by nobody: it was demoted here, or the peer's demotion has arrived.
    Orphan,
    /// A state of a newer Ceph.
    Other,
}

impl Role {
    /// Whether the image is mirrored and not primary here.
    #[must_use]
    pub fn is_non_primary(self) -> bool {
        matches!(self, Self::NonPrimary | Self::Orphan)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotMirrored => "not mirrored",
            Self::Disabling => "being disabled",
            Self::Primary => "primary",
            Self::NonPrimary => "non-primary",
            Self::Orphan => "non-primary (demoted)",
            Self::Other => "in a state unknown to this version",
        })
    }
}

/// How an image is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorMode {
    /// By its journal.
    #[default]
    Journal,
    /// By mirror snapshots.
    Snapshot,
}

/// Somebody who has an image open for writing, or holds its lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// Address and nonce, `10.0.0.5:0/3714567890`.
    pub address: String,
    /// The client, `client.4711`, where it is known.
    pub client: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.client {
            Some(client) => write!(f, "{client} at {}", self.address),
            None => f.write_str(&self.address),
        }
    }
}

/// A parent: `pool/image@snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParentSpec {
    /// Pool, with its namespace if it has one.
    pub pool: String,
    /// Image.
    pub image: String,
    /// Snapshot.
    pub snapshot: String,
}

impl fmt::Display for ParentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.pool, self.image, self.snapshot)
    }
}

/// One image at one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageView {
    /// Its name here.
    pub name: String,
    /// Its id here; a resync changes it.
    pub image_id: ImageId,
    /// Its identity at both sites; `None` if it is not mirrored.
    pub global_id: Option<GlobalImageId>,
    /// What it is here.
    pub role: Role,
    /// How it is mirrored; `None` if it is not.
    pub mode: Option<MirrorMode>,
    /// Its size.
    pub bytes: u64,
    /// Its feature bits, as librbd numbers them.
    pub features: u64,
    /// What it is a clone of.
    pub parent: Option<ParentSpec>,
    /// Who has it open for writing, this site's rbd-mirror left out.
    pub users: Vec<Holder>,
    /// Whether this site's rbd-mirror has it open.
    pub daemon_has_it: bool,
    /// Whether this site's daemon reports a split brain. A report, up to half a minute old.
    pub split_brain: bool,
    /// Whether the first copy was ever complete, by what this site knows; `None` where nothing here says so either way.
    /// A primary is complete.
    pub complete: Option<bool>,
    /// Whether a resync has been asked for and not begun; `None` where that cannot be seen.
    pub resync_requested: Option<bool>,
    /// The daemon's words on it. To show, never to decide by.
    pub status: Option<String>,
    /// When this site's daemon last heard of the peer's image, as far as its status says.
    pub last_contact: Option<Moment>,
}

/// An entry of the list of mirrored images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirroredImage {
    /// Its name here.
    pub name: String,
    /// Its id here.
    pub image_id: ImageId,
    /// Its identity.
    pub global_id: GlobalImageId,
}

/// An entry of the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashEntry {
    /// The id it had.
    pub image_id: ImageId,
    /// The name it had.
    pub name: String,
    /// Whether mirroring put it there: a replica whose primary was removed, or the old copy at a resync.
    pub by_mirroring: bool,
    /// Until when it is kept.
    pub until: Moment,
}

/// How the replica at the peer stands to a primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Follower {
    /// The image is not primary at the site that was asked.
    NotPrimary,
    /// It is primary at both.
    TwoPrimaries,
    /// The peer does not answer.
    PeerSilent,
    /// The peer has no such image (yet).
    NoReplica,
    /// The peer's daemon has not registered with the primary.
    NotRegistered,
    /// The first copy is under way.
    Syncing,
    /// Cut off: too far behind, needs a resync.
    Disconnected,
    /// Diverged, as the peer's daemon reports.
    SplitBrain,
    /// It follows, and is behind; how far, in words.
    Behind(String),
    /// It has all that the primary had committed when it was looked at.
    CaughtUp,
}

impl fmt::Display for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPrimary => f.write_str("the image is not primary where it should be"),
            Self::TwoPrimaries => f.write_str("primary at both sites"),
            Self::PeerSilent => f.write_str("the other site does not answer"),
            Self::NoReplica => f.write_str("no replica at the other site"),
            Self::NotRegistered => f.write_str("the other site's rbd-mirror has not registered"),
            Self::Syncing => f.write_str("the first copy is not complete"),
            Self::Disconnected => f.write_str("cut off: too far behind, needs a resync"),
            Self::SplitBrain => f.write_str("diverged (split brain)"),
            Self::Behind(how) => write!(f, "behind: {how}"),
            Self::CaughtUp => f.write_str("caught up"),
        }
    }
}
