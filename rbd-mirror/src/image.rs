//! An open image, and what it is. Its data, its holders and the verbs are in files of their own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::span::EnteredSpan;

use crate::bounded;
use crate::call::{Call, Failure, attempt, erased, finish, guarded, refused};
use crate::cluster::DROP_WITHIN;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::name::{ImageId, ImageSpec, Subject};
use crate::op::Op;
use crate::place::{Answer, revealed};
use crate::pool::Pool;
use crate::raw::completion::Aio;
use crate::raw::image::{RawImage, RawLinked, Which};
use crate::refusal::Refusal;
use crate::role::Role;

/// An open image. Clones share the handle; it is closed with the last of them.
///
/// All methods take `&self` and may be called from several threads at once. Closing while a call runs is impossible: a
/// call holds the handle, also one that was given up as [`Error::InDoubt`] and still runs in the background.
#[derive(Clone)]
pub struct Image {
    open: Arc<Open>,
    pool: Pool,
    spec: ImageSpec,
    bound: Duration,
}

/// How an image was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly(Option<String>),
    /// Read-only, at a snapshot by its id.
    AtSnapshot(u64),
}

struct Open {
    /// `Some` until closed.
    raw: Option<Arc<RawImage>>,
    access: Access,
    bound: Duration,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(raw) = self.raw.take() {
            // rbd_close waits for the cluster; whoever drops an image waits for a moment at the most.
            let _ = bounded::run(DROP_WITHIN.min(self.bound), move || drop(raw));
        }
    }
}

/// How long one look may take that is to explain a failure.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(5);

/// What an image is, as `rbd info` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ImageInfo {
    /// The image's id. A resync replaces it.
    pub id: ImageId,
    /// The image's size in bytes.
    pub size: u64,
    /// The size of its objects in bytes.
    pub object_size: u64,
    /// How many objects it has at the most.
    pub objects: u64,
    /// Its features.
    pub features: Features,
    /// When it was created at this site.
    pub created: SystemTime,
    /// What it was cloned from, while it is a clone.
    pub parent: Option<Parent>,
}

/// What a clone hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Parent {
    /// The parent image.
    pub image: LinkedImage,
    /// The parent's snapshot.
    pub snapshot: String,
    /// How many bytes of the clone its parent still backs.
    pub overlap: u64,
}

impl fmt::Display for Parent {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.image, self.snapshot)
    }
}

/// An image that another one is linked to: a parent or a child.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LinkedImage {
    /// Its pool.
    pub pool: String,
    /// Its namespace, empty for the default one.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: ImageId,
    /// Whether it is in the trash.
    pub in_trash: bool,
}

impl LinkedImage {
    pub(crate) fn from_raw(raw: RawLinked) -> Self {
        let RawLinked { pool, namespace, name, id, in_trash } = raw;
        Self { pool, namespace, name, id: ImageId::new(id), in_trash }
    }
}

impl fmt::Display for LinkedImage {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        write!(f, "{}/{}{slash}{}", self.pool, self.namespace, self.name)
    }
}

impl Image {
    pub(crate) fn open(pool: &Pool, which: Which, access: Access) -> Result<Self> {
        let op = Op::OpenImage;
        let asked = pool.image_asked_for(&which);
        let _span = tracing::debug_span!("image", op = op.word(), image = %asked).entered();
        let (read_only, snapshot, snapshot_id) = match &access {
            Access::ReadWrite => (false, None, None),
            Access::ReadOnly(snapshot) => (true, snapshot.clone(), None),
            Access::AtSnapshot(id) => (true, None, Some(*id)),
        };
        let named = matches!(which, Which::Name(_));
        let io = Arc::clone(pool.raw());
        let opened = bounded::run(pool.bound(), move || {
            let raw = RawImage::open(&io, &which, snapshot.as_deref(), read_only)?;
            if let Some(id) = snapshot_id {
                raw.set_snapshot_by_id(id)?;
            }
            let name = if named { None } else { Some(raw.name()?) };
            Ok((raw, name))
        });
        let opened = opened.map_err(Failure::from).and_then(|opened| opened.map_err(Failure::Errno));
        let (raw, name) = opened.map_err(|failure| failure.plain(op, asked.clone().into(), pool.bound()))?;
        Ok(Self::opened(pool, raw, access, name.map_or(asked, |name| pool.image_spec(&name))))
    }

    pub(crate) fn opened(pool: &Pool, raw: RawImage, access: Access, spec: ImageSpec) -> Self {
        let bound = pool.bound();
        Self {
            open: Arc::new(Open { raw: Some(Arc::new(raw)), access, bound }),
            spec,
            pool: pool.clone(),
            bound,
        }
    }

