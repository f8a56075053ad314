//! The operations of a fleet: begun, awaited and reported as somebody asks for the next one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::{Cancel, Counts, Operation, Outcome, Target, subject};
use crate::bounded;
use crate::error::Error;
use crate::op::Op;
use crate::place::Answer;
use crate::pool::Pool;
use crate::queue::Queue;

/// Makes the operation of an image.
pub(super) type Begin = Box<dyn Fn(Target) -> Operation + Send>;

/// The operations of a fleet, whatever they answer.
pub(super) struct Running {
    pub(super) op: Op,
    pool: Pool,
    waiting: VecDeque<Target>,
    at_once: usize,
    stop_on_error: bool,
    cancel: Cancel,
    begin: Begin,
    running: HashMap<usize, One>,
    next: usize,
    /// Which of them have something to say.
    woken: Arc<Queue<usize>>,
    pub(super) counts: Counts,
    pub(super) observer: Option<Box<dyn FnMut(Counts) + Send>>,
}

struct One {
    image: Target,
    job: Operation,
    waker: Waker,
    since: Instant,
}

/// Says which of the running operations has something to say.
struct Call {
    number: usize,
    to: Arc<Queue<usize>>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        // Nobody listens once the outcomes are dropped.
        let _ = self.to.push(self.number);
    }
}

impl Running {
    pub(super) fn new(
        op: Op,
        pool: Pool,
        waiting: VecDeque<Target>,
        at_once: usize,
        stop_on_error: bool,
        cancel: Cancel,
        begin: Begin,
    ) -> Self {
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
            woken: Arc::new(Queue::new()),
            counts,
            observer: None,
        }
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
    fn begin_next(&mut self) -> Option<Outcome<Answer>> {
        let image = self.waiting.pop_front()?;
        let number = self.next;
        self.next += 1;
        let waker = Waker::from(Arc::new(Call { number, to: Arc::clone(&self.woken) }));
        let job = (self.begin)(image.clone());
        self.running.insert(number, One { image, job, waker, since: Instant::now() });
        self.observe();
        self.poll(number)
    }

    fn poll(&mut self, number: usize) -> Option<Outcome<Answer>> {
        // Woken once more than it needed: it has ended already.
        // It is taken out for as long: a panic of the job ends the job, and nobody waits for it any more.
        let mut running = self.running.remove(&number)?;
        let Poll::Ready(result) = running.job.as_mut().poll(&mut Context::from_waker(&running.waker)) else {
            self.running.insert(number, running);
            return None;
        };
        let One { image, since, .. } = running;
        *(if result.is_ok() { &mut self.counts.done } else { &mut self.counts.failed }) += 1;
        self.observe();
        Some(Outcome { image, result, took: since.elapsed() })
    }

    fn give_up_next(&mut self) -> Option<Outcome<Answer>> {
        let image = self.waiting.pop_front()?;
        self.counts.not_begun += 1;
        let (op, on) = (self.op, subject(&self.pool, &image));
        let result = Err(Error::NotBegun { op, on, cancelled: self.cancel.is_cancelled() });
        self.observe();
        Some(Outcome { image, result, took: Duration::ZERO })
    }

    /// The outcome of the next one that ends.
    pub(super) fn next(&mut self) -> Option<Outcome<Answer>> {
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
            // Every operation ends at its own limit, so something is always said; this queue is not closed before.
            let number = self.woken.pop()?;
            if let Some(outcome) = self.poll(number) {
                return Some(outcome);
            }
        }
    }

    /// How many have no outcome yet.
    pub(super) fn left(&self) -> usize {
        self.waiting.len() + self.running.len()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.woken.close();
        let left: Vec<One> = self.running.drain().map(|(_, one)| one).collect();
        if !left.is_empty() {
            // Their images are closed with them, which may take a moment for each.
            bounded::detach(move || drop(left));
        }
    }
}
