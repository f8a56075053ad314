//! Emptying the trash, with what came of each image.

use std::ops::ControlFlow;
use std::time::SystemTime;

use crate::call::refused;
use crate::diff::DiffOptions;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::json::{self, Tree, Value};
use crate::long_call;
use crate::name::{ImageId, Subject};
use crate::op::Op;
use crate::pool::{Pool, TrashEntry, TrashSource};
use crate::progress::Progress;
use crate::refusal::Refusal;

/// Whether the time for which an image is kept counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferment {
    /// An image whose time is not over stays.
    Respect,
    /// It goes all the same.
    Override,
}

/// What to remove from a trash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Purge {
    /// Images whose time is over by then. A time to come overrides their deferment.
    pub expired_by: SystemTime,
    /// Also what rbd-mirror put there: replicas whose primary was removed, and copies that a resync replaced. They are the only way
    /// back from such a removal or resync.
    pub of_mirroring: bool,
    /// Oldest first, and only until the pool is estimated to be used to less than this part of it (0 to 1).
    pub until_used: Option<f64>,
}

impl Default for Purge {
    /// Everything that is due now, but what rbd-mirror put there.
    #[inline]
    fn default() -> Self {
        Self { expired_by: SystemTime::now(), of_mirroring: false, until_used: None }
    }
}

/// What came of an image in the trash.
#[derive(Debug)]
pub struct Purged {
    /// The image.
    pub entry: TrashEntry,
    /// Removed, or why not. What hangs on it keeps an image there: [`Refusal::Busy`].
    pub result: Result<()>,
}

impl Pool {
    /// An image in the trash, by its id.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the trash has no such id.
    ///
    /// Implements: `int rbd_trash_get(rados_ioctx_t io, const char *id, rbd_trash_image_info_t *info);`
    #[inline]
    pub fn trash_entry(&self, id: &ImageId) -> Result<TrashEntry> {
        let id = id.clone();
        self.run(Op::Trash, move |io| io.trashed(id.as_str())).map(TrashEntry::from_raw)
    }

