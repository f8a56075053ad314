//! One site's Ceph pool, as disaster recovery needs it.
//!
//! [`Storage`] is object-safe and small: the real one stands on `rbd-mirror`, the model's on memory. An implementation
//! knows its own pool, and its peer's where that can be reached: what only both sites together can tell (whether the
//! replica has everything, whether a demotion has arrived) is asked of the site that needs to know.
//!
//! Every call ends: at its limit it answers [`Error::InDoubt`] (a change) or [`Error::Unreachable`] (a read).
//! No call repeats, waits for another site, or forces anything by itself.

pub mod ceph;
mod error;
mod image;
mod peer_files;
mod site;

use std::ops::ControlFlow;
use std::time::Duration;

pub use error::{Cause, Error, Result};
pub use image::{Follower, Holder, ImageView, MirrorMode, MirroredImage, ParentSpec, Role, TrashEntry};
pub use peer_files::PeerFiles;
pub use rbd_mirror::{GlobalImageId, ImageId, MirrorUuid};
pub use site::{Capacity, Daemon, DaemonHealth, Identity, Lease, PeerView, PoolMode, Token};

/// How far a flatten is: objects of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Objects done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// What a forced promotion asks for about the first copy of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// This site must know that it was complete.
    Proven,
    /// The operator says so. A site that knows the opposite is believed all the same.
    Assumed,
}

/// One site's pool.
///
/// Images are named without their pool. An image that is not there is `Ok(None)` in the reads, [`Error::NotFound`] in
/// the verbs.
pub trait Storage: Send + Sync {
    // Reads of the site.

    /// Who this is and how its pool mirrors. The first call of every look: a silent site costs its limit here.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn identity(&self) -> Result<Identity>;

    /// The rbd-mirror daemons that serve this pool.
    ///
    /// # Errors
    /// [`Error::Unreachable`]; [`Cause::NotPermitted`] without the capability to ask the manager.
    fn daemons(&self) -> Result<Vec<Daemon>>;

    /// Space.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn capacity(&self) -> Result<Capacity>;

    // Reads of images.

    /// The image of this name.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn image(&self, name: &str) -> Result<Option<ImageView>>;

    /// The image of this identity, under whatever name.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn image_by_id(&self, id: &GlobalImageId) -> Result<Option<ImageView>>;

    /// The names of all images of the pool, mirrored or not.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn image_names(&self) -> Result<Vec<String>>;

    /// The mirrored images of the pool.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn mirrored(&self) -> Result<Vec<MirroredImage>>;

    /// The pool's trash.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn trash(&self) -> Result<Vec<TrashEntry>>;

    /// How the replica at the peer stands to this image, which is primary here.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unreachable`] of *this* site: the peer's silence is [`Follower::PeerSilent`].
    fn follower(&self, id: &GlobalImageId) -> Result<Follower>;

    /// Whether the peer's demotion of this image has arrived here, with everything before it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unreachable`] of either site.
    fn demotion_arrived(&self, id: &GlobalImageId) -> Result<bool>;

    /// Whether the peer's daemon has registered with the journal of this replica, so that it will follow back after a
    /// promotion here. A promotion before that ends in a split brain with identical data. Always true in snapshot mode.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unreachable`] of either site.
    fn reverse_registered(&self, id: &GlobalImageId) -> Result<bool>;

    // Verbs on images.

