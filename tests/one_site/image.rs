//! Opening images, what they are, their features and metadata.

use anyhow::{Context, Result};
use rbd_mirror::{CreateOptions, Errno, Error, Features, ImageId, Refusal, Role};
use tests::expect::{errno, refusal};

use crate::site::{self, MIB, ONE};

#[test]
fn an_image_is_opened_by_name_and_by_id_and_both_are_the_same() -> Result<()> {
    let pool = site::pool(ONE)?;
    let by_name = site::disk(&pool, "by-name")?;
    by_name.write_at(0, b"one image")?;
    let by_id = pool.open_by_id(&by_name.id()?)?;
    assert_eq!((by_id.name(), by_id.id()?), ("by-name", by_name.id()?));
    assert_eq!(by_id.read_at(0, 9)?, b"one image");
    assert_eq!(by_id.spec().to_string(), "one/by-name at site-a");
    Ok(())
}

#[test]
fn an_image_opened_read_only_can_be_read_not_written_and_is_not_watched() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    site::disk(&pool, "looked-at")?.close()?;
    let id = pool.open_read_only("looked-at")?.id()?;
    for image in [pool.open_read_only("looked-at")?, pool.open_by_id_read_only(&id)?] {
        assert!(image.is_read_only());
        assert_eq!(image.read_at(0, 4)?, [0; 4]);
        assert_eq!(refusal(image.write_at(0, b"x")), Refusal::ReadOnlyHandle);
        assert_eq!(refusal(image.grow(32 * MIB)), Refusal::ReadOnlyHandle);
        assert_eq!(refusal(image.create_snapshot("s")), Refusal::ReadOnlyHandle);
        assert_eq!(refusal(image.set_metadata("k", "v")), Refusal::ReadOnlyHandle);
        assert_eq!(refusal(image.lock_owners()), Refusal::ReadOnlyHandle);
        assert_eq!(image.watchers()?, []);
        assert_eq!(site.watchers("one/looked-at")?, [""; 0]);
    }
    Ok(())
}

#[test]
fn an_image_that_is_not_there_is_not_found_and_named() -> Result<()> {
    let pool = site::pool(ONE)?;
    let opened = pool.open("nowhere");
    let Err(error @ Error::NotFound { .. }) = &opened else { panic!("{opened:?}") };
    assert!(error.to_string().contains("one/nowhere at site-a"), "{error}");
    assert!(matches!(pool.open_read_only("nowhere"), Err(Error::NotFound { .. })));
    assert!(matches!(pool.open_by_id(&ImageId::new("nowhere")), Err(Error::NotFound { .. })));
    let global = rbd_mirror::GlobalImageId::new("nowhere");
    assert!(matches!(pool.open_by_global_id(&global), Err(Error::NotFound { .. })));
    site::disk(&pool, "no-snapshots")?;
    assert!(matches!(pool.open_at_snapshot("no-snapshots", "none"), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn what_an_image_is_agrees_with_rbd_info() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let options = CreateOptions {
        features: Some(Features::LAYERING | Features::EXCLUSIVE_LOCK | Features::STRIPING),
        order: Some(21),
        stripe_unit: Some(65_536),
        stripe_count: Some(4),
        ..CreateOptions::default()
    };
    pool.create("described", 10 * MIB, &options)?;
    let (ours, theirs) = (pool.open("described")?.info()?, site.image_info("one/described")?);
    assert_eq!((ours.id.as_str(), ours.size), (theirs.id.as_str(), theirs.size));
    // Striped over four objects: whole rounds of them.
    assert_eq!((ours.object_size, ours.objects), (2 * MIB, 8));
    assert_eq!(ours.features.to_string(), {
        let mut names = theirs.features;
        names.sort_by_key(|name| {
            ["layering", "striping", "exclusive-lock"].iter().position(|known| known == name)
        });
        names.join(", ")
    });
    assert_eq!(ours.parent, None);
    assert!(ours.created.elapsed()? < site::SOON);
    assert!(matches!(pool.create("described", MIB, &options), Err(Error::AlreadyExists { .. })));
    let odd = CreateOptions { stripe_unit: Some(3), ..CreateOptions::default() };
    assert_eq!(errno(pool.create("odd", MIB, &odd)), Errno::EINVAL);
    assert!(!site.image_exists("one/odd")?);
    Ok(())
}

// Trap: the mode of an image that is not mirrored is journal
#[test]
fn an_image_that_is_not_mirrored_has_no_role_no_mode_and_no_identity() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "unmirrored")?;
    assert_eq!(image.role()?, Role::NotMirrored);
    assert_eq!(image.mirror_mode()?, None);
    assert_eq!(refusal(image.global_id()), Refusal::NotMirrored);
    assert_eq!(refusal(image.daemon_instance()), Refusal::NotMirrored);
    let shown = site.image_info("one/unmirrored")?.mirroring;
    assert!(shown.is_none_or(|mirroring| mirroring.state == "disabled"));
    Ok(())
}

