//! Connecting: by a file, by monitors and key, and all the ways in which it fails.

use anyhow::{Context, Result};
use rbd_mirror::{Cluster, Connect, Errno, Error, Refusal};
use tests::connect;
use tests::expect::refusal;

use crate::site::{self, ONE};

/// The monitors' addresses and the key of a new user with all capabilities that this crate's calls need.
fn monitors_and_key(user: &str) -> Result<(String, String)> {
    let site = site::site()?;
    let dump = site.ceph(["mon", "dump"])?;
    let address = &dump["mons"][0]["public_addrs"]["addrvec"][0];
    let (kind, addr) = (address["type"].as_str(), address["addr"].as_str());
    let (kind, addr) = kind.zip(addr).context("a monitor without an address")?;
    let key =
        site.ceph_text(["auth", "get-or-create-key", user, "mon", "profile rbd", "osd", "profile rbd"])?;
    Ok((format!("[{kind}:{addr}/0]"), key.trim().to_owned()))
}

#[test]
fn a_site_is_reached_by_its_configuration_file_and_named_after_it() -> Result<()> {
    let site = site::site()?;
    let cluster = Cluster::connect(connect::to(&site))?;
    assert_eq!(cluster.fsid(), site.ceph_text(["fsid"])?.trim());
    assert_eq!(&**cluster.name(), "site-a");
    assert!(cluster.pool_names()?.iter().any(|name| name == ONE));
    Ok(())
}

#[test]
fn a_site_is_reached_by_its_monitors_and_a_key_without_any_file() -> Result<()> {
    let (monitors, key) = monitors_and_key("client.fileless")?;
    let connect = Connect::monitors(&monitors, &key).client("fileless").named("over-there");
    assert!(!format!("{connect:?}").contains(&key), "the key is shown");
    let cluster = Cluster::connect(connect)?;
    assert_eq!(cluster.fsid(), site::site()?.ceph_text(["fsid"])?.trim());
    assert_eq!(&**cluster.name(), "over-there");
    cluster.pool(ONE)?.images()?;
    Ok(())
}

#[test]
fn a_wrong_key_is_not_permitted() -> Result<()> {
    let (monitors, key) = monitors_and_key("client.somebody")?;
    // A key, and a good one, but not the administrator's.
    let connected = Cluster::connect(Connect::monitors(&monitors, &key).client("admin"));
    assert!(matches!(connected, Err(Error::NotPermitted { errno: Errno::EACCES, .. })), "{connected:?}");
    Ok(())
}

#[test]
fn a_user_that_the_site_does_not_know_is_not_let_in() -> Result<()> {
    let (monitors, key) = monitors_and_key("client.known")?;
    let connected = Cluster::connect(Connect::monitors(&monitors, &key).client("unknown"));
    assert!(matches!(connected, Err(Error::NotPermitted { errno: Errno::EACCES, .. })), "{connected:?}");
    Ok(())
}

#[test]
fn a_missing_keyring_and_a_user_without_one_are_a_missing_key() -> Result<()> {
    let to = || Ok::<_, anyhow::Error>(connect::to(&site::site()?));
    assert_eq!(refusal(Cluster::connect(to()?.keyring("/nowhere/keyring"))), Refusal::NoKey);
    assert_eq!(refusal(Cluster::connect(to()?.client("nobody"))), Refusal::NoKey);
    Ok(())
}

#[test]
fn a_missing_configuration_file_is_not_found_and_named() {
    let connected = Cluster::connect(Connect::conf("/nowhere/site-x.conf"));
    let Err(Error::NotFound { on, .. }) = &connected else { panic!("{connected:?}") };
    assert_eq!(on.to_string(), "site-x");
}

#[test]
fn an_option_that_ceph_does_not_know_or_cannot_read_is_invalid_input() -> Result<()> {
    for (name, value) in
        [("no_such_option", "1"), ("rbd_cache_size", "lots"), ("nul\0", "1"), ("keyring", "nul\0")]
    {
        let connected = Cluster::connect(connect::to(&site::site()?).option(name, value));
        assert!(matches!(connected, Err(Error::InvalidInput { .. })), "{name}: {connected:?}");
    }
    Ok(())
}

#[test]
fn a_pool_that_is_not_there_is_not_found_and_one_with_an_impossible_name_is_an_error() -> Result<()> {
    let cluster = Cluster::connect(connect::to(&site::site()?))?;
    assert!(matches!(cluster.pool("nowhere"), Err(Error::NotFound { .. })));
    for name in ["", "nul\0", "größe", &"x".repeat(10_000)] {
        assert!(cluster.pool(name).is_err(), "{name:?}");
    }
    Ok(())
}

#[test]
fn a_pool_and_an_image_outlive_the_cluster_that_they_were_opened_on() -> Result<()> {
    let cluster = Cluster::connect(connect::to(&site::site()?))?;
    let pool = cluster.pool(ONE)?;
    drop(cluster);
    let image = site::disk(&pool, "outlives")?;
    drop(pool);
    image.write_at(0, b"still here")?;
    assert_eq!(image.read_at(0, 10)?, b"still here");
    Ok(())
}