    /// Closes the handle and says whether that went well. Dropping it closes it too, waits two seconds for that at the most, and
    /// says nothing.
    ///
    /// With other clones of this value alive, they keep the handle open.
    ///
    /// # Errors
    /// [`Error::InDoubt`] if the site does not answer, or a call that was left behind still runs: the handle is closed when it has.
    ///
    /// Implements: `int rbd_close(rbd_image_t image);`
    #[inline]
    pub fn close(self) -> Result<()> {
        let (op, on, bound) = (Op::CloseImage, self.subject(), self.bound);
        let _span = tracing::debug_span!("image", op = op.word(), image = %self.spec).entered();
        let raw = match self.into_raw() {
            None => return Ok(()),
            Some(Err(raw)) => {
                // Should the call end this very moment, this is the last reference: closing may hang, and not on this thread.
                bounded::detach(move || drop(raw));
                return Err(Error::InDoubt { op, on, waited: Duration::ZERO });
            }
            Some(Ok(raw)) => raw,
        };
        let closed = bounded::run(bound, move || raw.close()).map_err(Failure::from);
        closed
            .and_then(|closed| closed.map_err(Failure::Errno))
            .map_err(|failure| failure.plain(op, on, bound))
    }

    /// The handle for closing it; `None` while other clones of this value have it, and the handle shared where a call runs on it.
    pub(crate) fn into_raw(self) -> Option<Result<RawImage, Arc<RawImage>>> {
        let raw = Arc::into_inner(self.open)?.raw.take()?;
        Some(Arc::try_unwrap(raw))
    }

