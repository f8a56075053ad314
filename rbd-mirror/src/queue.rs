//! What one thread hands to another: a queue that may have an end to its room, and to the patience of who waits.
//!
//! The channels of std are three implementations behind one type, all of them compiled for each type that is sent: more code than most
//! of this crate's modules.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deadline::Deadline;

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    room: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
}

/// Why nothing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// Nothing came within the time.
    Yet,
    /// It is empty and closed: nothing will come.
    Ever,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self::with_room(usize::MAX)
    }

    /// A queue of so many at the most.
    pub(crate) const fn with_room(room: usize) -> Self {
        let state = State { waiting: VecDeque::new(), is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), room }
    }

    /// Adds a value, once there is room for it. Gives it back where the queue is closed.
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        let full = |state: &mut State<T>| state.waiting.len() >= self.room && !state.is_closed;
        let mut state = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Err(value);
        }
        state.waiting.push_back(value);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Takes the oldest value, which is waited for.
    pub(crate) fn pop(&self) -> Option<T> {
        let empty = |state: &mut State<T>| state.waiting.is_empty() && !state.is_closed;
        let state = self.changed.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        self.taken(state)
    }

    /// Takes the oldest value, which is waited for for so long at the most.
    pub(crate) fn pop_within(&self, limit: Duration) -> Result<T, Nothing> {
        let deadline = Deadline::after(limit);
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.is_closed {
            if deadline.is_over() {
                return Err(Nothing::Yet);
            }
            state =
                self.changed.wait_timeout(state, deadline.left()).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.taken(state).ok_or(Nothing::Ever)
    }

    fn taken(&self, mut state: MutexGuard<'_, State<T>>) -> Option<T> {
        let value = state.waiting.pop_front();
        drop(state);
        if self.room < usize::MAX {
            self.changed.notify_all();
        }
        value
    }

    /// Nothing goes in any more; what is in it comes out.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Plain data: a poisoned lock tells of a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::{Nothing, Queue};

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_goes_in_comes_out_in_its_order_also_after_the_queue_was_closed() {
        let queue = Queue::new();
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        queue.close();
        assert_eq!(queue.push(3), Err(3));
        assert_eq!((queue.pop(), queue.pop_within(LONG), queue.pop()), (Some(1), Ok(2), None));
        assert_eq!(queue.pop_within(LONG), Err(Nothing::Ever));
    }

    #[test]
    fn nobody_waits_longer_than_asked() {
        let queue: Queue<u8> = Queue::new();
        assert_eq!(queue.pop_within(Duration::from_millis(10)), Err(Nothing::Yet));
    }

    #[test]
    fn a_full_queue_holds_up_who_adds_until_there_is_room_or_nobody_listens() {
        let queue = Queue::with_room(1);
        thread::scope(|scope| {
            let adding = scope.spawn(|| (0..10).take_while(|number| queue.push(*number).is_ok()).count());
            assert_eq!(queue.pop_within(LONG), Ok(0));
            assert_eq!(queue.pop_within(LONG), Ok(1));
            assert!(queue.lock().waiting.len() <= 1);
            queue.close();
            // Two were taken, and one at the most was waiting when it was closed.
            assert!(adding.join().unwrap() <= 3);
        });
    }
}
