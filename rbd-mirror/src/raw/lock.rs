//! Who holds an image: exclusive-lock owners and watchers.

use std::ffi::c_char;
use std::ptr;

use ceph_sys as sys;

use super::buffer;
use super::call::{check, from_c, to_c};
use super::image::RawImage;
use crate::errno::Errno;

/// `addr`, `id` and `cookie` of an `rbd_image_watcher_t`.
#[derive(Clone, Debug)]
pub(crate) struct RawWatcher {
    pub(crate) address: String,
    pub(crate) client_id: i64,
    pub(crate) cookie: u64,
}

impl RawImage {
    /// `int rbd_watchers_list(rbd_image_t image, rbd_image_watcher_t *watchers, size_t *max_watchers);`
    #[inline]
    pub(crate) fn watchers(&self) -> Result<Vec<RawWatcher>, Errno> {
        let mut filled = buffer::list(sys::rbd_image_watcher_t::default(), |watchers, length| {
            // SAFETY: the image is open; the buffer has `length` entries.
            check(unsafe { sys::rbd_watchers_list(self.handle(), watchers, length) }).map(drop)
        })?;
        let copy = |watcher: &sys::rbd_image_watcher_t| RawWatcher {
            // SAFETY: librbd filled the address with a NUL-terminated string.
            address: unsafe { from_c(watcher.addr) },
            client_id: watcher.id,
            cookie: watcher.cookie,
        };
        let watchers = filled.iter().map(copy).collect();
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_watchers_list_cleanup(filled.as_mut_ptr(), filled.len()) };
        Ok(watchers)
    }

    /// `int rbd_lock_get_owners(rbd_image_t image, rbd_lock_mode_t *lock_mode, char **lock_owners, size_t *max_lock_owners);`
    ///
    /// Nobody holding the lock is `ENOENT` in C and an empty list here.
    #[inline]
    pub(crate) fn lock_owners(&self) -> Result<(u32, Vec<String>), Errno> {
        let mut mode = 0;
        let filled = buffer::list(ptr::null_mut::<c_char>(), |owners, length| {
            // SAFETY: the image is open; the buffer has `length` entries; a place for the mode.
            check(unsafe { sys::rbd_lock_get_owners(self.handle(), &mut mode, owners, length) }).map(drop)
        });
        let mut filled = match filled {
            Ok(filled) => filled,
            Err(Errno::ENOENT) => return Ok((mode, Vec::new())),
            Err(errno) => return Err(errno),
        };
        // SAFETY: librbd filled every entry with a NUL-terminated string.
        let owners = filled.iter().map(|owner| unsafe { from_c(*owner) }).collect();
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_lock_get_owners_cleanup(filled.as_mut_ptr(), filled.len()) };
        Ok((mode, owners))
    }

    /// `int rbd_lock_break(rbd_image_t image, rbd_lock_mode_t lock_mode, const char *lock_owner);`
    #[inline]
    pub(crate) fn break_lock(&self, owner: &str) -> Result<(), Errno> {
        let owner = to_c(owner)?;
        // SAFETY: the image is open; a NUL-terminated name.
        let rc = unsafe { sys::rbd_lock_break(self.handle(), sys::RBD_LOCK_MODE_EXCLUSIVE, owner.as_ptr()) };
        check(rc).map(drop)
    }

    /// `int rbd_lock_acquire(rbd_image_t image, rbd_lock_mode_t lock_mode);`
    #[inline]
    pub(crate) fn acquire_lock(&self) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_lock_acquire(self.handle(), sys::RBD_LOCK_MODE_EXCLUSIVE) }).map(drop)
    }

    /// `int rbd_lock_release(rbd_image_t image);`
    #[inline]
    pub(crate) fn release_lock(&self) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_lock_release(self.handle()) }).map(drop)
    }
}
