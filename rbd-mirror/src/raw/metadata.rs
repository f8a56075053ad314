//! Metadata of pools and images as lists, and the configuration that is kept in it.

use std::ffi::c_int;

use ceph_sys as sys;

use super::call::{check, from_c, to_c};
use super::image::RawImage;
use super::rados::RawIoCtx;
use super::{buffer, call};
use crate::errno::Errno;

/// Room for a page of metadata, to begin with.
const ROOM_BYTES: usize = 16 * 1024;

/// An `rbd_config_option_t`.
#[derive(Clone, Debug)]
pub(crate) struct RawOption {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: u32,
}

impl RawIoCtx {
    /// `int rbd_pool_metadata_list(rados_ioctx_t io_ctx, const char *start, uint64_t max, char *keys, size_t *key_len, char *values, size_t *vals_len);`
    #[inline]
    pub(crate) fn metadata_page(&self, after: &str, max: u64) -> Result<Vec<(String, String)>, Errno> {
        let after = to_c(after)?;
        pairs(|keys, key_length, values, value_length| {
            // SAFETY: the io context is live; a NUL-terminated key; two buffers with their lengths.
            let rc = unsafe {
                sys::rbd_pool_metadata_list(
                    self.handle(),
                    after.as_ptr(),
                    max,
                    keys.as_mut_ptr().cast(),
                    key_length,
                    values.as_mut_ptr().cast(),
                    value_length,
                )
            };
            check(rc).map(drop)
        })
    }

    /// `int rbd_pool_metadata_remove(rados_ioctx_t io_ctx, const char *key);`
    #[inline]
    pub(crate) fn remove_pool_metadata(&self, key: &str) -> Result<(), Errno> {
        let key = to_c(key)?;
        // SAFETY: the io context is live; a NUL-terminated key.
        check(unsafe { sys::rbd_pool_metadata_remove(self.handle(), key.as_ptr()) }).map(drop)
    }

    /// `int rbd_config_pool_list(rados_ioctx_t io_ctx, rbd_config_option_t *options, int *max_options);`
    #[inline]
    pub(crate) fn config(&self) -> Result<Vec<RawOption>, Errno> {
        let mut filled = options(|options, max| {
            // SAFETY: the io context is live; the buffer has `max` entries.
            check(unsafe { sys::rbd_config_pool_list(self.handle(), options, max) }).map(drop)
        })?;
        let copies = filled.iter().map(copy).collect();
        let count = c_int::try_from(filled.len()).unwrap_or(0);
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_config_pool_list_cleanup(filled.as_mut_ptr(), count) };
        Ok(copies)
    }
}

impl RawImage {
    /// `int rbd_metadata_list(rbd_image_t image, const char *start, uint64_t max, char *keys, size_t *key_len, char *values, size_t *vals_len);`
    #[inline]
    pub(crate) fn metadata_page(&self, after: &str, max: u64) -> Result<Vec<(String, String)>, Errno> {
        let after = to_c(after)?;
        pairs(|keys, key_length, values, value_length| {
            // SAFETY: the image is open; a NUL-terminated key; two buffers with their lengths.
            let rc = unsafe {
                sys::rbd_metadata_list(
                    self.handle(),
                    after.as_ptr(),
                    max,
                    keys.as_mut_ptr().cast(),
                    key_length,
                    values.as_mut_ptr().cast(),
                    value_length,
                )
            };
            check(rc).map(drop)
        })
    }

    /// `int rbd_config_image_list(rbd_image_t image, rbd_config_option_t *options, int *max_options);`
    #[inline]
    pub(crate) fn config(&self) -> Result<Vec<RawOption>, Errno> {
        let mut filled = options(|options, max| {
            // SAFETY: the image is open; the buffer has `max` entries.
            check(unsafe { sys::rbd_config_image_list(self.handle(), options, max) }).map(drop)
        })?;
        let copies = filled.iter().map(copy).collect();
        let count = c_int::try_from(filled.len()).unwrap_or(0);
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_config_image_list_cleanup(filled.as_mut_ptr(), count) };
        Ok(copies)
    }
}

/// Fills two buffers of NUL-terminated strings, as many keys as values.
fn pairs(
    mut ask: impl FnMut(&mut [u8], &mut usize, &mut [u8], &mut usize) -> Result<(), Errno>,
) -> Result<Vec<(String, String)>, Errno> {
    let (mut key_room, mut value_room) = (ROOM_BYTES, ROOM_BYTES);
    for _ in 0..buffer::ROUNDS_MAX {
        let (mut keys, mut values) = (vec![0_u8; key_room], vec![0_u8; value_room]);
        let (mut key_length, mut value_length) = (key_room, value_room);
        match ask(&mut keys, &mut key_length, &mut values, &mut value_length) {
            Err(Errno::ERANGE) => {
                (key_room, value_room) = (key_room.max(key_length), value_room.max(value_length));
            }
            Err(errno) => return Err(errno),
            Ok(()) => {
                let keys = call::strings(keys.get(..key_length).unwrap_or(&keys));
                let values = call::strings(values.get(..value_length).unwrap_or(&values));
                return Ok(keys.into_iter().zip(values).collect());
            }
        }
    }
    Err(Errno::ERANGE)
}

fn options(
    mut ask: impl FnMut(*mut sys::rbd_config_option_t, &mut c_int) -> Result<(), Errno>,
) -> Result<Vec<sys::rbd_config_option_t>, Errno> {
    buffer::list(sys::rbd_config_option_t::default(), |options, length| {
        let mut max = c_int::try_from(*length).map_err(|_| Errno::ERANGE)?;
        let done = ask(options, &mut max);
        *length = usize::try_from(max).unwrap_or(0);
        done
    })
}

fn copy(option: &sys::rbd_config_option_t) -> RawOption {
    RawOption {
        // SAFETY: librbd filled the name with a NUL-terminated string.
        name: unsafe { from_c(option.name) },
        // SAFETY: as above, the value.
        value: unsafe { from_c(option.value) },
        source: option.source,
    }
}
