//! The trash: in, listed, out again, and purged when its time is over.

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{CloneFormat, CreateOptions, Deadline, Deferment, Errno, Error, Purge, Purged, TrashSource};

use crate::site::{self, ONE, SOON};

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

/// A pool of its own: a purge is of all that is in a pool.
fn purged_pool(name: &str) -> Result<rbd_mirror::Pool> {
    site::site()?.ceph_text(["osd", "pool", "create", name, "8"])?;
    let pool = site::pool(name)?;
    pool.init()?;
    Ok(pool)
}

/// What was removed and what was not, by name.
fn outcome(purged: &[Purged]) -> (Vec<&str>, Vec<&str>) {
    let names = |removed: bool| {
        let chosen = purged.iter().filter(|each| each.result.is_ok() == removed);
        let mut names: Vec<_> = chosen.map(|each| each.entry.name.as_str()).collect();
        names.sort_unstable();
        names
    };
    (names(true), names(false))
}

#[test]
fn a_purge_removes_what_is_due_and_says_what_came_of_each_image() -> Result<()> {
    let (site, pool) = (site::site()?, purged_pool("purged")?);
    for name in ["due", "later", "held"] {
        site::disk(&pool, name)?.close()?;
    }
    let held = pool.open("held")?;
    held.create_snapshot("hangs")?;
    held.close()?;
    pool.move_to_trash("due", Duration::ZERO)?;
    pool.move_to_trash("held", Duration::ZERO)?;
    pool.move_to_trash("later", Duration::from_secs(3600))?;
    let entry = pool.trash()?.into_iter().find(|entry| entry.name == "later").context("not in the trash")?;
    assert_eq!(pool.trash_entry(&entry.id)?, entry);
    assert!(matches!(pool.trash_entry(&rbd_mirror::ImageId::new("none")), Err(Error::NotFound { .. })));

    let purged = pool.purge_trash(&Purge::default())?;
    assert_eq!(outcome(&purged), (vec!["due"], vec!["held"]));
    let kept = purged.into_iter().find(|each| each.result.is_err()).context("none was kept")?;
    assert_eq!(tests::expect::refusal(kept.result), rbd_mirror::Refusal::Busy);
    assert_eq!(site.trash("purged")?.len(), 2);

    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    let purged = pool.purge_trash(&Purge { expired_by: tomorrow, ..Purge::default() })?;
    assert_eq!(outcome(&purged), (vec!["later"], vec!["held"]));
    assert_eq!(site.trash("purged")?.len(), 1);
    Ok(())
}

#[test]
fn a_parent_in_the_trash_goes_after_its_clone_and_threshold_spares_what_need_not_go() -> Result<()> {
    let (site, pool) = (site::site()?, purged_pool("related")?);
    let parent = site::disk(&pool, "parent")?;
    parent.create_snapshot("base")?;
    let options = CreateOptions { clone_format: Some(CloneFormat::V2), ..site::plain() };
    pool.clone_image("parent", "base", &pool, "child", &options)?;
    parent.remove_snapshot("base")?;
    parent.close()?;
    // The parent was there first, and is looked at first.
    pool.move_to_trash("parent", Duration::ZERO)?;
    pool.move_to_trash("child", Duration::ZERO)?;
    let enough = Purge { until_used: Some(0.99), ..Purge::default() };
    // The monitor counts a pool that was just made a moment later.
    let spared = until("counted", &pool.spec().clone().into(), Deadline::after(SOON), || {
        match pool.purge_trash(&enough) {
            Ok(purged) => Ok(Seen::Done(purged)),
            Err(error @ Error::Unreadable { .. }) => Ok(Seen::NotYet(error.to_string())),
            Err(error) => Err(error),
        }
    })?;
    assert_eq!(spared.len(), 0, "the pool is all but empty");
    let wrong = pool.purge_trash(&Purge { until_used: Some(1.5), ..Purge::default() });
    assert!(matches!(wrong, Err(Error::InvalidInput { .. })), "{wrong:?}");
    let purged = pool.purge_trash(&Purge::default())?;
    assert_eq!(outcome(&purged), (vec!["child", "parent"], vec![]), "{purged:?}");
    assert_eq!(site.trash("related")?.len(), 0);
    Ok(())
}

#[test]
fn an_image_is_deleted_with_progress_and_a_deferment_is_overridden_only_when_it_is_meant() -> Result<()> {
    let (site, pool) = (site::site()?, purged_pool("deleted")?);
    let image = site::disk(&pool, "kept-for-an-hour")?;
    let id = image.id()?;
    image.write_at(0, &vec![1; 16 << 20])?;
    image.close()?;
    pool.move_to_trash("kept-for-an-hour", Duration::from_secs(3600))?;
    let go_on = |_| ControlFlow::Continue(());
    let refused = pool.delete_trashed(&id, Deferment::Respect, go_on);
    assert!(matches!(refused, Err(Error::NotPermitted { errno: Errno::EPERM, .. })), "{refused:?}");
    let mut seen = Vec::new();
    pool.delete_trashed(&id, Deferment::Override, |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    })?;
    assert!(seen.last().is_some_and(|last| last.done == last.total && last.total > 0), "{seen:?}");
    assert_eq!(site.trash("deleted")?.len(), 0);
    assert!(matches!(pool.delete_trashed(&id, Deferment::Override, go_on), Err(Error::NotFound { .. })));

    site::disk(&pool, "removed")?.close()?;
    pool.remove_with_progress("removed", go_on)?;
    assert!(!site.image_exists("deleted/removed")?);
    assert!(matches!(pool.remove_with_progress("removed", go_on), Err(Error::NotFound { .. })));
    Ok(())
}
