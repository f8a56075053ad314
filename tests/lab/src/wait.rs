//! Waiting: the only place of the lab that sleeps. Every wait has a deadline and a name.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Between two looks: short against what is awaited (0.1 s and more), long against the cost of a look (about 1 ms).
const PAUSE: Duration = Duration::from_millis(20);

/// What a look showed.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// What was awaited.
    Done(T),
    /// Something else, in words for the one who reads the error.
    NotYet(String),
}

impl Seen<()> {
    /// `Done` if `arrived`, else what is there instead.
    pub fn when(arrived: bool, otherwise: impl FnOnce() -> String) -> Self {
        if arrived { Self::Done(()) } else { Self::NotYet(otherwise()) }
    }
}

/// Looks again and again until what is awaited is there.
///
/// # Errors
/// [`Error::TimedOut`] after `within`, naming `what`, what was last seen, and `logs`. An error of `look` ends the wait:
/// what may go away by itself is to be reported as [`Seen::NotYet`].
pub fn until<T>(
    what: &str,
    within: Duration,
    logs: &Path,
    look: impl FnMut() -> Result<Seen<T>>,
) -> Result<T> {
    until_every(PAUSE, what, within, logs, look)
}

/// [`until`] with another pause, for what comes much sooner.
pub(crate) fn until_every<T>(
    pause: Duration,
    what: &str,
    within: Duration,
    logs: &Path,
    mut look: impl FnMut() -> Result<Seen<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let last = match look()? {
            Seen::Done(value) => return Ok(value),
            Seen::NotYet(last) => last,
        };
        let waited = start.elapsed();
        if waited >= within {
            return Err(Error::TimedOut { what: what.to_owned(), waited, last, logs: logs.to_owned() });
        }
        thread::sleep(pause.min(within - waited));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Seen, until};

    #[test]
    fn a_wait_that_fails_names_what_it_waited_for_and_what_it_saw() {
        let never = || Ok(Seen::<()>::NotYet("two eggs".to_owned()));
        let error = until("an omelette", Duration::from_millis(1), Path::new("kitchen/log"), never);
        let text = error.map_err(|error| error.to_string()).expect_err("it never comes");
        for part in ["an omelette", "two eggs", "kitchen/log"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_wait_looks_once_even_without_any_time() {
        let seen = until("now", Duration::ZERO, Path::new("log"), || Ok(Seen::Done(7)));
        assert_eq!(seen.ok(), Some(7));
    }
}
