//! Making images and clones, as OpenNebula and its Ceph driver make them.

use ceph_sys as sys;

use crate::call::refused;
use crate::errno::Errno;
use crate::error::Result;
use crate::features::Features;
use crate::mode::MirrorImageMode;
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::options::{self, RawOptions};
use crate::refusal::Refusal;

/// What a new image or clone is to be. What is `None` is left to librbd's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Exactly these features.
    pub features: Option<Features>,
    /// The size of an object as a power of two: 22 is 4 MiB.
    pub order: Option<u8>,
    /// The stripe unit in bytes; needs [`stripe_count`](Self::stripe_count).
    pub stripe_unit: Option<u64>,
    /// How many objects a stripe goes over.
    pub stripe_count: Option<u64>,
    /// The pool for the data, when it is not the image's own: for metadata in a replicated pool and data in an erasure-coded one.
    pub data_pool: Option<String>,
    /// Features to add to librbd's defaults, or to those of the image that is copied.
    pub features_set: Option<Features>,
    /// Features to take away from them.
    pub features_clear: Option<Features>,
    /// The size of a journal's object as a power of two: 24 is 16 MiB.
    pub journal_order: Option<u8>,
    /// How many objects a journal is written to at once.
    pub journal_splay_width: Option<u8>,
    /// The pool for the journal, when it is not the image's own.
    pub journal_pool: Option<String>,
    /// Whether a deep copy of a clone stands alone.
    pub flatten: Option<bool>,
    /// How a clone hangs on its parent.
    pub clone_format: Option<CloneFormat>,
    /// Mirror the image from its creation on.
    pub mirror: Option<MirrorImageMode>,
}

/// How a clone hangs on its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneFormat {
    /// On a protected snapshot. What a cluster without a minimum client release makes.
    V1,
    /// On any snapshot, which may be removed while the clone lives. The format for test clones of replicas.
    V2,
}

impl CreateOptions {
    pub(crate) fn to_raw(&self) -> Result<RawOptions, Errno> {
        let raw = RawOptions::new();
        let format = self.clone_format.map(|format| match format {
            CloneFormat::V1 => 1,
            CloneFormat::V2 => 2,
        });
        let numbers = [
            (sys::RBD_IMAGE_OPTION_FEATURES, self.features.map(|features| features.bits())),
            (sys::RBD_IMAGE_OPTION_ORDER, self.order.map(u64::from)),
            (sys::RBD_IMAGE_OPTION_STRIPE_UNIT, self.stripe_unit),
            (sys::RBD_IMAGE_OPTION_STRIPE_COUNT, self.stripe_count),
            (sys::RBD_IMAGE_OPTION_FEATURES_SET, self.features_set.map(|features| features.bits())),
            (sys::RBD_IMAGE_OPTION_FEATURES_CLEAR, self.features_clear.map(|features| features.bits())),
            (sys::RBD_IMAGE_OPTION_JOURNAL_ORDER, self.journal_order.map(u64::from)),
            (sys::RBD_IMAGE_OPTION_JOURNAL_SPLAY_WIDTH, self.journal_splay_width.map(u64::from)),
            (sys::RBD_IMAGE_OPTION_FLATTEN, self.flatten.map(u64::from)),
            (sys::RBD_IMAGE_OPTION_CLONE_FORMAT, format),
            (sys::RBD_IMAGE_OPTION_MIRROR_IMAGE_MODE, self.mirror.map(|mode| u64::from(mode.to_raw()))),
        ];
        for (option, value) in numbers {
            if let Some(value) = value {
                raw.set_number(option, value)?;
            }
        }
        let texts = [
            (sys::RBD_IMAGE_OPTION_DATA_POOL, &self.data_pool),
            (sys::RBD_IMAGE_OPTION_JOURNAL_POOL, &self.journal_pool),
        ];
        for (option, value) in texts {
            if let Some(value) = value {
                raw.set_text(option, value)?;
            }
        }
        Ok(raw)
    }
}

/// How often an id may be taken: of a hundred thousand images, one in 40,000 finds its first one so.
const IDS: usize = 4;

