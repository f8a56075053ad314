//! From a failed C call to an [`Error`]: the part that does not depend on the operation.

use std::sync::Arc;
use std::time::Duration;

use crate::bounded::{self, NoAnswer, Overrun};
use crate::errno::Errno;
use crate::error::Error;
use crate::name::Subject;
use crate::op::Op;
use crate::place::{Answer, answer};
use crate::raw::completion::Aio;
use crate::refusal::Refusal;

/// How a call failed, before anybody has asked why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Overrun(Overrun),
    Errno(Errno),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Overrun> for Failure {
    fn from(overrun: Overrun) -> Self {
        Self::Overrun(overrun)
    }
}

impl From<NoAnswer> for Failure {
    fn from(no_answer: NoAnswer) -> Self {
        match no_answer {
            NoAnswer::Overrun(overrun) => Self::Overrun(overrun),
            NoAnswer::NotMade => Self::Errno(Errno::EAGAIN),
        }
    }
}

impl Failure {
    pub(crate) fn errno(self) -> Option<Errno> {
        match self {
            Self::Errno(errno) => Some(errno),
            Self::Overrun(_) => None,
        }
    }

    /// The error for a failure whose errno means what it says.
    pub(crate) fn plain(self, op: Op, on: Subject, bound: Duration) -> Error {
        let errno = match self {
            Self::Overrun(Overrun { waited }) => return Error::InDoubt { op, on, waited },
            Self::Errno(errno) => errno,
        };
        match errno {
            Errno::ENOENT => Error::NotFound { op, on },
            Errno::EEXIST => Error::AlreadyExists { op, on },
            Errno::EACCES | Errno::EPERM => Error::NotPermitted { op, on, errno },
            Errno::ETIMEDOUT => Error::Unreachable { op, on, waited: bound },
            Errno::ESHUTDOWN => refused(op, on, Refusal::Blocklisted, errno),
            Errno::ENOSPC | Errno::EDQUOT => refused(op, on, Refusal::Full, errno),
            errno => Error::Os { op, on, errno },
        }
    }
}

pub(crate) fn refused(op: Op, on: Subject, reason: Refusal, errno: Errno) -> Error {
    Error::Refused { op, on, reason, errno: Some(errno) }
}

/// A refusal of our own, before librbd was asked.
pub(crate) fn guarded(op: Op, on: Subject, reason: Refusal) -> Error {
    Error::Refused { op, on, reason, errno: None }
}

/// A call on a handle, whatever it answers.
pub(crate) type Call<H> = Box<dyn FnOnce(&H) -> Result<Answer, Errno> + Send>;

/// `job` without the type of its answer, which [`revealed`](crate::place::revealed) gives back.
pub(crate) fn erased<H, T: Send + 'static>(
    job: impl FnOnce(&H) -> Result<T, Errno> + Send + 'static,
) -> Call<H> {
    Box::new(move |handle| job(handle).map(answer))
}

/// Makes a call on a handle, which it keeps alive, and waits for it for `bound` at the most.
pub(crate) fn attempt<H: Send + Sync + 'static>(
    handle: Arc<H>,
    bound: Duration,
    job: Call<H>,
) -> Result<Answer, Failure> {
    Ok(bounded::run(bound, move || job(&handle))??)
}

/// Waits for a started operation; its return value and its slot.
pub(crate) fn finish<S: Send + 'static>(
    started: Result<Aio<S>, Errno>,
    bound: Duration,
) -> Result<(usize, S), Failure> {
    let (outcome, slot) = started?.wait(bound)?;
    Ok((outcome?, slot))
}
