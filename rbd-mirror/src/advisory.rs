//! Advisory locks: marks on an image by which programs tell each other that they use it. They hold nobody off by themselves.
//!
//! An image with the feature exclusive-lock shows the lock that librbd itself takes here too, with a cookie that begins with `auto`:
//! that one is [`Image::lock_owners`]' affair.

use std::fmt;

use crate::call::{Failure, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::op::Op;
use crate::raw::image::RawImage;
use crate::refusal::Refusal;

/// How many may hold an advisory lock at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum LockKind {
    /// One.
    Exclusive,
    /// All who name the same tag.
    Shared {
        /// The tag.
        tag: String,
    },
}

/// The advisory lock of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AdvisoryLock {
    /// How many may hold it.
    pub kind: LockKind,
    /// Who holds it.
    pub lockers: Vec<Locker>,
}

/// A holder of an advisory lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Locker {
    /// The client: `client.4123`.
    pub client: String,
    /// What the client called this lock.
    pub cookie: String,
    /// The client's address and nonce, as [`Cluster::blocklist`](crate::Cluster::blocklist) takes it.
    pub address: String,
}

impl Locker {
    /// Whether this is librbd's own lock of an image with the feature exclusive-lock.
    #[must_use]
    #[inline]
    pub fn is_managed(&self) -> bool {
        self.cookie.starts_with("auto ")
    }
}

impl fmt::Display for Locker {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) at {}", self.client, self.cookie, self.address)
    }
}

impl Image {
    /// The advisory lock of the image and its holders now; `None` if nobody holds one. Read through a handle of its own: librbd keeps
    /// what it knew when a handle was opened or last refreshed.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the image is gone; [`Error::Unreachable`] if the site does not answer.
    ///
    /// Implements: `ssize_t rbd_list_lockers(rbd_image_t image, int *exclusive, char *tag, size_t *tag_len, char *clients, size_t *clients_len, char *cookies, size_t *cookies_len, char *addrs, size_t *addrs_len);`
    /// Similar to: `rbd lock ls <image-spec>`
    #[inline]
    pub fn advisory_lock(&self) -> Result<Option<AdvisoryLock>> {
        let fresh = self.pool().bounded_by(self.bound()).open_by_id_read_only(&self.id()?)?;
        let raw = fresh.run(Op::AdvisoryLock, RawImage::lockers)?;
        if raw.lockers.is_empty() {
            return Ok(None);
        }
        let kind = if raw.exclusive { LockKind::Exclusive } else { LockKind::Shared { tag: raw.tag } };
        let locker = |(client, cookie, address)| Locker { client, cookie, address };
        Ok(Some(AdvisoryLock { kind, lockers: raw.lockers.into_iter().map(locker).collect() }))
    }

    /// Takes the advisory lock under a name of the caller's. It outlives the handle and the process: it is given back by
    /// [`unlock_advisory`](Self::unlock_advisory), or broken.
    ///
    /// # Errors
    /// [`Refusal::LockHeld`] (`EBUSY`) if somebody has it in a way that excludes this; [`Error::AlreadyExists`] if this client has it
    /// under that name; [`Refusal::Replica`], [`Refusal::ReadOnlyHandle`] (`EROFS`).
    ///
    /// Implements: `int rbd_lock_exclusive(rbd_image_t image, const char *cookie);`
    /// Implements: `int rbd_lock_shared(rbd_image_t image, const char *cookie, const char *tag);`
    /// Similar to: `rbd lock add [--shared <tag>] <image-spec> <lock-id>`
    #[inline]
    pub fn lock_advisory(&self, cookie: &str, kind: &LockKind) -> Result<()> {
        let op = Op::AdvisoryLock;
        let (cookie, kind) = (cookie.to_owned(), kind.clone());
        let locked = self.change(op, move |raw| match &kind {
            LockKind::Exclusive => raw.lock_exclusive(&cookie),
            LockKind::Shared { tag } => raw.lock_shared(&cookie, tag),
        });
        locked.map_err(|failure| self.advisory_error(op, failure))
    }

    /// Gives an advisory lock back that this very connection has taken.
    ///
    /// # Errors
    /// [`Error::NotFound`] if this connection does not hold it under that name: another's is broken, not given back.
    ///
    /// Implements: `int rbd_unlock(rbd_image_t image, const char *cookie);`
    #[inline]
    pub fn unlock_advisory(&self, cookie: &str) -> Result<()> {
        let op = Op::AdvisoryLock;
        let cookie = cookie.to_owned();
        self.change(op, move |raw| raw.unlock(&cookie)).map_err(|failure| self.advisory_error(op, failure))
    }

    /// Takes an advisory lock away from its holder, whose client is **blocklisted** unless `rbd_blocklist_on_break_lock` says no:
    /// all its images refuse its writes from now on, for an hour by default.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the lock is not held like that (any more).
    ///
    /// Implements: `int rbd_break_lock(rbd_image_t image, const char *client, const char *cookie);`
    /// Similar to: `rbd lock rm <image-spec> <lock-id> <locker>`
    #[inline]
    pub fn break_advisory_lock(&self, locker: &Locker) -> Result<()> {
        let op = Op::AdvisoryLock;
        let (client, cookie) = (locker.client.clone(), locker.cookie.clone());
        self.change(op, move |raw| raw.break_advisory(&client, &cookie))
            .map_err(|failure| self.advisory_error(op, failure))
    }

    fn advisory_error(&self, op: Op, failure: Failure) -> Error {
        match failure.errno() {
            Some(errno @ Errno::EBUSY) => refused(op, self.subject(), Refusal::LockHeld, errno),
            _ => self.write_error(op, failure),
        }
    }
}
