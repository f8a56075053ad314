//! RADOS objects beside the images: where a tool keeps what must survive with the pool, and a lock that runs out by itself.
//!
//! Objects lie in this pool and namespace, under names of the caller's; those that begin with `rbd_` and `journal` are librbd's.
//! There is no list of objects: it would walk through every object of every image. What is to be found again goes into the
//! entries of one object of a known name.

use std::time::Duration;

use crate::call::{Call, erased, guarded};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::place::{Answer, revealed};
use crate::pool::Pool;
use crate::raw::object::{RawLock, RawLocker};
use crate::raw::rados::RawIoCtx;
use crate::refusal::Refusal;

/// Who holds a lock of [`Pool::lock_object`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ObjectLocker {
    /// The client's name and number: `client.4123`.
    pub client: String,
    /// What the holder calls itself: the cookie of [`Pool::lock_object`].
    pub cookie: String,
    /// The client's address.
    pub address: String,
}

/// Larger objects are not for this: an OSD takes up to `osd_max_write_size` (90 MB) at once.
const OBJECT_MAX: u64 = 64 << 20;

const CHUNK: usize = 4 << 20;

/// Entries a read asks for at once; the OSD gives no more than `osd_max_omap_entries_per_request` (1024).
const ENTRIES_PAGE: usize = 512;

impl Pool {
    /// Reads an object as a whole.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unreadable`] if it is larger than 64 MiB.
    ///
    /// Implements: `int rados_read(rados_ioctx_t io, const char *oid, char *buf, size_t len, uint64_t off);`
    #[inline]
    pub fn read_object(&self, name: &str) -> Result<Vec<u8>> {
        let op = Op::ReadObject;
        let object = name.to_owned();
        let read = self.run_on(op, name, move |io| {
            let size = io.object_size(&object)?;
            if size > OBJECT_MAX {
                return Ok(None);
            }
            let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            loop {
                let offset = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let chunk = io.read_object(&object, offset, CHUNK)?;
                data.extend_from_slice(&chunk);
                // A short one is the last.
                if chunk.len() < CHUNK || offset > OBJECT_MAX {
                    return Ok(Some(data));
                }
            }
        })?;
        read.ok_or_else(|| Error::Unreadable {
            op,
            on: self.image_spec(name).into(),
            what: "an object of more than 64 MiB",
        })
    }

    /// Writes an object as a whole, in place of what it was: all of it or nothing.
    ///
    /// # Errors
    /// [`Refusal::Full`]; [`Error::NotPermitted`]; [`Error::InDoubt`].
    ///
    /// Implements: `int rados_write_full(rados_ioctx_t io, const char *oid, const char *buf, size_t len);`
    #[inline]
    pub fn write_object(&self, name: &str, data: &[u8]) -> Result<()> {
        let (object, data) = (name.to_owned(), data.to_vec());
        self.run_on(Op::WriteObject, name, move |io| io.write_object(&object, &data))
    }

    /// Writes a part of an object, which is made where it is not there; a gap before it reads as zeros. Repeating it changes nothing,
    /// which an append cannot say.
    ///
    /// # Errors
    /// As [`write_object`](Self::write_object).
    ///
    /// Implements: `int rados_write(rados_ioctx_t io, const char *oid, const char *buf, size_t len, uint64_t off);`
    #[inline]
    pub fn write_object_at(&self, name: &str, offset: u64, data: &[u8]) -> Result<()> {
        let (object, data) = (name.to_owned(), data.to_vec());
        self.run_on(Op::WriteObject, name, move |io| io.write_object_at(&object, offset, &data))
    }

    /// Appends to an object, which is made where it is not there. One append is atomic, and on disk when this returns.
    ///
    /// # Errors
    /// As [`write_object`](Self::write_object).
    ///
    /// Implements: `int rados_append(rados_ioctx_t io, const char *oid, const char *buf, size_t len);`
    #[inline]
    pub fn append_object(&self, name: &str, data: &[u8]) -> Result<()> {
        let (object, data) = (name.to_owned(), data.to_vec());
        self.run_on(Op::WriteObject, name, move |io| io.append_object(&object, &data))
    }

