//! Enable and disable, and the causes behind the one errno with which librbd refuses them.

use std::ops::ControlFlow;

use anyhow::{Context, Result};
use rbd_mirror::{CreateOptions, Disable, Features, MirrorImageMode, Refusal, Role};
use tests::expect::refusal;

use crate::site::{self, OFF, ONE, WHOLE};

const JOURNAL: MirrorImageMode = MirrorImageMode::Journal;
const SNAPSHOT: MirrorImageMode = MirrorImageMode::Snapshot;

#[test]
fn an_enabled_image_is_primary_journaled_and_has_one_identity() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let options = CreateOptions { features: Some(Features::LAYERING), ..CreateOptions::default() };
    pool.create("enabled", site::MIB, &options)?;
    let image = pool.open("enabled")?;
    let id = image.enable(JOURNAL)?;
    assert_eq!(image.enable(JOURNAL)?, id, "enabled twice");
    assert_eq!(image.role()?, Role::Primary(id.clone()));
    assert_eq!(image.mirror_mode()?, Some(JOURNAL));
    assert_eq!(pool.find(&id)?, image.id()?);
    assert_eq!(pool.open_by_global_id(&id)?.name(), "enabled");
    let info = site.image_info("one/enabled")?;
    let mirroring = info.mirroring.context("no mirroring")?;
    assert_eq!((mirroring.state.as_str(), mirroring.primary), ("enabled", true));
    assert_eq!(mirroring.mode.as_deref(), Some("journal"));
    assert_eq!(mirroring.global_id.as_deref(), Some(id.as_str()));
    for feature in ["exclusive-lock", "journaling"] {
        assert!(info.features.iter().any(|name| name == feature), "{:?}", info.features);
    }
    Ok(())
}

#[test]
fn a_disabled_image_is_as_it_was_and_disabling_it_again_does_nothing() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "disabled")?;
    image.disable(Disable::Clean)?;
    let id = image.enable(JOURNAL)?;
    image.disable(Disable::Clean)?;
    image.disable(Disable::Clean)?;
    image.disable(Disable::Force)?;
    assert_eq!(image.role()?, Role::NotMirrored);
    assert!(pool.find(&id).is_err());
    assert_eq!(image.features()?, Features::DEFAULT);
    let shown = site.image_info("one/disabled")?.mirroring;
    assert!(shown.is_none_or(|mirroring| mirroring.state == "disabled"));
    assert_ne!(image.enable(JOURNAL)?, id, "an old identity came back");
    Ok(())
}

#[test]
fn a_pool_that_does_not_mirror_or_mirrors_by_itself_is_named_as_the_cause() -> Result<()> {
    let image = site::disk(&site::pool(OFF)?, "off")?;
    assert_eq!(refusal(image.enable(JOURNAL)), Refusal::PoolMirroringDisabled);
    assert_eq!(refusal(image.enable(SNAPSHOT)), Refusal::PoolMirroringDisabled);
    image.disable(Disable::Clean)?;
    assert_eq!(image.features()?, Features::DEFAULT);

    let image = site::disk(&site::pool(WHOLE)?, "whole")?;
    assert_eq!(refusal(image.enable(JOURNAL)), Refusal::PoolModePool);
    assert_eq!(refusal(image.enable(SNAPSHOT)), Refusal::PoolModePool);
    image.enable_features(Features::JOURNALING)?;
    assert_eq!(refusal(image.disable(Disable::Clean)), Refusal::PoolModePool);
    assert!(image.role()?.is_primary());
    Ok(())
}

#[test]
fn a_clone_of_what_is_not_mirrored_is_refused_with_its_parents_name() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let clone = site::cloned(&pool, "child")?;
    let expected = Refusal::ParentNotMirrored { parent: "one/child-parent@base".into() };
    assert_eq!(refusal(clone.enable(JOURNAL)), expected);
    assert_eq!(refusal(clone.enable(SNAPSHOT)), expected);
    assert_eq!(clone.role()?, Role::NotMirrored);
    clone.flatten(|_| ControlFlow::Continue(()))?;
    clone.enable(JOURNAL)?;
    assert!(site.image_info("one/child")?.mirroring.is_some_and(|mirroring| mirroring.primary));
    Ok(())
}

#[test]
fn a_parent_is_not_disabled_under_a_mirrored_clone() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let clone = site::cloned(&pool, "hanging")?;
    let parent = pool.open("hanging-parent")?;
    parent.enable(JOURNAL)?;
    clone.enable(JOURNAL)?;
    assert_eq!(refusal(parent.disable(Disable::Clean)), Refusal::ChildMirrored);
    assert_eq!(refusal(parent.disable(Disable::Force)), Refusal::ChildMirrored);
    let shown = site.image_info("one/hanging-parent")?.mirroring.context("no mirroring")?;
    assert_eq!((shown.state.as_str(), shown.primary), ("enabled", true));
    assert!(parent.role()?.is_primary());
    clone.disable(Disable::Clean)?;
    parent.disable(Disable::Clean)?;
    Ok(())
}

#[test]
fn an_image_is_mirrored_in_one_mode_at_a_time() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::mirrored(&pool, "journaled")?;
    assert_eq!(refusal(image.enable(SNAPSHOT)), Refusal::OtherMode { is: JOURNAL });
    assert_eq!(image.mirror_mode()?, Some(JOURNAL));
    let image = site::disk(&pool, "snapshotted")?;
    let id = image.enable(SNAPSHOT)?;
    assert_eq!(image.enable(SNAPSHOT)?, id);
    assert_eq!(refusal(image.enable(JOURNAL)), Refusal::OtherMode { is: SNAPSHOT });
    assert_eq!(image.mirror_mode()?, Some(SNAPSHOT));
    assert!(!image.features()?.contains(Features::JOURNALING));
    Ok(())
}

#[test]
fn a_read_only_handle_enables_nothing() -> Result<()> {
    let pool = site::pool(ONE)?;
    site::disk(&pool, "only-read")?.close()?;
    let image = pool.open_read_only("only-read")?;
    assert_eq!(refusal(image.enable(JOURNAL)), Refusal::ReadOnlyHandle);
    assert_eq!(image.role()?, Role::NotMirrored);
    Ok(())
}

#[test]
fn a_demoted_image_is_disabled_only_by_force() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::mirrored(&pool, "given-up")?;
    image.demote()?;
    assert_eq!(refusal(image.disable(Disable::Clean)), Refusal::NotPrimary);
    assert!(site.image_info("one/given-up")?.mirroring.is_some());
    image.disable(Disable::Force)?;
    assert_eq!(image.role()?, Role::NotMirrored);
    image.write_at(0, b"its own again")?;
    Ok(())
}
