//! Snapshots of an image, and the mirror namespace of those that mirroring made.

use std::ffi::{c_char, c_int};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ceph_sys as sys;

use super::call::{check, from_c, to_c};
use super::image::RawImage;
use super::{buffer, callback};
use crate::errno::Errno;
use crate::progress::Rendezvous;

/// Id, size and name of an `rbd_snap_info_t`.
#[derive(Clone, Debug)]
pub(crate) struct RawSnapshot {
    pub(crate) id: u64,
    pub(crate) size: u64,
    pub(crate) name: String,
}

/// An `rbd_snap_mirror_namespace_t`.
#[derive(Clone, Debug)]
pub(crate) struct RawMirrorNamespace {
    pub(crate) state: u32,
    pub(crate) peer_uuids: Vec<String>,
    pub(crate) complete: bool,
    pub(crate) primary_mirror_uuid: String,
    pub(crate) primary_snapshot_id: u64,
    pub(crate) last_copied_object: u64,
}

impl RawImage {
    /// `int rbd_snap_list(rbd_image_t image, rbd_snap_info_t *snaps, int *max_snaps);`
    #[inline]
    pub(crate) fn snapshots(&self) -> Result<Vec<RawSnapshot>, Errno> {
        let mut counted = 0;
        let mut filled = buffer::list(sys::rbd_snap_info_t::default(), |snapshots, length| {
            // librbd ends the list with an entry whose name is null, so it needs one place more than it counts.
            let mut max = c_int::try_from(*length).map_err(|_| Errno::ERANGE)?;
            // SAFETY: the image is open; the buffer has `max` entries.
            let rc = check(unsafe { sys::rbd_snap_list(self.handle(), snapshots, &mut max) });
            if let Ok(count) = rc {
                counted = usize::try_from(count).unwrap_or(0);
            } else {
                *length = usize::try_from(max).unwrap_or(0) + 1;
            }
            rc.map(drop)
        })?;
        let copy = |snapshot: &sys::rbd_snap_info_t| RawSnapshot {
            id: snapshot.id,
            size: snapshot.size,
            // SAFETY: librbd filled the name with a NUL-terminated string.
            name: unsafe { from_c(snapshot.name) },
        };
        let snapshots = filled.iter().take(counted).map(copy).collect();
        if counted > 0 {
            // SAFETY: the list that librbd filled, ended by its null name, freed once.
            unsafe { sys::rbd_snap_list_end(filled.as_mut_ptr()) };
        }
        Ok(snapshots)
    }

    /// `int rbd_snap_create2(rbd_image_t image, const char *snap_name, uint32_t flags, librbd_progress_fn_t cb, void *cbdata);`
    /// without flags.
    #[inline]
    pub(crate) fn create_snapshot(&self, name: &str) -> Result<(), Errno> {
        self.named(sys::rbd_snap_create, name)
    }

    /// `int rbd_snap_remove(rbd_image_t image, const char *snapname);`
    #[inline]
    pub(crate) fn remove_snapshot(&self, name: &str) -> Result<(), Errno> {
        self.named(sys::rbd_snap_remove, name)
    }

    /// `int rbd_snap_protect(rbd_image_t image, const char *snap_name);`
    #[inline]
    pub(crate) fn protect_snapshot(&self, name: &str) -> Result<(), Errno> {
        self.named(sys::rbd_snap_protect, name)
    }

    /// `int rbd_snap_unprotect(rbd_image_t image, const char *snap_name);`
    #[inline]
    pub(crate) fn unprotect_snapshot(&self, name: &str) -> Result<(), Errno> {
        self.named(sys::rbd_snap_unprotect, name)
    }

    fn named(
        &self,
        call: unsafe extern "C" fn(sys::rbd_image_t, *const c_char) -> c_int,
        name: &str,
    ) -> Result<(), Errno> {
        let name = to_c(name)?;
        // SAFETY: the image is open; a NUL-terminated name.
        check(unsafe { call(self.handle(), name.as_ptr()) }).map(drop)
    }

    /// `int rbd_snap_is_protected(rbd_image_t image, const char *snap_name, int *is_protected);`
    #[inline]
    pub(crate) fn snapshot_is_protected(&self, name: &str) -> Result<bool, Errno> {
        let name = to_c(name)?;
        let mut protected = 0;
        // SAFETY: the image is open; a NUL-terminated name and a place for the answer.
        check(unsafe { sys::rbd_snap_is_protected(self.handle(), name.as_ptr(), &mut protected) })?;
        Ok(protected != 0)
    }

    /// `int rbd_snap_remove2(rbd_image_t image, const char *snap_name, uint32_t flags, librbd_progress_fn_t cb, void *cbdata);`
    #[inline]
    pub(crate) fn remove_snapshot_with(
        &self,
        name: &str,
        flags: u32,
        progress: &Rendezvous,
    ) -> Result<(), Errno> {
        let name = to_c(name)?;
        let context = callback::context(progress);
        // SAFETY: the image is open; a NUL-terminated name; the context is a live reference for the whole call.
        let rc = unsafe {
            sys::rbd_snap_remove2(self.handle(), name.as_ptr(), flags, Some(callback::progress), context)
        };
        check(rc).map(drop)
    }

