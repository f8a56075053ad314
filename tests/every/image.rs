//! Images: their data, snapshots, clones, holders, the trash; and calls that are given up.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rbd_mirror::{
    CloneFormat, CreateOptions, Deferment, DiffOptions, Features, LockKind, Pool, Purge, RemoveFlags, Zeroes,
};

use crate::{MIB, WITHIN, disk, go_on, plain, wait_until_removed};

/// Data, metadata, features and size.
pub(crate) fn data(pool: &Pool) -> Result<()> {
    let image = disk(pool, "every-data")?;
    image.write_at(0, &vec![1; 1 << 20])?;
    image.write_vectored_at(MIB, vec![vec![2; 4096], vec![3; 4096]])?;
    image.compare_and_write(0, &[1; 512], &[4; 512])?;
    image.write_zeroes(2 * MIB, 8192, Zeroes::Thick)?;
    image.write_same(3 * MIB, 8192, b"pattern!")?;
    image.discard(0, 4096)?;
    image.flush()?;
    assert_eq!(image.read_at(MIB, 4096)?, [2; 4096]);
    assert_eq!(image.read_vectored_at(MIB, &[4096, 4096])?.len(), 2);
    image.diff(&DiffOptions::default(), |_| ControlFlow::Continue(()))?;
    image.sparsify(4096, go_on)?;
    image.grow(16 * MIB)?;
    image.shrink(8 * MIB)?;
    assert_eq!(image.size()?, 8 * MIB);
    image.info()?;
    image.layout()?;
    image.features()?;
    image.disable_features(Features::FAST_DIFF | Features::OBJECT_MAP)?;
    image.enable_features(Features::OBJECT_MAP | Features::FAST_DIFF)?;
    image.rebuild_object_map(go_on)?;
    image.set_metadata("key", &"value ".repeat(5000))?;
    image.metadata("key")?;
    assert_eq!(image.metadata_entries().count(), 1);
    image.remove_metadata("key")?;
    image.set_config("rbd_cache", "false")?;
    image.config()?;
    image.remove_config("rbd_cache")?;
    let id = image.id()?;
    image.close()?;
    for again in [pool.open_by_id(&id)?, pool.open_by_id_read_only(&id)?, pool.open_read_only("every-data")?]
    {
        assert_eq!(again.name(), "every-data");
    }
    assert!(pool.open("every-nothing").is_err());
    pool.remove_with_progress("every-data", go_on)?;
    Ok(())
}

/// Snapshots of all kinds, and what is seen through them.
pub(crate) fn snapshots(pool: &Pool) -> Result<()> {
    let image = disk(pool, "every-snap")?;
    image.write_at(0, b"before")?;
    image.create_snapshot("one")?;
    image.rename_snapshot("one", "first")?;
    image.protect_snapshot("first")?;
    assert!(image.snapshot_is_protected("first")?);
    image.unprotect_snapshot("first")?;
    image.write_at(0, b"after!")?;
    image.set_snapshot_limit(Some(1))?;
    assert_eq!(image.snapshot_limit()?, Some(1));
    assert!(image.create_snapshot("two").is_err());
    image.set_snapshot_limit(None)?;
    let since = DiffOptions { since: Some("first".to_owned()), ..DiffOptions::default() };
    image.diff(&since, |_| ControlFlow::Continue(()))?;
    let (id, first) = (image.id()?, image.snapshots()?[0].id);
    for then in [
        pool.open_at_snapshot("every-snap", "first")?,
        pool.open_at_snapshot_id("every-snap", first)?,
        pool.open_by_id_at_snapshot_id(&id, first)?,
    ] {
        assert_eq!(then.read_at(0, 6)?, b"before");
        then.close()?;
    }
    image.roll_back("first", go_on)?;
    image.create_snapshot("two")?;
    image.remove_snapshot("two")?;
    image.remove_snapshot_by_id(first)?;
    image.close()?;
    pool.remove("every-snap")?;
    Ok(())
}

