//! Pools: mode, names, metadata, namespaces, and the list of images.

use std::fs;

use anyhow::Result;
use rbd_mirror::{Disable, Error, MirrorImageMode, PoolMode, Refusal};
use tests::expect::refusal;

use crate::site::{self, MODES, ONE, WHOLE};

#[test]
fn a_mode_that_is_set_is_the_mode_that_ceph_shows() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(MODES)?);
    assert_eq!(pool.mirror_mode()?, PoolMode::Disabled);
    for (mode, word) in [(PoolMode::Image, "image"), (PoolMode::Pool, "pool"), (PoolMode::Image, "image")] {
        pool.set_mirror_mode(mode)?;
        pool.set_mirror_mode(mode)?;
        assert_eq!(pool.mirror_mode()?, mode);
        assert_eq!(site.pool_info(MODES)?["mode"], word);
    }

    let image = site::mirrored(&pool, "in-the-way")?;
    assert_eq!(refusal(pool.set_mirror_mode(PoolMode::Disabled)), Refusal::ImagesMirrored);
    image.disable(Disable::Clean)?;
    let peer = pool.add_peer(rbd_mirror::Direction::RxTx, "site-x", "client.x")?;
    assert_eq!(refusal(pool.set_mirror_mode(PoolMode::Disabled)), Refusal::PeersRegistered);
    assert_eq!(site.pool_info(MODES)?["mode"], "image");
    pool.remove_peer(&peer)?;
    pool.set_mirror_mode(PoolMode::Disabled)?;
    assert_eq!(site.pool_info(MODES)?["mode"], "disabled");
    assert!(pool.set_mirror_mode(PoolMode::Other(77)).is_err());
    Ok(())
}

// Trap: the mirror uuid comes with its trailing NUL
#[test]
fn the_mirror_uuid_is_exactly_the_one_that_the_pool_keeps() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let kept = site::lab()?.dir().join("mirror_uuid");
    let arguments = ["-p", ONE, "getomapval", "rbd_mirroring", "mirror_uuid"].map(Into::into);
    site.rados_text(arguments.into_iter().chain([kept.clone().into_os_string()]))?;
    let bytes = fs::read(&kept)?;
    fs::remove_file(&kept)?;
    assert_eq!(pool.mirror_uuid()?.as_str().as_bytes(), bytes);
    assert_eq!(bytes.len(), 36, "{bytes:?}");
    assert_ne!(pool.mirror_uuid()?, site::pool(WHOLE)?.mirror_uuid()?);
    Ok(())
}

#[test]
fn the_sites_name_is_the_one_it_was_given() -> Result<()> {
    let pool = site::pool(ONE)?;
    let shown = site::site()?.pool_info(ONE)?["site_name"].clone();
    assert_eq!(shown, "site-a");
    assert_eq!(pool.cluster().site_name()?, "site-a");
    Ok(())
}

#[test]
fn the_images_of_a_pool_are_those_that_rbd_lists() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?.namespace("listed")?);
    pool.cluster().pool(ONE)?.create_namespace("listed")?;
    assert_eq!(pool.images()?, []);
    for name in ["c", "a", "b"] {
        pool.create(name, site::MIB, &site::plain())?;
    }
    let mut ours: Vec<_> = pool.images()?.into_iter().map(|entry| entry.name).collect();
    ours.sort();
    assert_eq!(site.rbd(["ls", "one/listed"])?, serde_json::json!(ours));
    assert_eq!(ours, ["a", "b", "c"]);
    for entry in pool.images()? {
        assert_eq!(entry.id.as_str(), site.image_info(&format!("one/listed/{}", entry.name))?.id);
    }
    let refused = pool.cluster().pool(ONE)?.remove_namespace("listed");
    assert!(matches!(&refused, Err(error) if error.errno() == Some(rbd_mirror::Errno::EBUSY)), "{refused:?}");
    Ok(())
}

#[test]
fn a_namespace_comes_goes_and_is_made_once() -> Result<()> {
    let pool = site::pool(ONE)?;
    pool.create_namespace("blue")?;
    assert!(pool.namespaces()?.contains(&"blue".to_owned()));
    assert!(matches!(pool.create_namespace("blue"), Err(Error::AlreadyExists { .. })));
    pool.remove_namespace("blue")?;
    assert!(!pool.namespaces()?.contains(&"blue".to_owned()));
    assert!(matches!(pool.remove_namespace("blue"), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn metadata_of_a_pool_is_read_back_and_is_configuration_under_its_prefix() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(MODES)?);
    assert!(matches!(pool.metadata("nothing"), Err(Error::NotFound { .. })));
    let long = "long ".repeat(5_000);
    pool.set_metadata("words", &long)?;
    assert_eq!(pool.metadata("words")?, long);
    pool.set_metadata("conf_rbd_mirroring_delete_delay", "600")?;
    let shown = site.rbd_text(["config", "pool", "get", MODES, "rbd_mirroring_delete_delay"])?;
    assert_eq!(shown.trim(), "600");
    Ok(())
}

#[test]
fn an_image_is_renamed_and_removed_unless_something_hangs_on_it() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "old-name")?;
    image.create_snapshot("hangs")?;
    assert_eq!(refusal(pool.remove("old-name")), Refusal::Busy);
    image.remove_snapshot("hangs")?;
    assert_eq!(refusal(pool.remove("old-name")), Refusal::Busy, "this handle watches it");
    image.close()?;
    pool.rename("old-name", "new-name")?;
    assert!(!site.image_exists("one/old-name")?);
    assert!(matches!(pool.rename("old-name", "newer"), Err(Error::NotFound { .. })));
    pool.create("taken", site::MIB, &site::plain())?;
    assert!(matches!(pool.rename("new-name", "taken"), Err(Error::AlreadyExists { .. })));
    pool.remove("new-name")?;
    assert!(!site.image_exists("one/new-name")?);
    assert!(matches!(pool.remove("new-name"), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn an_image_made_in_a_pool_of_mode_pool_is_mirrored_once_it_journals() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(WHOLE)?);
    let image = site::disk(&pool, "by-itself")?;
    assert_eq!(image.mirror_mode()?, None);
    image.enable_features(rbd_mirror::Features::JOURNALING)?;
    assert_eq!(image.mirror_mode()?, Some(MirrorImageMode::Journal));
    assert!(image.role()?.is_primary());
    let shown = site.image_info("whole/by-itself")?.mirroring;
    assert!(shown.is_some_and(|mirroring| mirroring.primary && mirroring.state == "enabled"));
    Ok(())
}
