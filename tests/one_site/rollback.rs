//! Snapshots: back to one, renamed, limited, removed by id or by force.

use std::ops::ControlFlow;

use anyhow::{Context, Result};
use rbd_mirror::{CloneFormat, CreateOptions, Error, Refusal, RemoveFlags, SnapshotNamespace};
use tests::expect::refusal;

use crate::site::{self, MIB, ONE};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

#[test]
fn rolled_back_an_image_is_what_it_was_and_what_was_written_since_is_gone() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "rolled-back")?;
    image.write_at(0, b"before")?;
    image.create_snapshot("then")?;
    image.write_at(0, b"after!")?;
    image.write_at(9 * MIB, &[3; 4096])?;
    image.flush()?;
    let mut seen = Vec::new();
    image.roll_back("then", |progress| {
        seen.push(progress);
        GO_ON
    })?;
    assert!(seen.last().is_some_and(|last| last.done == last.total), "{seen:?}");
    assert_eq!(image.read_at(0, 6)?, b"before");
    image.close()?;
    assert_eq!(site.sha256_of_export("one/rolled-back")?, site.sha256_of_export("one/rolled-back@then")?);
    Ok(())
}

#[test]
fn nothing_is_rolled_back_to_what_is_not_there_nor_through_a_handle_that_may_not() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::mirrored(&pool, "not-rolled")?;
    image.write_at(0, b"stays")?;
    image.create_snapshot("then")?;
    assert!(matches!(image.roll_back("none", |_| GO_ON), Err(Error::NotFound { .. })));
    let handle = pool.open_read_only("not-rolled")?;
    assert_eq!(refusal(handle.roll_back("then", |_| GO_ON)), Refusal::ReadOnlyHandle);
    image.demote()?;
    assert_eq!(refusal(image.roll_back("then", |_| GO_ON)), Refusal::Replica);
    assert_eq!(pool.open_read_only("not-rolled")?.read_at(0, 5)?, b"stays");
    Ok(())
}

// Trap: a panic or a break in a progress callback
#[test]
fn a_break_ends_a_rollback_and_rolling_back_again_completes_it() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "half-rolled")?;
    image.write_at(0, &vec![1; 16 << 20])?;
    image.create_snapshot("then")?;
    image.write_at(0, &vec![2; 16 << 20])?;
    image.flush()?;
    let stopped = image.roll_back("then", |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Cancelled { .. })), "{stopped:?}");
    image.roll_back("then", |_| GO_ON)?;
    image.close()?;
    assert_eq!(site.sha256_of_export("one/half-rolled")?, site.sha256_of_export("one/half-rolled@then")?);
    Ok(())
}

#[test]
fn a_snapshot_is_renamed_once_and_a_limit_keeps_the_next_one_out() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "limited")?;
    image.create_snapshot("one")?;
    image.create_snapshot("two")?;
    image.rename_snapshot("one", "first")?;
    assert!(matches!(image.rename_snapshot("one", "again"), Err(Error::NotFound { .. })));
    assert!(matches!(image.rename_snapshot("first", "two"), Err(Error::AlreadyExists { .. })));
    let shown = site.rbd(["snap", "ls", "one/limited"])?;
    assert_eq!((&shown[0]["name"], &shown[1]["name"]), (&"first".into(), &"two".into()));

    assert_eq!(image.snapshot_limit()?, None);
    image.set_snapshot_limit(Some(2))?;
    assert_eq!(image.snapshot_limit()?, Some(2));
    assert!(site.rbd_text(["info", "one/limited"])?.contains("snapshot_limit: 2"));
    assert_eq!(refusal(image.create_snapshot("three")), Refusal::SnapshotLimit);
    image.set_snapshot_limit(None)?;
    image.create_snapshot("three")?;
    assert_eq!(image.snapshot_limit()?, None);
    Ok(())
}

#[test]
fn a_protected_snapshot_with_a_clone_is_removed_only_with_what_the_flags_allow() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let clone = site::cloned(&pool, "force")?;
    clone.close()?;
    let parent = pool.open("force-parent")?;
    let none = parent.remove_snapshot_with("base", RemoveFlags::empty(), |_| GO_ON);
    assert_eq!(refusal(none), Refusal::Busy);
    assert_eq!(
        refusal(parent.remove_snapshot_with("base", RemoveFlags::UNPROTECT, |_| GO_ON)),
        Refusal::Busy
    );
    parent.remove_snapshot_with("base", RemoveFlags::all(), |_| GO_ON)?;
    assert_eq!(site.rbd(["snap", "ls", "--all", "one/force-parent"])?, serde_json::json!([]));
    assert_eq!(site.image_info("one/force")?.parent, None);
    assert_eq!(pool.open_read_only("force")?.read_at(15 * MIB, 1)?, [16]);
    Ok(())
}

#[test]
fn a_snapshot_that_was_kept_for_its_clones_keeps_its_name_and_goes_with_the_last() -> Result<()> {
    let pool = site::pool(ONE)?;
    let parent = site::disk(&pool, "kept-for")?;
    parent.create_snapshot("named")?;
    let options = CreateOptions { clone_format: Some(CloneFormat::V2), ..site::plain() };
    pool.clone_image("kept-for", "named", &pool, "kept-child", &options)?;
    parent.remove_snapshot("named")?;
    let kept = parent.snapshots()?.pop().context("it is gone")?;
    assert_eq!(kept.namespace, SnapshotNamespace::Trash);
    assert_eq!(parent.removed_snapshot_name(kept.id)?, "named");
    assert_eq!(refusal(parent.remove_snapshot_by_id(kept.id)), Refusal::Busy);
    pool.remove("kept-child")?;
    match parent.remove_snapshot_by_id(kept.id) {
        Ok(()) | Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    assert_eq!(parent.snapshots()?, []);
    parent.create_snapshot("by-id")?;
    let id = parent.snapshots()?[0].id;
    parent.remove_snapshot_by_id(id)?;
    assert!(matches!(parent.remove_snapshot_by_id(id), Err(Error::NotFound { .. })));
    Ok(())
}