#[test]
fn features_that_are_on_can_be_turned_on_and_those_that_are_off_off() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "features")?;
    let shown = || site.image_info("one/features").map(|info| info.features);
    image.enable_features(Features::DEFAULT)?;
    image.enable_features(Features::JOURNALING | Features::DEFAULT)?;
    image.enable_features(Features::JOURNALING)?;
    assert!(shown()?.contains(&"journaling".to_owned()));
    image.disable_features(Features::JOURNALING)?;
    image.disable_features(Features::JOURNALING)?;
    assert!(!shown()?.contains(&"journaling".to_owned()));
    assert_eq!(image.features()?, Features::DEFAULT);
    image.disable_features(Features::FAST_DIFF | Features::OBJECT_MAP | Features::EXCLUSIVE_LOCK)?;
    assert_eq!(refusal(image.enable_features(Features::JOURNALING)), Refusal::NoExclusiveLock);
    assert_eq!(refusal(image.acquire_lock()), Refusal::NoExclusiveLock);
    Ok(())
}

#[test]
fn journaling_of_a_mirrored_image_cannot_be_turned_off() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::mirrored(&pool, "keeps-its-journal")?;
    assert_eq!(errno(image.disable_features(Features::JOURNALING)), Errno::EINVAL);
    assert!(site.image_info("one/keeps-its-journal")?.features.contains(&"journaling".to_owned()));
    Ok(())
}

#[test]
fn metadata_of_an_image_is_read_back_and_removed_once() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "metadata")?;
    let value = "größe \"quoted\"\n".repeat(400);
    image.set_metadata("note", &value)?;
    assert_eq!(image.metadata("note")?, value);
    assert_eq!(site.rbd_text(["image-meta", "get", "one/metadata", "note"])?.trim_end(), value.trim_end());
    image.remove_metadata("note")?;
    assert!(matches!(image.metadata("note"), Err(Error::NotFound { .. })));
    assert!(matches!(image.remove_metadata("note"), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn an_image_grows_and_shrinks_only_when_it_is_meant() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "resized")?;
    image.grow(24 * MIB)?;
    assert_eq!(site.image_info("one/resized")?.size, 24 * MIB);
    assert!(matches!(image.grow(MIB), Err(Error::InvalidInput { .. })));
    assert_eq!(image.size()?, 24 * MIB);
    image.shrink(MIB)?;
    assert_eq!(site.image_info("one/resized")?.size, MIB);
    Ok(())
}

#[test]
fn parent_and_children_name_each_other_until_the_clone_is_flat() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let clone = site::cloned(&pool, "family")?;
    let parent = clone.parent()?.context("no parent")?;
    assert_eq!(parent.to_string(), "one/family-parent@base");
    assert_eq!(parent.overlap, 16 * MIB);
    let shown = site.image_info("one/family")?.parent.context("no parent shown")?;
    assert_eq!((&shown["image"], &shown["snapshot"]), (&"family-parent".into(), &"base".into()));
    let children = pool.open_read_only("family-parent")?.children()?;
    assert_eq!(children.len(), 1);
    assert_eq!((children[0].to_string().as_str(), &children[0].id), ("one/family", &clone.id()?));
    Ok(())
}
