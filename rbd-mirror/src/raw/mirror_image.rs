//! Mirroring of one image, in the order of `librbd.h`. What has an aio form is started here and waited for elsewhere.

use std::sync::Arc;

use ceph_sys as sys;

use super::buffer;
use super::call::{check, from_c};
use super::completion::Aio;
use super::image::RawImage;
use crate::errno::Errno;

impl RawImage {
    /// `int rbd_mirror_image_enable2(rbd_image_t image, rbd_mirror_image_mode_t mode);`
    #[inline]
    pub(crate) fn mirror_enable(&self, mode: u32) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_mirror_image_enable2(self.handle(), mode) }).map(drop)
    }

    /// `int rbd_mirror_image_disable(rbd_image_t image, bool force);`
    #[inline]
    pub(crate) fn mirror_disable(&self, force: bool) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_mirror_image_disable(self.handle(), force) }).map(drop)
    }

    /// `int rbd_aio_mirror_image_promote(rbd_image_t image, bool force, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_promote(self: &Arc<Self>, force: bool) -> Result<Aio<()>, Errno> {
        Aio::start(self, (), |image, _, completion| {
            // SAFETY: the image is open; the completion is live.
            unsafe { sys::rbd_aio_mirror_image_promote(image, force, completion) }
        })
    }

    /// `int rbd_aio_mirror_image_demote(rbd_image_t image, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_demote(self: &Arc<Self>) -> Result<Aio<()>, Errno> {
        Aio::start(self, (), |image, _, completion| {
            // SAFETY: the image is open; the completion is live.
            unsafe { sys::rbd_aio_mirror_image_demote(image, completion) }
        })
    }

    /// `int rbd_mirror_image_resync(rbd_image_t image);`
    #[inline]
    pub(crate) fn mirror_resync(&self) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { sys::rbd_mirror_image_resync(self.handle()) }).map(drop)
    }

    /// `int rbd_aio_mirror_image_get_info(rbd_image_t image, rbd_mirror_image_info_t *mirror_image_info, size_t info_size, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_mirror_info(self: &Arc<Self>) -> Result<Aio<InfoSlot>, Errno> {
        Aio::start(self, InfoSlot::default(), |image, slot, completion| {
            // SAFETY: the slot is live; the pointer is to its only field.
            let info = unsafe { &raw mut (*slot).0 };
            // SAFETY: the image is open; `info` stays valid for writes of its size until the completion has fired.
            unsafe {
                sys::rbd_aio_mirror_image_get_info(
                    image,
                    info,
                    size_of::<sys::rbd_mirror_image_info_t>(),
                    completion,
                )
            }
        })
    }

    /// `int rbd_aio_mirror_image_get_mode(rbd_image_t image, rbd_mirror_image_mode_t *mode, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_mirror_mode(self: &Arc<Self>) -> Result<Aio<u32>, Errno> {
        Aio::start(self, 0_u32, |image, slot, completion| {
            // SAFETY: the image is open; the slot stays valid until the completion has fired.
            unsafe { sys::rbd_aio_mirror_image_get_mode(image, slot, completion) }
        })
    }

    /// `int rbd_aio_mirror_image_get_global_status(rbd_image_t image, rbd_mirror_image_global_status_t *mirror_image_global_status, size_t status_size, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_mirror_status(self: &Arc<Self>) -> Result<Aio<StatusSlot>, Errno> {
        Aio::start(self, StatusSlot::default(), |image, slot, completion| {
            // SAFETY: the slot is live; the pointer is to its only field.
            let status = unsafe { &raw mut (*slot).0 };
            // SAFETY: the image is open; `status` stays valid for writes of its size until the completion has fired.
            unsafe {
                sys::rbd_aio_mirror_image_get_global_status(
                    image,
                    status,
                    size_of::<sys::rbd_mirror_image_global_status_t>(),
                    completion,
                )
            }
        })
    }

    /// `int rbd_aio_mirror_image_create_snapshot(rbd_image_t image, uint32_t flags, uint64_t *snap_id, rbd_completion_t c);`
    #[inline]
    pub(crate) fn start_mirror_snapshot(self: &Arc<Self>, flags: u32) -> Result<Aio<u64>, Errno> {
        Aio::start(self, 0_u64, |image, slot, completion| {
            // SAFETY: the image is open; the slot stays valid until the completion has fired.
            unsafe { sys::rbd_aio_mirror_image_create_snapshot(image, flags, slot, completion) }
        })
    }

    /// `int rbd_mirror_image_get_instance_id(rbd_image_t image, char *id, size_t *id_max_length);`
    #[inline]
    pub(crate) fn mirror_instance_id(&self) -> Result<String, Errno> {
        buffer::string(|buffer, length| {
            // SAFETY: the image is open; the buffer has `length` bytes.
            check(unsafe { sys::rbd_mirror_image_get_instance_id(self.handle(), buffer, length) }).map(drop)
        })
    }
}

