//! Sparsify, the object map, the layout of images, and options for new ones.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use rbd_mirror::{CreateOptions, Errno, Error, Features, ImageFlags, Refusal};
use tests::expect::{errno, refusal};

use crate::site::{self, MIB, OFF, ONE};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// How many bytes an image holds, by `rbd du`.
fn held(image: &str) -> Result<u64> {
    let shown = site::site()?.rbd(["du", image])?;
    Ok(shown["images"][0]["used_size"].as_u64().unwrap_or(u64::MAX))
}

#[test]
fn sparsify_gives_back_what_is_zero_and_changes_no_byte() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "sparse")?;
    image.write_at(0, &vec![0; 16 << 20])?;
    image.write_at(5 * MIB, &[7; 4096])?;
    image.flush()?;
    let (before, full) = (site.sha256_of_export("one/sparse")?, held("one/sparse")?);
    let mut seen = Vec::new();
    image.sparsify(4096, |progress| {
        seen.push(progress);
        GO_ON
    })?;
    assert_eq!(seen.last().map(|last| (last.done, last.total)), Some((4, 4)), "{seen:?}");
    let left = held("one/sparse")?;
    assert!(left < full, "{left} of {full}");
    assert_eq!(site.sha256_of_export("one/sparse")?, before);
    assert_eq!(errno(image.sparsify(1000, |_| GO_ON)), Errno::EINVAL);
    assert_eq!(refusal(pool.open_read_only("sparse")?.sparsify(4096, |_| GO_ON)), Refusal::ReadOnlyHandle);
    Ok(())
}

// Trap: a panic or a break in a progress callback
#[test]
fn a_break_or_a_panic_ends_a_sparsify_and_the_image_stays_usable() -> Result<()> {
    let image = site::disk(&site::pool(ONE)?, "half-sparse")?;
    image.write_at(0, &vec![0; 16 << 20])?;
    let mut calls = 0;
    let stopped = image.sparsify(4096, |_| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(stopped, Err(Error::Cancelled { .. })), "{stopped:?}");
    assert_eq!(calls, 1, "called on after the break");
    let sparsifying = || image.sparsify(4096, |_| panic!("in the closure"));
    let payload = catch_unwind(AssertUnwindSafe(sparsifying)).expect_err("the panic was swallowed");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the closure"));
    image.write_at(0, b"usable")?;
    image.sparsify(4096, |_| GO_ON)?;
    image.close()?;
    Ok(())
}

#[test]
fn an_object_map_is_rebuilt_and_an_image_without_one_has_none_to_rebuild() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "mapped")?;
    image.write_at(0, b"data")?;
    image.flush()?;
    image.disable_features(Features::FAST_DIFF | Features::OBJECT_MAP)?;
    assert_eq!(refusal(image.rebuild_object_map(|_| GO_ON)), Refusal::NoObjectMap);
    // Turned on beside data, the map is empty and known to be wrong.
    image.enable_features(Features::OBJECT_MAP | Features::FAST_DIFF)?;
    assert!(image.layout()?.flags.contains(ImageFlags::OBJECT_MAP_INVALID));
    assert!(site.rbd_text(["info", "one/mapped"])?.contains("object map invalid"));
    image.rebuild_object_map(|_| GO_ON)?;
    assert_eq!(image.layout()?.flags, ImageFlags::empty());
    assert!(!site.rbd_text(["info", "one/mapped"])?.contains("object map invalid"));
    Ok(())
}

#[test]
fn an_image_with_every_option_is_what_rbd_info_shows() -> Result<()> {
    let (site, pool, off) = (site::site()?, site::pool(ONE)?, site::pool(OFF)?);
    let options = CreateOptions {
        features: Some(Features::DEFAULT | Features::JOURNALING),
        order: Some(23),
        stripe_unit: Some(65_536),
        stripe_count: Some(2),
        data_pool: Some(OFF.to_owned()),
        journal_order: Some(20),
        journal_splay_width: Some(2),
        journal_pool: Some(OFF.to_owned()),
        ..CreateOptions::default()
    };
    pool.create("optioned", 32 * MIB, &options)?;
    let image = pool.open("optioned")?;
    let (info, layout) = (image.info()?, image.layout()?);
    let shown = site.rbd(["info", "one/optioned"])?;
    assert_eq!((info.object_size, &shown["order"]), (8 * MIB, &23.into()));
    assert_eq!((layout.stripe_unit, &shown["stripe_unit"]), (65_536, &65_536.into()));
    assert_eq!((layout.stripe_count, &shown["stripe_count"]), (2, &2.into()));
    assert_eq!((layout.data_pool, &shown["data_pool"]), (off.id(), &OFF.into()));
    assert_eq!(shown["block_name_prefix"], layout.block_name_prefix.as_str());
    assert!(info.features.contains(Features::DATA_POOL | Features::STRIPING), "{}", info.features);
    let journal = site.rbd(["journal", "info", "--pool", ONE, "--image", "optioned"])?;
    assert_eq!((&journal["order"], &journal["splay_width"]), (&20.into(), &2.into()), "{journal}");
    assert_eq!(journal["object_pool"], OFF, "{journal}");
    assert!(layout.modified.elapsed()? < site::SOON);

    let some = CreateOptions {
        features_set: Some(Features::JOURNALING),
        // Object map and fast diff come and go together.
        features_clear: Some(Features::OBJECT_MAP | Features::FAST_DIFF | Features::DEEP_FLATTEN),
        ..CreateOptions::default()
    };
    pool.create("adjusted", MIB, &some)?;
    let features = pool.open_read_only("adjusted")?.features()?;
    assert!(features.contains(Features::JOURNALING));
    assert!(!features.intersects(Features::FAST_DIFF | Features::DEEP_FLATTEN), "{features}");
    Ok(())
}

#[test]
fn a_handle_knows_whether_it_holds_the_lock() -> Result<()> {
    let image = site::disk(&site::pool(ONE)?, "holds-its-lock")?;
    assert!(!image.owns_lock()?);
    image.write_at(0, b"mine")?;
    assert!(image.owns_lock()?);
    assert!(!site::pool(ONE)?.open("holds-its-lock")?.owns_lock()?);
    Ok(())
}

#[test]
fn descendants_are_the_clones_and_the_clones_of_clones() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let clone = site::cloned(&pool, "tree")?;
    clone.create_snapshot("next")?;
    let options = CreateOptions { clone_format: Some(rbd_mirror::CloneFormat::V2), ..site::plain() };
    pool.clone_image("tree", "next", &pool, "tree-leaf", &options)?;
    let root = pool.open_read_only("tree-parent")?;
    let names = |images: Vec<rbd_mirror::LinkedImage>| {
        let mut names: Vec<_> = images.into_iter().map(|image| image.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(root.children()?), ["one/tree"]);
    assert_eq!(names(root.descendants()?), ["one/tree", "one/tree-leaf"]);
    let shown = site.rbd(["children", "--descendants", "one/tree-parent"])?;
    assert_eq!(shown.as_array().map(Vec::len), Some(2), "{shown}");
    Ok(())
}
