//! A pool (and namespace) of a cluster: what is in it, and how it mirrors.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ceph_sys as sys;
use tracing::span::EnteredSpan;

use crate::bounded;
use crate::call::{Call, Failure, attempt, erased, refused};
use crate::cls::{Decoder, Encoder};
use crate::cluster::Cluster;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::image::{Access, Image};
use crate::mode::PoolMode;
use crate::name::{GlobalImageId, ImageId, ImageSpec, MirrorUuid, PoolSpec, Subject};
use crate::op::Op;
use crate::place::{Answer, revealed};
use crate::raw::image::{self as raw_image, Which};
use crate::raw::pool::RawTrashed;
use crate::raw::rados::RawIoCtx;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::trash::Deferment;

/// A pool and namespace of a connected cluster. Clones share the io context.
#[derive(Clone)]
pub struct Pool {
    raw: Arc<RawIoCtx>,
    cluster: Cluster,
    spec: PoolSpec,
    bound: Duration,
}

/// An image of a pool, by name and id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ImageEntry {
    /// The image's name.
    pub name: String,
    /// The image's id.
    pub id: ImageId,
}

/// An image in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TrashEntry {
    /// The id by which it is restored.
    pub id: ImageId,
    /// The name it had.
    pub name: String,
    /// Who put it there.
    pub source: TrashSource,
    /// When it was put there.
    pub deleted: SystemTime,
    /// Until when it is kept from being purged.
    pub deferred_until: SystemTime,
}

/// Who put an image into the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum TrashSource {
    /// Somebody, by a command.
    User,
    /// rbd-mirror: the image was removed at the primary, or is the copy that a resync replaced.
    Mirroring,
    /// A migration.
    Migration,
    /// A removal that was broken off.
    Removing,
    /// A parent whose last clone is still there.
    UserParent,
    /// A source this crate has no name for.
    Other(u32),
}

impl Cluster {
    /// Opens a pool.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the cluster has no such pool.
    ///
    /// Implements: `int rados_ioctx_create(rados_t cluster, const char *pool_name, rados_ioctx_t *ioctx);`
    #[inline]
    pub fn pool(&self, name: &str) -> Result<Pool> {
        Pool::open_pool(self, name, "")
    }
}

impl Pool {
    fn open_pool(cluster: &Cluster, pool: &str, namespace: &str) -> Result<Self> {
        let spec =
            PoolSpec { cluster: Arc::clone(cluster.name()), pool: pool.into(), namespace: namespace.into() };
        let (bound, op) = (cluster.bound(), Op::OpenPool);
        let _span = tracing::debug_span!("pool", op = op.word(), pool = %spec).entered();
        let failed = |failure: Failure| failure.plain(op, spec.clone().into(), bound);
        let raw_cluster = cluster.raw().map_err(|errno| failed(errno.into()))?;
        let (pool, namespace) = (pool.to_owned(), namespace.to_owned());
        let opened = bounded::run(bound, move || RawIoCtx::open(&raw_cluster, &pool, &namespace));
        let raw = opened.map_err(Failure::from).and_then(|raw| raw.map_err(Failure::from)).map_err(failed)?;
        Ok(Self { raw: Arc::new(raw), cluster: cluster.clone(), spec, bound })
    }

    /// The same pool in another namespace; an empty name is the default one.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool is gone. A namespace that does not exist is found out by the first operation in it.
    #[inline]
    pub fn namespace(&self, name: &str) -> Result<Self> {
        Self::open_pool(&self.cluster, &self.spec.pool, name)
    }

    /// Where this is: cluster, pool and namespace.
    #[must_use]
    #[inline]
    pub fn spec(&self) -> &PoolSpec {
        &self.spec
    }

    /// The cluster it belongs to.
    #[must_use]
    #[inline]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The pool's number.
    ///
    /// Implements: `int64_t rados_ioctx_get_id(rados_ioctx_t io);`
    #[must_use]
    #[inline]
    pub fn id(&self) -> i64 {
        self.raw.pool_id()
    }

    /// The same pool with another limit for each operation, on it and on images opened through it.
    #[must_use]
    #[inline]
    pub fn bounded_by(&self, limit: Duration) -> Self {
        Self { bound: limit, ..self.clone() }
    }

