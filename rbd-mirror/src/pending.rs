//! Calls under way as futures that end at their limit, whatever executor polls them.
//!
//! What has a completion in librbd is polled; what has none runs on a worker thread. Both are left behind at their limit, as
//! [`crate::bounded`] says, and when they are dropped.

use std::future::{self, Future};
use std::panic;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::bounded::{self, Overrun};
use crate::call::Failure;
use crate::errno::Errno;
use crate::place::{Answer, Place, answer, revealed};
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
    let awaited = Awaited { place: bounded::begin(job).map_err(|_| Errno::EAGAIN)? };
    match future::poll_fn(|context| awaited.place.poll(context.waker())).await {
        Ok(answer) => Ok(answer),
        Err(panic) => panic::resume_unwind(panic),
    }
}

struct Awaited {
    place: Arc<Place>,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        bounded::let_go(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::{Arc, mpsc};
    use std::task::{Context, Wake, Waker};
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use super::{Future, on_worker};

    const LONG: Duration = Duration::from_secs(20);

    struct Woken(mpsc::Sender<()>);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    struct DroppedOn(mpsc::Sender<ThreadId>);

    impl Drop for DroppedOn {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    #[test]
    fn an_answer_that_nobody_fetches_is_dropped_on_a_worker() {
        let (woken, wakes) = mpsc::channel();
        let (dropped, drops) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let waker = Waker::from(Arc::new(Woken(woken)));
        {
            let mut future = pin!(on_worker(move || {
                let _ = held.recv();
                DroppedOn(dropped)
            }));
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            drop(release);
            wakes.recv_timeout(LONG).unwrap();
        }
        assert_ne!(drops.recv_timeout(LONG).unwrap(), thread::current().id());
    }
}
