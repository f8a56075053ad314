//! Mirroring of a pool (and namespace), in the order of `librbd.h`.

use std::ffi::{c_char, c_int};
use std::ptr;

use ceph_sys as sys;
use zeroize::Zeroizing;

use super::buffer;
use super::call::{check, from_c, secret_to_c, to_c};
use super::mirror_image::{RawInfo, RawStatus, copy_info, copy_status};
use super::rados::RawIoCtx;
use crate::errno::Errno;

/// A peer as the pool knows it.
#[derive(Clone, Debug)]
pub(crate) struct RawPeer {
    pub(crate) uuid: String,
    pub(crate) direction: u32,
    pub(crate) site_name: String,
    pub(crate) mirror_uuid: String,
    pub(crate) client_name: String,
    pub(crate) last_seen: i64,
}

impl RawIoCtx {
    /// `int rbd_mirror_mode_get(rados_ioctx_t io_ctx, rbd_mirror_mode_t *mirror_mode);`
    #[inline]
    pub(crate) fn mirror_mode(&self) -> Result<u32, Errno> {
        let mut mode = 0;
        // SAFETY: the io context is live; a valid place for the answer.
        check(unsafe { sys::rbd_mirror_mode_get(self.handle(), &mut mode) })?;
        Ok(mode)
    }

    /// `int rbd_mirror_mode_set(rados_ioctx_t io_ctx, rbd_mirror_mode_t mirror_mode);`
    #[inline]
    pub(crate) fn set_mirror_mode(&self, mode: u32) -> Result<(), Errno> {
        // SAFETY: the io context is live.
        check(unsafe { sys::rbd_mirror_mode_set(self.handle(), mode) }).map(drop)
    }

    /// `int rbd_mirror_uuid_get(rados_ioctx_t io_ctx, char *uuid, size_t *max_len);`
    #[inline]
    pub(crate) fn mirror_uuid(&self) -> Result<String, Errno> {
        buffer::string(|buffer, length| {
            // SAFETY: the io context is live; the buffer has `length` bytes.
            check(unsafe { sys::rbd_mirror_uuid_get(self.handle(), buffer, length) }).map(drop)
        })
    }

    /// `int rbd_mirror_peer_bootstrap_create(rados_ioctx_t io_ctx, char *token, size_t *max_len);`
    #[inline]
    pub(crate) fn create_bootstrap_token(&self) -> Result<Zeroizing<String>, Errno> {
        buffer::secret(|buffer, length| {
            // SAFETY: the io context is live; the buffer has `length` bytes.
            check(unsafe { sys::rbd_mirror_peer_bootstrap_create(self.handle(), buffer, length) }).map(drop)
        })
    }

    /// `int rbd_mirror_peer_bootstrap_import(rados_ioctx_t io_ctx, rbd_mirror_peer_direction_t direction, const char *token);`
    #[inline]
    pub(crate) fn import_bootstrap_token(&self, direction: u32, token: &str) -> Result<(), Errno> {
        let token = secret_to_c(token)?;
        // SAFETY: the io context is live; the bytes end with NUL.
        let rc = unsafe {
            sys::rbd_mirror_peer_bootstrap_import(self.handle(), direction, token.as_ptr().cast::<c_char>())
        };
        check(rc).map(drop)
    }

    /// `int rbd_mirror_peer_site_add(rados_ioctx_t io_ctx, char *uuid, size_t uuid_max_length, rbd_mirror_peer_direction_t direction, const char *site_name, const char *client_name);`
    #[inline]
    pub(crate) fn add_peer(
        &self,
        direction: u32,
        site_name: &str,
        client_name: &str,
    ) -> Result<String, Errno> {
        let (site_name, client_name) = (to_c(site_name)?, to_c(client_name)?);
        buffer::string(|uuid, length| {
            // SAFETY: the io context is live; the buffer has `length` bytes; two NUL-terminated names.
            let rc = unsafe {
                sys::rbd_mirror_peer_site_add(
                    self.handle(),
                    uuid,
                    *length,
                    direction,
                    site_name.as_ptr(),
                    client_name.as_ptr(),
                )
            };
            // librbd adds the peer even where the uuid does not fit; 256 bytes always fit, so no second round adds twice.
            check(rc).map(drop)
        })
    }

