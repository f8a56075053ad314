//! Taking an image over after a forced promotion: until a write goes through, it is primary in name only.
//!
//! With the peer frozen, not dead, the site's own rbd-mirror may hang in its replay and keep the exclusive lock for as long as
//! the peer is frozen. `promote` succeeds, the image says primary, and every write is refused with `EROFS`. Breaking that lock
//! blocklists the daemon's client for an hour: its other images are freed with it, and it comes back as a new client by itself.
//!
//! To blocklist is a decision of the monitors, which takes up to a second as packaged. It is made once for each client: of a hundred
//! images that are taken over at once one has it made, and the others wait for that.

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
    /// The proof is a write of the first 512 bytes as they are: a compare-and-write, so that it changes nothing even where it takes
    /// effect late, beside another writer. It is made by this handle where nobody holds the lock, and this handle holds it then, as after
    /// any write; otherwise by handles of its own, which know nothing of how the image was before.
    ///
    /// # Errors
    /// [`Refusal::NotPrimary`], [`Refusal::NotMirrored`]; [`Refusal::ReadOnlyHandle`]; [`Refusal::LockHeld`] if somebody other than
    /// rbd-mirror holds the lock: that lock is not broken; [`Error::TimedOut`].
    #[inline]
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
        self.make_writable(deadline)
    }

    /// [`take_over`](Self::take_over) of an image that is known to be primary.
    pub(crate) fn make_writable(&self, deadline: Deadline) -> Result<TakenOver> {
        let within = || self.bounded_by(deadline.left().max(LOOK_MIN).min(self.bound()));
        let mut broken = Vec::new();
        if within().is_writable_at_hand() {
            return Ok(TakenOver { broken, took: deadline.waited() });
        }
        wait::until("writable", &Subject::Image(self.spec().clone()), deadline, || {
            let image = within();
            let refused = match image.pool().open_by_id(&image.id()?).and_then(|fresh| fresh.probe()) {
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
            image.take_locks_of_the_daemon(&mut broken)?;
            if within().is_writable_at_hand() {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(refused.to_string()))
        })?;
        Ok(TakenOver { broken, took: deadline.waited() })
    }

    /// Whether nobody holds the lock, or somebody who is gone, and a write by this handle goes through.
    ///
    /// A handle may be late to see what its image has become: that a write fails here says nothing, and that it goes through is
    /// proof. Who holds the lock and lives is asked for it by a handle that knows no other state.
    fn is_writable_at_hand(&self) -> bool {
        let mut unlocked = self.is_unlocked_by_the_living();
        // Who holds it may be shut out this very moment, for another of its images.
        if matches!(unlocked, Ok(false)) && self.pool().cluster().shutting_out().wait_for_others(self.bound())
        {
            unlocked = self.is_unlocked_by_the_living();
        }
        let written = match unlocked {
            Ok(false) => return false,
            Ok(true) => self.probe(),
            Err(error) => Err(error),
        };
        if let Err(error) = &written {
            tracing::debug!(%error, image = %self.spec(), "no write by the handle at hand");
        }
        written.is_ok()
    }

    /// Breaks the lock where this site's rbd-mirror holds it. Its client is shut out once, whichever of its images was first.
    fn take_locks_of_the_daemon(&self, broken: &mut Vec<LockOwner>) -> Result<()> {
        let owners = self.lock_owners()?;
        let users = if owners.is_empty() { Vec::new() } else { self.users()? };
        for owner in owners {
            // Who holds the lock and is no user of the image is rbd-mirror.
            if users.iter().any(|user| user.address == owner.as_str()) {
                return Err(guarded(Op::TakeOver, self.spec().clone().into(), Refusal::LockHeld));
            }
            let cluster = self.pool().cluster();
            let _ahead = cluster.shutting_out().go_ahead(owner.as_str(), self.bound());
            // Shut out for another of its images meanwhile.
            if self.is_unlocked_by_the_living().unwrap_or(false) {
                continue;
            }
            match self.break_lock(&owner) {
                Ok(()) => {
                    tracing::warn!(image = %self.spec(), %owner, "broke the lock of rbd-mirror");
                    broken.push(owner);
                }
                // Another break is under way, or it has just given up: the next probe shows.
                Err(Error::Refused { reason: Refusal::Busy, .. } | Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn probe(&self) -> Result<()> {
        let first = self.read_at(0, PROBE_BYTES)?;
        self.compare_and_write(0, &first, &first)?;
        self.flush()
    }
}
