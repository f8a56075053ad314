//! Which parts of an image hold data, or changed since a snapshot: what an export of differences reads.

use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use crate::bounded::{self, Overrun};
use crate::call::Failure;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::op::Op;
use crate::progress::Progress;
use crate::queue::{Nothing, Queue};
use crate::raw::copy::RawDiff;

/// A part of an image that differs from a snapshot, or from nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Extent {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Whether there is data now. Where not, it reads as zeroes: it was given up since the snapshot.
    pub exists: bool,
}

/// What to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffOptions {
    /// Since when: a snapshot of this image that is older than what the handle shows. `None` compares with an empty image, and gives
    /// every part that holds data.
    pub since: Option<String>,
    /// Where to begin, in bytes.
    pub offset: u64,
    /// How far to look, in bytes; `None` is to the end.
    pub length: Option<u64>,
    /// Whether data that a clone reads from its parent counts as the image's own.
    pub include_parent: bool,
    /// Whether whole objects are enough. With the feature fast-diff no object is read then.
    pub whole_objects: bool,
}

impl Default for DiffOptions {
    /// All of the image, with what its parent backs, to the byte.
    #[inline]
    fn default() -> Self {
        Self { since: None, offset: 0, length: None, include_parent: true, whole_objects: false }
    }
}

/// How far librbd may be ahead of the closure.
const AHEAD: usize = 1024;

impl Image {
    /// Calls `each` for every part that differs, in the image's order, on this thread, while librbd looks on. The image is compared as
    /// the handle shows it: open it at a snapshot for what does not move.
    ///
    /// `ControlFlow::Break(())` ends it with [`Error::Cancelled`]. A panic in `each` is raised here, after librbd has returned.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such snapshot; [`Error::Os`] with `EINVAL` if it is younger than what the handle shows;
    /// [`Error::InDoubt`] if nothing was heard for the limit.
    ///
    /// Implements: `int rbd_diff_iterate2(rbd_image_t image, const char *fromsnapname, uint64_t ofs, uint64_t len, uint8_t include_parent, uint8_t whole_object, int (*cb)(uint64_t, size_t, int, void *), void *arg);`
    /// Similar to: `rbd diff [--from-snap <snap>] [--whole-object] <image-spec>`
    #[inline]
    pub fn diff(&self, options: &DiffOptions, mut each: impl FnMut(Extent) -> ControlFlow<()>) -> Result<()> {
        let op = Op::Diff;
        let _span = tracing::info_span!("image", op = op.word(), image = %self.spec()).entered();
        let size = self.size()?;
        let left = size.saturating_sub(options.offset);
        let total = options.length.map_or(left, |length| length.min(left));
        if total == 0 {
            return Ok(());
        }
        let asked = RawDiff {
            from: options.since.clone(),
            offset: options.offset,
            length: total,
            include_parent: options.include_parent,
            whole_objects: options.whole_objects,
        };
        let raw = self.raw().map_err(|errno| self.error(op, errno.into()))?;
        let (told, answer) = (Listener(Arc::new(Queue::with_room(AHEAD))), Arc::new(Queue::new()));
        let (tell, answered) = (Arc::clone(&told.0), Arc::clone(&answer));
        bounded::detach(move || {
            // Once nobody listens any more, librbd is told to stop.
            let found = |offset, length, exists| tell.push(Extent { offset, length, exists }).is_ok();
            let outcome = raw.diff(&asked, &found);
            drop(raw);
            tell.close();
            let _ = answered.push(outcome);
        });

        let (mut done, mut stopped, mut panicked) = (options.offset, false, None);
        let mut heard = Instant::now();
        loop {
            match told.0.pop_within(self.bound().saturating_sub(heard.elapsed())) {
                Ok(extent) => {
                    done = extent.offset;
                    match panic::catch_unwind(AssertUnwindSafe(|| each(extent))) {
                        Ok(verdict) => stopped = verdict.is_break(),
                        Err(payload) => panicked = Some(payload),
                    }
                    heard = Instant::now();
                    if stopped || panicked.is_some() {
                        break;
                    }
                }
                Err(Nothing::Ever) => break,
                Err(Nothing::Yet) => {
                    let failure = Failure::Overrun(Overrun { waited: heard.elapsed() });
                    return Err(self.error(op, failure));
                }
            }
        }
        drop(told);
        let outcome = answer.pop_within(self.bound());
        if let Some(payload) = panicked {
            panic::resume_unwind(payload);
        }
        if stopped {
            let progress = Progress { done: done - options.offset, total };
            return Err(Error::Cancelled { op, on: self.subject(), progress });
        }
        let failure = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(errno)) => Failure::Errno(errno),
            Err(_) => Failure::Overrun(Overrun { waited: heard.elapsed() }),
        };
        Err(self.error(op, failure))
    }
}

/// Who hears of the parts; closes the queue when dropped.
struct Listener(Arc<Queue<Extent>>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.close();
    }
}
