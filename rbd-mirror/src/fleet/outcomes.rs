//! The outcomes of a fleet, each with the type that the operation answers.

use std::fmt;
use std::marker::PhantomData;

use super::Outcome;
use super::running::Running;
use crate::place::revealed;

/// How many images of a fleet are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Counts {
    /// Not begun yet.
    pub waiting: usize,
    /// Under way.
    pub running: usize,
    /// Done.
    pub done: usize,
    /// Failed.
    pub failed: usize,
    /// Given up before they began.
    pub not_begun: usize,
}

/// What becomes of the images of a fleet, one after the other as they end. Nothing is begun before the first is asked for.
#[must_use = "nothing is begun before the first outcome is asked for"]
pub struct Outcomes<T: Send + 'static> {
    running: Running,
    answers: PhantomData<fn() -> T>,
}

impl<T: Send + 'static> Outcomes<T> {
    /// The outcomes of operations that answer a `T`.
    pub(super) fn of(running: Running) -> Self {
        Self { running, answers: PhantomData }
    }

    /// Calls `observer` with the counts whenever they change, on the thread that asks for outcomes.
    #[inline]
    pub fn observed_by(mut self, observer: impl FnMut(Counts) + Send + 'static) -> Self {
        self.running.observer = Some(Box::new(observer));
        self
    }

    /// How many images are where.
    #[must_use]
    #[inline]
    pub fn counts(&self) -> Counts {
        self.running.counts
    }
}

impl<T: Send + 'static> Iterator for Outcomes<T> {
    type Item = Outcome<T>;

    #[inline]
    fn next(&mut self) -> Option<Outcome<T>> {
        let Outcome { image, result, took } = self.running.next()?;
        Some(Outcome { image, result: result.map(revealed), took })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.running.left();
        (left, Some(left))
    }
}

impl<T: Send + 'static> fmt::Debug for Outcomes<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes")
            .field("op", &self.running.op)
            .field("counts", &self.running.counts)
            .finish_non_exhaustive()
    }
}
