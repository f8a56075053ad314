//! Advisory locks, and the clients that a cluster shuts out.

use std::time::Duration;

use anyhow::{Context, Result};
use rbd_mirror::{Cluster, CreateOptions, Error, Features, Image, LockKind, Refusal};
use tests::connect;
use tests::expect::refusal;

use crate::site::{self, MIB, ONE};

/// An image without the feature exclusive-lock: all its locks are advisory.
fn unmanaged(name: &str) -> Result<Image> {
    let pool = site::pool(ONE)?;
    let options = CreateOptions { features: Some(Features::LAYERING), ..CreateOptions::default() };
    pool.create(name, MIB, &options)?;
    Ok(pool.open(name)?)
}

#[test]
fn an_exclusive_lock_has_one_holder_as_rbd_shows_it_and_is_given_back_once() -> Result<()> {
    let site = site::site()?;
    let (image, other) = (unmanaged("marked")?, site::pool(ONE)?.open("marked")?);
    assert_eq!(image.advisory_lock()?, None);
    image.lock_advisory("backup", &LockKind::Exclusive)?;
    let lock = other.advisory_lock()?.context("nobody holds it")?;
    assert_eq!((&lock.kind, lock.lockers.len()), (&LockKind::Exclusive, 1));
    let shown = site.locks("one/marked")?;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["id"], lock.lockers[0].cookie.as_str());
    assert_eq!(shown[0]["locker"], lock.lockers[0].client.as_str());
    assert_eq!(shown[0]["address"], lock.lockers[0].address.as_str());
    assert!(!lock.lockers[0].is_managed());

    let again = image.lock_advisory("backup", &LockKind::Exclusive);
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    assert_eq!(refusal(other.lock_advisory("backup", &LockKind::Exclusive)), Refusal::LockHeld);
    assert!(matches!(other.unlock_advisory("backup"), Err(Error::NotFound { .. })));
    image.unlock_advisory("backup")?;
    assert!(matches!(image.unlock_advisory("backup"), Err(Error::NotFound { .. })));
    assert_eq!(other.advisory_lock()?, None);
    Ok(())
}

#[test]
fn a_shared_lock_has_as_many_holders_as_name_its_tag() -> Result<()> {
    let (image, other) = (unmanaged("read-by-many")?, site::pool(ONE)?.open("read-by-many")?);
    let shared = |tag: &str| LockKind::Shared { tag: tag.to_owned() };
    for number in 0..40 {
        image.lock_advisory(&format!("reader {number}"), &shared("readers"))?;
    }
    other.lock_advisory("reader elsewhere", &shared("readers"))?;
    assert_eq!(refusal(other.lock_advisory("other", &shared("writers"))), Refusal::LockHeld);
    assert_eq!(refusal(other.lock_advisory("other", &LockKind::Exclusive)), Refusal::LockHeld);
    let lock = image.advisory_lock()?.context("nobody holds it")?;
    assert_eq!((&lock.kind, lock.lockers.len()), (&shared("readers"), 41));
    let clients: std::collections::BTreeSet<_> = lock.lockers.iter().map(|locker| &locker.client).collect();
    assert_eq!(clients.len(), 2);
    Ok(())
}

#[test]
fn a_broken_lock_shuts_its_holder_out_until_he_is_let_in_again() -> Result<()> {
    let site = site::site()?;
    let (image, other) = (unmanaged("wrested")?, site::pool(ONE)?.open("wrested")?);
    image.lock_advisory("mine", &LockKind::Exclusive)?;
    let locker =
        other.advisory_lock()?.and_then(|lock| lock.lockers.into_iter().next()).context("no locker")?;
    other.break_advisory_lock(&locker)?;
    assert!(matches!(other.break_advisory_lock(&locker), Err(Error::NotFound { .. })));
    assert_eq!(other.advisory_lock()?, None);
    let cluster = Cluster::connect(connect::to(&site))?;
    let listed = cluster.blocklisted()?;
    let entry = listed.iter().find(|entry| entry.address == locker.address).context("not shut out")?;
    assert!(entry.until.starts_with("20"), "{entry:?}");
    assert_eq!(refusal(image.write_at(0, b"late")), Refusal::Blocklisted);
    cluster.unblocklist(&locker.address)?;
    assert!(!cluster.blocklisted()?.iter().any(|entry| entry.address == locker.address));
    assert!(!site.blocklist()?.contains(&locker.address));
    Ok(())
}

#[test]
fn librbds_own_lock_is_told_from_a_programs() -> Result<()> {
    let image = site::disk(&site::pool(ONE)?, "managed")?;
    image.write_at(0, b"takes the lock")?;
    let lock = image.advisory_lock()?.context("nobody holds it")?;
    assert!(lock.lockers[0].is_managed(), "{lock:?}");
    assert_eq!(lock.lockers[0].address, image.lock_owners()?[0].as_str());
    Ok(())
}

#[test]
fn the_clients_that_are_shut_out_are_those_that_ceph_lists() -> Result<()> {
    let cluster = Cluster::connect(connect::to(&site::site()?))?;
    let address = "127.0.0.8:0/8080";
    cluster.blocklist(address, Duration::from_secs(600))?;
    assert!(cluster.blocklisted()?.iter().any(|entry| entry.address == address));
    cluster.unblocklist(address)?;
    cluster.unblocklist(address)?;
    assert!(!cluster.blocklisted()?.iter().any(|entry| entry.address == address));
    assert!(cluster.unblocklist("no address").is_err());
    Ok(())
}
