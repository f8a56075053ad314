//! Calls under way as futures that end at their limit, whatever executor polls them.
//!
//! What has a completion in librbd is polled; what has none runs on a worker thread. Both are left behind at their limit, as
//! [`crate::bounded`] says, and when they are dropped.

use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::bounded::{self, Answer, Overrun, answer, revealed};
use crate::call::Failure;
use crate::errno::Errno;
use crate::raw::completion::{Aio, Taken};
use crate::wake::Alarm;

/// Waits for a started operation; its return value and its slot.
pub(crate) async fn finished<S: Send + 'static>(
    started: Result<Aio<S>, Errno>,
    bound: Duration,
) -> Result<(usize, S), Failure> {
    let (outcome, slot) = Running { aio: started?, since: Instant::now(), bound, alarm: None }.await?;
    Ok((outcome?, slot))
}

struct Running<S: Send + 'static> {
    aio: Aio<S>,
    since: Instant,
    bound: Duration,
    alarm: Option<Alarm>,
}

impl<S: Send + 'static> Future for Running<S> {
    type Output = Result<Taken<S>, Overrun>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(taken) = self.aio.poll(context.waker()) {
            return Poll::Ready(Ok(taken));
        }
        let waited = self.since.elapsed();
        if waited >= self.bound {
            return Poll::Ready(Err(Overrun { waited }));
        }
        // A limit beyond what a clock can say is none.
        self.alarm = self.since.checked_add(self.bound).map(|end| Alarm::at(end, context.waker()));
        Poll::Pending
    }
}

/// Runs `job`, which ends by itself within its own limits, on a worker. A panic of the job is raised in whoever polls.
pub(crate) async fn on_worker<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Errno> {
    begin_on_worker(Box::new(move || answer(job())))?.await.map(revealed)
}

fn begin_on_worker(job: Box<dyn FnOnce() -> Answer + Send>) -> Result<OnWorker, Errno> {
    let place = Arc::new(Mutex::new(Place { answer: None, waker: None }));
    let filled = Arc::clone(&place);
    let made = bounded::hand_over(Box::new(move || {
        let answer = panic::catch_unwind(AssertUnwindSafe(job));
        let waker = {
            let mut place = lock(&filled);
            place.answer = Some(answer);
            place.waker.take()
        };
        // The answer is dropped here, on the worker, where nobody waits for it any more.
        drop(filled);
        if let Some(waker) = waker {
            waker.wake();
        }
    }));
    if made { Ok(OnWorker { place }) } else { Err(Errno::EAGAIN) }
}

struct Place {
    answer: Option<thread::Result<Answer>>,
    waker: Option<Waker>,
}

struct OnWorker {
    place: Arc<Mutex<Place>>,
}

impl Future for OnWorker {
    type Output = Result<Answer, Errno>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut place = lock(&self.place);
        match place.answer.take() {
            Some(Ok(answer)) => Poll::Ready(Ok(answer)),
            Some(Err(panic)) => {
                drop(place);
                panic::resume_unwind(panic)
            }
            None => {
                place.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Plain data: a poisoned lock tells of a panic elsewhere.
fn lock(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}