    /// `int rbd_snap_remove_by_id(rbd_image_t image, uint64_t snap_id);`
    #[inline]
    pub(crate) fn remove_snapshot_by_id(&self, id: u64) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_snap_remove_by_id(self.handle(), id) }).map(drop)
    }

    /// `int rbd_snap_rename(rbd_image_t image, const char *snapname, const char *dstsnapsname);`
    #[inline]
    pub(crate) fn rename_snapshot(&self, from: &str, to: &str) -> Result<(), Errno> {
        let (from, to) = (to_c(from)?, to_c(to)?);
        // SAFETY: the image is open; two NUL-terminated names.
        check(unsafe { sys::rbd_snap_rename(self.handle(), from.as_ptr(), to.as_ptr()) }).map(drop)
    }

    /// `int rbd_snap_set_by_id(rbd_image_t image, uint64_t snap_id);`
    #[inline]
    pub(crate) fn set_snapshot_by_id(&self, id: u64) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_snap_set_by_id(self.handle(), id) }).map(drop)
    }

    /// `int rbd_snap_get_limit(rbd_image_t image, uint64_t *limit);`
    #[inline]
    pub(crate) fn snapshot_limit(&self) -> Result<u64, Errno> {
        let mut limit = 0;
        // SAFETY: the image is open; a place for the answer.
        check(unsafe { sys::rbd_snap_get_limit(self.handle(), &mut limit) })?;
        Ok(limit)
    }

    /// `int rbd_snap_set_limit(rbd_image_t image, uint64_t limit);`
    #[inline]
    pub(crate) fn set_snapshot_limit(&self, limit: u64) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_snap_set_limit(self.handle(), limit) }).map(drop)
    }

    /// `int rbd_snap_get_trash_namespace(rbd_image_t image, uint64_t snap_id, char* original_name, size_t max_length);`
    #[inline]
    pub(crate) fn trashed_snapshot_name(&self, id: u64) -> Result<String, Errno> {
        buffer::string(|name, length| {
            // SAFETY: the image is open; the buffer has `length` bytes.
            check(unsafe { sys::rbd_snap_get_trash_namespace(self.handle(), id, name, *length) }).map(drop)
        })
    }

    /// `int rbd_snap_get_namespace_type(rbd_image_t image, uint64_t snap_id, rbd_snap_namespace_type_t *namespace_type);`
    #[inline]
    pub(crate) fn snapshot_namespace(&self, id: u64) -> Result<u32, Errno> {
        let mut kind = 0;
        // SAFETY: the image is open; a place for the answer.
        check(unsafe { sys::rbd_snap_get_namespace_type(self.handle(), id, &mut kind) })?;
        Ok(kind)
    }

    /// `int rbd_snap_get_timestamp(rbd_image_t image, uint64_t snap_id, struct timespec *timestamp);`
    #[inline]
    pub(crate) fn snapshot_created(&self, id: u64) -> Result<SystemTime, Errno> {
        let mut time = sys::timespec::default();
        // SAFETY: the image is open; a place for the answer.
        check(unsafe { sys::rbd_snap_get_timestamp(self.handle(), id, &mut time) })?;
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Ok(UNIX_EPOCH + Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }

    /// `int rbd_snap_get_mirror_namespace(rbd_image_t image, uint64_t snap_id, rbd_snap_mirror_namespace_t *mirror_snap, size_t mirror_snap_size);`
    #[inline]
    pub(crate) fn mirror_namespace(&self, id: u64) -> Result<RawMirrorNamespace, Errno> {
        let mut filled = sys::rbd_snap_mirror_namespace_t::default();
        let size = size_of::<sys::rbd_snap_mirror_namespace_t>();
        // SAFETY: the image is open; `filled` is valid for writes of its size.
        check(unsafe { sys::rbd_snap_get_mirror_namespace(self.handle(), id, &mut filled, size) })?;
        let namespace = RawMirrorNamespace {
            state: filled.state,
            peer_uuids: strings(filled.mirror_peer_uuids, filled.mirror_peer_uuids_count),
            complete: filled.complete,
            // SAFETY: librbd filled it with a NUL-terminated string.
            primary_mirror_uuid: unsafe { from_c(filled.primary_mirror_uuid) },
            primary_snapshot_id: filled.primary_snap_id,
            last_copied_object: filled.last_copied_object_number,
        };
        // SAFETY: filled by librbd, freed once.
        unsafe { sys::rbd_snap_mirror_namespace_cleanup(&mut filled, size) };
        Ok(namespace)
    }
}

/// `count` NUL-terminated strings that stand one behind the other.
fn strings(mut at: *mut c_char, count: usize) -> Vec<String> {
    let mut found = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        if at.is_null() {
            break;
        }
        // SAFETY: librbd wrote `count` NUL-terminated strings from here on.
        let bytes = unsafe { std::ffi::CStr::from_ptr(at) };
        found.push(bytes.to_string_lossy().into_owned());
        let step = bytes.count_bytes() + 1;
        // SAFETY: one past this string's NUL is the next string, or the end of the allocation.
        at = unsafe { at.add(step) };
    }
    found
}
