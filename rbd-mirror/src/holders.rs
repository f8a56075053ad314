//! Who holds an image: watchers, owners of its exclusive lock, and how a holder is removed.

use std::fmt;

use crate::call::refused;
use crate::errno::Errno;
use crate::error::Result;
use crate::image::Image;
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
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
    pub fn break_lock(&self, owner: &LockOwner) -> Result<()> {
        let op = Op::BreakLock;
        let name = owner.0.clone();
        self.change(op, move |raw| raw.break_lock(&name)).map_err(|failure| match failure.errno() {
            Some(errno @ Errno::EBUSY) => refused(op, self.subject(), Refusal::Busy, errno),
            _ => self.error(op, failure),
        })
    }

    /// Takes the exclusive lock and keeps it: nobody else can take it without breaking it.
    ///
    /// # Errors
    /// [`Refusal::LockHeld`] (`EBUSY`, `EROFS`) if another client keeps it; [`Refusal::NoExclusiveLock`] (`EINVAL`).
    ///
    /// Implements: `int rbd_lock_acquire(rbd_image_t image, rbd_lock_mode_t lock_mode);`
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
    pub fn release_lock(&self) -> Result<()> {
        let op = Op::ReleaseLock;
        self.change(op, RawImage::release_lock).map_err(|failure| match failure.errno() {
            Some(errno @ Errno::EINVAL) => refused(op, self.subject(), Refusal::NoExclusiveLock, errno),
            _ => self.error(op, failure),
        })
    }
}
