//! Copies of an image: of its content as it is, or of the image with its snapshots.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::call::Failure;
use crate::create::{CreateOptions, with_a_free_id};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::op::Op;
use crate::pool::Pool;
use crate::progress::Progress;
use crate::raw::copy::Target;

/// The smallest run of zeroes that a copy leaves out, unless told otherwise: librbd's own default.
const SPARSE_BYTES: usize = 4096;

impl Image {
    /// Copies the image as this handle shows it, at its snapshot if it was opened at one, to a new image without snapshots. It also works
    /// on a mirror snapshot of a replica, the one way to see into a replica in snapshot mode whose primary is gone
    /// ([`Pool::open_at_snapshot_id`]).
    ///
    /// What `options` leave open is as in this image; its features may be more than a copy should have (`journaling`): say so there.
    /// `progress` is in bytes. **librbd does not heed a `Break` here**: the copy goes on to its end, without further calls of
    /// `progress`, and `Ok` says that it is whole.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if `into` has an image of that name; [`Refusal::Full`](crate::Refusal::Full);
    /// [`Error::InDoubt`] if nothing was heard for the limit. What was copied until an error stays under the new name.
    ///
    /// Implements: `int rbd_copy_with_progress4(rbd_image_t image, rados_ioctx_t dest_p, const char *destname, rbd_image_options_t dest_opts, librbd_progress_fn_t cb, void *cbdata, size_t sparse_size);`
    /// Similar to: `rbd cp <image-spec> <image-spec>`
    #[inline]
    pub fn copy(
        &self,
        into: &Pool,
        name: &str,
        options: &CreateOptions,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let op = Op::Copy;
        let (io, new, options) = (Arc::clone(into.raw()), name.to_owned(), options.clone());
        self.long(
            op,
            progress,
            move |raw, rendezvous| {
                let options = options.to_raw()?;
                let target = Target { io: &io, name: &new, options: &options };
                with_a_free_id(|| raw.copy(&target, SPARSE_BYTES, rendezvous))
            },
            |failure| self.copy_error(op, into, name, failure),
        )
    }

    /// Copies the image with its snapshots, and with its parent unless `options` say [`flatten`](CreateOptions::flatten). Mirror
    /// snapshots are left out: the copy is not mirrored.
    ///
    /// What `options` leave open is as in this image. `progress` is in objects, those of each snapshot counted.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] on a handle opened at a snapshot by its id: librbd 16 **aborts the process** over it, use
    /// [`copy`](Self::copy); otherwise as [`copy`](Self::copy).
    ///
    /// Implements: `int rbd_deep_copy_with_progress(rbd_image_t image, rados_ioctx_t dest_io_ctx, const char *destname, rbd_image_options_t dest_opts, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd deep cp <image-spec> <image-spec>`
    #[inline]
    pub fn deep_copy(
        &self,
        into: &Pool,
        name: &str,
        options: &CreateOptions,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let op = Op::DeepCopy;
        if self.is_at_snapshot_id() {
            let what =
                "a handle at a snapshot by its id cannot be deep-copied: librbd would abort; use `copy`";
            return Err(Error::InvalidInput { op, on: self.subject(), what });
        }
        let (io, new, options) = (Arc::clone(into.raw()), name.to_owned(), options.clone());
        self.long(
            op,
            progress,
            move |raw, rendezvous| {
                let options = options.to_raw()?;
                let target = Target { io: &io, name: &new, options: &options };
                with_a_free_id(|| raw.deep_copy(&target, rendezvous))
            },
            |failure| self.copy_error(op, into, name, failure),
        )
    }

    /// An errno of a copy is about the new image.
    fn copy_error(&self, op: Op, into: &Pool, name: &str, failure: Failure) -> Error {
        failure.plain(op, into.image_spec(name).into(), self.bound())
    }
}
