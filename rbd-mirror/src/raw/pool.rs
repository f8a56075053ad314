//! What a pool holds besides mirroring: its images, its namespaces, its trash, its metadata.

use std::ffi::c_char;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_sys as sys;

use super::buffer;
use super::call::{check, from_c, to_c};
use super::rados::RawIoCtx;
use crate::errno::Errno;

/// An image in the trash.
#[derive(Clone, Debug)]
pub(crate) struct RawTrashed {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) source: u32,
    pub(crate) deleted: SystemTime,
    pub(crate) deferred_until: SystemTime,
}

impl RawIoCtx {
    /// `int rbd_list2(rados_ioctx_t io, rbd_image_spec_t* images, size_t *max_images);`: pairs of id and name.
    #[inline]
    pub(crate) fn images(&self) -> Result<Vec<(String, String)>, Errno> {
        let mut filled = buffer::list(sys::rbd_image_spec_t::default(), |images, length| {
            // SAFETY: the io context is live; the buffer has `length` entries.
            check(unsafe { sys::rbd_list2(self.handle(), images, length) }).map(drop)
        })?;
        // SAFETY: librbd filled every string with a NUL-terminated one.
        let text = |at: *mut c_char| unsafe { from_c(at) };
        let images = filled.iter().map(|image| (text(image.id), text(image.name))).collect();
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_image_spec_list_cleanup(filled.as_mut_ptr(), filled.len()) };
        Ok(images)
    }

    /// `int rbd_namespace_create(rados_ioctx_t io, const char *namespace_name);`
    #[inline]
    pub(crate) fn create_namespace(&self, name: &str) -> Result<(), Errno> {
        let name = to_c(name)?;
        // SAFETY: the io context is live; a NUL-terminated name.
        check(unsafe { sys::rbd_namespace_create(self.handle(), name.as_ptr()) }).map(drop)
    }

    /// `int rbd_namespace_remove(rados_ioctx_t io, const char *namespace_name);`
    #[inline]
    pub(crate) fn remove_namespace(&self, name: &str) -> Result<(), Errno> {
        let name = to_c(name)?;
        // SAFETY: the io context is live; a NUL-terminated name.
        check(unsafe { sys::rbd_namespace_remove(self.handle(), name.as_ptr()) }).map(drop)
    }

    /// `int rbd_namespace_list(rados_ioctx_t io, char *namespace_names, size_t *size);`
    #[inline]
    pub(crate) fn namespaces(&self) -> Result<Vec<String>, Errno> {
        let names = buffer::list(0_u8, |names, length| {
            // SAFETY: the io context is live; the buffer has `length` bytes.
            check(unsafe { sys::rbd_namespace_list(self.handle(), names.cast(), length) }).map(drop)
        })?;
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    /// `int rbd_pool_init(rados_ioctx_t, bool force);`
    #[inline]
    pub(crate) fn init_pool(&self) -> Result<(), Errno> {
        // SAFETY: the io context is live.
        check(unsafe { sys::rbd_pool_init(self.handle(), false) }).map(drop)
    }

    /// `int rbd_pool_metadata_get(rados_ioctx_t io_ctx, const char *key, char *value, size_t *val_len);`
    #[inline]
    pub(crate) fn pool_metadata(&self, key: &str) -> Result<String, Errno> {
        let key = to_c(key)?;
        buffer::string(|buffer, length| {
            // SAFETY: the io context is live; the buffer has `length` bytes.
            check(unsafe { sys::rbd_pool_metadata_get(self.handle(), key.as_ptr(), buffer, length) })
                .map(drop)
        })
    }

    /// `int rbd_pool_metadata_set(rados_ioctx_t io_ctx, const char *key, const char *value);`
    #[inline]
    pub(crate) fn set_pool_metadata(&self, key: &str, value: &str) -> Result<(), Errno> {
        let (key, value) = (to_c(key)?, to_c(value)?);
        // SAFETY: the io context is live; two NUL-terminated strings.
        check(unsafe { sys::rbd_pool_metadata_set(self.handle(), key.as_ptr(), value.as_ptr()) }).map(drop)
    }

    /// `int rbd_trash_list(rados_ioctx_t io, rbd_trash_image_info_t *trash_entries, size_t *num_entries);`
    #[inline]
    pub(crate) fn trash(&self) -> Result<Vec<RawTrashed>, Errno> {
        let mut filled = buffer::list(sys::rbd_trash_image_info_t::default(), |entries, length| {
            // SAFETY: the io context is live; the buffer has `length` entries.
            check(unsafe { sys::rbd_trash_list(self.handle(), entries, length) }).map(drop)
        })?;
        // SAFETY: librbd filled every string with a NUL-terminated one.
        let text = |at: *mut c_char| unsafe { from_c(at) };
        let copy = |entry: &sys::rbd_trash_image_info_t| RawTrashed {
            id: text(entry.id),
            name: text(entry.name),
            source: entry.source,
            deleted: time(entry.deletion_time),
            deferred_until: time(entry.deferment_end_time),
        };
        let entries = filled.iter().map(copy).collect();
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_trash_list_cleanup(filled.as_mut_ptr(), filled.len()) };
        Ok(entries)
    }

    /// `int rbd_trash_move(rados_ioctx_t io, const char *name, uint64_t delay);`
    #[inline]
    pub(crate) fn move_to_trash(&self, name: &str, delay_seconds: u64) -> Result<(), Errno> {
        let name = to_c(name)?;
        // SAFETY: the io context is live; a NUL-terminated name.
        check(unsafe { sys::rbd_trash_move(self.handle(), name.as_ptr(), delay_seconds) }).map(drop)
    }

    /// `int rbd_trash_restore(rados_ioctx_t io, const char *id, const char *name);`
    #[inline]
    pub(crate) fn restore_from_trash(&self, id: &str, name: &str) -> Result<(), Errno> {
        let (id, name) = (to_c(id)?, to_c(name)?);
        // SAFETY: the io context is live; two NUL-terminated strings.
        check(unsafe { sys::rbd_trash_restore(self.handle(), id.as_ptr(), name.as_ptr()) }).map(drop)
    }
}

/// `time_t` ends here.
#[inline]
pub(crate) fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
