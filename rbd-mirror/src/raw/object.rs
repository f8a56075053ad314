//! RADOS objects: their data, their key/value entries, what their classes answer, and locks on them that run out.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use ceph_sys as sys;

use super::call::{check, from_c, to_c};
use super::rados::{Allocated, RawIoCtx};
use crate::errno::Errno;

/// A key and its value.
pub(crate) type Entry = (String, Vec<u8>);

/// Who has an object locked.
#[derive(Clone, Debug)]
pub(crate) struct RawLocker {
    pub(crate) client: String,
    pub(crate) cookie: String,
    pub(crate) address: String,
}

/// `rados_write_op_t`, released when dropped.
struct WriteOp(sys::rados_write_op_t);

impl Drop for WriteOp {
    fn drop(&mut self) {
        // SAFETY: made by rados_create_write_op, released once.
        unsafe { sys::rados_release_write_op(self.0) };
    }
}

/// `rados_read_op_t`, released when dropped.
struct ReadOp(sys::rados_read_op_t);

impl Drop for ReadOp {
    fn drop(&mut self) {
        // SAFETY: made by rados_create_read_op, released once.
        unsafe { sys::rados_release_read_op(self.0) };
    }
}

/// `rados_omap_iter_t`, ended when dropped.
struct Entries(sys::rados_omap_iter_t);

impl Drop for Entries {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made by an omap read, ended once.
            unsafe { sys::rados_omap_get_end(self.0) };
        }
    }
}

impl RawIoCtx {
    /// `int rados_read(rados_ioctx_t io, const char *oid, char *buf, size_t len, uint64_t off);`
    #[inline]
    pub(crate) fn read_object(&self, object: &str, offset: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let object = to_c(object)?;
        let mut data = vec![0_u8; length];
        // SAFETY: the handle is live; the buffer has `length` bytes.
        let rc = unsafe {
            sys::rados_read(self.handle(), object.as_ptr(), data.as_mut_ptr().cast(), data.len(), offset)
        };
        data.truncate(usize::try_from(check(rc)?).unwrap_or(0));
        Ok(data)
    }

    /// `int rados_write_full(rados_ioctx_t io, const char *oid, const char *buf, size_t len);`
    #[inline]
    pub(crate) fn write_object(&self, object: &str, data: &[u8]) -> Result<(), Errno> {
        let object = to_c(object)?;
        // SAFETY: the handle is live; the data is valid for its length.
        check(unsafe {
            sys::rados_write_full(self.handle(), object.as_ptr(), data.as_ptr().cast(), data.len())
        })
        .map(drop)
    }

    /// `int rados_write(rados_ioctx_t io, const char *oid, const char *buf, size_t len, uint64_t off);`
    #[inline]
    pub(crate) fn write_object_at(&self, object: &str, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let object = to_c(object)?;
        // SAFETY: the handle is live; the data is valid for its length.
        check(unsafe {
            sys::rados_write(self.handle(), object.as_ptr(), data.as_ptr().cast(), data.len(), offset)
        })
        .map(drop)
    }

    /// `int rados_append(rados_ioctx_t io, const char *oid, const char *buf, size_t len);`
    #[inline]
    pub(crate) fn append_object(&self, object: &str, data: &[u8]) -> Result<(), Errno> {
        let object = to_c(object)?;
        // SAFETY: the handle is live; the data is valid for its length.
        check(unsafe { sys::rados_append(self.handle(), object.as_ptr(), data.as_ptr().cast(), data.len()) })
            .map(drop)
    }

