//! The calls that librbd completes by itself, as futures: what the fleet is made of, and what the feature `async` gives to others.
//!
//! Each does what the blocking call of its name does, with the same errors and the same limit. Dropped before its end it is left
//! behind: it may still take effect, as after [`Error::InDoubt`].

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use crate::bounded;
use crate::call::Failure;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::image::{Access, Image};
use crate::name::{GlobalImageId, ImageId};
use crate::op::Op;
use crate::pending::{finished, on_worker};
use crate::pool::Pool;
use crate::promote::Promote;
use crate::raw::completion::Aio;
use crate::raw::image::{RawImage, Which};
use crate::role::Role;
use crate::status::ImageStatus;

impl Pool {
    pub(crate) async fn open_aio(&self, which: Which, access: Access) -> Result<Image> {
        let op = Op::OpenImage;
        let asked = self.image_asked_for(&which);
        let named = matches!(which, Which::Name(_));
        let read_only = access != Access::ReadWrite;
        let span = tracing::debug_span!("image", op = op.word(), image = %asked);
        let started = RawImage::start_open(self.raw(), &which, read_only);
        let opened = finished(started, self.bound()).instrument(span).await;
        let failed = |failure: Failure| failure.plain(op, asked.clone().into(), self.bound());
        let (_, slot) = opened.map_err(failed)?;
        let raw = slot.into_image().ok_or_else(|| failed(Errno::EIO.into()))?;
        // librbd knows the name of an open image without asking.
        let spec = if named {
            asked.clone()
        } else {
            self.image_spec(&raw.name().map_err(|errno| failed(errno.into()))?)
        };
        Ok(Image::opened(self, raw, access, spec))
    }

    pub(crate) async fn find_aio(&self, id: &GlobalImageId) -> Result<ImageId> {
        let (pool, wanted) = (self.clone(), id.clone());
        on_worker(move || pool.find(&wanted))
            .await
            .map_err(|errno| self.error(Op::FindImage, errno.into()))?
    }
}

impl Image {
    /// Starts an operation and waits for it.
    async fn finish_aio<S: Send + 'static>(
        &self,
        op: Op,
        start: impl FnOnce(&Arc<RawImage>) -> Result<Aio<S>, Errno>,
    ) -> Result<(usize, S), Failure> {
        let span = tracing::debug_span!("image", op = op.word(), image = %self.spec());
        // Held for longer than the operation: its completion must not be the last to let the image go.
        let raw = self.raw()?;
        finished(start(&raw), self.bound()).instrument(span).await
    }

    /// Asks on a worker why an operation failed.
    async fn why_aio(&self, op: Op, why: impl FnOnce(&Self) -> Error + Send + 'static) -> Error {
        let image = self.clone();
        match on_worker(move || why(&image)).await {
            Ok(error) => error,
            Err(errno) => self.error(op, errno.into()),
        }
    }

    pub(crate) async fn promote_aio(&self, how: Promote) -> Result<()> {
        self.refuse_read_only(Op::Promote)?;
        let promoted = self.finish_aio(Op::Promote, |raw| raw.start_promote(how == Promote::Force)).await;
        match promoted {
            Ok(_) => Ok(()),
            Err(failure) => {
                Err(self.why_aio(Op::Promote, move |image| image.why_not_promoted(failure, how)).await)
            }
        }
    }

    pub(crate) async fn demote_aio(&self) -> Result<()> {
        self.refuse_read_only(Op::Demote)?;
        match self.finish_aio(Op::Demote, RawImage::start_demote).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(self.why_aio(Op::Demote, move |image| image.why_not_demoted(failure)).await),
        }
    }

    pub(crate) async fn role_aio(&self) -> Result<Role> {
        let op = Op::MirrorInfo;
        let info = |image: Self| async move {
            let asked = image.finish_aio(op, RawImage::start_mirror_info).await;
            asked.map(|(_, slot)| Role::from_raw(slot.copy()))
        };
        // As `role`: in snapshot mode a read-only handle knows only what was so when it was opened.
        let stale = self.is_read_only() && !self.features_known()?.contains(Features::JOURNALING);
        if !stale {
            return info(self.clone()).await.map_err(|failure| self.error(op, failure));
        }
        let fresh = self.reopened_aio().await?;
        let role = info(fresh.clone()).await;
        // To drop it would hold up the thread that polls, and with it all other images of a fleet.
        if let Err(error) = fresh.close_aio().await {
            tracing::debug!(%error, "closing an image that was opened for its role");
        }
        role.map_err(|failure| self.error(op, failure))
    }

    /// The image's features as librbd knows them of an open image, without asking.
    fn features_known(&self) -> Result<Features> {
        let known = self.raw().and_then(|raw| raw.features());
        known.map(Features::from_bits_retain).map_err(|errno| self.error(Op::ImageInfo, errno.into()))
    }

    async fn reopened_aio(&self) -> Result<Self> {
        let id =
            self.raw().and_then(|raw| raw.id()).map_err(|errno| self.error(Op::ImageInfo, errno.into()))?;
        self.pool().bounded_by(self.bound()).open_aio(Which::Id(id), Access::ReadOnly(None)).await
    }

    pub(crate) async fn status_aio(&self) -> Result<ImageStatus> {
        let asked = self.finish_aio(Op::Status, RawImage::start_mirror_status).await;
        let (_, slot) = asked.map_err(|failure| self.error(Op::Status, failure))?;
        Ok(ImageStatus::from_slot(&slot))
    }

    #[cfg(feature = "async")]
    pub(crate) async fn create_mirror_snapshot_aio(&self, flags: crate::SnapshotFlags) -> Result<u64> {
        let op = Op::MirrorSnapshot;
        match self.finish_aio(op, |raw| raw.start_mirror_snapshot(flags.bits())).await {
            Ok((_, id)) => Ok(id),
            Err(failure) => Err(self.why_aio(op, move |image| image.why_no_mirror_snapshot(failure)).await),
        }
    }

    pub(crate) async fn close_aio(self) -> Result<()> {
        let (op, on, bound) = (Op::CloseImage, self.subject(), self.bound());
        let pool = self.pool().clone();
        let raw = match self.into_raw() {
            None => return Ok(()),
            Some(Err(raw)) => {
                // Should the call end this very moment, this is the last reference: closing is not for this thread.
                bounded::detach(move || drop(raw));
                return Err(Error::InDoubt { op, on, waited: Duration::ZERO });
            }
            Some(Ok(raw)) => raw,
        };
        let closed = finished(raw.start_close(), bound).await;
        // The pool outlives the call: see `raw::completion`.
        drop(pool);
        closed.map(drop).map_err(|failure| failure.plain(op, on, bound))
    }
}
