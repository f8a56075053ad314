//! Calls into C that may hang, made boundable: they run on a worker thread, and the caller waits for so long and no longer.
//!
//! A call that a frozen site holds up cannot be cancelled: librbd has no such thing. So the caller is told at its deadline
//! that the outcome is in doubt ([`crate::Error::InDoubt`]), and the call goes on by itself, with everything it uses kept
//! alive: it owns its handles. Workers are kept for the next call; one that is stuck is missing until C returns.

use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() + Send>;

/// Workers that wait for a job. More than this many idle ones end themselves.
static IDLE: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

const IDLE_MAX: usize = 32;

/// The bound is over and the call has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overrun {
    pub(crate) waited: Duration,
}

/// Why a call gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It goes on by itself.
    Overrun(Overrun),
    /// It was never made: the system gives no thread for it.
    NotMade,
}

/// Runs `job` on a worker and waits for its answer for `bound` at the most. A panic of the job is resumed here.
pub(crate) fn run<T: Send + 'static>(
    bound: Duration,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoAnswer> {
    let answer = Arc::new(Answer { value: Mutex::new(None), given: Gate::default() });
    let given = Arc::clone(&answer);
    let job = Box::new(move || {
        let value = panic::catch_unwind(AssertUnwindSafe(job));
        given.put(value);
        // Nobody may be waiting any more; then the outcome, and the handles in it, are dropped here.
        drop(given);
    });
    let waited = await_given(job, &answer.given, bound);
    match answer.take_if(waited.is_ok()) {
        Some(Ok(value)) => Ok(value),
        Some(Err(panic)) => panic::resume_unwind(panic),
        None => {
            // An answer that comes in this very moment holds handles, whose closing may hang: not on this thread.
            detach(move || drop(answer));
            Err(waited.err().unwrap_or(NoAnswer::NotMade))
        }
    }
}

/// Has the job done, and waits until it has opened the gate.
fn await_given(job: Job, given: &Gate, bound: Duration) -> Result<(), NoAnswer> {
    let started = Instant::now();
    if let Err(job) = post(job) {
        leak(job);
        return Err(NoAnswer::NotMade);
    }
    if given.wait(bound) { Ok(()) } else { Err(NoAnswer::Overrun(Overrun { waited: started.elapsed() })) }
}

/// What a job answers, for one who waits. What does not depend on its type is in the gate: there are many types, and a channel for each
/// was most of what there was to compile.
struct Answer<T> {
    value: Mutex<Option<thread::Result<T>>>,
    given: Gate,
}

impl<T> Answer<T> {
    fn put(&self, value: thread::Result<T>) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.given.open();
    }

    fn take_if(&self, is_given: bool) -> Option<thread::Result<T>> {
        if is_given { self.value.lock().unwrap_or_else(PoisonError::into_inner).take() } else { None }
    }
}

/// Opened once.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    /// Waits until it is open, for so long at the most; whether it is.
    fn wait(&self, bound: Duration) -> bool {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.opened.wait_timeout_while(is_open, bound, |is_open| !*is_open);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Runs `job` on a worker and does not wait for it. Without a thread to be had, the job and what it owns are leaked: it is there
/// because this thread must not do it.
pub(crate) fn detach(job: impl FnOnce() + Send + 'static) {
    if let Err(job) = post(Box::new(job)) {
        leak(job);
    }
}

/// Runs `job` on a worker and does not wait for it. `false`: there is no thread to be had, and the job was dropped undone.
pub(crate) fn hand_over(job: impl FnOnce() + Send + 'static) -> bool {
    post(Box::new(job)).is_ok()
}

fn leak(job: Job) {
    tracing::error!("no thread to be had for a call into librbd: its handles are leaked");
    std::mem::forget(job);
}

/// Gives `job` to an idle worker or to a new one; gives it back when there is none.
fn post(mut job: Job) -> Result<(), Job> {
    while let Some(worker) = idle().pop() {
        match worker.send(job) {
            Ok(()) => return Ok(()),
            // That worker has ended: its job comes back.
            Err(mpsc::SendError(returned)) => job = returned,
        }
    }
    let (sender, jobs) = mpsc::channel::<Job>();
    let worker = {
        let sender = sender.clone();
        move || loop {
            let Ok(job) = jobs.recv() else { return };
            let _ = panic::catch_unwind(AssertUnwindSafe(job));
            {
                let mut idle = idle();
                if idle.len() >= IDLE_MAX {
                    return;
                }
                idle.push(sender.clone());
            }
        }
    };
    match thread::Builder::new().name("rbd-mirror-call".to_owned()).spawn(worker) {
        Ok(_) => sender.send(job).map_err(|mpsc::SendError(job)| job),
        Err(_) => Err(job),
    }
}

fn idle() -> MutexGuard<'static, Vec<Sender<Job>>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::run;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_call_that_returns_in_time_gives_its_answer() {
        assert_eq!(run(LONG, || 42), Ok(42));
    }

    #[test]
    fn a_call_that_hangs_costs_its_caller_no_more_than_the_bound() {
        let (release, held) = mpsc::channel::<()>();
        let started = Instant::now();
        let outcome = run(Duration::from_millis(50), move || held.recv());
        assert!(outcome.is_err());
        assert!(started.elapsed() < LONG);
        drop(release);
    }

    #[test]
    fn the_outcome_of_a_call_that_outlived_its_caller_is_dropped_and_not_leaked() {
        let (dropped, drops) = mpsc::channel::<()>();
        let (release, held) = mpsc::channel::<()>();
        assert!(
            run(Duration::from_millis(10), move || {
                let _ = held.recv();
                dropped
            })
            .is_err()
        );
        drop(release);
        assert_eq!(drops.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_panic_in_a_call_reaches_its_caller() {
        let caught = std::panic::catch_unwind(|| run(LONG, || panic!("on the worker")));
        let payload = caught.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"on the worker"));
    }
}