    /// `void rados_write_op_omap_set2(rados_write_op_t write_op, char const* const* keys, char const* const* vals, const size_t *key_lens, const size_t *val_lens, size_t num);`
    #[inline]
    pub(crate) fn set_entries(&self, object: &str, entries: &[Entry]) -> Result<(), Errno> {
        let object = to_c(object)?;
        let keys: Vec<*const c_char> = entries.iter().map(|(key, _)| key.as_ptr().cast()).collect();
        let values: Vec<*const c_char> = entries.iter().map(|(_, value)| value.as_ptr().cast()).collect();
        let key_lengths: Vec<usize> = entries.iter().map(|(key, _)| key.len()).collect();
        let value_lengths: Vec<usize> = entries.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: no arguments.
        let op = WriteOp(unsafe { sys::rados_create_write_op() });
        // SAFETY: the operation is live; four arrays of as many items as is said; the data is copied by the call.
        unsafe {
            sys::rados_write_op_omap_set2(
                op.0,
                keys.as_ptr(),
                values.as_ptr(),
                key_lengths.as_ptr(),
                value_lengths.as_ptr(),
                entries.len(),
            );
        }
        self.operate(&op, &object)
    }

    /// `void rados_write_op_omap_rm_keys2(rados_write_op_t write_op, char const* const* keys, const size_t* key_lens, size_t keys_len);`
    #[inline]
    pub(crate) fn remove_entries(&self, object: &str, keys: &[String]) -> Result<(), Errno> {
        let object = to_c(object)?;
        let pointers: Vec<*const c_char> = keys.iter().map(|key| key.as_ptr().cast()).collect();
        let lengths: Vec<usize> = keys.iter().map(String::len).collect();
        // SAFETY: no arguments.
        let op = WriteOp(unsafe { sys::rados_create_write_op() });
        // SAFETY: the operation is live; two arrays of as many items as is said; the keys are copied by the call.
        unsafe {
            sys::rados_write_op_omap_rm_keys2(op.0, pointers.as_ptr(), lengths.as_ptr(), keys.len());
        }
        self.operate(&op, &object)
    }

    /// `int rados_write_op_operate(rados_write_op_t write_op, rados_ioctx_t io, const char *oid, time_t *mtime, int flags);`
    fn operate(&self, op: &WriteOp, object: &CStr) -> Result<(), Errno> {
        // SAFETY: the operation and the handle are live; no time of our own.
        check(unsafe {
            sys::rados_write_op_operate(op.0, self.handle(), object.as_ptr(), ptr::null_mut(), 0)
        })
        .map(drop)
    }

    /// `void rados_read_op_omap_get_vals2(rados_read_op_t read_op, const char *start_after, const char *filter_prefix, uint64_t max_return, rados_omap_iter_t *iter, unsigned char *pmore, int *prval);`:
    /// a page of the entries whose keys begin with the prefix, and whether there are more.
    #[inline]
    pub(crate) fn entries(
        &self,
        object: &str,
        after: &str,
        prefix: &str,
        max: usize,
    ) -> Result<(Vec<Entry>, bool), Errno> {
        let [object, after, prefix] = [to_c(object)?, to_c(after)?, to_c(prefix)?];
        let max = u64::try_from(max).unwrap_or(u64::MAX);
        // SAFETY: no arguments.
        let op = ReadOp(unsafe { sys::rados_create_read_op() });
        let (mut iterator, mut more, mut outcome) = (ptr::null_mut(), 0, 0);
        // SAFETY: the operation is live; the three places outlive the operation, which ends below.
        unsafe {
            sys::rados_read_op_omap_get_vals2(
                op.0,
                after.as_ptr(),
                prefix.as_ptr(),
                max,
                &mut iterator,
                &mut more,
                &mut outcome,
            );
        }
        let operated = self.operate_read(&op, &object);
        let iterator = Entries(iterator);
        operated?;
        check(outcome)?;
        Ok((collect(&iterator)?, more != 0))
    }

