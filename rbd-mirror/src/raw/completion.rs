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
use std::time::{Duration, Instant};

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
    /// Written by C until `State::outcome` is set, read by the waiter after that.
    slot: UnsafeCell<Option<S>>,
    state: Mutex<State>,
    finished: Condvar,
}

struct State {
    outcome: Option<Result<usize, Errno>>,
    /// What the operation works on, the image as a rule: kept alive until librbd has called back.
    held: Option<Held>,
    abandoned: bool,
    /// Who is to be woken when it is done, where somebody polls.
    waker: Option<Waker>,
}

/// What an operation works on.
pub(super) type Held = Arc<dyn Any + Send + Sync>;

// SAFETY: `slot` is touched by C before `outcome` is set and by one waiter after; the mutex orders the two.
unsafe impl<S: Send> Sync for Shared<S> {}
// SAFETY: everything inside may move between threads when `S` may.
unsafe impl<S: Send> Send for Shared<S> {}

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
        let shared = Arc::new(Shared {
            slot: UnsafeCell::new(Some(slot)),
            state: Mutex::new(State { outcome: None, held: Some(held), abandoned: false, waker: None }),
            finished: Condvar::new(),
        });
        let mut completion = ptr::null_mut();
        let context = Arc::into_raw(Arc::clone(&shared));
        // SAFETY: a function of the type librbd asks for, a context that it gives back to it, a place for the handle.
        let rc = unsafe {
            sys::rbd_aio_create_completion(context.cast_mut().cast(), Some(finished::<S>), &mut completion)
        };
        // SAFETY: nobody else has a pointer to the slot yet.
        let place = unsafe { &mut *shared.slot.get() }.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let submitted = check(rc).and_then(|_| check(submit(place, completion)));
        if let Err(errno) = submitted {
            if !completion.is_null() {
                // SAFETY: the operation was not queued, so librbd will not complete or touch it again.
                unsafe { sys::rbd_aio_release(completion) };
            }
            // SAFETY: the callback never runs, so the reference made by into_raw above is ours to take back.
            drop(unsafe { Arc::from_raw(context) });
            return Err(errno);
        }
        Ok(Self { shared })
    }

    /// Waits for the outcome, for `bound` at the most. After an overrun the operation goes on without us.
    pub(crate) fn wait(self, bound: Duration) -> Result<Taken<S>, Overrun> {
        let started = Instant::now();
        let mut state = lock(&self.shared.state);
        loop {
            if let Some(outcome) = state.outcome {
                drop(state);
                return self.take(outcome).ok_or(Overrun { waited: started.elapsed() });
            }
            let Some(left) = bound.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) else {
                return Err(Overrun { waited: started.elapsed() });
            };
            state = self.shared.finished.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The outcome, if it is there; otherwise `waker` is woken when it is. After `Ready` there is nothing more to be had.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Taken<S>> {
        let mut state = lock(&self.shared.state);
        let Some(outcome) = state.outcome else {
            if state.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
                state.waker = Some(waker.clone());
            }
            return Poll::Pending;
        };
        drop(state);
        self.take(outcome).map_or(Poll::Pending, Poll::Ready)
    }

    /// Takes the slot of an operation that is done; `None` the second time.
    fn take(&self, outcome: Result<usize, Errno>) -> Option<Taken<S>> {
        // SAFETY: there is an outcome, so C is done with the slot; this value is the only one that takes from it.
        let slot = unsafe { &mut *self.shared.slot.get() }.take();
        slot.map(|slot| (outcome, slot))
    }
}

/// What an operation returned, and what it left in its slot.
pub(crate) type Taken<S> = (Result<usize, Errno>, S);

impl<S: Send + 'static> Drop for Aio<S> {
    fn drop(&mut self) {
        let done = {
            let mut state = lock(&self.shared.state);
            state.abandoned = true;
            state.outcome.is_some()
        };
        // Done, and not fetched: the callback may still hold the slot, and would drop it with what was opened in it, on librbd's thread.
        if done {
            // SAFETY: there is an outcome, so C is done with the slot; this value is the only one that takes from it.
            let slot = unsafe { &mut *self.shared.slot.get() }.take();
            if let Some(slot) = slot.filter(|_| mem::needs_drop::<S>()) {
                bounded::detach(move || drop(slot));
            }
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
    // SAFETY: the completion is live: it is released on the next line but one, and only there.
    let outcome = check_size(unsafe { sys::rbd_aio_get_return_value(completion) });
    // SAFETY: the completion's own reference is dropped; librbd keeps one until this function has returned.
    unsafe { sys::rbd_aio_release(completion) };

    let mut state = lock(&shared.state);
    state.outcome = Some(outcome);
    let (held, waker) = (state.held.take(), state.waker.take());
    if state.abandoned {
        drop(state);
        // Closing an image waits for this very thread, so the last reference must not be dropped on it.
        bounded::detach(move || drop((held, shared)));
    } else {
        // Whoever waits or polls holds the image too, for longer than this operation, and cannot go on before it gets this lock: this
        // is never the last reference.
        drop(held);
        drop(state);
        shared.finished.notify_all();
        if let Some(waker) = waker {
            wake::wake(waker);
        }
    }
}

/// The state is plain data: a poisoned lock tells of a panic elsewhere, not of a broken state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
