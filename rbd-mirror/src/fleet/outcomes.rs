//! The outcomes of a fleet: begins, awaits and reports operations as its caller asks for the next one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::{Cancel, Job, Outcome, Target, subject};
use crate::bounded;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::pool::Pool;

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
    op: Op,
    pool: Pool,
    waiting: VecDeque<Target>,
    at_once: usize,
    stop_on_error: bool,
    cancel: Cancel,
    begin: Box<dyn Fn(Target) -> Job<T> + Send>,
    running: HashMap<usize, Running<T>>,
    next: usize,
    woken: Receiver<usize>,
    wake: Sender<usize>,
    counts: Counts,
    observer: Option<Box<dyn FnMut(Counts) + Send>>,
}

struct Running<T> {
    image: Target,
    job: Job<T>,
    waker: Waker,
    since: Instant,
}

/// Says which of the running operations has something to say.
struct Call {
    number: usize,
    to: Mutex<Sender<usize>>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        // Nobody listens once the iterator is dropped.
        let _ = self.to.lock().unwrap_or_else(PoisonError::into_inner).send(self.number);
    }
}

impl<T: Send + 'static> Outcomes<T> {
    pub(super) fn new(
        op: Op,
        pool: Pool,
        waiting: VecDeque<Target>,
        at_once: usize,
        stop_on_error: bool,
        cancel: Cancel,
        begin: Box<dyn Fn(Target) -> Job<T> + Send>,
    ) -> Self {
        let (wake, woken) = mpsc::channel();
        let counts = Counts { waiting: waiting.len(), ..Counts::default() };
        Self {
            op,
            pool,
            waiting,
            at_once,
            stop_on_error,
            cancel,
            begin,
            running: HashMap::new(),
            next: 0,
            woken,
            wake,
            counts,
            observer: None,
        }
    }

    /// Calls `observer` with the counts whenever they change, on the thread that asks for outcomes.
    pub fn observed_by(mut self, observer: impl FnMut(Counts) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// How many images are where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn observe(&mut self) {
        self.counts.waiting = self.waiting.len();
        self.counts.running = self.running.len();
        if let Some(observer) = &mut self.observer {
            observer(self.counts);
        }
    }

    fn is_stopped(&self) -> bool {
        (self.stop_on_error && self.counts.failed > 0) || self.cancel.is_cancelled()
    }

    /// Begins one more; its outcome, if it ends at once.
    fn begin_next(&mut self) -> Option<Outcome<T>> {
        let image = self.waiting.pop_front()?;
        let number = self.next;
        self.next += 1;
        let waker = Waker::from(Arc::new(Call { number, to: Mutex::new(self.wake.clone()) }));
        let job = (self.begin)(image.clone());
        self.running.insert(number, Running { image, job, waker, since: Instant::now() });
        self.observe();
        self.poll(number)
    }

    fn poll(&mut self, number: usize) -> Option<Outcome<T>> {
        // Woken once more than it needed: it has ended already.
        // It is taken out for as long: a panic of the job ends the job, and nobody waits for it any more.
        let mut running = self.running.remove(&number)?;
        let Poll::Ready(result) = running.job.as_mut().poll(&mut Context::from_waker(&running.waker)) else {
            self.running.insert(number, running);
            return None;
        };
        let Running { image, since, .. } = running;
        *(if result.is_ok() { &mut self.counts.done } else { &mut self.counts.failed }) += 1;
        self.observe();
        Some(Outcome { image, result, took: since.elapsed() })
    }

    fn give_up_next(&mut self) -> Option<Outcome<T>> {
        let image = self.waiting.pop_front()?;
        self.counts.not_begun += 1;
        let (op, on) = (self.op, subject(&self.pool, &image));
        let result: Result<T> = Err(Error::NotBegun { op, on, cancelled: self.cancel.is_cancelled() });
        self.observe();
        Some(Outcome { image, result, took: Duration::ZERO })
    }
}

impl<T: Send + 'static> Iterator for Outcomes<T> {
    type Item = Outcome<T>;

    fn next(&mut self) -> Option<Outcome<T>> {
        let _span = tracing::debug_span!("fleet", op = self.op.word(), pool = %self.pool.spec()).entered();
        loop {
            while !self.waiting.is_empty() && self.running.len() < self.at_once && !self.is_stopped() {
                if let Some(outcome) = self.begin_next() {
                    return Some(outcome);
                }
            }
            if self.running.is_empty() {
                return self.give_up_next();
            }
            // Every operation ends at its own limit, so something is always said; this value has a sender itself.
            let number = self.woken.recv().ok()?;
            if let Some(outcome) = self.poll(number) {
                return Some(outcome);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.waiting.len() + self.running.len();
        (left, Some(left))
    }
}

impl<T: Send + 'static> Drop for Outcomes<T> {
    fn drop(&mut self) {
        let left: Vec<Running<T>> = self.running.drain().map(|(_, running)| running).collect();
        if !left.is_empty() {
            // Their images are closed with them, which may take a moment for each.
            bounded::detach(move || drop(left));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Outcomes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").field("op", &self.op).field("counts", &self.counts).finish_non_exhaustive()
    }
}