    /// The limit for each operation.
    #[must_use]
    #[inline]
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Makes the pool ready for images. Repeating it does no harm.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] without the capability to set a pool's application.
    ///
    /// Implements: `int rbd_pool_init(rados_ioctx_t ioctx, bool force);`
    /// Similar to: `rbd pool init`
    #[inline]
    pub fn init(&self) -> Result<()> {
        self.run(Op::InitPool, RawIoCtx::init_pool)
    }

    /// Which images of the pool are mirrored.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the pool's OSDs do not answer.
    ///
    /// Implements: `int rbd_mirror_mode_get(rados_ioctx_t io_ctx, rbd_mirror_mode_t *mirror_mode);`
    /// Similar to: `rbd mirror pool info`
    #[inline]
    pub fn mirror_mode(&self) -> Result<PoolMode> {
        self.run(Op::PoolMode, RawIoCtx::mirror_mode).map(PoolMode::from_raw)
    }

    /// Sets which images of the pool are mirrored. Setting the mode that is set does nothing.
    ///
    /// Mirroring needs a mode other than [`PoolMode::Disabled`] at both sites. [`PoolMode::Disabled`] makes rbd-mirror at
    /// the other site delete its replicas.
    ///
    /// # Errors
    /// Disabling: [`Refusal::PeersRegistered`] or [`Refusal::ImagesMirrored`] (`EBUSY`).
    ///
    /// Implements: `int rbd_mirror_mode_set(rados_ioctx_t io_ctx, rbd_mirror_mode_t mirror_mode);`
    /// Similar to: `rbd mirror pool enable <pool> <mode>`, `rbd mirror pool disable <pool>`
    #[inline]
    pub fn set_mirror_mode(&self, mode: PoolMode) -> Result<()> {
        let op = Op::SetPoolMode;
        let raw = mode.to_raw();
        self.change(op, move |io| io.set_mirror_mode(raw)).map_err(|failure| match failure.errno() {
            Some(errno @ (Errno::EBUSY | Errno::EINVAL)) if mode == PoolMode::Disabled => {
                let peers = self.peers().map(|peers| !peers.is_empty());
                let reason =
                    if let Ok(true) = peers { Refusal::PeersRegistered } else { Refusal::ImagesMirrored };
                refused(op, self.subject(), reason, errno)
            }
            _ => self.error(op, failure),
        })
    }

    /// The id by which this pool is known to its peer. It names this site in journals, statuses and mirror snapshots.
    ///
    /// # Errors
    /// [`Error::NotFound`] if mirroring was never enabled for the pool.
    ///
    /// Implements: `int rbd_mirror_uuid_get(rados_ioctx_t io_ctx, char *uuid, size_t *max_len);`
    #[inline]
    pub fn mirror_uuid(&self) -> Result<MirrorUuid> {
        self.run(Op::MirrorUuid, RawIoCtx::mirror_uuid).map(MirrorUuid::new)
    }

    /// The images of the pool, mirrored or not, without those in the trash. Read in one piece: librbd has no pages for it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the pool's OSDs do not answer.
    ///
    /// Implements: `int rbd_list2(rados_ioctx_t io, rbd_image_spec_t* images, size_t *max_images);`
    /// Similar to: `rbd ls`
    #[inline]
    pub fn images(&self) -> Result<Vec<ImageEntry>> {
        let entries = self.run(Op::ListImages, RawIoCtx::images)?;
        Ok(entries.into_iter().map(|(id, name)| ImageEntry { name, id: ImageId::new(id) }).collect())
    }

    /// Opens an image for reading, writing and every mirroring operation.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool has no image of that name; [`Error::InDoubt`] if the site does not answer.
    ///
    /// Implements: `int rbd_open(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name);`
    #[inline]
    pub fn open(&self, name: &str) -> Result<Image> {
        Image::open(self, Which::Name(name.to_owned()), Access::ReadWrite)
    }

    /// Opens an image for reading alone: it sets no watch, so it does not count as a user of the image.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// Implements: `int rbd_open_read_only(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name);`
    #[inline]
    pub fn open_read_only(&self, name: &str) -> Result<Image> {
        Image::open(self, Which::Name(name.to_owned()), Access::ReadOnly(None))
    }

    /// Opens an image as it was at a snapshot.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::NotFound`] also if the image has no such snapshot.
    ///
    /// Implements: `int rbd_open_read_only(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name);`
    #[inline]
    pub fn open_at_snapshot(&self, name: &str, snapshot: &str) -> Result<Image> {
        Image::open(self, Which::Name(name.to_owned()), Access::ReadOnly(Some(snapshot.to_owned())))
    }

    /// Opens an image by its id.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// Implements: `int rbd_open_by_id(rados_ioctx_t io, const char *id, rbd_image_t *image, const char *snap_name);`
    #[inline]
    pub fn open_by_id(&self, id: &ImageId) -> Result<Image> {
        Image::open(self, Which::Id(id.as_str().to_owned()), Access::ReadWrite)
    }

    /// Opens an image by its id, for reading alone.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// Implements: `int rbd_open_by_id_read_only(rados_ioctx_t io, const char *id, rbd_image_t *image, const char *snap_name);`
    #[inline]
    pub fn open_by_id_read_only(&self, id: &ImageId) -> Result<Image> {
        Image::open(self, Which::Id(id.as_str().to_owned()), Access::ReadOnly(None))
    }

    /// Opens a mirrored image by the id that it has at every site.
    ///
    /// # Errors
    /// [`Error::NotFound`] if this site has no image of that global id, as during a resync; otherwise as [`open`](Self::open).
    #[inline]
    pub fn open_by_global_id(&self, id: &GlobalImageId) -> Result<Image> {
        self.open_by_id(&self.find(id)?)
    }

    /// Opens a mirrored image by its global id, for reading alone.
    ///
    /// # Errors
    /// As [`open_by_global_id`](Self::open_by_global_id).
    #[inline]
    pub fn open_by_global_id_read_only(&self, id: &GlobalImageId) -> Result<Image> {
        self.open_by_id_read_only(&self.find(id)?)
    }

    /// The id that a mirrored image has here now: one read of the pool's mirroring directory.
    ///
    /// # Errors
    /// [`Error::NotFound`] if this site has no image of that global id.
    ///
    /// Rests on `mirror_image_get_image_id` of Ceph's object class `rbd` (src/cls/rbd/cls_rbd.cc): a string in, a string out.
    #[inline]
    pub fn find(&self, id: &GlobalImageId) -> Result<ImageId> {
        let input = Encoder::new().string(id.as_str()).finish();
        let op = Op::FindImage;
        let answer =
            self.change(op, move |io| io.exec("rbd_mirroring", "rbd", "mirror_image_get_image_id", &input));
        let answer =
            answer.map_err(|failure| failure.plain(op, self.image_spec(id.as_str()).into(), self.bound))?;
        let image = Decoder::new(&answer).string();
        image.map(ImageId::new).ok_or(Error::Unreadable { op, on: self.subject(), what: "an image id" })
    }

    /// Removes an image. The replica at the other site is removed with it, within about a second, unless
    /// `rbd_mirroring_delete_delay` keeps it there.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if snapshots, clones or watchers hang on it (`EBUSY`, `ENOTEMPTY`); [`Refusal::Replica`] if it is a
    /// replica (`EBUSY`, `EINVAL`, `EROFS`); [`Refusal::OrphanJournal`], found before librbd is asked, because librbd would crash.
    ///
    /// Implements: `int rbd_remove(rados_ioctx_t io, const char *name);`
    /// Similar to: `rbd rm`
    #[inline]
    pub fn remove(&self, name: &str) -> Result<()> {
        let removed = name.to_owned();
        let op = Op::RemoveImage;
        {
            // librbd would remove the data of such an image, and then crash this process.
            let image = self.open_read_only(name)?;
            image.refuse_orphan_journal(op)?;
        }
        self.change(op, move |io| raw_image::remove(io, &removed))
            .map_err(|failure| self.why_not_removed(name, failure))
    }

    pub(crate) fn why_not_removed(&self, name: &str, failure: Failure) -> Error {
        let (op, on) = (Op::RemoveImage, self.image_spec(name).into());
        match failure.errno() {
            Some(errno @ (Errno::EBUSY | Errno::ENOTEMPTY | Errno::EINVAL | Errno::EROFS)) => {
                let role = self.open_read_only(name).and_then(|image| image.role());
                let reason =
                    if let Ok(Role::NonPrimary(_)) = role { Refusal::Replica } else { Refusal::Busy };
                refused(op, on, reason, errno)
            }
            _ => failure.plain(op, on, self.bound),
        }
    }

    /// Renames an image. The replica is renamed with the next replayed event.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if the new name is taken; [`Error::NotFound`] if there is no such image.
    ///
    /// Implements: `int rbd_rename(rados_ioctx_t src_io_ctx, const char *srcname, const char *destname);`
    #[inline]
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (old, new) = (from.to_owned(), to.to_owned());
        self.change(Op::RenameImage, move |io| raw_image::rename(io, &old, &new))
            .map_err(|failure| failure.plain(Op::RenameImage, self.image_spec(from).into(), self.bound))
    }

    /// The names of the pool's namespaces, without the default one.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the pool's OSDs do not answer.
    ///
    /// Implements: `int rbd_namespace_list(rados_ioctx_t io, char *namespace_names, size_t *size);`
    #[inline]
    pub fn namespaces(&self) -> Result<Vec<String>> {
        self.run(Op::Namespaces, RawIoCtx::namespaces)
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if there is one of that name.
    ///
    /// Implements: `int rbd_namespace_create(rados_ioctx_t io, const char *namespace_name);`
    #[inline]
    pub fn create_namespace(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.run(Op::Namespaces, move |io| io.create_namespace(&name))
    }

    /// Removes an empty namespace.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none of that name; [`Error::Os`] with `EBUSY` if images are in it.
    ///
    /// Implements: `int rbd_namespace_remove(rados_ioctx_t io, const char *namespace_name);`
    #[inline]
    pub fn remove_namespace(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.run(Op::Namespaces, move |io| io.remove_namespace(&name))
    }

    /// A value of the pool's metadata; `conf_` and an option's name is a configuration override for this pool.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key has no value.
    ///
    /// Implements: `int rbd_pool_metadata_get(rados_ioctx_t io_ctx, const char *key, char *value, size_t *val_len);`
    #[inline]
    pub fn metadata(&self, key: &str) -> Result<String> {
        let key = key.to_owned();
        self.run(Op::PoolMetadata, move |io| io.pool_metadata(&key))
    }

    /// Sets a value of the pool's metadata. With the key `conf_rbd_mirroring_delete_delay` and a number of seconds, replicas
    /// whose primary was removed, and copies that a resync replaced, stay in this pool's trash for so long.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] without the capability to write to the pool.
    ///
    /// Implements: `int rbd_pool_metadata_set(rados_ioctx_t io_ctx, const char *key, const char *value);`
    /// Similar to: `rbd config pool set <pool> <option> <value>`
    #[inline]
    pub fn set_metadata(&self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.run(Op::PoolMetadata, move |io| io.set_pool_metadata(&key, &value))
    }

    /// The images in the pool's trash.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the pool's OSDs do not answer.
    ///
    /// Implements: `int rbd_trash_list(rados_ioctx_t io, rbd_trash_image_info_t *trash_entries, size_t *num_entries);`
    /// Similar to: `rbd trash ls --all`
    #[inline]
    pub fn trash(&self) -> Result<Vec<TrashEntry>> {
        let entries = self.run(Op::Trash, RawIoCtx::trash)?;
        Ok(entries.into_iter().map(TrashEntry::from_raw).collect())
    }

    /// Moves an image to the trash, kept from being purged for `delay`. A client that has it open does not prevent it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such image.
    ///
    /// Implements: `int rbd_trash_move(rados_ioctx_t io, const char *name, uint64_t delay);`
    #[inline]
    pub fn move_to_trash(&self, name: &str, delay: Duration) -> Result<()> {
        let name = name.to_owned();
        self.run(Op::Trash, move |io| io.move_to_trash(&name, delay.as_secs()))
    }

    /// Takes an image out of the trash. A replica comes back unmirrored and writable.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the trash has no such id; [`Error::AlreadyExists`] if the name is taken.
    ///
    /// Implements: `int rbd_trash_restore(rados_ioctx_t io, const char *id, const char *name);`
    #[inline]
    pub fn restore_from_trash(&self, id: &ImageId, name: &str) -> Result<()> {
        let (id, name) = (id.clone(), name.to_owned());
        self.run(Op::Trash, move |io| io.restore_from_trash(id.as_str(), &name))
    }

    /// Deletes an image in the trash whose time is over.
    ///
    /// # Errors
    /// As [`delete_trashed`](Self::delete_trashed), which also tells of its progress.
    ///
    /// Implements: `int rbd_trash_remove_with_progress(rados_ioctx_t io, const char *id, bool force, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub fn remove_from_trash(&self, id: &ImageId) -> Result<()> {
        self.delete_trashed(id, Deferment::Respect, |_| ControlFlow::Continue(()))
    }

    pub(crate) fn raw(&self) -> &Arc<RawIoCtx> {
        &self.raw
    }

    pub(crate) fn subject(&self) -> Subject {
        self.spec.clone().into()
    }

    /// What an open call was asked for, before the name is known.
    pub(crate) fn image_asked_for(&self, which: &Which) -> ImageSpec {
        match which {
            Which::Name(name) => self.image_spec(name),
            Which::Id(id) => self.image_spec(&format!("id:{id}")),
        }
    }

    pub(crate) fn image_spec(&self, name: &str) -> ImageSpec {
        self.spec.image(name)
    }

    pub(crate) fn run<T: Send + 'static>(
        &self,
        op: Op,
        job: impl FnOnce(&RawIoCtx) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T> {
        self.run_erased(op, erased(job)).map(revealed)
    }

    fn run_erased(&self, op: Op, job: Call<RawIoCtx>) -> Result<Answer> {
        self.change_erased(op, job).map_err(|failure| self.error(op, failure))
    }

    /// [`attempt`](Self::attempt) within a span that names pool and operation, for what explains its failures itself.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        op: Op,
        job: impl FnOnce(&RawIoCtx) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Failure> {
        self.change_erased(op, erased(job)).map(revealed)
    }

    fn change_erased(&self, op: Op, job: Call<RawIoCtx>) -> Result<Answer, Failure> {
        let _span = self.span(op);
        self.attempt_erased(job)
    }

    pub(crate) fn attempt<T: Send + 'static>(
        &self,
        job: impl FnOnce(&RawIoCtx) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Failure> {
        self.attempt_erased(erased(job)).map(revealed)
    }

    pub(crate) fn attempt_erased(&self, job: Call<RawIoCtx>) -> Result<Answer, Failure> {
        attempt(Arc::clone(&self.raw), self.bound, job)
    }

    fn span(&self, op: Op) -> EnteredSpan {
        tracing::debug_span!("pool", op = op.word(), pool = %self.spec).entered()
    }

    pub(crate) fn error(&self, op: Op, failure: Failure) -> Error {
        failure.plain(op, self.subject(), self.bound)
    }
}

impl fmt::Debug for Pool {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({})", self.spec)
    }
}

impl TrashEntry {
    pub(crate) fn from_raw(raw: RawTrashed) -> Self {
        Self {
            id: ImageId::new(raw.id),
            name: raw.name,
            source: TrashSource::from_raw(raw.source),
            deleted: raw.deleted,
            deferred_until: raw.deferred_until,
        }
    }
}

impl TrashSource {
    const fn from_raw(raw: u32) -> Self {
        match raw {
            sys::RBD_TRASH_IMAGE_SOURCE_USER => Self::User,
            sys::RBD_TRASH_IMAGE_SOURCE_MIRRORING => Self::Mirroring,
            sys::RBD_TRASH_IMAGE_SOURCE_MIGRATION => Self::Migration,
            sys::RBD_TRASH_IMAGE_SOURCE_REMOVING => Self::Removing,
            sys::RBD_TRASH_IMAGE_SOURCE_USER_PARENT => Self::UserParent,
            other => Self::Other(other),
        }
    }
}
