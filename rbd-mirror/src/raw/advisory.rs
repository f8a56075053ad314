//! Advisory locks of an image: who says that he uses it.

use std::ffi::{CString, c_char, c_int};

use ceph_sys as sys;

use super::call::{check, check_size, strings, to_c};
use super::image::RawImage;
use crate::errno::Errno;

/// What `rbd_list_lockers` fills.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawLockers {
    pub(crate) exclusive: bool,
    pub(crate) tag: String,
    /// Client, cookie and address of each.
    pub(crate) lockers: Vec<(String, String, String)>,
}

impl RawImage {
    /// `int rbd_lock_exclusive(rbd_image_t image, const char *cookie);`
    #[inline]
    pub(crate) fn lock_exclusive(&self, cookie: &str) -> Result<(), Errno> {
        let cookie = to_c(cookie)?;
        // SAFETY: the image is open; a NUL-terminated string.
        check(unsafe { sys::rbd_lock_exclusive(self.handle(), cookie.as_ptr()) }).map(drop)
    }

    /// `int rbd_lock_shared(rbd_image_t image, const char *cookie, const char *tag);`
    #[inline]
    pub(crate) fn lock_shared(&self, cookie: &str, tag: &str) -> Result<(), Errno> {
        self.with_two(sys::rbd_lock_shared, (to_c(cookie)?, to_c(tag)?))
    }

    /// `int rbd_unlock(rbd_image_t image, const char *cookie);`
    #[inline]
    pub(crate) fn unlock(&self, cookie: &str) -> Result<(), Errno> {
        let cookie = to_c(cookie)?;
        // SAFETY: the image is open; a NUL-terminated string.
        check(unsafe { sys::rbd_unlock(self.handle(), cookie.as_ptr()) }).map(drop)
    }

    /// `int rbd_break_lock(rbd_image_t image, const char *client, const char *cookie);`
    #[inline]
    pub(crate) fn break_advisory(&self, client: &str, cookie: &str) -> Result<(), Errno> {
        self.with_two(sys::rbd_break_lock, (to_c(client)?, to_c(cookie)?))
    }

    fn with_two(
        &self,
        call: unsafe extern "C" fn(sys::rbd_image_t, *const c_char, *const c_char) -> c_int,
        (first, second): (CString, CString),
    ) -> Result<(), Errno> {
        // SAFETY: the image is open; two NUL-terminated strings.
        check(unsafe { call(self.handle(), first.as_ptr(), second.as_ptr()) }).map(drop)
    }

    /// `ssize_t rbd_list_lockers(rbd_image_t image, int *exclusive, char *tag, size_t *tag_len, char *clients, size_t *clients_len, char *cookies, size_t *cookies_len, char *addrs, size_t *addrs_len);`
    #[inline]
    pub(crate) fn lockers(&self) -> Result<RawLockers, Errno> {
        let mut rooms = [256_usize, 4096, 4096, 4096];
        for _ in 0..super::buffer::ROUNDS_MAX {
            let [mut tag, mut clients, mut cookies, mut addresses] = rooms.map(|room| vec![0_u8; room]);
            let mut lengths = rooms;
            let [tag_length, clients_length, cookies_length, addresses_length] = &mut lengths;
            let mut exclusive = 0;
            // SAFETY: the image is open; four buffers with their lengths, and a place for the kind of lock.
            let rc = unsafe {
                sys::rbd_list_lockers(
                    self.handle(),
                    &mut exclusive,
                    tag.as_mut_ptr().cast(),
                    tag_length,
                    clients.as_mut_ptr().cast(),
                    clients_length,
                    cookies.as_mut_ptr().cast(),
                    cookies_length,
                    addresses.as_mut_ptr().cast(),
                    addresses_length,
                )
            };
            match check_size(rc) {
                Err(Errno::ERANGE) => {
                    for (room, length) in rooms.iter_mut().zip(lengths) {
                        *room = (*room).max(length + 1);
                    }
                }
                Err(errno) => return Err(errno),
                Ok(count) => {
                    let three = strings(&clients).into_iter().zip(strings(&cookies)).zip(strings(&addresses));
                    let lockers = three.map(|((client, cookie), address)| (client, cookie, address));
                    let tag = strings(&tag).into_iter().next().unwrap_or_default();
                    return Ok(RawLockers {
                        exclusive: exclusive != 0,
                        tag,
                        lockers: lockers.take(count).collect(),
                    });
                }
            }
        }
        Err(Errno::ERANGE)
    }
}
