//! The first of a name goes ahead, within this process: what several threads would do at once, and one of them may do for all.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deadline::Deadline;

/// The names for which somebody has gone ahead.
#[derive(Default)]
pub(crate) struct Turns {
    taken: Mutex<HashSet<String>>,
    over: Condvar,
}

/// Who goes ahead; over when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    of: &'a Turns,
    name: String,
}

type Taken<'a> = MutexGuard<'a, HashSet<String>>;

impl Turns {
    /// To go ahead with that name. `None`: somebody else did, and is through with it, or not within that time.
    pub(crate) fn go_ahead(&self, name: &str, within: Duration) -> Option<Turn<'_>> {
        let mut taken = self.taken();
        if taken.contains(name) {
            self.wait(taken, within, |taken| taken.contains(name));
            return None;
        }
        taken.insert(name.to_owned());
        Some(Turn { of: self, name: name.to_owned() })
    }

    /// Waits until nobody has gone ahead with anything, for so long at the most; whether there was anybody to wait for.
    pub(crate) fn wait_for_others(&self, within: Duration) -> bool {
        let taken = self.taken();
        let any = !taken.is_empty();
        self.wait(taken, within, |taken| !taken.is_empty());
        any
    }

    fn wait(&self, mut taken: Taken<'_>, within: Duration, go_on: impl Fn(&HashSet<String>) -> bool) {
        let deadline = Deadline::after(within);
        while go_on(&taken) && !deadline.is_over() {
            let waited = self.over.wait_timeout(taken, deadline.left());
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Plain data: a poisoned lock tells of a panic elsewhere.
    fn taken(&self) -> Taken<'_> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.of.taken().remove(&self.name);
        self.of.over.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::Turns;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn the_second_of_a_name_waits_until_the_first_is_through_and_another_name_does_not() {
        let turns = Turns::default();
        let (asked, asks) = mpsc::channel();
        let first = turns.go_ahead("a", LONG);
        assert!(first.is_some());
        assert!(turns.go_ahead("b", LONG).is_some());
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                asked.send(()).unwrap();
                turns.go_ahead("a", LONG).is_none()
            });
            asks.recv().unwrap();
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap();
        });
        assert!(turns.go_ahead("a", LONG).is_some());
    }

    #[test]
    fn nobody_is_waited_for_where_nobody_went_ahead_nor_longer_than_asked() {
        let turns = Turns::default();
        assert!(!turns.wait_for_others(LONG));
        let first = turns.go_ahead("a", LONG);
        assert!(turns.wait_for_others(Duration::from_millis(20)));
        assert!(turns.go_ahead("a", Duration::from_millis(20)).is_none());
        drop(first);
        assert!(!turns.wait_for_others(LONG));
    }
}
