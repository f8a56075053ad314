//! How an image is laid out, and who descends from it.

use std::ffi::c_int;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_sys as sys;

use super::buffer;
use super::call::check;
use super::image::{RawImage, RawLinked};
use crate::errno::Errno;

/// What [`RawImage::layout`] asks for, one number a call.
#[derive(Clone, Debug)]
pub(crate) struct RawLayout {
    pub(crate) stripe_unit: u64,
    pub(crate) stripe_count: u64,
    pub(crate) data_pool: i64,
    pub(crate) block_name_prefix: String,
    pub(crate) flags: u64,
    pub(crate) accessed: SystemTime,
    pub(crate) modified: SystemTime,
}

impl RawImage {
    /// `int rbd_get_stripe_unit(rbd_image_t image, uint64_t *stripe_unit);` and the others beside it.
    #[inline]
    pub(crate) fn layout(&self) -> Result<RawLayout, Errno> {
        Ok(RawLayout {
            stripe_unit: self.ask(sys::rbd_get_stripe_unit)?,
            stripe_count: self.ask(sys::rbd_get_stripe_count)?,
            data_pool: self.data_pool(),
            block_name_prefix: self.block_name_prefix()?,
            flags: self.flags()?,
            accessed: self.time(sys::rbd_get_access_timestamp)?,
            modified: self.time(sys::rbd_get_modify_timestamp)?,
        })
    }

    /// `int rbd_get_flags(rbd_image_t image, uint64_t *flags);`
    #[inline]
    pub(crate) fn flags(&self) -> Result<u64, Errno> {
        self.ask(sys::rbd_get_flags)
    }

    fn ask(&self, call: unsafe extern "C" fn(sys::rbd_image_t, *mut u64) -> c_int) -> Result<u64, Errno> {
        let mut number = 0;
        // SAFETY: the image is open; a valid place for the answer.
        check(unsafe { call(self.handle(), &mut number) })?;
        Ok(number)
    }

    fn time(
        &self,
        call: unsafe extern "C" fn(sys::rbd_image_t, *mut sys::timespec) -> c_int,
    ) -> Result<SystemTime, Errno> {
        let mut time = sys::timespec::default();
        // SAFETY: the image is open; a valid place for the answer.
        check(unsafe { call(self.handle(), &mut time) })?;
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Ok(UNIX_EPOCH + Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }

    /// `int64_t rbd_get_data_pool_id(rbd_image_t image);`
    fn data_pool(&self) -> i64 {
        // SAFETY: the image is open.
        unsafe { sys::rbd_get_data_pool_id(self.handle()) }
    }

    /// `int rbd_get_block_name_prefix(rbd_image_t image, char *prefix, size_t prefix_len);`
    fn block_name_prefix(&self) -> Result<String, Errno> {
        buffer::string(|buffer, length| {
            // SAFETY: the image is open; the buffer has `length` bytes.
            check(unsafe { sys::rbd_get_block_name_prefix(self.handle(), buffer, *length) }).map(drop)
        })
    }

    /// `int rbd_is_exclusive_lock_owner(rbd_image_t image, int *is_owner);`
    #[inline]
    pub(crate) fn owns_lock(&self) -> Result<bool, Errno> {
        let mut owns = 0;
        // SAFETY: the image is open; a valid place for the answer.
        check(unsafe { sys::rbd_is_exclusive_lock_owner(self.handle(), &mut owns) })?;
        Ok(owns != 0)
    }

    /// `int rbd_list_descendants(rbd_image_t image, rbd_linked_image_spec_t *images, size_t *max_images);`
    #[inline]
    pub(crate) fn descendants(&self) -> Result<Vec<RawLinked>, Errno> {
        let mut images = buffer::list(sys::rbd_linked_image_spec_t::default(), |images, length| {
            // SAFETY: the image is open; the buffer has `length` entries.
            check(unsafe { sys::rbd_list_descendants(self.handle(), images, length) }).map(drop)
        })?;
        let descendants = images.iter().map(RawLinked::copy).collect();
        // SAFETY: `images` are the entries that librbd filled, freed once.
        unsafe { sys::rbd_linked_image_spec_list_cleanup(images.as_mut_ptr(), images.len()) };
        Ok(descendants)
    }
}
