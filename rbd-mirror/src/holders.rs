//! Who holds an image: watchers, owners of its exclusive lock, and how a holder is removed.

use std::fmt;
use std::time::Duration;

use crate::call::refused;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::object::ObjectLocker;
use crate::op::Op;
use crate::raw::image::RawImage;
use crate::raw::lock::RawWatcher;
use crate::refusal::Refusal;
use crate::role::Role;

/// A client that has the image open for writing, or that replays into it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Watcher {
    /// The client's address and nonce, `10.0.0.5:0/3714567890`, as [`crate::Cluster::blocklist`] takes it.
    pub address: String,
    /// The client's number in its cluster.
    pub client_id: i64,
    /// The watch's own number in that client.
    pub cookie: u64,
}

impl fmt::Display for Watcher {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client.{} at {}", self.client_id, self.address)
    }
}

/// The holder of an image's exclusive lock: its client's address and nonce, as [`Watcher::address`] has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LockOwner(String);

impl LockOwner {
    /// The address, as librbd has it.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LockOwner {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// librbd's name for the exclusive lock of an image (`RBD_LOCK_NAME`, src/cls/rbd/cls_rbd_types.h), on the image's header object.
const EXCLUSIVE_LOCK: &str = "rbd_lock";

/// A client that is shut out for so long yet counts as gone: what it still has in flight does not come that late.
const GONE_FOR: Duration = Duration::from_secs(1800);

/// An address without the protocol that it was written with: the record of a lock has it, the list of who is shut out does not.
fn untyped(address: &str) -> &str {
    ["v1:", "v2:", "any:"].iter().find_map(|kind| address.strip_prefix(kind)).unwrap_or(address)
}

impl Image {
    /// The clients that watch the image: everybody who has it open for writing, **this handle included** unless it was
    /// opened read-only, and rbd-mirror while it replays into it. A VM that is powered off has none.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] if the site does not answer.
    ///
    /// Implements: `int rbd_watchers_list(rbd_image_t image, rbd_image_watcher_t *watchers, size_t *max_watchers);`
    /// Similar to: `rbd status`
    #[inline]
    pub fn watchers(&self) -> Result<Vec<Watcher>> {
        let watchers = self.run(Op::Watchers, RawImage::watchers)?;
        let watcher =
            |raw: RawWatcher| Watcher { address: raw.address, client_id: raw.client_id, cookie: raw.cookie };
        Ok(watchers.into_iter().map(watcher).collect())
    }

    /// Who uses the image: its [`watchers`](Self::watchers) without this site's rbd-mirror. This handle is among them, unless it was
    /// opened read-only. Where the manager may not be asked which daemons there are, the one that is known to have the image is left
    /// out, and no other.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] if the site does not answer.
    #[inline]
    pub fn users(&self) -> Result<Vec<Watcher>> {
        let mut users = self.watchers()?;
        if let Some(daemon) = self.daemon_of_a_mirrored_image()? {
            users.retain(|watcher| watcher.client_id != daemon);
        }
        if !users.is_empty() {
            // An image that has just changed hands is still in those of another daemon, or of one that has not said so yet.
            let daemons = self.pool().daemons().unwrap_or_default();
            let numbers: Vec<i64> =
                daemons.into_iter().filter_map(|daemon| daemon.instance_id?.parse().ok()).collect();
            users.retain(|watcher| !numbers.contains(&watcher.client_id));
        }
        Ok(users)
    }

    fn daemon_of_a_mirrored_image(&self) -> Result<Option<i64>> {
        if self.role()? == Role::NotMirrored { Ok(None) } else { self.daemon_instance() }
    }

    /// The holders of the exclusive lock: none or one. Not for handles that were opened read-only.
    ///
    /// # Errors
    /// [`Refusal::ReadOnlyHandle`] (`EINVAL`); [`crate::Error::Unreachable`] if the site does not answer.
    ///
    /// Implements: `int rbd_lock_get_owners(rbd_image_t image, rbd_lock_mode_t *lock_mode, char **lock_owners, size_t *max_lock_owners);`
    #[inline]
    pub fn lock_owners(&self) -> Result<Vec<LockOwner>> {
        let op = Op::LockOwners;
        let owners = self.change(op, RawImage::lock_owners).map_err(|failure| match failure.errno() {
            Some(errno @ Errno::EINVAL) if self.is_read_only() => {
                refused(op, self.subject(), Refusal::ReadOnlyHandle, errno)
            }
            _ => self.error(op, failure),
        })?;
        Ok(owners.1.into_iter().map(LockOwner).collect())
    }