    /// The image's name.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &str {
        &self.spec.image
    }

    /// Where the image is.
    #[must_use]
    #[inline]
    pub fn spec(&self) -> &ImageSpec {
        &self.spec
    }

    /// The pool it was opened in.
    #[must_use]
    #[inline]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether it was opened for reading alone.
    #[must_use]
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.open.access != Access::ReadWrite
    }

    /// Whether it was opened at a snapshot by its id.
    pub(crate) fn is_at_snapshot_id(&self) -> bool {
        matches!(self.open.access, Access::AtSnapshot(_))
    }

    /// The same handle with another limit for each operation, as for a flatten that may be quiet for long.
    #[must_use]
    #[inline]
    pub fn bounded_by(&self, limit: Duration) -> Self {
        Self { bound: limit, pool: self.pool.bounded_by(limit), ..self.clone() }
    }

    /// The limit for each operation.
    #[must_use]
    #[inline]
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// The image's id, which a resync replaces.
    ///
    /// # Errors
    /// [`Error::InDoubt`] if the handle is stuck.
    ///
    /// Implements: `int rbd_get_id(rbd_image_t image, char *id, size_t id_len);`
    #[inline]
    pub fn id(&self) -> Result<ImageId> {
        self.run(Op::ImageInfo, RawImage::id).map(ImageId::new)
    }

    /// What the image is. A handle that was opened read-only shows it as it was opened: it does not hear of changes.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::InDoubt`] if the site does not answer.
    ///
    /// Implements: `int rbd_stat(rbd_image_t image, rbd_image_info_t *info, size_t infosize);`
    /// Similar to: `rbd info`
    #[inline]
    pub fn info(&self) -> Result<ImageInfo> {
        self.run(Op::ImageInfo, |raw| {
            let stat = raw.stat()?;
            Ok(ImageInfo {
                id: ImageId::new(raw.id()?),
                size: stat.size,
                object_size: stat.obj_size,
                objects: stat.num_objs,
                features: Features::from_bits_retain(raw.features()?),
                created: raw.created()?,
                parent: parent(raw)?,
            })
        })
    }

    /// The image's size in bytes.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// Implements: `int rbd_stat(rbd_image_t image, rbd_image_info_t *info, size_t infosize);`
    #[inline]
    pub fn size(&self) -> Result<u64> {
        self.run(Op::ImageInfo, |raw| raw.stat().map(|stat| stat.size))
    }

    /// The image's features.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// Implements: `int rbd_get_features(rbd_image_t image, uint64_t *features);`
    #[inline]
    pub fn features(&self) -> Result<Features> {
        self.run(Op::ImageInfo, RawImage::features).map(Features::from_bits_retain)
    }

    /// Turns features on. Those that are on already are left alone (librbd alone would answer `EINVAL`).
    ///
    /// Journaling in a pool of mode `pool` enables mirroring. Journaling beside an orphan journal would crash the process:
    /// it is refused as in [`enable`](Self::enable).
    ///
    /// # Errors
    /// [`Refusal::OrphanJournal`]; [`Refusal::NoExclusiveLock`] for journaling without it; [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_update_features(rbd_image_t image, uint64_t features, uint8_t enabled);`
    /// Similar to: `rbd feature enable`
    #[inline]
    pub fn enable_features(&self, features: Features) -> Result<()> {
        let missing = features.difference(self.features()?);
        if missing.contains(Features::JOURNALING) {
            self.refuse_orphan_journal(Op::UpdateFeatures)?;
        }
        self.change_features(missing, true)
    }

    /// Turns features off. Those that are off already are left alone.
    ///
    /// # Errors
    /// [`Error::Os`] with `EINVAL` for journaling of a mirrored image, or for a feature that another one needs.
    ///
    /// Implements: `int rbd_update_features(rbd_image_t image, uint64_t features, uint8_t enabled);`
    /// Similar to: `rbd feature disable`
    #[inline]
    pub fn disable_features(&self, features: Features) -> Result<()> {
        let present = features.intersection(self.features()?);
        self.change_features(present, false)
    }

    fn change_features(&self, features: Features, on: bool) -> Result<()> {
        if features.is_empty() {
            return Ok(());
        }
        let op = Op::UpdateFeatures;
        let bits = features.bits();
        self.change(op, move |raw| raw.update_features(bits, on)).map_err(|failure| match failure.errno() {
            Some(errno @ Errno::EINVAL) if on && features.contains(Features::JOURNALING) => {
                refused(op, self.subject(), Refusal::NoExclusiveLock, errno)
            }
            _ => self.write_error(op, failure),
        })
    }

    /// What the image was cloned from; `None` once it is flat.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// Implements: `int rbd_get_parent(rbd_image_t image, rbd_linked_image_spec_t *parent_image, rbd_snap_spec_t *parent_snap);`
    #[inline]
    pub fn parent(&self) -> Result<Option<Parent>> {
        self.run(Op::ImageInfo, parent)
    }

    /// The clones that hang on the image's snapshots.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// Implements: `int rbd_list_children3(rbd_image_t image, rbd_linked_image_spec_t *images, size_t *max_images);`
    /// Similar to: `rbd children`
    #[inline]
    pub fn children(&self) -> Result<Vec<LinkedImage>> {
        let children = self.run(Op::ImageInfo, RawImage::children)?;
        Ok(children.into_iter().map(LinkedImage::from_raw).collect())
    }

    /// Grows the image. Shrinking destroys data and is its own function: [`shrink`](Self::shrink).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if `size` is smaller than the image is; [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_resize2(rbd_image_t image, uint64_t size, bool allow_shrink, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub fn grow(&self, size: u64) -> Result<()> {
        if size < self.size()? {
            return Err(Error::InvalidInput {
                op: Op::Resize,
                on: self.subject(),
                what: "smaller than the image is",
            });
        }
        self.change(Op::Resize, move |raw| raw.resize(size, false))
            .map_err(|failure| self.write_error(Op::Resize, failure))
    }

    /// Makes the image `size` bytes long, throwing away what is behind.
    ///
    /// # Errors
    /// [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_resize2(rbd_image_t image, uint64_t size, bool allow_shrink, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd resize --allow-shrink`
    #[inline]
    pub fn shrink(&self, size: u64) -> Result<()> {
        self.change(Op::Resize, move |raw| raw.resize(size, true))
            .map_err(|failure| self.write_error(Op::Resize, failure))
    }

    /// A value of the image's metadata. It is replicated; keys that start with `conf_` are configuration at every site.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key has no value.
    ///
    /// Implements: `int rbd_metadata_get(rbd_image_t image, const char *key, char *value, size_t *val_len);`
    #[inline]
    pub fn metadata(&self, key: &str) -> Result<String> {
        let key = key.to_owned();
        self.run(Op::ImageMetadata, move |raw| raw.metadata(&key))
    }

    /// Sets a value of the image's metadata.
    ///
    /// # Errors
    /// [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_metadata_set(rbd_image_t image, const char *key, const char *value);`
    #[inline]
    pub fn set_metadata(&self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.change(Op::ImageMetadata, move |raw| raw.set_metadata(&key, &value))
            .map_err(|failure| self.write_error(Op::ImageMetadata, failure))
    }

    /// Removes a value of the image's metadata.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key has no value; [`Refusal::Replica`].
    ///
    /// Implements: `int rbd_metadata_remove(rbd_image_t image, const char *key);`
    #[inline]
    pub fn remove_metadata(&self, key: &str) -> Result<()> {
        let key = key.to_owned();
        self.change(Op::ImageMetadata, move |raw| raw.remove_metadata(&key))
            .map_err(|failure| self.write_error(Op::ImageMetadata, failure))
    }

    /// The live handle, for starting an operation.
    pub(crate) fn raw(&self) -> Result<Arc<RawImage>, Errno> {
        // `None` only inside Drop and close, when nobody holds this handle any more.
        self.open.raw.clone().ok_or(Errno::ENOTCONN)
    }

    pub(crate) fn subject(&self) -> Subject {
        self.spec.clone().into()
    }

    pub(crate) fn run<T: Send + 'static>(
        &self,
        op: Op,
        job: impl FnOnce(&RawImage) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T> {
        self.run_erased(op, erased(job)).map(revealed)
    }

    fn run_erased(&self, op: Op, job: Call<RawImage>) -> Result<Answer> {
        self.change_erased(op, job).map_err(|failure| self.error(op, failure))
    }

    /// [`attempt`](Self::attempt) within a span that names image and operation, for what explains its failures itself.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        op: Op,
        job: impl FnOnce(&RawImage) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Failure> {
        self.change_erased(op, erased(job)).map(revealed)
    }

    fn change_erased(&self, op: Op, job: Call<RawImage>) -> Result<Answer, Failure> {
        let _span = self.span(op);
        self.attempt_erased(job)
    }

    pub(crate) fn attempt<T: Send + 'static>(
        &self,
        job: impl FnOnce(&RawImage) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Failure> {
        self.attempt_erased(erased(job)).map(revealed)
    }

    fn attempt_erased(&self, job: Call<RawImage>) -> Result<Answer, Failure> {
        attempt(self.raw()?, self.bound, job)
    }

    fn span(&self, op: Op) -> EnteredSpan {
        tracing::debug_span!("image", op = op.word(), image = %self.spec).entered()
    }

    /// Starts an aio operation of this image and waits for it.
    pub(crate) fn finish<S: Send + 'static>(
        &self,
        op: Op,
        start: impl FnOnce(&Arc<RawImage>) -> Result<Aio<S>, Errno>,
    ) -> Result<(usize, S), Failure> {
        let _span = self.span(op);
        finish(self.raw().and_then(|raw| start(&raw)), self.bound)
    }

    /// The same image for asking why an operation failed: that must not take as long again as the operation itself.
    pub(crate) fn explaining(&self) -> Self {
        self.bounded_by(self.bound.min(EXPLAINED_WITHIN))
    }

    /// A handle that knows what the image is now. One that was opened read-only has no watch, and so never hears of a change; in
    /// snapshot mode that includes the image's role.
    pub(crate) fn up_to_date(&self) -> Result<Self> {
        let Access::ReadOnly(None) = &self.open.access else { return Ok(self.clone()) };
        self.pool.bounded_by(self.bound).open_by_id_read_only(&self.id()?)
    }

    /// Whether calls run on this handle besides the caller's own.
    pub(crate) fn has_calls_under_way(&self) -> bool {
        self.open.raw.as_ref().is_some_and(|raw| Arc::strong_count(raw) > 1)
    }

    pub(crate) fn error(&self, op: Op, failure: Failure) -> Error {
        failure.plain(op, self.subject(), self.bound)
    }

    /// The error of an operation that writes: what the image's role makes of `EROFS`, `EPERM` and `EINVAL`.
    pub(crate) fn write_error(&self, op: Op, failure: Failure) -> Error {
        let Some(errno @ (Errno::EROFS | Errno::EPERM)) = failure.errno() else {
            return self.error(op, failure);
        };
        if self.is_read_only() {
            return refused(op, self.subject(), Refusal::ReadOnlyHandle, errno);
        }
        let why = self.explaining();
        match why.role() {
            Ok(Role::NonPrimary(_)) => refused(op, self.subject(), Refusal::Replica, errno),
            Ok(Role::Primary(_)) => match why.lock_owners() {
                Ok(owners) if !owners.is_empty() => {
                    let owner = owners.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    refused(op, self.subject(), Refusal::LockHeldByDaemon { owner: owner.into() }, errno)
                }
                _ => self.error(op, failure),
            },
            // librbd says that it may not write when it cannot take the lock, also when that is because nobody answers.
            Err(error) if error.is_unreachable() => {
                Error::Unreachable { op, on: self.subject(), waited: self.bound }
            }
            _ => self.error(op, failure),
        }
    }

    /// librbd 16 itself promotes and resyncs through handles that were opened read-only.
    pub(crate) fn refuse_read_only(&self, op: Op) -> Result<()> {
        if self.is_read_only() { Err(self.refuse(op, Refusal::ReadOnlyHandle)) } else { Ok(()) }
    }

    pub(crate) fn refuse(&self, op: Op, reason: Refusal) -> Error {
        guarded(op, self.subject(), reason)
    }
}

/// `ENOENT` from librbd means: no parent.
fn parent(raw: &RawImage) -> Result<Option<Parent>, Errno> {
    match raw.parent() {
        Ok(parent) => Ok(Some(Parent {
            image: LinkedImage::from_raw(parent.image),
            snapshot: parent.snapshot,
            overlap: raw.overlap()?,
        })),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

impl fmt::Debug for Image {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}, {:?})", self.spec, self.open.access)
    }
}
