//! One thread that wakes: whoever waits for a completion of librbd, and whoever waits for a point in time.
//!
//! A completion is reported on a thread of librbd. To wake a task there would run code of the executor's there, and might drop the
//! task, and an image with it, whose closing waits for that very thread. So the wakers are handed to this thread, which also
//! holds the limits of operations, because no executor's timer can be relied on.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::queue::{Nothing, Queue};

enum Message {
    Wake(Waker),
    Set(Key, Waker),
    Cancel(Key),
}

type Key = (Instant, u64);

/// `None` if the system gave no thread.
static THREAD: OnceLock<Option<Arc<Queue<Message>>>> = OnceLock::new();

/// Wakes somebody, on another thread than the caller's.
pub(crate) fn wake(waker: Waker) {
    if let Some(Message::Wake(waker)) = send(Message::Wake(waker)) {
        guarded(waker);
    }
}

/// Wakes somebody at a point in time, unless it is dropped before.
#[derive(Debug)]
pub(crate) struct Alarm(Key);

impl Alarm {
    /// Sets an alarm. A point in time that is over is now.
    pub(crate) fn at(when: Instant, waker: &Waker) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let key = (when, NUMBER.fetch_add(1, Ordering::Relaxed));
        send(Message::Set(key, waker.clone()));
        Self(key)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        send(Message::Cancel(self.0));
    }
}

/// Gives a message back that there is nobody for.
fn send(message: Message) -> Option<Message> {
    let thread = THREAD.get_or_init(|| {
        let queue = Arc::new(Queue::new());
        let messages = Arc::clone(&queue);
        let spawned = thread::Builder::new().name("rbd-mirror-wake".to_owned()).spawn(move || run(&messages));
        spawned.ok().map(|_| queue)
    });
    match thread {
        Some(queue) => queue.push(message).err(),
        None => Some(message),
    }
}

/// What is longer away than this is looked at again.
const LONG: Duration = Duration::from_secs(3600);

fn run(messages: &Queue<Message>) {
    // In the order of their times, as nearly all are set and go off.
    let mut alarms: VecDeque<(Key, Waker)> = VecDeque::new();
    loop {
        let now = Instant::now();
        while alarms.front().is_some_and(|((when, _), _)| *when <= now) {
            alarms.pop_front().into_iter().for_each(|(_, waker)| guarded(waker));
        }
        let left = alarms.front().map_or(LONG, |((when, _), _)| when.duration_since(now).min(LONG));
        match messages.pop_within(left) {
            Ok(Message::Wake(waker)) => guarded(waker),
            Ok(Message::Set(key, waker)) => {
                let at = alarms.partition_point(|(other, _)| *other < key);
                alarms.insert(at, (key, waker));
            }
            // To drop a waker is code of others too: with the last one goes its task.
            Ok(Message::Cancel(key)) => {
                let alarm = alarms.binary_search_by_key(&key, |(other, _)| *other);
                let alarm = alarm.ok().and_then(|at| alarms.remove(at));
                let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(alarm)));
            }
            Err(Nothing::Yet) => {}
            Err(Nothing::Ever) => return,
        }
    }
}

/// A waker is code of others: its panic is its own.
fn guarded(waker: Waker) {
    let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};
    use std::sync::{Arc, Mutex};
    use std::task::{Wake, Waker};
    use std::time::{Duration, Instant};

    use super::{Alarm, wake};

    const LONG: Duration = Duration::from_secs(20);

    struct Tell(u8, Mutex<Sender<u8>>);

    impl Wake for Tell {
        fn wake(self: Arc<Self>) {
            assert_ne!(self.0, 0, "a waker that panics");
            let _ = self.1.lock().unwrap().send(self.0);
        }
    }

    fn waker(number: u8, told: &Sender<u8>) -> Waker {
        Arc::new(Tell(number, Mutex::new(told.clone()))).into()
    }

    #[test]
    fn alarms_go_off_in_the_order_of_their_times_and_not_once_they_are_dropped() {
        let (told, heard) = mpsc::channel();
        let now = Instant::now();
        let _late = Alarm::at(now + Duration::from_millis(60), &waker(3, &told));
        let _soon = Alarm::at(now + Duration::from_millis(20), &waker(1, &told));
        drop(Alarm::at(now + Duration::from_millis(40), &waker(2, &told)));
        assert_eq!(heard.recv_timeout(LONG), Ok(1));
        assert_eq!(heard.recv_timeout(LONG), Ok(3));
    }

    #[test]
    fn a_waker_that_panics_harms_nobody_else() {
        let (told, heard) = mpsc::channel();
        wake(waker(0, &told));
        wake(waker(5, &told));
        assert_eq!(heard.recv_timeout(LONG), Ok(5));
    }
}
