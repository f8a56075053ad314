//! Snapshots and clones, for a test beside production.

use rbd_mirror::{
    CloneFormat, CreateOptions, Error as CephError, Features, MirrorImageMode, Pool, Role, SnapshotFlags,
};

use super::Ceph;
use super::image::found;
use crate::storage::{Cause, Error, Result};

type CephResult<T> = rbd_mirror::Result<T>;

/// A pool of the same cluster, with the limit of this one.
fn sibling(pool: &Pool, name: &str) -> CephResult<Pool> {
    if *pool.spec().pool == *name {
        Ok(pool.clone())
    } else {
        Ok(pool.cluster().pool(name)?.bounded_by(pool.bound()))
    }
}

impl Ceph {
    pub(super) fn do_create_snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        self.here.change("make a snapshot of", name, |pool| {
            let image = pool.open(name)?;
            image.create_snapshot(snapshot)?;
            if image.mirror_mode()? == Some(MirrorImageMode::Snapshot) {
                // A user's snapshot travels with the next mirror snapshot alone.
                image.create_mirror_snapshot(SnapshotFlags::empty())?;
            }
            Ok(())
        })
    }

    pub(super) fn do_remove_snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        self.here.change("remove a snapshot of", name, |pool| {
            let image = pool.open(name)?;
            found(image.remove_snapshot(snapshot)).map(|_| ())
        })
    }

    pub(super) fn do_clone(&self, name: &str, snapshot: &str, into_pool: &str, clone: &str) -> Result<()> {
        self.here.change("clone", name, |pool| {
            let into = sibling(pool, into_pool)?;
            // Without journaling, so that it is never mirrored, in a pool in `pool` mode neither. Format 2 alone lets the
            // snapshot go while the clone lives; children of format 1 stop the replication.
            let options = CreateOptions {
                features: Some(Features::DEFAULT.difference(Features::JOURNALING)),
                clone_format: Some(CloneFormat::V2),
                ..CreateOptions::default()
            };
            pool.clone_image(name, snapshot, &into, clone, &options)
        })
    }

    pub(super) fn read_clone_exists(&self, pool: &str, clone: &str) -> Result<bool> {
        self.here.read_on("look for a clone", clone, |here| {
            Ok(found(sibling(here, pool)?.open_read_only(clone))?.is_some())
        })
    }

    pub(super) fn do_remove_clone(&self, pool: &str, clone: &str) -> Result<()> {
        let op = "remove a clone";
        let here = self.here.pool(op)?;
        let failed = |error: CephError| self.here.failed_change(op, clone, &error);
        let pool = sibling(&here, pool).map_err(failed)?;
        let Some(image) = found(pool.open_read_only(clone)).map_err(failed)? else { return Ok(()) };
        let is_ours =
            image.parent().map_err(failed)?.is_some() && image.role().map_err(failed)? == Role::NotMirrored;
        if !is_ours {
            let (site, on) = (self.here.site().to_owned(), clone.to_owned());
            return Err(Error::Refused { site, op, on, cause: Cause::NotAClone });
        }
        drop(image);
        found(pool.remove(clone)).map(|_| ()).map_err(failed)
    }
}
