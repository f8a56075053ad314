//! Calls into C that may hang, made boundable: they run on a worker thread, and the caller waits for so long and no longer.
//!
//! A call that a frozen site holds up cannot be cancelled: librbd has no such thing. So the caller is told at its deadline
//! that the outcome is in doubt ([`crate::Error::InDoubt`]), and the call goes on by itself, with everything it uses kept
//! alive: it owns its handles. Workers are kept for the next call; one that is stuck is missing until C returns.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::{Answer, Place, answer, revealed};
use crate::queue::Queue;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Workers that wait for a job. More than this many idle ones end themselves.
static IDLE: Mutex<Vec<Arc<Queue<Job>>>> = Mutex::new(Vec::new());

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
    run_erased(bound, Box::new(move || answer(job()))).map(revealed)
}

fn run_erased(bound: Duration, job: Box<dyn FnOnce() -> Answer + Send>) -> Result<Answer, NoAnswer> {
    let started = Instant::now();
    let place = match begin(job) {
        Ok(place) => place,
        Err(job) => {
            leak(job);
            return Err(NoAnswer::NotMade);
        }
    };
    match place.wait(bound) {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(panic)) => panic::resume_unwind(panic),
        None => {
            let_go(&place);
            Err(NoAnswer::Overrun(Overrun { waited: started.elapsed() }))
        }
    }
}

/// Waits no longer. An answer that is there already is dropped on a worker: it may hold handles, whose closing may hang.
pub(crate) fn let_go(place: &Place) {
    if let Some(left) = place.abandon() {
        detach(move || drop(left));
    }
}

/// Runs `job` on a worker, and answers where its answer comes; gives it back, undone, when there is no thread to be had.
pub(crate) fn begin(job: Box<dyn FnOnce() -> Answer + Send>) -> Result<Arc<Place>, Job> {
    let place = Arc::new(Place::default());
    let filled = Arc::clone(&place);
    post(Box::new(move || {
        filled.fill(panic::catch_unwind(AssertUnwindSafe(job)));
    }))?;
    Ok(place)
}

/// Runs `job` on a worker and does not wait for it. Without a thread to be had, the job and what it owns are leaked: it is there
/// because this thread must not do it.
pub(crate) fn detach(job: impl FnOnce() + Send + 'static) {
    if let Err(job) = post(Box::new(job)) {
        leak(job);
    }
}

fn leak(job: Job) {
    tracing::error!("no thread to be had for a call into librbd: its handles are leaked");
    std::mem::forget(job);
}

/// Gives `job` to an idle worker or to a new one; gives it back when there is none.
fn post(job: Job) -> Result<(), Job> {
    if let Some(worker) = idle().pop() {
        return worker.push(job);
    }
    let jobs = Arc::new(Queue::new());
    jobs.push(job)?;
    let worker = Arc::clone(&jobs);
    match thread::Builder::new().name("rbd-mirror-call".to_owned()).spawn(move || work(&worker)) {
        Ok(_) => Ok(()),
        Err(_) => jobs.pop().map_or(Ok(()), Err),
    }
}

/// What a worker does: one job after the other, and none more once there are enough who wait for one.
fn work(jobs: &Arc<Queue<Job>>) {
    while let Some(job) = jobs.pop() {
        let _ = panic::catch_unwind(AssertUnwindSafe(job));
        let mut idle = idle();
        if idle.len() >= IDLE_MAX {
            return;
        }
        idle.push(Arc::clone(jobs));
    }
}

fn idle() -> MutexGuard<'static, Vec<Arc<Queue<Job>>>> {
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