    /// Copies what the image shares with its parent; it has none afterwards. Long: `tell` is called as it goes on, and
    /// ends it with `Break`.
    ///
    /// # Errors
    /// [`Cause::NoParent`]; [`Cause::Stopped`] by `tell`; [`Error::NotFound`]; [`Error::InDoubt`].
    fn flatten(&self, name: &str, tell: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send)) -> Result<()>;

    /// Enables mirroring; the image becomes primary here. Enabling what is enabled answers its id.
    ///
    /// # Errors
    /// [`Cause::HasParent`], [`Cause::PoolMode`], [`Cause::OtherMode`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn enable(&self, name: &str, mode: MirrorMode) -> Result<GlobalImageId>;

    /// Disables mirroring: **the replica at the peer is deleted by it**. Disabling what is not enabled is done.
    ///
    /// # Errors
    /// [`Cause::NotPrimary`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn disable(&self, id: &GlobalImageId) -> Result<()>;

    /// Makes the feature bits of an image that is not mirrored those of `features` (journaling, exclusive-lock,
    /// object-map, fast-diff; others cannot be changed and are left).
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InDoubt`].
    fn set_features(&self, name: &str, features: u64) -> Result<()>;

    /// Makes the image non-primary here.
    ///
    /// # Errors
    /// [`Cause::NotPrimary`], [`Cause::LockHeld`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn demote(&self, id: &GlobalImageId) -> Result<()>;

    /// Makes the image primary here, cleanly, after a look at both sites where the peer answers.
    ///
    /// # Errors
    /// [`Cause::AlreadyPrimary`], [`Cause::PrimaryElsewhere`] (also while the demotion is under way),
    /// [`Cause::PeerIsPrimary`], [`Cause::NotSynced`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn promote(&self, id: &GlobalImageId) -> Result<()>;

    /// Makes the image primary here although its peer did not demote it, which is for a peer that is gone or cut off.
    /// With `beside_a_primary` also beside a peer that answers and is primary: **that makes two primaries**.
    ///
    /// # Errors
    /// [`Cause::PeerIsPrimary`] unless asked for; [`Cause::StillSyncing`]; [`Cause::CompletenessUnknown`];
    /// [`Cause::AlreadyPrimary`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn promote_by_force(
        &self,
        id: &GlobalImageId,
        completeness: Completeness,
        beside_a_primary: bool,
    ) -> Result<()>;

    /// After a forced promotion: takes the lock from this site's own rbd-mirror, where that kept it, and proves that
    /// writes go through. Answers the addresses that were locked out (blocklisted for an hour).
    ///
    /// # Errors
    /// [`Cause::NotPrimary`]; [`Cause::LockHeld`] by somebody who is not rbd-mirror; [`Error::InDoubt`].
    fn take_over(&self, id: &GlobalImageId) -> Result<Vec<String>>;

    /// Whether writes to this primary go through: nobody but a client that would give it up holds its lock.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unreachable`]
    fn writable(&self, id: &GlobalImageId) -> Result<bool>;

    /// Gives this copy up and fetches it again from the peer, with the proofs that `rbd-mirror` asks for: the peer is
    /// primary now, and nobody uses this copy. **Destroys this copy.** Answers the image id that is given up.
    ///
    /// # Errors
    /// [`Cause::PeerNotPrimary`], [`Cause::PeerUnknown`], [`Cause::IsPrimary`], [`Cause::InUse`]; [`Error::NotFound`];
    /// [`Error::InDoubt`].
    fn resync(&self, id: &GlobalImageId) -> Result<ImageId>;

    /// Renames an image.
    ///
    /// # Errors
    /// [`Cause::Exists`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    // Snapshots and clones, for a test beside production.

    /// The user's snapshots of an image, by name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unreachable`]
    fn snapshots(&self, name: &str) -> Result<Vec<String>>;

    /// Makes a snapshot of an image that is primary here; it arrives at the replica. In snapshot mode a mirror snapshot
    /// is made after it.
    ///
    /// # Errors
    /// [`Cause::Exists`], [`Cause::NotPrimary`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn create_snapshot(&self, name: &str, snapshot: &str) -> Result<()>;

    /// Removes a snapshot; it need not be there.
    ///
    /// # Errors
    /// [`Cause::NotPrimary`]; [`Error::NotFound`] of the image; [`Error::InDoubt`].
    fn remove_snapshot(&self, name: &str, snapshot: &str) -> Result<()>;

    /// Clones a snapshot, of a replica too, into a pool of the same cluster: format v2, never mirrored.
    ///
    /// # Errors
    /// [`Cause::Exists`]; [`Error::NotFound`]; [`Error::InDoubt`].
    fn clone_snapshot(&self, name: &str, snapshot: &str, into_pool: &str, clone: &str) -> Result<()>;

    /// Whether a clone is there.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn clone_exists(&self, pool: &str, clone: &str) -> Result<bool>;

    /// Removes a clone that [`clone_snapshot`](Self::clone_snapshot) made; it need not be there. An image without a
    /// parent, or one that is mirrored, is never removed.
    ///
    /// # Errors
    /// [`Cause::InUse`], [`Cause::NotAClone`]; [`Error::InDoubt`].
    fn remove_clone(&self, pool: &str, clone: &str) -> Result<()>;

    // The pool's settings.

    /// Sets how the pool mirrors.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn set_pool_mode(&self, mode: PoolMode) -> Result<()>;

    /// Sets the site's name.
    ///
    /// # Errors
    /// [`Cause::NotPermitted`]; [`Error::InDoubt`].
    fn set_site_name(&self, name: &str) -> Result<()>;

    /// A token with which another site can make this pool its peer.
    ///
    /// # Errors
    /// [`Cause::NotPermitted`]; [`Error::InDoubt`].
    fn create_token(&self) -> Result<Token>;

    /// Makes the pool of the token a peer of this one, both ways. A peer that is there already is left.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InDoubt`].
    fn import_token(&self, token: &Token) -> Result<()>;

    /// How long a replica whose primary was removed, and the old copy at a resync, stay in this site's trash.
    ///
    /// # Errors
    /// [`Error::InDoubt`].
    fn set_delete_delay(&self, delay: Duration) -> Result<()>;

    // Objects of our own in the pool.

    /// An object's content.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn object(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Writes an object as a whole, in one step.
    ///
    /// # Errors
    /// [`Error::InDoubt`].
    fn put_object(&self, name: &str, content: &[u8]) -> Result<()>;

    /// Writes into an object at an offset, making it if need be. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`Error::InDoubt`].
    fn write_object(&self, name: &str, offset: u64, content: &[u8]) -> Result<()>;

    /// The names of our objects that begin so.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn objects(&self, prefix: &str) -> Result<Vec<String>>;

    /// Removes an object; it need not be there.
    ///
    /// # Errors
    /// [`Error::InDoubt`].
    fn remove_object(&self, name: &str) -> Result<()>;

    // The lease.

    /// Takes the exclusive lease, or prolongs it for the same owner (`cls_lock`, with an expiry of its own).
    ///
    /// # Errors
    /// [`Cause::LeaseHeld`]; [`Error::InDoubt`].
    fn take_lease(&self, name: &str, owner: &str, lasting: Duration) -> Result<()>;

    /// Gives the lease back; done if it is not held by that owner.
    ///
    /// # Errors
    /// [`Error::InDoubt`].
    fn release_lease(&self, name: &str, owner: &str) -> Result<()>;

    /// Who has the lease, expired ones left out.
    ///
    /// # Errors
    /// [`Error::Unreachable`]
    fn lease(&self, name: &str) -> Result<Option<Lease>>;
}