    /// `int rbd_mirror_peer_site_set_name(rados_ioctx_t io_ctx, const char *uuid, const char *site_name);`
    #[inline]
    pub(crate) fn set_peer_name(&self, uuid: &str, name: &str) -> Result<(), Errno> {
        self.set_peer(sys::rbd_mirror_peer_site_set_name, uuid, name)
    }

    /// `int rbd_mirror_peer_site_set_client_name(rados_ioctx_t io_ctx, const char *uuid, const char *client_name);`
    #[inline]
    pub(crate) fn set_peer_client(&self, uuid: &str, client: &str) -> Result<(), Errno> {
        self.set_peer(sys::rbd_mirror_peer_site_set_client_name, uuid, client)
    }

    fn set_peer(
        &self,
        call: unsafe extern "C" fn(sys::rados_ioctx_t, *const c_char, *const c_char) -> c_int,
        uuid: &str,
        value: &str,
    ) -> Result<(), Errno> {
        let (uuid, value) = (to_c(uuid)?, to_c(value)?);
        // SAFETY: the io context is live; two NUL-terminated strings.
        check(unsafe { call(self.handle(), uuid.as_ptr(), value.as_ptr()) }).map(drop)
    }

    /// `int rbd_mirror_peer_site_set_direction(rados_ioctx_t io_ctx, const char *uuid, rbd_mirror_peer_direction_t direction);`
    #[inline]
    pub(crate) fn set_peer_direction(&self, uuid: &str, direction: u32) -> Result<(), Errno> {
        let uuid = to_c(uuid)?;
        // SAFETY: the io context is live; a NUL-terminated uuid.
        let rc = unsafe { sys::rbd_mirror_peer_site_set_direction(self.handle(), uuid.as_ptr(), direction) };
        check(rc).map(drop)
    }

    /// `int rbd_mirror_peer_site_remove(rados_ioctx_t io_ctx, const char *uuid);`
    #[inline]
    pub(crate) fn remove_peer(&self, uuid: &str) -> Result<(), Errno> {
        let uuid = to_c(uuid)?;
        // SAFETY: the io context is live; a NUL-terminated uuid.
        check(unsafe { sys::rbd_mirror_peer_site_remove(self.handle(), uuid.as_ptr()) }).map(drop)
    }

