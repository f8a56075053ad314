//! The end of every wait.

use std::time::{Duration, Instant};

/// A point in time after which a wait gives up. There is no wait without one.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    limit: Duration,
}

impl Deadline {
    /// A deadline so long from now.
    #[must_use]
    #[inline]
    pub fn after(limit: Duration) -> Self {
        Self { started: Instant::now(), limit }
    }

    /// What is left; zero when it is over.
    #[must_use]
    #[inline]
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// Whether it is over.
    #[must_use]
    #[inline]
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// The time since it was set.
    #[must_use]
    #[inline]
    pub fn waited(&self) -> Duration {
        self.started.elapsed()
    }
}

impl From<Duration> for Deadline {
    #[inline]
    fn from(limit: Duration) -> Self {
        Self::after(limit)
    }
}
