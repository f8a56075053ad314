//! Copies: their content by the witness's checksum, their snapshots, and what becomes of a break or a panic.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result};
use rbd_mirror::{
    CreateOptions, Direction, Error, Features, MirrorImageMode, PoolMode, Role, SnapshotFlags,
    SnapshotNamespace,
};

use crate::site::{self, MIB, OFF, ONE};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

#[test]
fn a_copy_has_the_content_and_no_snapshot_and_a_deep_copy_has_both() -> Result<()> {
    let (site, pool, off) = (site::site()?, site::pool(ONE)?, site::pool(OFF)?);
    let image = site::disk(&pool, "original")?;
    image.write_at(0, &[1; 4096])?;
    image.create_snapshot("then")?;
    image.write_at(5 * MIB, &vec![2; 1 << 20])?;
    image.flush()?;
    let mut seen = Vec::new();
    image.copy(&off, "shallow", &site::plain(), |progress| {
        seen.push(progress);
        GO_ON
    })?;
    assert_eq!(seen.last().map(|last| (last.done, last.total)), Some((16 * MIB, 16 * MIB)), "{seen:?}");
    image.deep_copy(&off, "deep", &CreateOptions::default(), |_| GO_ON)?;
    let original = site.sha256_of_export("one/original")?;
    assert_eq!(site.sha256_of_export("off/shallow")?, original);
    assert_eq!(site.sha256_of_export("off/deep")?, original);
    assert_eq!(site.sha256_of_export("off/deep@then")?, site.sha256_of_export("one/original@then")?);
    assert_eq!(site.rbd(["snap", "ls", "off/shallow"])?, serde_json::json!([]));
    let taken = image.copy(&off, "deep", &site::plain(), |_| GO_ON);
    assert!(matches!(&taken, Err(Error::AlreadyExists { on, .. }) if on.to_string().contains("off/deep")));
    let taken = image.deep_copy(&off, "shallow", &site::plain(), |_| GO_ON);
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })), "{taken:?}");
    Ok(())
}

#[test]
fn a_deep_copy_of_a_clone_hangs_on_the_same_parent_unless_it_is_to_stand_alone() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let clone = site::cloned(&pool, "deep-clone")?;
    let alone = CreateOptions { flatten: Some(true), ..CreateOptions::default() };
    clone.deep_copy(&pool, "deep-hanging", &CreateOptions::default(), |_| GO_ON)?;
    clone.deep_copy(&pool, "deep-alone", &alone, |_| GO_ON)?;
    assert_eq!(pool.open_read_only("deep-hanging")?.parent()?, clone.parent()?);
    assert_eq!(site.image_info("one/deep-alone")?.parent, None);
    for copy in ["one/deep-hanging", "one/deep-alone"] {
        assert_eq!(site.sha256_of_export(copy)?, site.sha256_of_export("one/deep-clone")?);
    }
    Ok(())
}

// Trap: a panic or a break in a progress callback
#[test]
fn a_break_or_a_panic_in_a_copys_closure_never_crosses_c_and_leaves_the_original_usable() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::cloned(&pool, "copied-in-vain")?;
    for (name, deep) in [("vain", false), ("deep-vain", true)] {
        let mut calls = 0;
        let mut stop = |_| {
            calls += 1;
            ControlFlow::Break(())
        };
        let options = CreateOptions::default();
        let outcome = if deep {
            image.deep_copy(&pool, name, &options, &mut stop)
        } else {
            image.copy(&pool, name, &options, &mut stop)
        };
        // librbd may go on to the end; then the copy is whole.
        match outcome {
            Ok(()) => assert_eq!(pool.open_read_only(name)?.read_at(15 * MIB, 1)?, [16]),
            Err(error) => assert!(matches!(error, Error::Cancelled { .. }), "{error}"),
        }
        assert_eq!(calls, 1, "called on after the break");
    }
    let copying =
        || image.copy(&pool, "panicked-copy", &CreateOptions::default(), |_| panic!("in the closure"));
    let payload = catch_unwind(AssertUnwindSafe(copying)).expect_err("the panic was swallowed");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the closure"));
    image.write_at(0, b"usable")?;
    Ok(())
}

#[test]
fn a_mirror_snapshot_is_read_and_copied_by_its_id_and_never_deep_copied() -> Result<()> {
    let (site, off) = (site::site()?, site::pool(OFF)?);
    site.ceph_text(["osd", "pool", "create", "by-id", "8"])?;
    let pool = site::pool("by-id")?;
    pool.init()?;
    pool.set_mirror_mode(PoolMode::Image)?;
    pool.add_peer(Direction::RxTx, "site-x", "client.x")?;
    let image = site::disk(&pool, "moments")?;
    image.enable(MirrorImageMode::Snapshot)?;
    image.write_at(0, b"before")?;
    image.flush()?;
    let id = image.create_mirror_snapshot(SnapshotFlags::empty())?;
    image.write_at(0, b"after!")?;
    image.flush()?;

    for then in [pool.open_at_snapshot_id("moments", id)?, pool.open_by_id_at_snapshot_id(&image.id()?, id)?]
    {
        assert!(then.is_read_only());
        assert_eq!(then.read_at(0, 6)?, b"before");
        assert_eq!(then.name(), "moments");
    }
    let then = pool.open_at_snapshot_id("moments", id)?;
    // It would abort this process.
    let deep = then.deep_copy(&off, "of-a-moment", &CreateOptions::default(), |_| GO_ON);
    assert!(matches!(deep, Err(Error::InvalidInput { .. })), "{deep:?}");
    then.copy(&off, "of-a-moment", &site::plain(), |_| GO_ON)?;
    assert_eq!(off.open_read_only("of-a-moment")?.read_at(0, 6)?, b"before");

    // A deep copy of the image as it is leaves its mirror snapshots out, and is not mirrored.
    let options = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
    image.deep_copy(&pool, "of-now", &options, |_| GO_ON)?;
    let copy = pool.open_read_only("of-now")?;
    assert_eq!(copy.role()?, Role::NotMirrored);
    let kinds: Vec<_> = copy.snapshots()?.into_iter().map(|snapshot| snapshot.namespace).collect();
    assert!(!kinds.iter().any(|kind| matches!(kind, SnapshotNamespace::Mirror(_))), "{kinds:?}");
    let nothing = pool.open_at_snapshot_id("moments", 424_242);
    assert!(matches!(nothing, Err(Error::NotFound { .. })), "{nothing:?}");
    let shown = site.image_info("by-id/moments")?.mirroring.context("no longer mirrored")?;
    assert!(shown.primary);
    Ok(())
}
