//! What a site says of itself: identity, peers, daemons, space, leases.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MirrorUuid;
use crate::Moment;

/// Who a site is, and how its pool mirrors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster's fsid.
    pub fsid: String,
    /// The site's name as Ceph has it; `None` if it was never set (Ceph then answers the fsid).
    pub site_name: Option<String>,
    /// The pool.
    pub pool: String,
    /// The pool's mirror uuid.
    pub mirror_uuid: MirrorUuid,
    /// How the pool mirrors.
    pub pool_mode: PoolMode,
    /// Its peers.
    pub peers: Vec<PeerView>,
    /// How long replicas stay in the trash, in seconds; `None` where it is not set.
    pub delete_delay_seconds: Option<u64>,
    /// The version of librbd that is used to talk to it, `1.16.0`.
    pub librbd: String,
    /// The cluster's release, `16.2.15`, where it was told.
    pub ceph: Option<String>,
}

/// How a pool mirrors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PoolMode {
    /// Not at all.
    #[default]
    Disabled,
    /// The images that were enabled one by one.
    Image,
    /// Every image with journaling.
    Pool,
    /// Another mode of a newer Ceph.
    Other,
}

/// A peer of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its number here.
    pub uuid: String,
    /// Its site's name; an fsid means that the name was never set there.
    pub site_name: String,
    /// Whether this pool receives from it.
    pub receives: bool,
    /// Whether this pool sends to it.
    pub sends: bool,
    /// The mirror uuid of its pool; `None` until the first contact.
    pub mirror_uuid: Option<MirrorUuid>,
    /// When it was last heard of.
    pub last_seen: Option<Moment>,
}

/// An rbd-mirror daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its id.
    pub id: String,
    /// Its host.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Whether it leads.
    pub leader: bool,
    /// How it is.
    pub health: DaemonHealth,
    /// What it complains of.
    pub callouts: Vec<String>,
}

/// How a daemon is, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DaemonHealth {
    /// Well.
    Ok,
    /// With a complaint; it may replicate all the same.
    Warning,
    /// Not well.
    Error,
    /// It did not say.
    Unknown,
}

/// Space for a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Bytes that the pool holds.
    pub used_bytes: u64,
    /// Bytes that it can still take, copies accounted for.
    pub free_bytes: u64,
    /// Whether the cluster warns that it is nearly full.
    pub near_full: bool,
    /// Whether it takes no more writes.
    pub full: bool,
}

/// A bootstrap token. It holds a key: its `Debug` is silent.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token from its text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

/// Who has a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its owner, `user@host run 2026-11-22-03`.
    pub owner: String,
    /// Until when, unless it is prolonged.
    pub until: Moment,
}
