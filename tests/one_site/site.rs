//! The one site that the tests of this program share, and the images that they begin with.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, anyhow};
use lab::{Daemon, Lab, Options, Peering, Site, SiteId};
use rbd_mirror::{CloneFormat, CreateOptions, Features, Image, Pool};
use tests::connect;

pub(crate) const MIB: u64 = 1 << 20;

/// Long for whatever one site does by itself.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Mirrored in image mode. Most tests have their images here.
pub(crate) const ONE: &str = "one";
/// Not mirrored.
pub(crate) const OFF: &str = "off";
/// Mirrored in pool mode.
pub(crate) const WHOLE: &str = "whole";
/// For the test that changes a pool's mode.
pub(crate) const MODES: &str = "modes";
/// Mirrored in image mode, for the tests that add peers.
pub(crate) const PEERS: &str = "peers";

static LAB: OnceLock<Result<Lab, String>> = OnceLock::new();

/// The lab. The first who asks brings it up; without Ceph, all fail with its words.
pub(crate) fn lab() -> Result<&'static Lab> {
    LAB.get_or_init(|| bring_up().map_err(|error| error.to_string()))
        .as_ref()
        .map_err(|words| anyhow!("{words}"))
}

fn bring_up() -> Result<Lab, lab::Error> {
    let of_b = Daemon::ALL.map(|daemon| (SiteId::B, daemon));
    let options = Options {
        peering: Peering::None,
        pools: [ONE, OFF, WHOLE, MODES, PEERS].map(lab::Pool::plain).to_vec(),
        absent: [&[(SiteId::A, Daemon::RbdMirror)], of_b.as_slice()].concat(),
        ..Options::temporary("one-site")
    };
    let lab = Lab::up(options)?;
    for (pool, mode) in [(ONE, "image"), (PEERS, "image"), (WHOLE, "pool")] {
        lab.site(SiteId::A).rbd_text(["mirror", "pool", "enable", "--site-name", "site-a", pool, mode])?;
    }
    Ok(lab)
}

/// The witness.
pub(crate) fn site() -> Result<Site> {
    Ok(lab()?.site(SiteId::A))
}

/// A connection of its own to the site, and a pool of it.
pub(crate) fn pool(name: &str) -> Result<Pool> {
    Ok(connect::pool(&site()?, name)?)
}

/// A new image of 16 MiB with the features that images have by default, open.
pub(crate) fn disk(pool: &Pool, name: &str) -> Result<Image> {
    pool.create(name, 16 * MIB, &plain())?;
    Ok(pool.open(name)?)
}

/// A new image that is mirrored in journal mode, open.
pub(crate) fn mirrored(pool: &Pool, name: &str) -> Result<Image> {
    let image = disk(pool, name)?;
    image.enable(rbd_mirror::MirrorImageMode::Journal)?;
    Ok(image)
}

/// A new clone of `{name}-parent@base`, which has 16 objects of 1 MiB, each with data; the clone, open.
pub(crate) fn cloned(pool: &Pool, name: &str) -> Result<Image> {
    let parent_name = format!("{name}-parent");
    pool.create(&parent_name, 16 * MIB, &CreateOptions { order: Some(20), ..plain() })?;
    let parent = pool.open(&parent_name)?;
    for object in 0..16_u8 {
        parent.write_at(u64::from(object) * MIB, &[object + 1; 4096])?;
    }
    parent.flush()?;
    parent.create_snapshot("base")?;
    parent.protect_snapshot("base")?;
    parent.close()?;
    let options = CreateOptions { clone_format: Some(CloneFormat::V1), ..plain() };
    pool.clone_image(&parent_name, "base", pool, name, &options)?;
    Ok(pool.open(name)?)
}

/// What images have by default, whatever the site's configuration says.
pub(crate) fn plain() -> CreateOptions {
    CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() }
}
