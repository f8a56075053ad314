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
}

impl Place {
    pub(crate) fn fill(&self, ended: Ended) {
        let waker = {
            let mut state = self.lock();
            state.ended = Some(ended);
            state.waker.take()
        };
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
        state.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Plain data: a poisoned lock tells of a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
