//! The causes behind librbd's errnos, and the refusals of our own guards.

use std::fmt;

use crate::mode::MirrorImageMode;
use crate::name::{GlobalImageId, ImageId};

/// Why an operation was refused. Each says what is, and what to do next.
///
/// What librbd calls `EINVAL` is one of ten of these; what it calls `EBUSY` on a promotion is
/// [`PrimaryElsewhere`](Self::PrimaryElsewhere) alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Refusal {
    /// The image is there, mirroring is not enabled for it.
    NotMirrored,

    /// Mirroring is being disabled for the image.
    Disabling,

    /// The image is primary here already.
    AlreadyPrimary,

    /// The image is not primary here.
    NotPrimary,

    /// The peer is primary, or its demotion has not arrived here yet.
    PrimaryElsewhere,

    /// The peer's own cluster says that the image is primary there. Found by looking at both sites.
    PeerIsPrimary,

    /// A forced promotion was asked for while the peer is alive and primary.
    PeerAliveAndPrimary,

    /// The data here is not what the peer's demotion left: this copy diverged, or has not replayed to the end.
    NotSynced,

    /// The first copy is not complete.
    StillSyncing,

    /// Nothing says whether the first copy is complete.
    CompletenessUnknown,

    /// A resync was asked for, and the peer is not primary: it would delete the only copy that may be good.
    PeerNotPrimary,

    /// A resync was asked for, and the peer's cluster does not answer: there is no proof that it is primary.
    PeerUnknown,

    /// Somebody has the image open.
    InUse(Box<str>),

    /// The consent was given for another image.
    ConsentMismatch {
        /// What the image has.
        actual: GlobalImageId,
    },

    /// The image is primary; only a follower can be resynced.
    IsPrimary,

    /// Mirroring is off for the pool.
    PoolMirroringDisabled,

    /// The pool mirrors all its journaled images by itself.
    PoolModePool,

    /// A clone, and its parent is not mirrored.
    ParentNotMirrored {
        /// The parent as `pool/image@snapshot`.
        parent: Box<str>,
    },

    /// The image is mirrored in the other mode.
    OtherMode {
        /// The mode it is mirrored in.
        is: MirrorImageMode,
    },

    /// The journal's object is there and the feature is not: librbd would crash this process.
    OrphanJournal {
        /// The image's id.
        image_id: ImageId,
    },

    /// The journal belongs to the peer: the image is a replica whose mirroring was cut.
    JournalOwnedByPeer,

    /// Another client holds the exclusive lock and does not give it up.
    LockHeld,

    /// The image lacks the exclusive-lock feature.
    NoExclusiveLock,

    /// The handle was opened read-only.
    ReadOnlyHandle,

    /// The image is a replica: it cannot be written before it is promoted.
    Replica,

    /// The image is primary, and a daemon still holds the lock of its time as a replica.
    LockHeldByDaemon {
        /// The holder as librbd names it.
        owner: Box<str>,
    },

    /// Another client has the lock on the object.
    LockedBy(Box<str>),

    /// There is nothing to mend.
    NotBroken,

    /// The image has no parent.
    NotAClone,

    /// A mirrored clone hangs on the image.
    ChildMirrored,

    /// Mirroring cannot be disabled while peers are registered.
    PeersRegistered,

    /// Images are mirrored, or being made, in the pool.
    ImagesMirrored,

    /// A mirror snapshot needs a peer to keep it for.
    NoPeers,

    /// The bootstrap token is not one.
    TokenUnreadable,

    /// The bootstrap token was made by this very cluster.
    OwnToken,

    /// The pool has a receiving peer already.
    SecondReceivingPeer,

    /// The user for peers exists with other capabilities than mirroring needs.
    PeerUserCapsDiffer,

    /// The two pools are not peers of each other.
    NotPeers,

    /// The peer's pool does not mirror, or does not exist.
    PeerPoolNotMirroring,

    /// No keyring, or no such user.
    NoKey,

    /// The client was blocklisted, as a fenced client is.
    Blocklisted,

    /// Snapshots, clones or watchers hang on the image.
    Busy,

    /// The snapshot is not protected, as a clone of format 1 needs it.
    SnapshotNotProtected,

    /// The pool, or a quota of it, is full.
    Full,

    /// The image has as many snapshots as its limit allows.
    SnapshotLimit,

    /// The image has no object map.
    NoObjectMap,

    /// The manager's module is not ready yet.
    ManagerNotReady,

    /// librbd refused, and none of the causes known here explains it.
    Unexplained,
}