    /// `int rbd_mirror_peer_site_list(rados_ioctx_t io_ctx, rbd_mirror_peer_site_t *peers, int *max_peers);`
    #[inline]
    pub(crate) fn peers(&self) -> Result<Vec<RawPeer>, Errno> {
        let mut filled = buffer::list(sys::rbd_mirror_peer_site_t::default(), |peers, length| {
            let mut max = c_int::try_from(*length).map_err(|_| Errno::ERANGE)?;
            // SAFETY: the io context is live; the buffer has `max` entries.
            let done = check(unsafe { sys::rbd_mirror_peer_site_list(self.handle(), peers, &mut max) });
            *length = usize::try_from(max).unwrap_or(0);
            done.map(drop)
        })?;
        let peers = filled.iter().map(copy_peer).collect();
        let count = c_int::try_from(filled.len()).unwrap_or(0);
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_mirror_peer_site_list_cleanup(filled.as_mut_ptr(), count) };
        Ok(peers)
    }

    /// `int rbd_mirror_peer_site_get_attributes(rados_ioctx_t p, const char *uuid, char *keys, size_t *max_key_len, char *values, size_t *max_value_len, size_t *key_value_count);`
    #[inline]
    pub(crate) fn peer_attributes(&self, uuid: &str) -> Result<Vec<(String, Zeroizing<String>)>, Errno> {
        let uuid = to_c(uuid)?;
        let (mut key_length, mut value_length, mut count) = (1024, 1024, 0);
        for _ in 0..8 {
            let mut keys = vec![0_u8; key_length];
            let mut values = Zeroizing::new(vec![0_u8; value_length]);
            // SAFETY: the io context is live; two buffers with their lengths, and a place for the count.
            let rc = unsafe {
                sys::rbd_mirror_peer_site_get_attributes(
                    self.handle(),
                    uuid.as_ptr(),
                    keys.as_mut_ptr().cast(),
                    &mut key_length,
                    values.as_mut_ptr().cast(),
                    &mut value_length,
                    &mut count,
                )
            };
            match check(rc) {
                Err(Errno::ERANGE) => {
                    (key_length, value_length) =
                        (key_length.max(keys.len() * 2), value_length.max(values.len() * 2));
                }
                Err(errno) => return Err(errno),
                Ok(_) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let names = keys.split(|byte| *byte == 0).map(text);
                    let secrets = values.split(|byte| *byte == 0).map(|bytes| Zeroizing::new(text(bytes)));
                    return Ok(names.zip(secrets).take(count).collect());
                }
            }
        }
        Err(Errno::ERANGE)
    }

    /// `int rbd_mirror_peer_site_set_attributes(rados_ioctx_t p, const char *uuid, const char *keys, const char *values, size_t key_value_count);`
    #[inline]
    pub(crate) fn set_peer_attributes(&self, uuid: &str, attributes: &[(&str, &str)]) -> Result<(), Errno> {
        let uuid = to_c(uuid)?;
        let mut keys = Vec::new();
        let mut values = Zeroizing::new(Vec::new());
        for (key, value) in attributes {
            keys.extend_from_slice(to_c(key)?.as_bytes_with_nul());
            values.extend_from_slice(&secret_to_c(value)?);
        }
        // SAFETY: the io context is live; as many NUL-terminated strings in a row as the count says.
        let rc = unsafe {
            sys::rbd_mirror_peer_site_set_attributes(
                self.handle(),
                uuid.as_ptr(),
                keys.as_ptr().cast(),
                values.as_ptr().cast(),
                attributes.len(),
            )
        };
        check(rc).map(drop)
    }

    /// `int rbd_mirror_image_global_status_list(rados_ioctx_t io_ctx, const char *start_id, size_t max, char **image_ids, rbd_mirror_image_global_status_t *images, size_t *len);`
    ///
    /// Pairs of image id and status, at most `max`. Fewer than `max` are not the end: librbd leaves out what is being
    /// disabled after it has counted the page.
    #[inline]
    pub(crate) fn status_page(&self, after_id: &str, max: usize) -> Result<Vec<(String, RawStatus)>, Errno> {
        let after_id = to_c(after_id)?;
        let mut ids = vec![ptr::null_mut::<c_char>(); max];
        let mut statuses = vec![sys::rbd_mirror_image_global_status_t::default(); max];
        let mut length = max;
        // SAFETY: the io context is live; two arrays of `max` entries.
        let rc = unsafe {
            sys::rbd_mirror_image_global_status_list(
                self.handle(),
                after_id.as_ptr(),
                max,
                ids.as_mut_ptr(),
                statuses.as_mut_ptr(),
                &mut length,
            )
        };
        check(rc)?;
        let filled = length.min(max);
        let page = ids.iter().zip(&statuses).take(filled);
        // SAFETY: librbd filled the first `length` ids with NUL-terminated strings.
        let page = page.map(|(id, status)| (unsafe { from_c(*id) }, copy_status(status))).collect();
        // SAFETY: the entries that librbd filled, freed once.
        unsafe {
            sys::rbd_mirror_image_global_status_list_cleanup(ids.as_mut_ptr(), statuses.as_mut_ptr(), filled);
        }
        Ok(page)
    }

    /// `int rbd_mirror_image_status_summary(rados_ioctx_t io_ctx, rbd_mirror_image_status_state_t *states, int *counts, size_t *maxlen);`
    #[inline]
    pub(crate) fn status_summary(&self) -> Result<Vec<(u32, u32)>, Errno> {
        let mut states = [0_u32; 32];
        let mut counts = [0_i32; 32];
        let mut length = states.len();
        // SAFETY: the io context is live; two arrays of `length` entries.
        let rc = unsafe {
            sys::rbd_mirror_image_status_summary(
                self.handle(),
                states.as_mut_ptr(),
                counts.as_mut_ptr(),
                &mut length,
            )
        };
        check(rc)?;
        let pairs = states.into_iter().zip(counts).take(length);
        Ok(pairs.map(|(state, count)| (state, u32::try_from(count).unwrap_or(0))).collect())
    }

    /// `int rbd_mirror_image_info_list(rados_ioctx_t io_ctx, rbd_mirror_image_mode_t *mode_filter, const char *start_id, size_t max, char **image_ids, rbd_mirror_image_mode_t *mode_entries, rbd_mirror_image_info_t *info_entries, size_t *num_entries);`
    #[inline]
    pub(crate) fn info_page(
        &self,
        mut mode: Option<u32>,
        after_id: &str,
        max: usize,
    ) -> Result<Vec<(String, u32, RawInfo)>, Errno> {
        let after_id = to_c(after_id)?;
        let mut ids = vec![ptr::null_mut::<c_char>(); max];
        let mut modes = vec![0_u32; max];
        let mut infos = vec![sys::rbd_mirror_image_info_t::default(); max];
        let mut length = max;
        let filter = mode.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        // SAFETY: the io context is live; three arrays of `max` entries; the filter is null or valid.
        let rc = unsafe {
            sys::rbd_mirror_image_info_list(
                self.handle(),
                filter,
                after_id.as_ptr(),
                max,
                ids.as_mut_ptr(),
                modes.as_mut_ptr(),
                infos.as_mut_ptr(),
                &mut length,
            )
        };
        check(rc)?;
        let filled = length.min(max);
        let page = ids.iter().zip(&modes).zip(&infos).take(filled);
        // SAFETY: librbd filled the first `length` ids with NUL-terminated strings.
        let page = page.map(|((id, mode), info)| (unsafe { from_c(*id) }, *mode, copy_info(info))).collect();
        // SAFETY: the entries that librbd filled, freed once.
        unsafe { sys::rbd_mirror_image_info_list_cleanup(ids.as_mut_ptr(), infos.as_mut_ptr(), filled) };
        Ok(page)
    }

    /// `int rbd_mirror_image_instance_id_list(rados_ioctx_t io_ctx, const char *start_id, size_t max, char **image_ids, char **instance_ids, size_t *len);`
    #[inline]
    pub(crate) fn instance_page(&self, after_id: &str, max: usize) -> Result<Vec<(String, String)>, Errno> {
        let after_id = to_c(after_id)?;
        let mut ids = vec![ptr::null_mut::<c_char>(); max];
        let mut instances = vec![ptr::null_mut::<c_char>(); max];
        let mut length = max;
        // SAFETY: the io context is live; two arrays of `max` entries.
        let rc = unsafe {
            sys::rbd_mirror_image_instance_id_list(
                self.handle(),
                after_id.as_ptr(),
                max,
                ids.as_mut_ptr(),
                instances.as_mut_ptr(),
                &mut length,
            )
        };
        check(rc)?;
        let filled = length.min(max);
        // SAFETY: librbd filled both arrays with NUL-terminated strings.
        let text = |at: &*mut c_char| unsafe { from_c(*at) };
        let pairs = ids.iter().zip(&instances).take(filled);
        let page = pairs.map(|(id, instance)| (text(id), text(instance))).collect();
        // SAFETY: the entries that librbd filled, freed once.
        unsafe {
            sys::rbd_mirror_image_instance_id_list_cleanup(ids.as_mut_ptr(), instances.as_mut_ptr(), filled);
        }
        Ok(page)
    }

    /// `int rbd_mirror_remote_namespace_get(rados_ioctx_t io_ctx, char *remote_namespace, size_t *max_len);` where librbd has it.
    #[inline]
    pub(crate) fn remote_namespace(&self) -> Option<Result<String, Errno>> {
        let call = sys::newer::rbd_mirror_remote_namespace_get()?;
        Some(buffer::string(|buffer, length| {
            // SAFETY: the io context is live; the buffer has `length` bytes.
            check(unsafe { call(self.handle(), buffer, length) }).map(drop)
        }))
    }

    /// `int rbd_mirror_remote_namespace_set(rados_ioctx_t io_ctx, const char *remote_namespace);` where librbd has it.
    #[inline]
    pub(crate) fn set_remote_namespace(&self, namespace: &str) -> Option<Result<(), Errno>> {
        let call = sys::newer::rbd_mirror_remote_namespace_set()?;
        let namespace = match to_c(namespace) {
            Ok(namespace) => namespace,
            Err(errno) => return Some(Err(errno)),
        };
        // SAFETY: the io context is live; a NUL-terminated name.
        Some(check(unsafe { call(self.handle(), namespace.as_ptr()) }).map(drop))
    }
}

fn copy_peer(peer: &sys::rbd_mirror_peer_site_t) -> RawPeer {
    // SAFETY: librbd filled every string with a NUL-terminated one.
    let text = |at: *mut c_char| unsafe { from_c(at) };
    RawPeer {
        uuid: text(peer.uuid),
        direction: peer.direction,
        site_name: text(peer.site_name),
        mirror_uuid: text(peer.mirror_uuid),
        client_name: text(peer.client_name),
        last_seen: peer.last_seen,
    }
}