    /// Removes an object with its entries.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    ///
    /// Implements: `int rados_remove(rados_ioctx_t io, const char *oid);`
    #[inline]
    pub fn remove_object(&self, name: &str) -> Result<()> {
        let object = name.to_owned();
        self.run_on(Op::WriteObject, name, move |io| io.remove_object(&object))
    }

    /// The key/value entries of an object, in the order of their keys.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such object.
    ///
    /// Implements: `void rados_read_op_omap_get_vals2(rados_read_op_t read_op, const char *start_after, const char *filter_prefix, uint64_t max_return, rados_omap_iter_t *iter, unsigned char *pmore, int *prval);`
    #[inline]
    pub fn object_entries(&self, name: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let object = name.to_owned();
        self.run_on(Op::ReadObject, name, move |io| {
            let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
            loop {
                let after = entries.last().map_or("", |(key, _)| key).to_owned();
                let (page, more) = io.entries(&object, &after, "", ENTRIES_PAGE)?;
                let ended = page.is_empty() || !more;
                entries.extend(page);
                if ended {
                    return Ok(entries);
                }
            }
        })
    }

    /// Sets entries of an object, which is made where it is not there: all of them or none.
    ///
    /// # Errors
    /// As [`write_object`](Self::write_object).
    ///
    /// Implements: `void rados_write_op_omap_set2(rados_write_op_t write_op, char const *const *keys, char const *const *vals, const size_t *key_lens, const size_t *val_lens, size_t num);`
    #[inline]
    pub fn set_object_entries(&self, name: &str, entries: &[(&str, &[u8])]) -> Result<()> {
        let object = name.to_owned();
        let entries: Vec<(String, Vec<u8>)> =
            entries.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect();
        self.run_on(Op::WriteObject, name, move |io| io.set_entries(&object, &entries))
    }