/// Makes an image, and once more where the id that librbd made up for it, of 32 random bits, is one that the pool has: librbd gives up
/// then, with `EBADF` of the class method `dir_add_image`. Had it kept the name, the next try would say so: no image is made twice.
pub(crate) fn with_a_free_id(mut make: impl FnMut() -> Result<(), Errno>) -> Result<(), Errno> {
    for _ in 1..IDS {
        match make() {
            Err(Errno::EBADF) => tracing::debug!("the id that librbd made up is taken: once more"),
            other => return other,
        }
    }
    make()
}

impl Pool {
    /// Makes an image of `size` bytes.
    ///
    /// # Errors
    /// [`crate::Error::AlreadyExists`] if the name is taken; [`crate::Error::Os`] with `EINVAL` for options that do not fit
    /// together.
    ///
    /// Implements: `int rbd_create4(rados_ioctx_t io, const char *name, uint64_t size, rbd_image_options_t opts);`
    /// Similar to: `rbd create`
    #[inline]
    pub fn create(&self, name: &str, size: u64, options: &CreateOptions) -> Result<()> {
        let (new, options) = (name.to_owned(), options.clone());
        let make = move |io: &_| {
            let options = options.to_raw()?;
            with_a_free_id(|| options::create(io, &new, size, &options))
        };
        self.change(Op::CreateImage, make)
            .map_err(|failure| failure.plain(Op::CreateImage, self.image_spec(name).into(), self.bound()))
    }

    /// Makes `child` in the pool `into` as a clone of `parent@snapshot` in this pool.
    ///
    /// # Errors
    /// [`Refusal::SnapshotNotProtected`] (`EINVAL`) for a clone of format 1; [`crate::Error::AlreadyExists`] if the child's
    /// name is taken; [`crate::Error::NotFound`] if there is no such parent or snapshot.
    ///
    /// Implements: `int rbd_clone3(rados_ioctx_t p_ioctx, const char *p_name, const char *p_snapname, rados_ioctx_t c_ioctx, const char *c_name, rbd_image_options_t c_opts);`
    /// Similar to: `rbd clone`
    #[inline]
    pub fn clone_image(
        &self,
        parent: &str,
        snapshot: &str,
        into: &Self,
        child: &str,
        options: &CreateOptions,
    ) -> Result<()> {
        let op = Op::CloneImage;
        let child_io = std::sync::Arc::clone(into.raw());
        let names = (parent.to_owned(), snapshot.to_owned(), child.to_owned());
        let asked = options.clone();
        let cloned = self.change(op, move |io| {
            let (parent, snapshot, child) = &names;
            let options = asked.to_raw()?;
            with_a_free_id(|| options::clone((io, parent, snapshot), (&child_io, child), &options))
        });
        cloned.map_err(|failure| {
            let on = into.image_spec(child).into();
            match failure.errno() {
                Some(errno @ Errno::EINVAL)
                    if options.clone_format != Some(CloneFormat::V2)
                        && self.is_unprotected(parent, snapshot) =>
                {
                    refused(op, on, Refusal::SnapshotNotProtected, errno)
                }
                _ => failure.plain(op, on, self.bound()),
            }
        })
    }

    fn is_unprotected(&self, image: &str, snapshot: &str) -> bool {
        let image = self.open_read_only(image);
        image.and_then(|image| image.snapshot_is_protected(snapshot)).is_ok_and(|protected| !protected)
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, IDS, with_a_free_id};

    /// What comes of it when the first so many ids are taken, and how many were tried.
    fn after(taken: usize, then: Result<(), Errno>) -> (Result<(), Errno>, usize) {
        let mut tried = 0;
        let made = with_a_free_id(|| {
            tried += 1;
            if tried > taken { then } else { Err(Errno::EBADF) }
        });
        (made, tried)
    }

    #[test]
    fn an_id_that_is_taken_is_not_the_end_of_it() {
        assert_eq!(after(0, Ok(())), (Ok(()), 1));
        assert_eq!(after(2, Ok(())), (Ok(()), 3));
        assert_eq!(after(IDS, Ok(())), (Err(Errno::EBADF), IDS));
        assert_eq!(after(1, Err(Errno::EEXIST)), (Err(Errno::EEXIST), 2));
    }
}