/// Clones, copies, and who descends from whom.
pub(crate) fn clones(pool: &Pool) -> Result<()> {
    let parent = disk(pool, "every-parent")?;
    parent.write_at(0, &[7; 4096])?;
    parent.create_snapshot("base")?;
    parent.protect_snapshot("base")?;
    for (name, format) in [("every-v1", CloneFormat::V1), ("every-v2", CloneFormat::V2)] {
        let options = CreateOptions { clone_format: Some(format), ..plain() };
        pool.clone_image("every-parent", "base", pool, name, &options)?;
    }
    assert_eq!((parent.children()?.len(), parent.descendants()?.len()), (2, 2));
    let clone = pool.open("every-v1")?;
    assert!(clone.parent()?.is_some());
    clone.copy(pool, "every-copy", &plain(), go_on)?;
    clone.deep_copy(pool, "every-deep", &CreateOptions::default(), go_on)?;
    clone.flatten(go_on)?;
    clone.close()?;
    parent.remove_snapshot_with("base", RemoveFlags::UNPROTECT, go_on).err().context("clones hang on it")?;
    for name in ["every-v1", "every-copy", "every-deep"] {
        pool.remove(name)?;
    }
    parent.unprotect_snapshot("base")?;
    parent.remove_snapshot("base")?;
    let kept = parent.snapshots()?[0].id;
    assert_eq!(parent.removed_snapshot_name(kept)?, "base");
    pool.remove("every-v2")?;
    parent.close()?;
    pool.remove("every-parent")?;
    Ok(())
}

/// Watchers, owners of locks, advisory locks.
pub(crate) fn holders(pool: &Pool) -> Result<()> {
    let image = disk(pool, "every-held")?;
    image.acquire_lock()?;
    assert!(image.owns_lock()?);
    assert_eq!((image.watchers()?.len(), image.users()?.len()), (1, 1));
    let owners = image.lock_owners()?;
    image.release_lock()?;
    assert!(image.break_lock(&owners[0]).is_err());
    image.close()?;
    pool.remove("every-held")?;

    let options = CreateOptions { features: Some(Features::LAYERING), ..CreateOptions::default() };
    pool.create("every-marked", MIB, &options)?;
    let image = pool.open("every-marked")?;
    for kind in [LockKind::Exclusive, LockKind::Shared { tag: "tag".to_owned() }] {
        image.lock_advisory("cookie", &kind)?;
        let lock = image.advisory_lock()?.context("nobody holds it")?;
        image.unlock_advisory("cookie")?;
        assert!(image.break_advisory_lock(&lock.lockers[0]).is_err());
    }
    image.close()?;
    pool.remove("every-marked")?;
    Ok(())
}

/// In, listed, out, and gone.
pub(crate) fn trash(pool: &Pool) -> Result<()> {
    for name in ["every-trash", "every-trash-2", "every-trash-3"] {
        let id = disk(pool, name)?.id()?;
        pool.move_to_trash(name, Duration::ZERO)?;
        pool.trash_entry(&id)?;
        pool.restore_from_trash(&id, name)?;
        pool.move_to_trash(name, Duration::ZERO)?;
    }
    let entries = pool.trash()?;
    pool.remove_from_trash(&entries[0].id)?;
    pool.delete_trashed(&entries[1].id, Deferment::Override, go_on)?;
    let purge = Purge { expired_by: SystemTime::now() + WITHIN, until_used: Some(0.0), ..Purge::default() };
    pool.purge_trash(&purge)?;
    Ok(())
}

/// Calls that their caller breaks off, leaves behind, or panics in.
pub(crate) fn given_up(pool: &Pool) -> Result<()> {
    let image = disk(pool, "every-hurried")?;
    image.write_at(0, &vec![0; 8 << 20])?;
    let hurried = image.bounded_by(Duration::from_nanos(1));
    for _ in 0..5 {
        let _ = hurried.write_at(0, &[1; 65_536]);
        let _ = hurried.read_at(0, 65_536);
        let _ = hurried.read_vectored_at(0, &[4096; 16]);
        let _ = hurried.role();
        let _ = hurried.status();
        let _ = hurried.watchers();
        let _ = hurried.info();
        let _ = pool.bounded_by(Duration::from_nanos(1)).open("every-hurried");
        let _ = pool.bounded_by(Duration::from_nanos(1)).images();
        let _ = hurried.sparsify(4096, go_on);
        let _ = hurried.diff(&DiffOptions::default(), |_| ControlFlow::Continue(()));
    }
    for _ in 0..3 {
        let _ = image.sparsify(4096, |_| ControlFlow::Break(()));
        let _ = image.diff(&DiffOptions::default(), |_| ControlFlow::Break(()));
        let sparsifying = || image.sparsify(4096, |_| panic!("as it should"));
        let _ = catch_unwind(AssertUnwindSafe(sparsifying));
        let diffing = || image.diff(&DiffOptions::default(), |_| panic!("as it should"));
        let _ = catch_unwind(AssertUnwindSafe(diffing));
    }
    drop((image, hurried));
    wait_until_removed(pool, "every-hurried")
}
