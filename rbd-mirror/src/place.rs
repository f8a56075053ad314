//! Where the answer of a job on a worker comes, for one who waits on a thread or polls.

use std::any::Any;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// What a job answers, whatever its type. All that is done for a job is so compiled once, and not once for each of the hundred calls.
pub(crate) type Answer = Box<dyn Any + Send>;

pub(crate) fn answer<T: Send + 'static>(value: T) -> Answer {
    Box::new(value)
}

/// The answer as the type that its job gave it.
pub(crate) fn revealed<T: 'static>(answer: Answer) -> T {
    match answer.downcast() {
        Ok(value) => *value,
        Err(_) => unreachable!("an answer is of the type that its job has"),
    }
}

/// An answer, or the panic that came in its stead.
pub(crate) type Ended = thread::Result<Answer>;

#[derive(Default)]
pub(crate) struct Place {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    ended: Option<Ended>,
    waker: Option<Waker>,
    is_abandoned: bool,
}

impl Place {
    /// Where nobody waits any more, the answer is dropped here.
    pub(crate) fn fill(&self, ended: Ended) {
        let mut state = self.lock();
        if state.is_abandoned {
            drop(state);
            return drop(ended);
        }
        state.ended = Some(ended);
        let waker = state.waker.take();
        drop(state);
        self.filled.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until it is filled, for so long at the most.
    pub(crate) fn wait(&self, bound: Duration) -> Option<Ended> {
        let waited = self.filled.wait_timeout_while(self.lock(), bound, |state| state.ended.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.ended.take()
    }

    /// What it was filled with; otherwise `waker` is woken when it is.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Ended> {
        let mut state = self.lock();
        if let Some(ended) = state.ended.take() {
            return Poll::Ready(ended);
        }
        if state.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        Poll::Pending
    }

    /// Nobody waits any more; what has come all the same.
    pub(crate) fn abandon(&self) -> Option<Ended> {
        let mut state = self.lock();
        state.is_abandoned = true;
        state.ended.take()
    }

    /// Plain data: a poisoned lock tells of a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Place, answer};

    #[test]
    fn what_comes_for_nobody_is_dropped_as_it_comes() {
        let (place, alive) = (Place::default(), Arc::new(()));
        assert!(place.abandon().is_none());
        place.fill(Ok(answer(Arc::clone(&alive))));
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn what_has_come_already_is_given_to_who_gives_up() {
        let (place, alive) = (Place::default(), Arc::new(()));
        place.fill(Ok(answer(Arc::clone(&alive))));
        assert!(place.abandon().is_some_and(|ended| ended.is_ok()));
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
