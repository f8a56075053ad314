//! Snapshots and clones of both formats.

use anyhow::Result;
use rbd_mirror::{CloneFormat, CreateOptions, Error, Refusal, SnapshotNamespace};
use tests::expect::refusal;

use crate::site::{self, MIB, ONE};

#[test]
fn a_snapshot_keeps_what_was_there_and_is_listed_as_rbd_lists_it() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "snapped")?;
    image.write_at(0, b"before")?;
    image.create_snapshot("then")?;
    image.write_at(0, b"after!")?;
    assert_eq!(pool.open_at_snapshot("snapped", "then")?.read_at(0, 6)?, b"before");
    assert_eq!(image.read_at(0, 6)?, b"after!");
    let ours = image.snapshots()?;
    let theirs = site.rbd(["snap", "ls", "one/snapped"])?;
    assert_eq!(ours.len(), 1);
    assert_eq!((&theirs[0]["id"], &theirs[0]["name"]), (&ours[0].id.into(), &"then".into()));
    assert_eq!((ours[0].size, &ours[0].namespace), (16 * MIB, &SnapshotNamespace::User));
    assert!(matches!(image.create_snapshot("then"), Err(Error::AlreadyExists { .. })));
    image.remove_snapshot("then")?;
    assert!(matches!(image.remove_snapshot("then"), Err(Error::NotFound { .. })));
    assert_eq!(site.rbd(["snap", "ls", "one/snapped"])?, serde_json::json!([]));
    Ok(())
}

#[test]
fn a_protected_snapshot_is_not_removed_and_protecting_it_twice_is_fine() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "guarded")?;
    assert!(matches!(image.protect_snapshot("base"), Err(Error::NotFound { .. })));
    image.create_snapshot("base")?;
    assert!(!image.snapshot_is_protected("base")?);
    image.protect_snapshot("base")?;
    image.protect_snapshot("base")?;
    assert!(image.snapshot_is_protected("base")?);
    assert_eq!(site.rbd(["snap", "ls", "one/guarded"])?[0]["protected"], "true");
    assert_eq!(refusal(image.remove_snapshot("base")), Refusal::Busy);
    image.unprotect_snapshot("base")?;
    image.remove_snapshot("base")?;
    assert!(matches!(image.snapshot_is_protected("base"), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn a_clone_of_format_1_needs_a_protected_snapshot_and_one_of_format_2_does_not() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let parent = site::disk(&pool, "mother")?;
    parent.write_at(0, b"inherited")?;
    parent.create_snapshot("base")?;
    let format = |format| CreateOptions { clone_format: Some(format), ..site::plain() };
    let clone =
        |child: &str, options: &CreateOptions| pool.clone_image("mother", "base", &pool, child, options);

    assert_eq!(refusal(clone("v1", &format(CloneFormat::V1))), Refusal::SnapshotNotProtected);
    assert!(!site.image_exists("one/v1")?);
    clone("v2", &format(CloneFormat::V2))?;
    parent.protect_snapshot("base")?;
    clone("v1", &format(CloneFormat::V1))?;
    for child in ["v1", "v2"] {
        assert_eq!(pool.open_read_only(child)?.read_at(0, 9)?, b"inherited");
        assert!(site.image_info(&format!("one/{child}"))?.parent.is_some());
    }
    assert_eq!(refusal(parent.unprotect_snapshot("base")), Refusal::Busy);
    assert!(matches!(clone("v1", &format(CloneFormat::V1)), Err(Error::AlreadyExists { .. })));
    let of_nothing = pool.clone_image("nobody", "base", &pool, "orphan", &site::plain());
    assert!(matches!(of_nothing, Err(Error::NotFound { .. })), "{of_nothing:?}");
    let of_no_snapshot = pool.clone_image("mother", "nothing", &pool, "orphan", &site::plain());
    assert!(matches!(of_no_snapshot, Err(Error::NotFound { .. })), "{of_no_snapshot:?}");
    Ok(())
}

#[test]
fn a_clone_of_format_1_that_fails_for_another_cause_is_not_blamed_on_the_protection() -> Result<()> {
    let pool = site::pool(ONE)?;
    let parent = site::disk(&pool, "blameless")?;
    parent.create_snapshot("base")?;
    parent.protect_snapshot("base")?;
    // An order that no image can have: EINVAL as well.
    let options = CreateOptions { clone_format: Some(CloneFormat::V1), order: Some(60), ..site::plain() };
    let made = pool.clone_image("blameless", "base", &pool, "impossible", &options);
    let error = made.expect_err("no image has objects of an exabyte");
    assert_ne!(error.refusal(), Some(&Refusal::SnapshotNotProtected), "{error}");
    Ok(())
}

#[test]
fn a_snapshot_removed_under_a_clone_of_format_2_is_kept_for_it() -> Result<()> {
    let pool = site::pool(ONE)?;
    let parent = site::disk(&pool, "gone-mother")?;
    parent.write_at(0, b"inherited")?;
    parent.create_snapshot("base")?;
    let options = CreateOptions { clone_format: Some(CloneFormat::V2), ..site::plain() };
    pool.clone_image("gone-mother", "base", &pool, "heir", &options)?;
    parent.remove_snapshot("base")?;
    let kept = parent.snapshots()?;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0].namespace, SnapshotNamespace::Trash);
    assert_eq!(pool.open_read_only("heir")?.read_at(0, 9)?, b"inherited");
    Ok(())
}
