//! The trash: in, listed, out again, and purged when its time is over.

use std::time::Duration;

use anyhow::{Context, Result};
use rbd_mirror::{Errno, Error, TrashSource};

use crate::site::{self, ONE};

#[test]
fn an_image_in_the_trash_is_listed_kept_restored_and_purged() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "thrown-away")?;
    image.write_at(0, b"precious")?;
    let id = image.id()?;
    image.close()?;
    pool.move_to_trash("thrown-away", Duration::from_secs(600))?;
    assert!(!site.image_exists("one/thrown-away")?);
    assert!(site.trash(ONE)?.iter().any(|entry| entry["id"] == id.as_str()));
    let entry = pool.trash()?.into_iter().find(|entry| entry.id == id).context("not in the trash")?;
    assert_eq!((entry.name.as_str(), entry.source), ("thrown-away", TrashSource::User));
    let deferred = entry.deferred_until.duration_since(entry.deleted)?;
    assert!(deferred.abs_diff(Duration::from_secs(600)) < Duration::from_secs(2), "{deferred:?}");
    let purged = pool.remove_from_trash(&id);
    assert!(matches!(purged, Err(Error::NotPermitted { errno: Errno::EPERM, .. })), "{purged:?}");

    site::disk(&pool, "in-its-place")?;
    assert!(matches!(pool.restore_from_trash(&id, "in-its-place"), Err(Error::AlreadyExists { .. })));
    pool.restore_from_trash(&id, "rescued")?;
    let rescued = pool.open("rescued")?;
    assert_eq!((rescued.id()?, rescued.read_at(0, 8)?), (id.clone(), b"precious".to_vec()));
    rescued.close()?;
    pool.move_to_trash("rescued", Duration::ZERO)?;
    pool.remove_from_trash(&id)?;
    assert!(!site.trash(ONE)?.iter().any(|entry| entry["id"] == id.as_str()));
    assert!(matches!(pool.restore_from_trash(&id, "again"), Err(Error::NotFound { .. })));
    assert!(matches!(pool.move_to_trash("thrown-away", Duration::ZERO), Err(Error::NotFound { .. })));
    Ok(())
}
