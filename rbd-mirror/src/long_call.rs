//! Calls into C that go on for long and report: on a worker thread, told of on the caller's.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::bounded;
use crate::call::Failure;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::name::Subject;
use crate::op::Op;
use crate::progress::{Progress, Rendezvous};
use crate::raw::image::RawImage;

/// How a long call failed, and how far it had come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped {
    pub(crate) failure: Failure,
    progress: Progress,
}

impl Stopped {
    /// The error of a call that its caller broke off; the failure, where it was something else.
    pub(crate) fn cancelled(self, op: Op, on: Subject) -> Result<Error, Failure> {
        match self.failure.errno() {
            Some(Errno::ECANCELED) => Ok(Error::Cancelled { op, on, progress: self.progress }),
            _ => Err(self.failure),
        }
    }
}

/// Runs `job`, which owns the handles it works on, and calls `progress` on this thread for each of its reports, and once more at the
/// end: librbd reports a unit as it begins, so never the last one as done.
///
/// `quiet` bounds the time without a sign of life.
pub(crate) fn run(
    quiet: Duration,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    job: impl FnOnce(&Rendezvous) -> Result<(), Errno> + Send + 'static,
) -> Result<(), Stopped> {
    let (rendezvous, answer) = (Arc::new(Rendezvous::default()), Arc::new(OnceLock::new()));
    {
        let (rendezvous, answer) = (Arc::clone(&rendezvous), Arc::clone(&answer));
        bounded::detach(move || {
            // The handles in the job are let go with it: whoever hears the answer may close them at once.
            let outcome = job(&rendezvous);
            let _ = answer.set(outcome);
            rendezvous.returned();
        });
    }
    let (mut last, mut stopped) = (Progress::default(), false);
    let attended = rendezvous.attend(quiet, |now| {
        last = now;
        let verdict = progress(now);
        stopped = verdict.is_break();
        verdict
    });
    let outcome = attended
        .map_err(Failure::from)
        .and_then(|()| answer.get().copied().unwrap_or(Err(Errno::EAGAIN)).map_err(Failure::from));
    if outcome.is_ok() && !stopped && last.done < last.total {
        let _ = progress(Progress { done: last.total, total: last.total });
    }
    outcome.map_err(|failure| Stopped { failure, progress: last })
}

impl Image {
    /// A long call on this image. What is no cancellation, `explain` makes an error of.
    pub(crate) fn long(
        &self,
        op: Op,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
        job: impl FnOnce(&RawImage, &Rendezvous) -> Result<(), Errno> + Send + 'static,
        explain: impl FnOnce(Failure) -> Error,
    ) -> Result<()> {
        let _span = tracing::info_span!("image", op = op.word(), image = %self.spec()).entered();
        let raw = self.raw().map_err(|errno| self.error(op, errno.into()))?;
        run(self.bound(), progress, move |rendezvous| job(&raw, rendezvous))
            .map_err(|stopped| stopped.cancelled(op, self.subject()).unwrap_or_else(explain))
    }
}
