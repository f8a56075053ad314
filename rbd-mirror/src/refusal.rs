//! The causes behind librbd's errnos, and the refusals of our own guards.

use crate::mode::MirrorImageMode;
use crate::name::{GlobalImageId, ImageId};

/// Why an operation was refused. Each says what is, and what to do next.
///
/// What librbd calls `EINVAL` is one of ten of these; what it calls `EBUSY` on a promotion is
/// [`PrimaryElsewhere`](Self::PrimaryElsewhere) alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Refusal {
    /// The image is there, mirroring is not enabled for it.
    #[error("mirroring is not enabled for this image: enable it first")]
    NotMirrored,

    /// Mirroring is being disabled for the image.
    #[error("mirroring is being disabled for this image: wait until it is, then enable it again")]
    Disabling,

    /// The image is primary here already.
    #[error("the image is primary here already")]
    AlreadyPrimary,

    /// The image is not primary here.
    #[error("the image is not primary here: its peer is, or both are demoted")]
    NotPrimary,

    /// The peer is primary, or its demotion has not arrived here yet.
    #[error(
        "the peer is primary, or its demotion has not arrived here yet: demote there and wait for the demotion"
    )]
    PrimaryElsewhere,

    /// The peer's own cluster says that the image is primary there. Found by looking at both sites.
    #[error(
        "the image is primary at the peer, which answers: a promotion now makes two primaries; demote there first"
    )]
    PeerIsPrimary,

    /// A forced promotion was asked for while the peer is alive and primary.
    #[error(
        "the peer answers and is primary, so force would make two primaries: demote there and promote cleanly, or cut the \
         peer off first"
    )]
    PeerAliveAndPrimary,

    /// The data here is not what the peer's demotion left: this copy diverged, or has not replayed to the end.
    #[error(
        "this copy has not replayed the peer's demotion to its end, so it may be stale or diverged: resync it first"
    )]
    NotSynced,

    /// The first copy is not complete.
    #[error(
        "the first copy from the peer is not complete, so this is no image of any moment: nothing here can be promoted"
    )]
    StillSyncing,

    /// Nothing says whether the first copy is complete.
    #[error(
        "nothing here says that the first copy from the peer was ever complete: promoted, it may be half an image; say so \
         explicitly if it is to be done all the same"
    )]
    CompletenessUnknown,

    /// A resync was asked for, and the peer is not primary: it would delete the only copy that may be good.
    #[error(
        "the peer is not primary now, so a resync would delete this copy with nothing to fetch it from again: promote the \
         peer first"
    )]
    PeerNotPrimary,

    /// A resync was asked for, and the peer's cluster does not answer: there is no proof that it is primary.
    #[error(
        "the peer does not answer, so nothing proves that it is primary: a resync would delete this copy"
    )]
    PeerUnknown,

    /// Somebody has the image open.
    #[error("the image is open elsewhere ({0}): stop that writer first")]
    InUse(Box<str>),

    /// The consent was given for another image.
    #[error("the consent names another image: this one's global id is {actual}")]
    ConsentMismatch {
        /// What the image has.
        actual: GlobalImageId,
    },

    /// The image is primary; only a follower can be resynced.
    #[error("the image is primary here: demote it first, if the peer's data is to stay")]
    IsPrimary,

    /// Mirroring is off for the pool.
    #[error("mirroring is not enabled for the pool: set its mode to `image` first")]
    PoolMirroringDisabled,

    /// The pool mirrors all its journaled images by itself.
    #[error(
        "the pool is in `pool` mode, where single images are not enabled or disabled: set its mode to `image`"
    )]
    PoolModePool,

    /// A clone, and its parent is not mirrored.
    #[error("the image is a clone of {parent}, which is not mirrored: flatten the image first")]
    ParentNotMirrored {
        /// The parent as `pool/image@snapshot`.
        parent: Box<str>,
    },

    /// The image is mirrored in the other mode.
    #[error("the image is mirrored in {is} mode: disable mirroring before enabling it in another mode")]
    OtherMode {
        /// The mode it is mirrored in.
        is: MirrorImageMode,
    },

    /// The journal's object is there and the feature is not: librbd would crash this process.
    #[error(
        "an earlier enable was killed and left the object journal.{image_id}: enabling again would crash this process; \
         remove it with `heal_orphan_journal`"
    )]
    OrphanJournal {
        /// The image's id.
        image_id: ImageId,
    },

    /// The journal belongs to the peer: the image is a replica whose mirroring was cut.
    #[error("the image's journal is owned by the peer")]
    JournalOwnedByPeer,

    /// Another client holds the exclusive lock and does not give it up.
    #[error("another client holds the exclusive lock and does not give it up: stop it, or break its lock")]
    LockHeld,

    /// The image lacks the exclusive-lock feature.
    #[error("the image lacks the exclusive-lock feature")]
    NoExclusiveLock,

    /// The handle was opened read-only.
    #[error("the image was opened read-only")]
    ReadOnlyHandle,

    /// The image is a replica: it cannot be written before it is promoted.
    #[error("the image is a replica here and is written by rbd-mirror alone: promote it first")]
    Replica,

    /// The image is primary, and a daemon still holds the lock of its time as a replica.
    #[error("the image is primary, but {owner} holds its lock from its time as a replica: take it over")]
    LockHeldByDaemon {
        /// The holder as librbd names it.
        owner: Box<str>,
    },

    /// Another client has the lock on the object.
    #[error("{0} has the lock: wait until it gives it back or it runs out")]
    LockedBy(Box<str>),

    /// There is nothing to mend.
    #[error("nothing is broken there: look at both sites again")]
    NotBroken,

    /// The image has no parent.
    #[error("the image is not a clone: there is nothing to flatten")]
    NotAClone,

    /// A mirrored clone hangs on the image.
    #[error("a mirrored clone hangs on this image: disable or flatten the clone first")]
    ChildMirrored,

    /// Mirroring cannot be disabled while peers are registered.
    #[error("peers are still registered for the pool: remove them first")]
    PeersRegistered,

    /// Images are mirrored, or being made, in the pool.
    #[error("images are still mirrored in the pool: disable them first")]
    ImagesMirrored,

    /// A mirror snapshot needs a peer to keep it for.
    #[error("no peer is registered for the pool that would fetch a mirror snapshot")]
    NoPeers,

    /// The bootstrap token is not one.
    #[error("the bootstrap token cannot be read: it is cut short or not a token")]
    TokenUnreadable,

    /// The bootstrap token was made by this very cluster.
    #[error("the bootstrap token was made by this cluster: import it at the other site")]
    OwnToken,

    /// The pool has a receiving peer already.
    #[error("the pool has a peer it receives from already; rbd-mirror follows one only")]
    SecondReceivingPeer,

    /// The user for peers exists with other capabilities than mirroring needs.
    #[error(
        "the user client.rbd-mirror-peer exists with other capabilities than `profile rbd-mirror-peer` and `profile rbd`: \
         correct them (`ceph auth caps`) or remove that user"
    )]
    PeerUserCapsDiffer,

    /// The two pools are not peers of each other.
    #[error("this pool does not receive from that one: they are not peers")]
    NotPeers,

    /// The peer's pool does not mirror, or does not exist.
    #[error("the peer's pool does not exist or does not mirror: enable mirroring there first")]
    PeerPoolNotMirroring,

    /// No keyring, or no such user.
    #[error("no key for this client: check the keyring's path and the user's name")]
    NoKey,

    /// The client was blocklisted, as a fenced client is.
    #[error("this client is blocklisted: it was fenced; make a new connection when that is over")]
    Blocklisted,

    /// Snapshots, clones or watchers hang on the image.
    #[error("snapshots, clones or watchers keep the image busy")]
    Busy,

    /// The snapshot is not protected, as a clone of format 1 needs it.
    #[error("the parent snapshot is not protected, as a clone of format 1 needs it")]
    SnapshotNotProtected,

    /// The pool, or a quota of it, is full.
    #[error("the pool is full, or its quota is used up")]
    Full,

    /// The image has as many snapshots as its limit allows.
    #[error("the image has as many snapshots as its limit allows: remove one, or raise the limit")]
    SnapshotLimit,

    /// The image has no object map.
    #[error("the image lacks the object-map feature: there is nothing to rebuild")]
    NoObjectMap,

    /// The manager's module is not ready yet.
    #[error("the manager's module rbd_support is not ready yet: wait a moment (`schedule::ready`)")]
    ManagerNotReady,

    /// librbd refused, and none of the causes known here explains it.
    #[error("librbd refuses it, and no known cause explains why: see the client's log (`debug_rbd=20`)")]
    Unexplained,
}
