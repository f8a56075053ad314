//! Objects of our own in the pool, with an index of their names, and the lease.
//!
//! A pool has no cheap list of objects. The names are keys of one object, written before the object that they name: an
//! index that names what is not there is harmless, the other way round something would be lost.

use std::time::{Duration, SystemTime};

use rbd_mirror::{Error as CephError, Refusal};

use super::Ceph;
use super::image::found;
use crate::clock::Moment;
use crate::storage::{Cause, Error, Lease, Result};

const INDEX: &str = "one-dr.index";

/// The object that a lease is a lock on; it says until when.
fn lease_object(name: &str) -> String {
    format!("one-dr.lease.{name}")
}

impl Ceph {
    /// Makes sure that the index names an object.
    pub(super) fn indexed(&self, name: &str) -> Result<()> {
        if self.here.is_indexed(name) {
            return Ok(());
        }
        self.here.change("index an object", name, |pool| pool.set_object_entries(INDEX, &[(name, b"")]))?;
        self.here.note_indexed(name);
        Ok(())
    }

    pub(super) fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.here.read_on("read an object", name, |pool| found(pool.read_object(name)))
    }

    pub(super) fn list_objects(&self, prefix: &str) -> Result<Vec<String>> {
        let entries = self.here.read_on("list objects", prefix, |pool| found(pool.object_entries(INDEX)))?;
        let names = entries.unwrap_or_default().into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        Ok(names)
    }

    pub(super) fn do_remove_object(&self, name: &str) -> Result<()> {
        self.here.forget_indexed(name);
        self.here.change("remove an object", name, |pool| {
            found(pool.remove_object(name))?;
            found(pool.remove_object_entries(INDEX, &[name])).map(|_| ())
        })
    }

    pub(super) fn do_take_lease(&self, name: &str, owner: &str, lasting: Duration) -> Result<()> {
        let op = "take the lease";
        let object = lease_object(name);
        let pool = self.here.pool(op)?;
        let failed = |error: CephError| self.here.failed_change(op, name, &error);
        let mut taken = pool.lock_object(&object, name, owner, lasting);
        if let Err(CephError::Refused { reason: Refusal::LockedBy(_), .. }) = &taken {
            // Ours, of a process that is no more: its journal is locked by this one, so it is not at work.
            let lockers = pool.object_lockers(&object, name).map_err(failed)?;
            if let Some(ours) = lockers.iter().find(|locker| locker.cookie == owner) {
                found(pool.break_object_lock(&object, name, ours)).map_err(failed)?;
                taken = pool.lock_object(&object, name, owner, lasting);
            }
        }
        match taken {
            Ok(()) => {}
            Err(CephError::Refused { reason: Refusal::LockedBy(_), .. }) => {
                let held = self.read_lease(name)?;
                let held = held.unwrap_or_else(|| Lease { owner: "another run".to_owned(), until: now() });
                let (site, on) = (self.here.site().to_owned(), name.to_owned());
                let cause = Cause::LeaseHeld { owner: held.owner, until: held.until };
                return Err(Error::Refused { site, op, on, cause });
            }
            Err(error) => return Err(failed(error)),
        }
        let lease = Lease { owner: owner.to_owned(), until: now().after(lasting) };
        let text = serde_json::to_vec(&lease).unwrap_or_default();
        pool.write_object(&object, &text).map_err(failed)
    }

    pub(super) fn do_release_lease(&self, name: &str, owner: &str) -> Result<()> {
        self.here.change("give the lease back", name, |pool| {
            found(pool.unlock_object(&lease_object(name), name, owner)).map(|_| ())
        })
    }

    pub(super) fn read_lease(&self, name: &str) -> Result<Option<Lease>> {
        let object = lease_object(name);
        self.here.read_on("ask for the lease", name, |pool| {
            let Some(locker) = pool.object_lockers(&object, name)?.into_iter().next() else {
                return Ok(None);
            };
            let written = found(pool.read_object(&object))?;
            let written: Option<Lease> = written.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            // The lock says who; until when is said beside it, a moment later.
            let until =
                written.filter(|lease| lease.owner == locker.cookie).map_or_else(now, |lease| lease.until);
            Ok(Some(Lease { owner: locker.cookie, until }))
        })
    }
}

fn now() -> Moment {
    SystemTime::now().into()
}
