//! librbd's aio completions as a value that can be waited for with a bound, and left alone when the bound is over.
//!
//! ```text
//!   start ──> pending ──(librbd's callback)──> done ──> taken by wait()
//!                └──(bound over, Aio dropped)──> abandoned ──(callback)──> slot and image freed on a worker thread
//!           done ──(Aio dropped)──> slot freed on a worker thread
//! ```
//! The memory that C writes to lives in [`Shared`], which the callback keeps alive through an `Arc`; so an operation that
//! outlives its caller writes into memory that is still there. The image is kept open in the same way.

use std::any::Any;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::fmt;
use std::mem;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use ceph_sys as sys;

use super::call::{check, check_size};
use super::image::RawImage;
use crate::bounded::{self, Overrun};
use crate::errno::Errno;
use crate::wake;

/// A started operation whose outcome lands in a slot of type `S`.
pub(crate) struct Aio<S: Send + 'static> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    /// Written by C until there is an outcome, read by the waiter after that.
    slot: UnsafeCell<Option<S>>,
    ending: Ending,
}

// SAFETY: `slot` is touched by C before there is an outcome and by one waiter after; the mutex of `ending` orders the two.
unsafe impl<S: Send> Sync for Shared<S> {}
// SAFETY: everything inside may move between threads when `S` may.
unsafe impl<S: Send> Send for Shared<S> {}

/// What an operation works on.
pub(super) type Held = Arc<dyn Any + Send + Sync>;

impl<S: Send + 'static> Aio<S> {
    /// Starts an operation of an image. `submit` gets the image, the place for its result, and the completion; what it returns is
    /// the return value of the C call that queues the operation.
    pub(crate) fn start(
        image: &Arc<RawImage>,
        slot: S,
        submit: impl FnOnce(sys::rbd_image_t, *mut S, sys::rbd_completion_t) -> c_int,
    ) -> Result<Self, Errno> {
        let handle = image.handle();
        let held: Arc<RawImage> = Arc::clone(image);
        Self::start_on(held, slot, |place, completion| submit(handle, place, completion))
    }

    /// [`start`](Self::start) of an operation that works on something else, which is kept alive for it.
    pub(super) fn start_on(
        held: Held,
        slot: S,
        submit: impl FnOnce(*mut S, sys::rbd_completion_t) -> c_int,
    ) -> Result<Self, Errno> {
        let shared = Arc::new(Shared { slot: UnsafeCell::new(Some(slot)), ending: Ending::of(held) });
        let context = Arc::into_raw(Arc::clone(&shared));
        // SAFETY: nobody else has a pointer to the slot yet.
        let place = unsafe { &mut *shared.slot.get() }.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let submitted = create(finished::<S>, context.cast_mut().cast())
            .and_then(|completion| queued(submit(place, completion), completion));
        if let Err(errno) = submitted {
            // SAFETY: the callback never runs, so the reference made by into_raw above is ours to take back.
            drop(unsafe { Arc::from_raw(context) });
            return Err(errno);
        }
        Ok(Self { shared })
    }

    /// Waits for the outcome, for `bound` at the most. After an overrun the operation goes on without us.
    #[inline]
    pub(crate) fn wait(self, bound: Duration) -> Result<Taken<S>, Overrun> {
        let outcome = self.shared.ending.wait(bound)?;
        self.take(outcome).ok_or(Overrun { waited: Duration::ZERO })
    }

    /// The outcome, if it is there; otherwise `waker` is woken when it is. After `Ready` there is nothing more to be had.
    #[inline]
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Taken<S>> {
        match self.shared.ending.poll(waker) {
            Some(outcome) => self.take(outcome).map_or(Poll::Pending, Poll::Ready),
            None => Poll::Pending,
        }
    }

    /// Takes the slot of an operation that is done; `None` the second time.
    fn take(&self, outcome: Outcome) -> Option<Taken<S>> {
        // SAFETY: there is an outcome, so C is done with the slot; this value is the only one that takes from it.
        let slot = unsafe { &mut *self.shared.slot.get() }.take();
        slot.map(|slot| (outcome, slot))
    }
}

/// What an operation returned, and what it left in its slot.
pub(crate) type Taken<S> = (Outcome, S);

impl<S: Send + 'static> Drop for Aio<S> {
    fn drop(&mut self) {
        let outcome = self.shared.ending.abandon();
        // Done, and not fetched: the callback may still hold the slot, and would drop it with what was opened in it, on librbd's thread.
        let left = outcome.and_then(|outcome| self.take(outcome));
        if let Some((_, slot)) = left.filter(|_| mem::needs_drop::<S>()) {
            bounded::detach(move || drop(slot));
        }
    }
}

impl<S: Send + 'static> fmt::Debug for Aio<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aio").finish_non_exhaustive()
    }
}

/// Runs on a thread of librbd. Allocates nothing and cannot panic on its ordinary path.
extern "C" fn finished<S: Send + 'static>(completion: sys::rbd_completion_t, context: *mut c_void) {
    // SAFETY: the context is the pointer that `start` made with Arc::into_raw; librbd calls back once.
    let shared = unsafe { Arc::from_raw(context.cast_const().cast::<Shared<S>>()) };
    if let Some(held) = shared.ending.end(fired(completion)) {
        // SAFETY: C is done with the slot; whoever started this has left without an outcome, and so takes nothing from it.
        let slot = unsafe { &mut *shared.slot.get() }.take();
        let_go(held, Box::new(slot));
    }
}

