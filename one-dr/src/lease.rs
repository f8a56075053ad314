//! One operator at a time: a lease with an expiry in the pool of each site that answers.
//!
//! It is prolonged before every step and at every look of a wait. A run that was killed leaves it to expire; the same operator
//! at the same machine gets it back at once, because its owner is the run, and a run's journal belongs to one process.

use std::time::Duration;

use crate::clock::Moment;
use crate::site::{Side, SitePair};
use crate::storage::{Cause, Error};

/// The lease's name in a pool.
pub const NAME: &str = "one-dr";

/// The leases of a run.
#[derive(Debug)]
pub struct Lease {
    owner: String,
    sides: Vec<Side>,
    lasting: Duration,
    taken: Moment,
}

impl Lease {
    /// Takes it at these sites, in this order: all or none.
    ///
    /// # Errors
    /// [`Cause::LeaseHeld`] with who has it; what a pool answers.
    pub fn take(pair: &SitePair, sides: &[Side], owner: &str) -> Result<Self, Error> {
        let lasting = Duration::from_secs(pair.settings.limits.lease_seconds.max(10));
        let lease = Self { owner: owner.to_owned(), sides: sides.to_vec(), lasting, taken: pair.clock.now() };
        for (at, side) in sides.iter().enumerate() {
            if let Err(error) = pair.storage(*side).take_lease(NAME, owner, lasting) {
                for side in sides.get(..at).unwrap_or_default() {
                    // It expires by itself if this fails too.
                    let _ = pair.storage(*side).release_lease(NAME, owner);
                }
                return Err(error);
            }
        }
        Ok(lease)
    }

    /// Prolongs it when a third of its time is over. A site that has fallen silent is left: nobody else can get its lease from
    /// it either.
    ///
    /// # Errors
    /// [`Cause::LeaseHeld`]: it was lost, and somebody else acts.
    pub fn keep(&mut self, pair: &SitePair) -> Result<(), Error> {
        let now = pair.clock.now();
        if now.since(self.taken) < self.lasting / 3 {
            return Ok(());
        }
        for side in &self.sides {
            match pair.storage(*side).take_lease(NAME, &self.owner, self.lasting) {
                Err(error) if matches!(error.cause(), Some(Cause::LeaseHeld { .. })) => return Err(error),
                // Silent, or in doubt: what stands there is ours until it expires.
                _ => {}
            }
        }
        self.taken = now;
        Ok(())
    }

    /// Gives it back.
    pub fn release(self, pair: &SitePair) {
        for side in &self.sides {
            // It expires by itself if this fails.
            let _ = pair.storage(*side).release_lease(NAME, &self.owner);
        }
    }
}