/// What librbd knows of an image's mirroring.
#[derive(Clone, Debug)]
pub(crate) struct RawInfo {
    pub(crate) global_id: Arc<str>,
    pub(crate) state: u32,
    pub(crate) primary: bool,
}

/// The place of an `rbd_mirror_image_info_t` whose strings are freed with it.
#[derive(Default)]
pub(crate) struct InfoSlot(sys::rbd_mirror_image_info_t);

// SAFETY: the strings inside are owned by this value alone.
unsafe impl Send for InfoSlot {}

impl InfoSlot {
    #[inline]
    pub(crate) fn copy(&self) -> RawInfo {
        copy_info(&self.0)
    }
}

impl Drop for InfoSlot {
    fn drop(&mut self) {
        // SAFETY: zeroed, or filled by librbd; the strings are freed once.
        unsafe { sys::rbd_mirror_image_get_info_cleanup(&mut self.0) };
    }
}

/// One site's word on an image.
#[derive(Clone, Debug)]
pub(crate) struct RawSiteStatus {
    pub(crate) mirror_uuid: String,
    pub(crate) state: u32,
    pub(crate) description: String,
    pub(crate) last_update: i64,
    pub(crate) up: bool,
}

/// The words of all sites on an image.
#[derive(Clone, Debug)]
pub(crate) struct RawStatus {
    pub(crate) name: String,
    pub(crate) info: RawInfo,
    pub(crate) sites: Vec<RawSiteStatus>,
}

/// The place of an `rbd_mirror_image_global_status_t` whose strings and sites are freed with it.
#[derive(Default)]
pub(crate) struct StatusSlot(sys::rbd_mirror_image_global_status_t);

// SAFETY: everything inside is owned by this value alone.
unsafe impl Send for StatusSlot {}

impl StatusSlot {
    #[inline]
    pub(crate) fn name(&self) -> String {
        // SAFETY: null or filled by librbd with a NUL-terminated string.
        unsafe { from_c(self.0.name) }
    }

    #[inline]
    pub(crate) fn info(&self) -> RawInfo {
        copy_info(&self.0.info)
    }

    pub(crate) fn sites(&self) -> impl Iterator<Item = RawSiteStatus> + '_ {
        sites(&self.0).iter().map(copy_site)
    }

    #[inline]
    pub(crate) fn copy(&self) -> RawStatus {
        copy_status(&self.0)
    }
}

impl Drop for StatusSlot {
    fn drop(&mut self) {
        // SAFETY: zeroed, or filled by librbd; freed once.
        unsafe { sys::rbd_mirror_image_global_status_cleanup(&mut self.0) };
    }
}

#[inline]
pub(super) fn copy_info(info: &sys::rbd_mirror_image_info_t) -> RawInfo {
    RawInfo {
        // SAFETY: null or filled by librbd with a NUL-terminated string.
        global_id: unsafe { from_c(info.global_id) },
        state: info.state,
        primary: info.primary,
    }
}

fn sites(status: &sys::rbd_mirror_image_global_status_t) -> &[sys::rbd_mirror_image_site_status_t] {
    if status.site_statuses.is_null() {
        return &[];
    }
    let count = usize::try_from(status.site_statuses_count).unwrap_or(0);
    // SAFETY: librbd allocated `site_statuses_count` entries there; `status` keeps them alive.
    unsafe { std::slice::from_raw_parts(status.site_statuses, count) }
}

#[inline]
pub(super) fn copy_status(status: &sys::rbd_mirror_image_global_status_t) -> RawStatus {
    RawStatus {
        // SAFETY: null or filled by librbd with a NUL-terminated string.
        name: unsafe { from_c(status.name) },
        info: copy_info(&status.info),
        sites: sites(status).iter().map(copy_site).collect(),
    }
}

fn copy_site(site: &sys::rbd_mirror_image_site_status_t) -> RawSiteStatus {
    RawSiteStatus {
        // SAFETY: filled by librbd with a NUL-terminated string.
        mirror_uuid: unsafe { from_c(site.mirror_uuid) },
        state: site.state,
        // SAFETY: filled by librbd with a NUL-terminated string.
        description: unsafe { from_c(site.description) },
        last_update: site.last_update,
        up: site.up,
    }
}
