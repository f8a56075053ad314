//! The calls that librbd completes by itself, as futures (feature `async`).
//!
//! They run on any executor: nothing here needs a runtime, a timer or an I/O driver of one. Each ends by itself at the limit of its
//! handle, with [`Error::InDoubt`](crate::Error::InDoubt), as the blocking call of its name does. A future does nothing until it is
//! polled. One that is dropped before its end is left behind: the operation goes on, may still take effect, and keeps its image
//! open until then.
//!
//! ```no_run
//! # async fn demo(pool: rbd_mirror::Pool) -> Result<(), rbd_mirror::Error> {
//! use rbd_mirror::Promote;
//!
//! let disk = pool.nonblocking().open("one-0-0-0").await?.into_nonblocking();
//! disk.promote(Promote::Clean).await?;
//! disk.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! For many images at once [`crate::fleet`] needs no executor. What has no completion in librbd (enable, flatten, resync) is
//! blocking: give it to your executor's threads for blocking calls.

use crate::error::Result;
use crate::image::{Access, Image};
use crate::mirror_snapshot::SnapshotFlags;
use crate::name::{GlobalImageId, ImageId};
use crate::pool::Pool;
use crate::promote::Promote;
use crate::raw::image::Which;
use crate::role::Role;
use crate::status::ImageStatus;

/// A pool's calls as futures.
#[derive(Clone, Debug)]
pub struct NonblockingPool(Pool);

/// An image's calls as futures.
#[derive(Clone, Debug)]
pub struct NonblockingImage(Image);

impl Pool {
    /// This pool's calls as futures.
    #[must_use]
    #[inline]
    pub fn nonblocking(&self) -> NonblockingPool {
        NonblockingPool(self.clone())
    }
}

impl Image {
    /// This image with its calls as futures.
    #[must_use]
    #[inline]
    pub fn into_nonblocking(self) -> NonblockingImage {
        NonblockingImage(self)
    }
}

impl NonblockingPool {
    /// [`Pool::open`].
    ///
    /// # Errors
    /// Those of [`Pool::open`].
    ///
    /// Implements: `int rbd_aio_open(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name, rbd_completion_t c);`
    #[inline]
    pub async fn open(&self, name: &str) -> Result<Image> {
        self.0.open_aio(Which::Name(name.to_owned()), Access::ReadWrite).await
    }

    /// [`Pool::open_read_only`].
    ///
    /// # Errors
    /// Those of [`Pool::open`].
    ///
    /// Implements: `int rbd_aio_open_read_only(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name, rbd_completion_t c);`
    #[inline]
    pub async fn open_read_only(&self, name: &str) -> Result<Image> {
        self.0.open_aio(Which::Name(name.to_owned()), Access::ReadOnly(None)).await
    }

    /// [`Pool::open_by_id`].
    ///
    /// # Errors
    /// Those of [`Pool::open`].
    ///
    /// Implements: `int rbd_aio_open_by_id(rados_ioctx_t io, const char *id, rbd_image_t *image, const char *snap_name, rbd_completion_t c);`
    #[inline]
    pub async fn open_by_id(&self, id: &ImageId) -> Result<Image> {
        self.0.open_aio(Which::Id(id.as_str().to_owned()), Access::ReadWrite).await
    }

    /// [`Pool::open_by_global_id`].
    ///
    /// # Errors
    /// Those of [`Pool::open_by_global_id`].
    #[inline]
    pub async fn open_by_global_id(&self, id: &GlobalImageId) -> Result<Image> {
        let id = self.0.find_aio(id).await?;
        self.open_by_id(&id).await
    }
}

impl NonblockingImage {
    /// This image with its calls blocking.
    #[must_use]
    #[inline]
    pub fn into_blocking(self) -> Image {
        self.0
    }

    /// [`Image::promote`].
    ///
    /// # Errors
    /// Those of [`Image::promote`].
    ///
    /// Implements: `int rbd_aio_mirror_image_promote(rbd_image_t image, bool force, rbd_completion_t c);`
    #[inline]
    pub async fn promote(&self, how: Promote) -> Result<()> {
        self.0.promote_aio(how).await
    }

    /// [`Image::demote`].
    ///
    /// # Errors
    /// Those of [`Image::demote`].
    ///
    /// Implements: `int rbd_aio_mirror_image_demote(rbd_image_t image, rbd_completion_t c);`
    #[inline]
    pub async fn demote(&self) -> Result<()> {
        self.0.demote_aio().await
    }

    /// [`Image::role`].
    ///
    /// # Errors
    /// Those of [`Image::role`].
    ///
    /// Implements: `int rbd_aio_mirror_image_get_info(rbd_image_t image, rbd_mirror_image_info_t *mirror_image_info, size_t info_size, rbd_completion_t c);`
    #[inline]
    pub async fn role(&self) -> Result<Role> {
        self.0.role_aio().await
    }

    /// [`Image::status`].
    ///
    /// # Errors
    /// Those of [`Image::status`].
    ///
    /// Implements: `int rbd_aio_mirror_image_get_global_status(rbd_image_t image, rbd_mirror_image_global_status_t *mirror_image_global_status, size_t status_size, rbd_completion_t c);`
    #[inline]
    pub async fn status(&self) -> Result<ImageStatus> {
        self.0.status_aio().await
    }

    /// [`Image::create_mirror_snapshot`].
    ///
    /// # Errors
    /// Those of [`Image::create_mirror_snapshot`].
    ///
    /// Implements: `int rbd_aio_mirror_image_create_snapshot(rbd_image_t image, uint32_t flags, uint64_t *snap_id, rbd_completion_t c);`
    #[inline]
    pub async fn create_mirror_snapshot(&self, flags: SnapshotFlags) -> Result<u64> {
        self.0.create_mirror_snapshot_aio(flags).await
    }

    /// [`Image::close`]. With other clones of this value alive, they keep the handle open.
    ///
    /// # Errors
    /// Those of [`Image::close`].
    ///
    /// Implements: `int rbd_aio_close(rbd_image_t image, rbd_completion_t c);`
    #[inline]
    pub async fn close(self) -> Result<()> {
        self.0.close_aio().await
    }
}