    /// `void rados_read_op_omap_get_vals_by_keys2(rados_read_op_t read_op, char const* const* keys, size_t num_keys, const size_t* key_lens, rados_omap_iter_t *iter, int *prval);`:
    /// the entries of those keys that are there, in the order of the keys.
    #[inline]
    pub(crate) fn entries_of(&self, object: &str, keys: &[String]) -> Result<Vec<Entry>, Errno> {
        let object = to_c(object)?;
        let pointers: Vec<*const c_char> = keys.iter().map(|key| key.as_ptr().cast()).collect();
        let lengths: Vec<usize> = keys.iter().map(String::len).collect();
        // SAFETY: no arguments.
        let op = ReadOp(unsafe { sys::rados_create_read_op() });
        let (mut iterator, mut outcome) = (ptr::null_mut(), 0);
        // SAFETY: the operation is live; two arrays of as many items as is said, copied by the call; the two places outlive the
        // operation, which ends below.
        unsafe {
            sys::rados_read_op_omap_get_vals_by_keys2(
                op.0,
                pointers.as_ptr(),
                keys.len(),
                lengths.as_ptr(),
                &mut iterator,
                &mut outcome,
            );
        }
        let operated = self.operate_read(&op, &object);
        let iterator = Entries(iterator);
        operated?;
        check(outcome)?;
        collect(&iterator)
    }

    /// `void rados_read_op_exec(rados_read_op_t read_op, const char *cls, const char *method, const char *in_buf, size_t in_len, char **out_buf, size_t *out_len, int *prval);`:
    /// the answer of a method of an object class, however long it is.
    #[inline]
    pub(crate) fn exec(
        &self,
        object: &str,
        class: &str,
        method: &str,
        input: &[u8],
    ) -> Result<Vec<u8>, Errno> {
        let (object, class, method) = (to_c(object)?, to_c(class)?, to_c(method)?);
        let (mut answer, mut outcome) = (Allocated::default(), 0);
        // SAFETY: no arguments.
        let op = ReadOp(unsafe { sys::rados_create_read_op() });
        // SAFETY: the operation is live; strings and input are copied by the call; the three places outlive the operation, which ends
        // below.
        unsafe {
            sys::rados_read_op_exec(
                op.0,
                class.as_ptr(),
                method.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                &mut answer.at,
                &mut answer.length,
                &mut outcome,
            );
        }
        self.operate_read(&op, &object)?;
        check(outcome)?;
        Ok(answer.bytes())
    }

    /// `int rados_read_op_operate(rados_read_op_t read_op, rados_ioctx_t io, const char *oid, int flags);`
    fn operate_read(&self, op: &ReadOp, object: &CStr) -> Result<(), Errno> {
        // SAFETY: the operation and the handle are live.
        check(unsafe { sys::rados_read_op_operate(op.0, self.handle(), object.as_ptr(), 0) }).map(drop)
    }

    /// `int rados_lock_exclusive(rados_ioctx_t io, const char * oid, const char * name, const char * cookie, const char * desc, struct timeval * duration, uint8_t flags);`
    #[inline]
    pub(crate) fn lock_object(&self, lock: &RawLock<'_>, lasting: Duration) -> Result<(), Errno> {
        let [object, name, cookie, description] =
            [to_c(lock.object)?, to_c(lock.name)?, to_c(lock.cookie)?, to_c(lock.description)?];
        let mut duration = sys::timeval {
            tv_sec: i64::try_from(lasting.as_secs()).unwrap_or(i64::MAX),
            tv_usec: i64::from(lasting.subsec_micros()),
        };
        // Renewing one's own lock is not an error.
        let may_renew = u8::try_from(sys::LIBRADOS_LOCK_FLAG_MAY_RENEW).unwrap_or(0);
        // SAFETY: the handle is live; four NUL-terminated strings; the duration is read during the call.
        check(unsafe {
            sys::rados_lock_exclusive(
                self.handle(),
                object.as_ptr(),
                name.as_ptr(),
                cookie.as_ptr(),
                description.as_ptr(),
                &mut duration,
                may_renew,
            )
        })
        .map(drop)
    }

    /// `int rados_unlock(rados_ioctx_t io, const char *o, const char *name, const char *cookie);`
    #[inline]
    pub(crate) fn unlock_object(&self, object: &str, name: &str, cookie: &str) -> Result<(), Errno> {
        let [object, name, cookie] = [to_c(object)?, to_c(name)?, to_c(cookie)?];
        // SAFETY: the handle is live; three NUL-terminated strings.
        check(unsafe { sys::rados_unlock(self.handle(), object.as_ptr(), name.as_ptr(), cookie.as_ptr()) })
            .map(drop)
    }

