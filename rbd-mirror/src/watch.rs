//! What changes in the statuses of a pool, for who shows or stores them.
//!
//! Nothing in Ceph notifies of a status, so a pool is looked at again and again. What makes that cheap is the summary: two reads
//! whatever the pool's size. The statuses themselves are read when it has changed, and otherwise no more often than they can have:
//! rbd-mirror counts anew every 10 s and writes every 30 s, and at once only when an image changes its state.
//!
//! ```no_run
//! # fn main() -> Result<(), rbd_mirror::Error> {
//! # let pool: rbd_mirror::Pool = unimplemented!();
//! use std::time::Duration;
//! use rbd_mirror::{wait, watch::Change};
//!
//! let mut watch = pool.watch();
//! loop {
//!     for change in wait::changed(&mut watch, Duration::from_secs(60))? {
//!         match change {
//!             Change::Appeared(status) => println!("+ {}: {status}", status.name),
//!             Change::Changed { after, .. } => println!("  {}: {after}", after.name),
//!             Change::Gone(status) => println!("- {}", status.name),
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! A change is news of an image, not of the daemon's clock: a status that was written again with nothing else new is none. An image
//! that goes to an error while another one recovers leaves the summary as it was, and is seen with the next reading of all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::name::ImageId;
use crate::pool::Pool;
use crate::status::{ImageStatus, SiteState};

/// The period in which rbd-mirror writes what is not urgent.
pub const DAEMON_PERIOD: Duration = Duration::from_secs(30);

/// What has changed of an image.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Change {
    /// It was not mirrored before, or this is the first look.
    Appeared(ImageStatus),
    /// Some site says something else of it.
    Changed {
        /// What was said before.
        before: Box<ImageStatus>,
        /// What is said now.
        after: ImageStatus,
    },
    /// It is not mirrored any more. A resync looks like this, and then like [`Change::Appeared`] with another image id.
    Gone(ImageStatus),
}

impl Change {
    /// The image as it is now, or was.
    #[must_use]
    #[inline]
    pub fn status(&self) -> &ImageStatus {
        match self {
            Self::Appeared(status) | Self::Gone(status) => status,
            Self::Changed { after, .. } => after,
        }
    }
}

/// The statuses of a pool as they were seen last. It keeps one of each image.
#[derive(Debug)]
pub struct Watch {
    pool: Pool,
    refresh: Duration,
    known: BTreeMap<ImageId, ImageStatus>,
    /// The summary with which all were read last, and when.
    read: Option<(Vec<(SiteState, u32)>, Instant)>,
}

impl Pool {
    /// Begins to watch the statuses of the pool. Nothing is read before the first look.
    #[must_use]
    #[inline]
    pub fn watch(&self) -> Watch {
        Watch { pool: self.clone(), refresh: DAEMON_PERIOD, known: BTreeMap::new(), read: None }
    }
}

impl Watch {
    /// Reads all statuses after so long also if the summary is the same: [`DAEMON_PERIOD`], unless said otherwise.
    #[must_use]
    #[inline]
    pub fn refreshed_every(mut self, period: Duration) -> Self {
        self.refresh = period;
        self
    }

    /// The pool that is watched.
    #[must_use]
    #[inline]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The statuses as they were seen last, in the order of the image ids.
    #[inline]
    pub fn statuses(&self) -> impl Iterator<Item = &ImageStatus> {
        self.known.values()
    }

    /// Looks once: two reads of the pool while its summary is the same, and the whole list ([`Pool::statuses`]) when it is not, or
    /// the last reading is old. The first look has every image as [`Change::Appeared`].
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] or [`crate::Error::InDoubt`] if the site does not answer. What was seen before stays, and the next
    /// look goes on from there.
    #[inline]
    pub fn look(&mut self) -> Result<Vec<Change>> {
        let summary = self.pool.status_summary()?;
        let same = |(before, when): &(Vec<_>, Instant)| *before == summary && when.elapsed() < self.refresh;
        if self.read.as_ref().is_some_and(same) {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let mut now = BTreeMap::new();
        for status in self.pool.statuses() {
            let status = status?;
            if let Some(id) = status.image_id.clone() {
                now.insert(id, status);
            }
        }
        let changes = changes(&self.known, &now);
        self.known = now;
        self.read = Some((summary, began));
        Ok(changes)
    }
}

fn changes(before: &BTreeMap<ImageId, ImageStatus>, now: &BTreeMap<ImageId, ImageStatus>) -> Vec<Change> {
    let gone =
        before.iter().filter(|(id, _)| !now.contains_key(*id)).map(|(_, was)| Change::Gone(was.clone()));
    let news = now.iter().filter_map(|(id, status)| match before.get(id) {
        None => Some(Change::Appeared(status.clone())),
        Some(was) if was.says_the_same_as(status) => None,
        Some(was) => Some(Change::Changed { before: Box::new(was.clone()), after: status.clone() }),
    });
    gone.chain(news).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, UNIX_EPOCH};

    use super::{Change, changes};
    use crate::name::{GlobalImageId, ImageId};
    use crate::status::description::Description;
    use crate::status::{ImageStatus, SiteState, SiteStatus};

    fn status(id: &str, text: &str, written: u64) -> (ImageId, ImageStatus) {
        let site = SiteStatus {
            state: SiteState::Replaying,
            up: true,
            description: Description::new(text),
            last_update: Some(UNIX_EPOCH + Duration::from_secs(written)),
        };
        let status = ImageStatus {
            name: format!("one-{id}"),
            image_id: Some(ImageId::new(id)),
            id: Some(GlobalImageId::new(format!("g{id}"))),
            local: Some(site),
            peers: Vec::new(),
        };
        (ImageId::new(id), status)
    }

    #[test]
    fn a_status_that_was_written_again_is_no_change_and_another_text_is() {
        let before = BTreeMap::from([status("1", "replaying", 30), status("2", "replaying", 30)]);
        let after = BTreeMap::from([status("1", "replaying", 60), status("2", "stopped", 60)]);
        let changes = changes(&before, &after);
        assert_eq!(changes.len(), 1);
        assert!(matches!(&changes[0], Change::Changed { after, .. } if after.name == "one-2"));
    }

    #[test]
    fn an_image_under_a_new_id_has_gone_and_appeared() {
        let before = BTreeMap::from([status("1", "replaying", 30)]);
        let after = BTreeMap::from([status("7", "replaying", 30)]);
        let changes = changes(&before, &after);
        assert!(matches!(&changes[..], [Change::Gone(_), Change::Appeared(_)]), "{changes:?}");
    }
}