/// Drops what an abandoned operation worked on, and what it left in its slot, elsewhere: closing an image waits for the very thread that
/// this is called on, and no more may it hold up whoever has left.
fn let_go(held: Option<Held>, slot: Box<dyn Any + Send>) {
    bounded::detach(move || drop((held, slot)));
}

/// A completion that calls back with `context`.
fn create(
    callback: extern "C" fn(sys::rbd_completion_t, *mut c_void),
    context: *mut c_void,
) -> Result<sys::rbd_completion_t, Errno> {
    let mut completion = ptr::null_mut();
    // SAFETY: a function of the type librbd asks for, a context that it gives back to it, a place for the handle.
    check(unsafe { sys::rbd_aio_create_completion(context, Some(callback), &mut completion) })?;
    Ok(completion)
}

/// What became of submitting an operation.
fn queued(rc: c_int, completion: sys::rbd_completion_t) -> Result<(), Errno> {
    check(rc).map(drop).inspect_err(|_| {
        // SAFETY: the operation was not queued, so librbd will not complete or touch it again.
        unsafe { sys::rbd_aio_release(completion) };
    })
}

/// The outcome of a completion that calls back, which is let go.
fn fired(completion: sys::rbd_completion_t) -> Outcome {
    // SAFETY: the completion is live: it is released on the next line but one, and only there.
    let outcome = check_size(unsafe { sys::rbd_aio_get_return_value(completion) });
    // SAFETY: the completion's own reference is dropped; librbd keeps one until the callback has returned.
    unsafe { sys::rbd_aio_release(completion) };
    outcome
}

/// What an operation returned.
type Outcome = Result<usize, Errno>;

/// How an operation ends, whatever its slot is.
struct Ending {
    state: Mutex<State>,
    finished: Condvar,
}

struct State {
    outcome: Option<Outcome>,
    /// What the operation works on, the image as a rule: kept alive until librbd has called back.
    held: Option<Held>,
    abandoned: bool,
    /// Somebody waits on a thread.
    awaited: bool,
    /// Who is to be woken when it is done, where somebody polls.
    waker: Option<Waker>,
}

impl Ending {
    fn of(held: Held) -> Self {
        let state = State { outcome: None, held: Some(held), abandoned: false, awaited: false, waker: None };
        Self { state: Mutex::new(state), finished: Condvar::new() }
    }

    /// The outcome is there. Gives what the operation worked on to whoever has to let it go elsewhere, where nobody waits any more.
    fn end(&self, outcome: Outcome) -> Option<Option<Held>> {
        let mut state = self.lock();
        state.outcome = Some(outcome);
        let (held, waker) = (state.held.take(), state.waker.take());
        if state.abandoned {
            return Some(held);
        }
        // Whoever waits or polls holds the image too, for longer than this operation, and cannot go on before it gets this lock: this
        // is never the last reference.
        drop(held);
        if state.awaited {
            // Under the lock: a waiter that goes on a moment sooner begins its next call while librbd still ends this one, and the two get
            // in each other's way (some 4 µs of 120 where call follows call).
            self.finished.notify_all();
        }
        drop(state);
        if let Some(waker) = waker {
            wake::wake(waker);
        }
        None
    }

    fn wait(&self, bound: Duration) -> Result<Outcome, Overrun> {
        let mut state = self.lock();
        state.awaited = true;
        let waited = self.finished.wait_timeout_while(state, bound, |state| state.outcome.is_none());
        let outcome = waited.unwrap_or_else(PoisonError::into_inner).0.outcome;
        outcome.ok_or(Overrun { waited: bound })
    }

    fn poll(&self, waker: &Waker) -> Option<Outcome> {
        let mut state = self.lock();
        if state.outcome.is_none() && state.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        state.outcome
    }

    /// Nobody waits any more. A waker goes here, and not with the last reference: a task may go with it, and that may be on librbd's thread.
    fn abandon(&self) -> Option<Outcome> {
        let mut state = self.lock();
        state.abandoned = true;
        let (outcome, waker) = (state.outcome, state.waker.take());
        drop(state);
        drop(waker);
        outcome
    }

    /// The state is plain data: a poisoned lock tells of a panic elsewhere, not of a broken state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Ending;

    const LONG: Duration = Duration::from_secs(20);

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn what_ends_while_somebody_waits_ends_the_wait() {
        let (ending, started) = (Ending::of(Arc::new(())), Instant::now());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| ending.wait(LONG));
            while !ending.lock().awaited {
                thread::yield_now();
            }
            assert!(ending.end(Ok(7)).is_none());
            assert_eq!(waiter.join().unwrap(), Ok(Ok(7)));
        });
        assert!(started.elapsed() < LONG);
    }

    #[test]
    fn a_task_goes_with_its_future_and_what_was_worked_on_with_the_operation() {
        let (task, held) = (Arc::new(Task), Arc::new(()));
        let ending = Ending::of(held.clone());
        assert!(ending.poll(&Waker::from(Arc::clone(&task))).is_none());
        assert_eq!(ending.abandon(), None);
        assert_eq!(Arc::strong_count(&task), 1);
        let left = ending.end(Ok(0));
        assert!(left.is_some_and(|left| left.is_some()));
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
