//! Calls under way as futures that end at their limit, whatever executor polls them.
//!
//! What has a completion in librbd is polled; what has none runs on a worker thread. Both are left behind at their limit, as
//! [`crate::bounded`] says, and when they are dropped.

use std::future::{self, Future};
use std::panic;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::bounded::{self, Overrun};
use crate::call::Failure;
use crate::errno::Errno;
use crate::place::{Answer, answer, revealed};
use crate::raw::completion::{Aio, Taken};
use crate::wake::Alarm;

/// Waits for a started operation; its return value and its slot.
pub(crate) async fn finished<S: Send + 'static>(
    started: Result<Aio<S>, Errno>,
    bound: Duration,
) -> Result<(usize, S), Failure> {
    let (outcome, slot) = Started { aio: started?, since: Instant::now(), bound, alarm: None }.await?;
    Ok((outcome?, slot))
}

struct Started<S: Send + 'static> {
    aio: Aio<S>,
    since: Instant,
    bound: Duration,
    alarm: Option<Alarm>,
}

impl<S: Send + 'static> Future for Started<S> {
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
    on_worker_erased(Box::new(move || answer(job()))).await.map(revealed)
}

async fn on_worker_erased(job: Box<dyn FnOnce() -> Answer + Send>) -> Result<Answer, Errno> {
    // Without a thread to be had the job is let go, undone.
    let place = bounded::begin(job).map_err(|_| Errno::EAGAIN)?;
    match future::poll_fn(|context| place.poll(context.waker())).await {
        Ok(answer) => Ok(answer),
        Err(panic) => panic::resume_unwind(panic),
    }
}