    /// Deletes an image in the trash, with progress in objects. A `Break` stops with [`Error::Cancelled`]: what is left of the image
    /// stays in the trash and **cannot be restored** to what it was.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] (`EPERM`) while its deletion is deferred, unless that is overridden; [`Refusal::Busy`] (`EBUSY`,
    /// `ENOTEMPTY`) if snapshots, clones or watchers hang on it; [`Refusal::OrphanJournal`]; [`Error::NotFound`].
    ///
    /// Implements: `int rbd_trash_remove_with_progress(rados_ioctx_t io, const char *id, bool force, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd trash rm [--force] <pool>/<id>`
    #[inline]
    pub fn delete_trashed(
        &self,
        id: &ImageId,
        deferment: Deferment,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let op = Op::Trash;
        let on: Subject = self.image_spec(&format!("id:{id}")).into();
        let _span = tracing::info_span!("pool", op = op.word(), image = %on).entered();
        match self.open_by_id_read_only(id) {
            // librbd would remove the data of such an image, and then crash this process.
            Ok(image) => image.refuse_orphan_journal(op)?,
            // What a removal that was broken off has left cannot be opened, and is removed all the same.
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let (io, id, force) =
            (std::sync::Arc::clone(self.raw()), id.clone(), deferment == Deferment::Override);
        let removed = long_call::run(self.bound(), progress, move |rendezvous| {
            io.remove_trashed(id.as_str(), force, rendezvous)
        });
        removed.map_err(|stopped| match stopped.failure.errno() {
            Some(errno @ (Errno::EBUSY | Errno::ENOTEMPTY)) => refused(op, on, Refusal::Busy, errno),
            _ => stopped
                .cancelled(op, on.clone())
                .unwrap_or_else(|failure| failure.plain(op, on, self.bound())),
        })
    }

    /// Removes an image, with progress in objects. A `Break` stops with [`Error::Cancelled`]: the image is moved to the trash by librbd
    /// before its data go, and stays there, **half removed**.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    ///
    /// Implements: `int rbd_remove_with_progress(rados_ioctx_t io, const char *name, librbd_progress_fn_t cb, void *cbdata);`
    /// Similar to: `rbd rm <image-spec>`
    #[inline]
    pub fn remove_with_progress(
        &self,
        name: &str,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let op = Op::RemoveImage;
        let on: Subject = self.image_spec(name).into();
        let _span = tracing::info_span!("pool", op = op.word(), image = %on).entered();
        self.open_read_only(name)?.refuse_orphan_journal(op)?;
        let (io, removed) = (std::sync::Arc::clone(self.raw()), name.to_owned());
        let removed =
            long_call::run(self.bound(), progress, move |rendezvous| io.remove_image(&removed, rendezvous));
        removed.map_err(|stopped| {
            stopped.cancelled(op, on).unwrap_or_else(|failure| self.why_not_removed(name, failure))
        })
    }

    /// Removes from the trash what is due, oldest first, and says what came of each image. One that a clone in the trash hangs on
    /// goes after that clone.
    ///
    /// # Errors
    /// What listing the trash or asking for the pool's use answers; [`Error::InvalidInput`] for a part that is not between 0 and 1.
    /// What fails for one image is in its outcome.
    ///
    /// Similar to: `rbd trash purge [--expired-before <date>] [--threshold <part>] <pool>`
    #[inline]
    pub fn purge_trash(&self, purge: &Purge) -> Result<Vec<Purged>> {
        let op = Op::PurgeTrash;
        let _span = tracing::info_span!("pool", op = op.word(), pool = %self.spec()).entered();
        let mut due = self.trash()?;
        due.retain(|entry| {
            let mirrors = matches!(entry.source, TrashSource::Mirroring);
            let users = matches!(entry.source, TrashSource::User | TrashSource::UserParent);
            entry.deferred_until <= purge.expired_by && (users || (mirrors && purge.of_mirroring))
        });
        due.sort_by_key(|entry| entry.deferred_until);
        if let Some(part) = purge.until_used {
            due = self.enough_of(due, part)?;
        }
        let mut purged = Vec::new();
        loop {
            let mut kept = Vec::new();
            let before = due.len();
            for entry in due {
                let result =
                    self.delete_trashed(&entry.id, Deferment::Override, |_| ControlFlow::Continue(()));
                match &result {
                    Err(Error::Refused { reason: Refusal::Busy, .. }) => kept.push(Purged { entry, result }),
                    _ => purged.push(Purged { entry, result }),
                }
            }
            // Each round frees what hung on the round before; one that frees nothing is the last.
            if kept.is_empty() || kept.len() == before {
                purged.extend(kept);
                return Ok(purged);
            }
            due = kept.into_iter().map(|kept| kept.entry).collect();
        }
    }

    /// The first of these images that hold as much as is to be freed.
    fn enough_of(&self, due: Vec<TrashEntry>, part: f64) -> Result<Vec<TrashEntry>> {
        if !(0.0..=1.0).contains(&part) {
            let what = "the part of the pool that may be used is between 0 and 1";
            return Err(Error::InvalidInput { op: Op::PurgeTrash, on: self.subject(), what });
        }
        let mut to_free = self.use_of_pool()?.excess(part);
        let mut enough = Vec::new();
        for entry in due {
            if to_free <= 0.0 {
                break;
            }
            let mut held = 0_u64;
            if let Ok(image) = self.open_by_id_read_only(&entry.id) {
                let own =
                    DiffOptions { include_parent: false, whole_objects: true, ..DiffOptions::default() };
                // What cannot be measured is worth nothing, and goes as the others do.
                let _ = image.diff(&own, |extent| {
                    held += if extent.exists { extent.length } else { 0 };
                    ControlFlow::Continue(())
                });
            }
            to_free -= float(held);
            enough.push(entry);
        }
        Ok(enough)
    }

    fn use_of_pool(&self) -> Result<PoolUse> {
        let reply = self.cluster().mon_command(&json::command(&[("prefix", "df"), ("format", "json")]))?;
        let df = json::parse(&reply.output);
        df.and_then(|df| PoolUse::read(&df, self.id())).ok_or_else(|| {
            let what = "the pool's use in the answer to `df`";
            Error::Unreadable { op: Op::PurgeTrash, on: self.subject(), what }
        })
    }
}

/// How much of a pool is used, in bytes of users' data.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PoolUse {
    stored: f64,
    available: f64,
}

impl PoolUse {
    fn read(df: &Value<'_>, pool: i64) -> Option<Self> {
        let pool = u64::try_from(pool).ok()?;
        let id = |entry: &Value<'_>| entry.get("id").and_then(Value::unsigned);
        let stats = df.get("pools")?.items()?.iter().find(|entry| id(entry) == Some(pool))?.get("stats")?;
        let number = |name: &str| stats.get(name).and_then(Value::unsigned).map(float);
        Some(Self {
            stored: number("stored").or_else(|| number("bytes_used"))?,
            available: number("max_avail")?,
        })
    }

    /// How much is to go so that no more than this part is used.
    fn excess(self, part: f64) -> f64 {
        self.stored - part * (self.stored + self.available)
    }
}

/// Exact up to 8 PiB, which is more exact than the estimate.
#[expect(
    clippy::as_conversions,
    reason = "there is no other way from u64 to f64, and an estimate may be rounded"
)]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::PoolUse;
    use crate::json;

    #[test]
    fn what_is_to_be_freed_is_what_is_above_the_part_that_may_be_used() {
        let read = |json: &str, pool| PoolUse::read(&json::parse(json.as_bytes()).unwrap(), pool);
        let df = r#"{"pools":[{"id":3,"stats":{"stored":600,"bytes_used":1800,"max_avail":400}}]}"#;
        let of_pool = read(df, 3).expect("this is how the monitor writes it");
        assert!((of_pool.excess(0.5) - 100.0).abs() < 1e-9);
        assert!(of_pool.excess(0.7) < 0.0);
        assert_eq!(read(df, 4), None);
        assert_eq!(read("\"garbage\"", 3), None);
    }
}
