//! Progress of a long operation, told to the caller's closure on the caller's own thread.
//!
//! librbd reports from its threads. [`Rendezvous`] hands each report to the thread that started the operation and carries
//! the closure's verdict back before librbd goes on: nothing is skipped, a `Break` takes effect at once, and a panic in
//! the closure is an ordinary panic of the caller, raised after C has returned.

use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::bounded::Overrun;

/// How far an operation has come. The unit is the operation's own: for [`flatten`](crate::Image::flatten), objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Progress {
    /// Units that are done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// Where an operation's thread and its caller meet.
#[derive(Debug, Default)]
pub(crate) struct Rendezvous {
    /// Held while a report waits for its answer: librbd reports from several threads, one at a time as far as is known.
    turn: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A report that the caller has not answered yet.
    offered: Option<Progress>,
    answer: Option<bool>,
    /// The operation is to stop: the closure said so, panicked, or nobody listens any more.
    stopped: bool,
    /// Reports that came after that, from an operation that does not heed it.
    unheeded: u64,
    returned: bool,
}

impl Rendezvous {
    /// Called on librbd's thread: reports, and answers whether to go on.
    pub(crate) fn offer(&self, done: u64, total: u64) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        if state.stopped {
            state.unheeded += 1;
            self.changed.notify_all();
            return false;
        }
        state.offered = Some(Progress { done, total });
        state.answer = None;
        self.changed.notify_all();
        loop {
            if state.stopped {
                return false;
            }
            if let Some(go_on) = state.answer.take() {
                return go_on;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Called when the operation has returned.
    pub(crate) fn returned(&self) {
        self.lock().returned = true;
        self.changed.notify_all();
    }

    /// Called on the caller's thread: runs `report` for every report until the operation has returned.
    ///
    /// `quiet` bounds the time without a sign of life. After an overrun the operation is told to stop at its next report.
    pub(crate) fn attend(
        &self,
        quiet: Duration,
        mut report: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), Overrun> {
        let mut panicked = None;
        let mut sign_of_life = Instant::now();
        let mut unheeded = 0;
        let mut state = self.lock();
        let outcome = loop {
            if state.returned {
                break Ok(());
            }
            if let Some(progress) = state.offered.take() {
                drop(state);
                let verdict = panic::catch_unwind(AssertUnwindSafe(|| report(progress)));
                sign_of_life = Instant::now();
                state = self.lock();
                match verdict {
                    Ok(ControlFlow::Continue(())) => state.answer = Some(true),
                    Ok(ControlFlow::Break(())) => state.stopped = true,
                    Err(payload) => {
                        state.stopped = true;
                        panicked = Some(payload);
                    }
                }
                self.changed.notify_all();
                continue;
            }
            if state.unheeded != unheeded {
                unheeded = state.unheeded;
                sign_of_life = Instant::now();
            }
            let waited = sign_of_life.elapsed();
            let Some(left) = quiet.checked_sub(waited).filter(|left| !left.is_zero()) else {
                state.stopped = true;
                self.changed.notify_all();
                break Err(Overrun { waited });
            };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        match panicked {
            Some(payload) => panic::resume_unwind(payload),
            None => outcome,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::{Progress, Rendezvous};

    const LONG: Duration = Duration::from_secs(20);

    /// An operation of ten units on another thread; answers how many reports were let through.
    fn operation(rendezvous: &Arc<Rendezvous>) -> thread::JoinHandle<u64> {
        let rendezvous = Arc::clone(rendezvous);
        thread::spawn(move || {
            let went_on = (0..10).take_while(|done| rendezvous.offer(*done, 10)).count();
            rendezvous.returned();
            u64::try_from(went_on).unwrap_or(u64::MAX)
        })
    }

    #[test]
    fn every_report_reaches_the_closure_on_the_callers_thread() {
        let rendezvous = Arc::new(Rendezvous::default());
        let running = operation(&rendezvous);
        let here = thread::current().id();
        let mut seen = Vec::new();
        let outcome = rendezvous.attend(LONG, |progress| {
            assert_eq!(thread::current().id(), here);
            seen.push(progress);
            ControlFlow::Continue(())
        });
        assert_eq!(outcome, Ok(()));
        assert_eq!(running.join().unwrap(), 10);
        assert_eq!(seen.len(), 10);
        assert_eq!(seen.last(), Some(&Progress { done: 9, total: 10 }));
    }

    #[test]
    fn a_break_stops_the_operation_at_that_very_report() {
        let rendezvous = Arc::new(Rendezvous::default());
        let running = operation(&rendezvous);
        let outcome = rendezvous.attend(LONG, |progress| {
            if progress.done < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!(outcome, Ok(()));
        assert_eq!(running.join().unwrap(), 3);
    }

    #[test]
    fn a_panic_in_the_closure_surfaces_after_the_operation_has_returned() {
        let rendezvous = Arc::new(Rendezvous::default());
        let running = operation(&rendezvous);
        let attended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            rendezvous.attend(LONG, |_| panic!("in the closure"))
        }));
        assert_eq!(attended.unwrap_err().downcast_ref::<&str>(), Some(&"in the closure"));
        assert!(rendezvous.lock().returned);
        assert_eq!(running.join().unwrap(), 0);
    }

    #[test]
    fn an_operation_that_reports_nothing_is_left_at_the_bound_and_stopped_at_its_next_report() {
        let rendezvous = Rendezvous::default();
        let outcome = rendezvous.attend(Duration::from_millis(20), |_| ControlFlow::Continue(()));
        assert!(outcome.is_err());
        assert!(!rendezvous.offer(1, 10));
    }
}
