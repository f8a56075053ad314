//! How an image is laid out, whether its object map can be believed, and who descends from it.

use std::time::SystemTime;

use crate::error::Result;
use crate::image::{Image, LinkedImage};
use crate::op::Op;
use crate::raw::image::RawImage;

bitflags::bitflags! {
    /// What is wrong with an image's books. Its data are right all the same.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ImageFlags: u64 {
        /// The object map is not to be believed: see [`Image::rebuild_object_map`].
        const OBJECT_MAP_INVALID = 1;
        /// The fast diff is not to be believed.
        const FAST_DIFF_INVALID = 2;
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ImageFlags {
    #[inline]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.bits())
    }
}

/// How an image lies in its pools, beside what [`Image::info`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Layout {
    /// How many bytes go to an object before the next one's turn.
    pub stripe_unit: u64,
    /// Over how many objects a stripe goes; 1 where the image is not striped.
    pub stripe_count: u64,
    /// The number of the pool that the data is in; the image's own, unless it was created with another.
    pub data_pool: i64,
    /// What the names of its data objects begin with.
    pub block_name_prefix: String,
    /// What is wrong with its books.
    pub flags: ImageFlags,
    /// When it was last read, to about a day.
    pub accessed: SystemTime,
    /// When it was last written, to about a day.
    pub modified: SystemTime,
}

impl Image {
    /// How the image lies in its pools.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// Implements: `int rbd_get_stripe_unit(rbd_image_t image, uint64_t *stripe_unit);`
    /// Implements: `int rbd_get_stripe_count(rbd_image_t image, uint64_t *stripe_count);`
    /// Implements: `int64_t rbd_get_data_pool_id(rbd_image_t image);`
    /// Implements: `int rbd_get_block_name_prefix(rbd_image_t image, char *prefix, size_t prefix_len);`
    /// Implements: `int rbd_get_flags(rbd_image_t image, uint64_t *flags);`
    /// Implements: `int rbd_get_access_timestamp(rbd_image_t image, struct timespec *timestamp);`
    /// Implements: `int rbd_get_modify_timestamp(rbd_image_t image, struct timespec *timestamp);`
    /// Similar to: `rbd info`
    #[inline]
    pub fn layout(&self) -> Result<Layout> {
        let raw = self.run(Op::ImageInfo, RawImage::layout)?;
        Ok(Layout {
            stripe_unit: raw.stripe_unit,
            stripe_count: raw.stripe_count,
            data_pool: raw.data_pool,
            block_name_prefix: raw.block_name_prefix,
            flags: ImageFlags::from_bits_retain(raw.flags),
            accessed: raw.accessed,
            modified: raw.modified,
        })
    }

    /// Whether this very handle holds the exclusive lock now.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// Implements: `int rbd_is_exclusive_lock_owner(rbd_image_t image, int *is_owner);`
    #[inline]
    pub fn owns_lock(&self) -> Result<bool> {
        self.run(Op::LockOwners, RawImage::owns_lock)
    }

    /// The clones that hang on the image's snapshots, and the clones of those, to the last. [`children`](Self::children) are the
    /// first of them.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// Implements: `int rbd_list_descendants(rbd_image_t image, rbd_linked_image_spec_t *images, size_t *max_images);`
    /// Similar to: `rbd children --descendants <image-spec>`
    #[inline]
    pub fn descendants(&self) -> Result<Vec<LinkedImage>> {
        let descendants = self.run(Op::ImageInfo, RawImage::descendants)?;
        Ok(descendants.into_iter().map(LinkedImage::from_raw).collect())
    }
}