    /// Removes entries of an object; those that are not there do not matter.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such object.
    ///
    /// Implements: `void rados_write_op_omap_rm_keys2(rados_write_op_t write_op, char const *const *keys, const size_t *key_lens, size_t keys_len);`
    #[inline]
    pub fn remove_object_entries(&self, name: &str, keys: &[&str]) -> Result<()> {
        let (object, keys) = (name.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        self.run_on(Op::WriteObject, name, move |io| {
            // The write alone would make the object where it is not there.
            io.object_size(&object)?;
            io.remove_entries(&object, &keys)
        })
    }

    /// Takes or renews the exclusive lock of that name on an object, which is made where it is not there. The lock runs out by itself
    /// `lasting` after the last renewal, by the OSD's clock: who holds it must renew it in time, and stop when that fails.
    ///
    /// `cookie` says who the holder is; the same client with the same cookie renews its lock.
    ///
    /// # Errors
    /// [`Refusal::LockedBy`] with the holder's cookie and address, if another one has it; [`Error::InvalidInput`] for less than a
    /// microsecond, which the OSD would take for a lock that never runs out; [`Error::InDoubt`].
    ///
    /// Implements: `int rados_lock_exclusive(rados_ioctx_t io, const char *oid, const char *name, const char *cookie, const char *desc, struct timeval *duration, uint8_t flags);`
    #[inline]
    pub fn lock_object(&self, name: &str, lock: &str, cookie: &str, lasting: Duration) -> Result<()> {
        let op = Op::LockObject;
        if lasting < Duration::from_micros(1) {
            let what = "a lock that runs out lasts for a microsecond or more";
            return Err(Error::InvalidInput { op, on: self.image_spec(name).into(), what });
        }
        let [object, lock_name, ours] = [name, lock, cookie].map(str::to_owned);
        let locked = self.change(op, move |io| {
            let lock =
                RawLock { object: &object, name: &lock_name, cookie: &ours, description: "rbd-mirror lock" };
            match io.lock_object(&lock, lasting) {
                // The same client with another cookie is another holder.
                Err(Errno::EEXIST) => Err(Errno::EBUSY),
                other => other,
            }
        });
        locked.map_err(|failure| {
            let on = self.image_spec(name);
            if failure.errno() != Some(Errno::EBUSY) {
                return failure.plain(op, on.into(), self.bound());
            }
            let holders = self.object_lockers(name, lock).unwrap_or_default();
            let owner = holders.iter().map(|one| format!("{} ({})", one.cookie, one.address));
            let owner = owner.collect::<Vec<_>>().join(", ");
            guarded(op, on.into(), Refusal::LockedBy(owner.into()))
        })
    }

    /// Gives a lock of [`lock_object`](Self::lock_object) back.
    ///
    /// # Errors
    /// [`Error::NotFound`] if this client does not hold it with that cookie: it ran out, or was broken.
    ///
    /// Implements: `int rados_unlock(rados_ioctx_t io, const char *o, const char *name, const char *cookie);`
    #[inline]
    pub fn unlock_object(&self, name: &str, lock: &str, cookie: &str) -> Result<()> {
        let [object, lock, cookie] = [name, lock, cookie].map(str::to_owned);
        self.run_on(Op::LockObject, name, move |io| io.unlock_object(&object, &lock, &cookie))
    }

    /// Who holds the lock of that name on an object; nobody, where there is no such object or lock.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::InDoubt`] if the pool's OSDs do not answer.
    ///
    /// Implements: `ssize_t rados_list_lockers(rados_ioctx_t io, const char *o, const char *name, int *exclusive, char *tag, size_t *tag_len, char *clients, size_t *clients_len, char *cookies, size_t *cookies_len, char *addrs, size_t *addrs_len);`
    #[inline]
    pub fn object_lockers(&self, name: &str, lock: &str) -> Result<Vec<ObjectLocker>> {
        let [object, lock] = [name, lock].map(str::to_owned);
        let lockers =
            self.run_on(Op::LockObject, name, move |io| match io.object_lockers(&object, &lock) {
                Err(Errno::ENOENT) => Ok(Vec::new()),
                other => other,
            })?;
        let locker =
            |raw: RawLocker| ObjectLocker { client: raw.client, cookie: raw.cookie, address: raw.address };
        Ok(lockers.into_iter().map(locker).collect())
    }

    /// Takes a lock of [`lock_object`](Self::lock_object) away from its holder, who is not told.
    ///
    /// # Errors
    /// [`Error::NotFound`] if that holder does not have it.
    ///
    /// Implements: `int rados_break_lock(rados_ioctx_t io, const char *o, const char *name, const char *client, const char *cookie);`
    #[inline]
    pub fn break_object_lock(&self, name: &str, lock: &str, holder: &ObjectLocker) -> Result<()> {
        let [object, lock] = [name, lock].map(str::to_owned);
        let holder = holder.clone();
        self.run_on(Op::LockObject, name, move |io| {
            io.break_object_lock(&object, &lock, &holder.client, &holder.cookie)
        })
    }

    /// Runs a call on an object, which errors then name.
    fn run_on<T: Send + 'static>(
        &self,
        op: Op,
        object: &str,
        job: impl FnOnce(&RawIoCtx) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T> {
        self.run_erased_on(op, object, erased(job)).map(revealed)
    }

    fn run_erased_on(&self, op: Op, object: &str, job: Call<RawIoCtx>) -> Result<Answer> {
        let on = self.image_spec(object);
        let _span = tracing::debug_span!("object", op = op.word(), object = %on).entered();
        self.attempt_erased(job).map_err(|failure| failure.plain(op, on.into(), self.bound()))
    }
}