    /// `int rados_break_lock(rados_ioctx_t io, const char *o, const char *name, const char *client, const char *cookie);`
    #[inline]
    pub(crate) fn break_object_lock(
        &self,
        object: &str,
        name: &str,
        client: &str,
        cookie: &str,
    ) -> Result<(), Errno> {
        let [object, name, client, cookie] = [to_c(object)?, to_c(name)?, to_c(client)?, to_c(cookie)?];
        // SAFETY: the handle is live; four NUL-terminated strings.
        check(unsafe {
            sys::rados_break_lock(
                self.handle(),
                object.as_ptr(),
                name.as_ptr(),
                client.as_ptr(),
                cookie.as_ptr(),
            )
        })
        .map(drop)
    }

    /// `ssize_t rados_list_lockers(rados_ioctx_t io, const char *o, const char *name, int *exclusive, char *tag, size_t *tag_len, char *clients, size_t *clients_len, char *cookies, size_t *cookies_len, char *addrs, size_t *addrs_len);`
    #[inline]
    pub(crate) fn object_lockers(&self, object: &str, name: &str) -> Result<Vec<RawLocker>, Errno> {
        let (object, name) = (to_c(object)?, to_c(name)?);
        // More than four holders' worth: the locks of this crate are exclusive, so there is one at the most.
        let mut texts = [[0_u8; LOCKERS_BYTES]; 4];
        let mut lengths = [LOCKERS_BYTES; 4];
        let mut exclusive = 0;
        let [tag, clients, cookies, addresses] = &mut texts;
        let [tag_length, clients_length, cookies_length, addresses_length] = &mut lengths;
        // SAFETY: the handle is live; each buffer has as many bytes as its length says.
        let rc = unsafe {
            sys::rados_list_lockers(
                self.handle(),
                object.as_ptr(),
                name.as_ptr(),
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
        let count = super::call::check_size(rc)?;
        let [_, clients, cookies, addresses] = &texts;
        let [mut clients, mut cookies, mut addresses] = [words(clients), words(cookies), words(addresses)];
        Ok((0..count)
            .map_while(|_| {
                let client = clients.next()?;
                Some(RawLocker { client, cookie: cookies.next()?, address: addresses.next()? })
            })
            .collect())
    }
}

const LOCKERS_BYTES: usize = 4096;

/// What names a lock and its holder.
#[derive(Debug)]
pub(crate) struct RawLock<'a> {
    pub(crate) object: &'a str,
    pub(crate) name: &'a str,
    pub(crate) cookie: &'a str,
    pub(crate) description: &'a str,
}

fn collect(entries: &Entries) -> Result<Vec<Entry>, Errno> {
    let mut page = Vec::new();
    while let Some(entry) = next_entry(entries)? {
        page.push(entry);
    }
    Ok(page)
}

/// `int rados_omap_get_next2(rados_omap_iter_t iter, char **key, char **val, size_t *key_len, size_t *val_len);`
fn next_entry(entries: &Entries) -> Result<Option<Entry>, Errno> {
    let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
    let (mut key_length, mut value_length) = (0, 0);
    // SAFETY: the iterator is live; four valid places.
    check(unsafe {
        sys::rados_omap_get_next2(entries.0, &mut key, &mut value, &mut key_length, &mut value_length)
    })?;
    if key.is_null() {
        return Ok(None);
    }
    // SAFETY: librados answers a key of that length, NUL-terminated by its std::string, alive with the iterator.
    let key = unsafe { from_c(key) };
    let value = if value.is_null() {
        Vec::new()
    } else {
        // SAFETY: librados answers a value of that length, alive with the iterator.
        unsafe { std::slice::from_raw_parts(value.cast::<u8>(), value_length) }.to_vec()
    };
    Ok(Some((key, value)))
}

/// Strings one after the other, each with its NUL.
fn words(bytes: &[u8]) -> impl Iterator<Item = String> + '_ {
    bytes
        .split(|byte| *byte == 0)
        .map(|word| CString::new(word).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default())
}
