//! Taking an image over after a forced promotion: until a write goes through, it is primary in name only.
//!
//! With the peer frozen, not dead, the site's own rbd-mirror may hang in its replay and keep the exclusive lock for as long as
//! the peer is frozen. `promote` succeeds, the image says primary, and every write is refused with `EROFS`. Breaking that lock
//! blocklists the daemon's client for an hour: its other images are freed with it, and it comes back as a new client by itself.

use std::time::Duration;

use crate::call::guarded;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::holders::LockOwner;
use crate::image::Image;
use crate::name::Subject;
use crate::op::Op;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::wait::{self, Seen};

/// What it took to make an image writable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TakenOver {
    /// The locks that were broken: of this site's rbd-mirror, nobody else's.
    pub broken: Vec<LockOwner>,
    /// How long it took.
    pub took: Duration,
}

/// One sector of a disk, or as much as the image has.
const PROBE_BYTES: usize = 512;

/// What a look is given at the end of the wait.
const LOOK_MIN: Duration = Duration::from_millis(250);

impl Image {
    /// Proves that the image, just promoted, accepts writes; breaks the lock of this site's rbd-mirror where that is what stands
    /// in the way. To be done before a VM is started on an image that was promoted by force.
    ///
    /// The proof is a write of the first 512 bytes as they are, on a handle of its own: a compare-and-write, so that it changes nothing
    /// even where it takes effect late, beside another writer.
    ///
    /// # Errors
    /// [`Refusal::NotPrimary`], [`Refusal::NotMirrored`]; [`Refusal::ReadOnlyHandle`]; [`Refusal::LockHeld`] if somebody other than
    /// rbd-mirror holds the lock: that lock is not broken; [`Error::TimedOut`].
    pub fn take_over(&self, deadline: impl Into<Deadline>) -> Result<TakenOver> {
        let deadline = deadline.into();
        let op = Op::TakeOver;
        if self.is_read_only() {
            return Err(self.refuse(op, Refusal::ReadOnlyHandle));
        }
        match self.role()? {
            Role::Primary(_) => {}
            Role::NotMirrored => return Err(self.refuse(op, Refusal::NotMirrored)),
            _ => return Err(self.refuse(op, Refusal::NotPrimary)),
        }
        let mut broken = Vec::new();
        let bound = self.bound();
        wait::until("writable", &Subject::Image(self.spec().clone()), deadline, || {
            let image = self.bounded_by(deadline.left().max(LOOK_MIN).min(bound));
            let refused = match image.probe() {
                Ok(()) => return Ok(Seen::Done(())),
                Err(
                    error @ Error::Refused {
                        reason: Refusal::LockHeldByDaemon { .. } | Refusal::LockHeld,
                        ..
                    },
                ) => error,
                // The lock's release and the role's change are seen by librbd a moment apart.
                Err(error @ Error::Refused { reason: Refusal::Replica, .. }) => error,
                Err(error @ (Error::NotPermitted { .. } | Error::Os { .. })) => error,
                Err(error) => return Err(error),
            };
            let owners = image.lock_owners()?;
            let users = if owners.is_empty() { Vec::new() } else { image.users()? };
            for owner in owners {
                // Who holds the lock and is no user of the image is rbd-mirror.
                if users.iter().any(|user| user.address == owner.as_str()) {
                    return Err(guarded(op, self.spec().clone().into(), Refusal::LockHeld));
                }
                match image.break_lock(&owner) {
                    Ok(()) => {
                        tracing::warn!(image = %self.spec(), %owner, "broke the lock of rbd-mirror");
                        broken.push(owner);
                    }
                    // Another break is under way, or it has just given up: the next probe shows.
                    Err(Error::Refused { reason: Refusal::Busy, .. } | Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(Seen::NotYet(refused.to_string()))
        })?;
        Ok(TakenOver { broken, took: deadline.waited() })
    }

    fn probe(&self) -> Result<()> {
        let fresh = self.pool().open_by_id(&self.id()?)?;
        let first = fresh.read_at(0, PROBE_BYTES)?;
        fresh.compare_and_write(0, &first, &first)?;
        fresh.flush()
    }
}