    /// Takes the lock away from its holder, who is blocklisted: **all** its images, not only this one, refuse its writes from
    /// now on, for an hour by default.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] if that owner does not hold the lock (any more); [`Refusal::Busy`] (`EBUSY`) if the lock
    /// is already being taken away.
    ///
    /// Implements: `int rbd_lock_break(rbd_image_t image, rbd_lock_mode_t lock_mode, const char *lock_owner);`
    #[inline]
    pub fn break_lock(&self, owner: &LockOwner) -> Result<()> {
        let op = Op::BreakLock;
        let name = owner.0.clone();
        self.change(op, move |raw| raw.break_lock(&name)).map_err(|failure| match failure.errno() {
            Some(errno @ Errno::EBUSY) => refused(op, self.subject(), Refusal::Busy, errno),
            _ => self.error(op, failure),
        })
    }

    /// Whether nobody holds the lock, after it was taken from a client that the cluster has shut out already.
    ///
    /// Who writes to such an image next has librbd take the lock in the same way, which shuts the client out once more: a decision of
    /// the monitors, about a second, for each image that a daemon held. To shut it out once is enough for all of them.
    pub(crate) fn is_unlocked_by_the_living(&self) -> Result<bool> {
        let pool = self.pool().bounded_by(self.bound());
        let header = format!("rbd_header.{}", self.id()?);
        let holders = pool.object_lockers(&header, EXCLUSIVE_LOCK)?;
        if holders.is_empty() {
            return Ok(true);
        }
        let cluster = pool.cluster().bounded_by(self.bound());
        let shut_out = cluster.blocklisted()?;
        let is_gone = |holder: &ObjectLocker| {
            let address = untyped(&holder.address);
            shut_out.iter().any(|listed| untyped(&listed.address) == address && listed.lasts(GONE_FOR))
        };
        if !holders.iter().all(is_gone) {
            return Ok(false);
        }
        // No OSD that serves the next holder may still serve this one.
        cluster.wait_for_latest_map()?;
        for holder in holders {
            match pool.break_object_lock(&header, EXCLUSIVE_LOCK, &holder) {
                Ok(()) => tracing::info!(image = %self.spec(), address = holder.address, "took a dead lock"),
                // Somebody else was faster, and may hold it now.
                Err(Error::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes the exclusive lock and keeps it: nobody else can take it without breaking it.
    ///
    /// # Errors
    /// [`Refusal::LockHeld`] (`EBUSY`, `EROFS`) if another client keeps it; [`Refusal::NoExclusiveLock`] (`EINVAL`).
    ///
    /// Implements: `int rbd_lock_acquire(rbd_image_t image, rbd_lock_mode_t lock_mode);`
    #[inline]
    pub fn acquire_lock(&self) -> Result<()> {
        let op = Op::AcquireLock;
        self.change(op, RawImage::acquire_lock).map_err(|failure| match failure.errno() {
            Some(errno @ (Errno::EBUSY | Errno::EROFS)) => {
                refused(op, self.subject(), Refusal::LockHeld, errno)
            }
            Some(errno @ Errno::EINVAL) => refused(op, self.subject(), Refusal::NoExclusiveLock, errno),
            _ => self.error(op, failure),
        })
    }

    /// Gives the exclusive lock back.
    ///
    /// # Errors
    /// [`Refusal::NoExclusiveLock`] (`EINVAL`) if it was not held.
    ///
    /// Implements: `int rbd_lock_release(rbd_image_t image);`
    #[inline]
    pub fn release_lock(&self) -> Result<()> {
        let op = Op::ReleaseLock;
        self.change(op, RawImage::release_lock).map_err(|failure| match failure.errno() {
            Some(errno @ Errno::EINVAL) => refused(op, self.subject(), Refusal::NoExclusiveLock, errno),
            _ => self.error(op, failure),
        })
    }
}