impl fmt::Display for Refusal {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMirrored => f.write_str("mirroring is not enabled for this image: enable it first"),
            Self::Disabling => f.write_str("mirroring is being disabled for this image: wait until it is, then enable it again"),
            Self::AlreadyPrimary => f.write_str("the image is primary here already"),
            Self::NotPrimary => f.write_str("the image is not primary here: its peer is, or both are demoted"),
            Self::PrimaryElsewhere => f.write_str("the peer is primary, or its demotion has not arrived here yet: demote there and wait for the demotion"),
            Self::PeerIsPrimary => f.write_str("the image is primary at the peer, which answers: a promotion now makes two primaries; demote there first"),
            Self::PeerAliveAndPrimary => f.write_str("the peer answers and is primary, so force would make two primaries: demote there and promote cleanly, or cut the \
         peer off first"),
            Self::NotSynced => f.write_str("this copy has not replayed the peer's demotion to its end, so it may be stale or diverged: resync it first"),
            Self::StillSyncing => f.write_str("the first copy from the peer is not complete, so this is no image of any moment: nothing here can be promoted"),
            Self::CompletenessUnknown => f.write_str("nothing here says that the first copy from the peer was ever complete: promoted, it may be half an image; say so \
         explicitly if it is to be done all the same"),
            Self::PeerNotPrimary => f.write_str("the peer is not primary now, so a resync would delete this copy with nothing to fetch it from again: promote the \
         peer first"),
            Self::PeerUnknown => f.write_str("the peer does not answer, so nothing proves that it is primary: a resync would delete this copy"),
            Self::InUse(what) => write!(f, "the image is open elsewhere ({what}): stop that writer first"),
            Self::ConsentMismatch { actual } => write!(f, "the consent names another image: this one's global id is {actual}"),
            Self::IsPrimary => f.write_str("the image is primary here: demote it first, if the peer's data is to stay"),
            Self::PoolMirroringDisabled => f.write_str("mirroring is not enabled for the pool: set its mode to `image` first"),
            Self::PoolModePool => f.write_str("the pool is in `pool` mode, where single images are not enabled or disabled: set its mode to `image`"),
            Self::ParentNotMirrored { parent } => write!(f, "the image is a clone of {parent}, which is not mirrored: flatten the image first"),
            Self::OtherMode { is } => write!(f, "the image is mirrored in {is} mode: disable mirroring before enabling it in another mode"),
            Self::OrphanJournal { image_id } => write!(f, "an earlier enable was killed and left the object journal.{image_id}: enabling again would crash this process; \
         remove it with `heal_orphan_journal`"),
            Self::JournalOwnedByPeer => f.write_str("the image's journal is owned by the peer"),
            Self::LockHeld => f.write_str("another client holds the exclusive lock and does not give it up: stop it, or break its lock"),
            Self::NoExclusiveLock => f.write_str("the image lacks the exclusive-lock feature"),
            Self::ReadOnlyHandle => f.write_str("the image was opened read-only"),
            Self::Replica => f.write_str("the image is a replica here and is written by rbd-mirror alone: promote it first"),
            Self::LockHeldByDaemon { owner } => write!(f, "the image is primary, but {owner} holds its lock from its time as a replica: take it over"),
            Self::LockedBy(what) => write!(f, "{what} has the lock: wait until it gives it back or it runs out"),
            Self::NotBroken => f.write_str("nothing is broken there: look at both sites again"),
            Self::NotAClone => f.write_str("the image is not a clone: there is nothing to flatten"),
            Self::ChildMirrored => f.write_str("a mirrored clone hangs on this image: disable or flatten the clone first"),
            Self::PeersRegistered => f.write_str("peers are still registered for the pool: remove them first"),
            Self::ImagesMirrored => f.write_str("images are still mirrored in the pool: disable them first"),
            Self::NoPeers => f.write_str("no peer is registered for the pool that would fetch a mirror snapshot"),
            Self::TokenUnreadable => f.write_str("the bootstrap token cannot be read: it is cut short or not a token"),
            Self::OwnToken => f.write_str("the bootstrap token was made by this cluster: import it at the other site"),
            Self::SecondReceivingPeer => f.write_str("the pool has a peer it receives from already; rbd-mirror follows one only"),
            Self::PeerUserCapsDiffer => f.write_str("the user client.rbd-mirror-peer exists with other capabilities than `profile rbd-mirror-peer` and `profile rbd`: \
         correct them (`ceph auth caps`) or remove that user"),
            Self::NotPeers => f.write_str("this pool does not receive from that one: they are not peers"),
            Self::PeerPoolNotMirroring => f.write_str("the peer's pool does not exist or does not mirror: enable mirroring there first"),
            Self::NoKey => f.write_str("no key for this client: check the keyring's path and the user's name"),
            Self::Blocklisted => f.write_str("this client is blocklisted: it was fenced; make a new connection when that is over"),
            Self::Busy => f.write_str("snapshots, clones or watchers keep the image busy"),
            Self::SnapshotNotProtected => f.write_str("the parent snapshot is not protected, as a clone of format 1 needs it"),
            Self::Full => f.write_str("the pool is full, or its quota is used up"),
            Self::SnapshotLimit => f.write_str("the image has as many snapshots as its limit allows: remove one, or raise the limit"),
            Self::NoObjectMap => f.write_str("the image lacks the object-map feature: there is nothing to rebuild"),
            Self::ManagerNotReady => f.write_str("the manager's module rbd_support is not ready yet: wait a moment (`schedule::ready`)"),
            Self::Unexplained => f.write_str("librbd refuses it, and no known cause explains why: see the client's log (`debug_rbd=20`)"),
        }
    }
}

impl std::error::Error for Refusal {}
