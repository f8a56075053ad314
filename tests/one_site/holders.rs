//! Who holds an image: watchers, lock owners, and the lock that is broken.

use anyhow::{Context, Result};
use rbd_mirror::{Errno, Error, Refusal};
use tests::expect::{errno, refusal};

use crate::site::{self, ONE};

#[test]
fn an_open_image_is_watched_from_the_address_that_rbd_shows() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "watched")?;
    let ours = image.watchers()?;
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(site.watchers("one/watched")?, [ours[0].address.as_str()]);
    let second = site::pool(ONE)?.open("watched")?;
    let mut ours: Vec<_> = second.watchers()?.into_iter().map(|watcher| watcher.address).collect();
    let mut theirs = site.watchers("one/watched")?;
    ours.sort();
    theirs.sort();
    assert_eq!((ours.len(), ours), (2, theirs));
    image.close()?;
    assert_eq!(second.watchers()?.len(), 1);
    second.close()?;
    assert_eq!(site.watchers("one/watched")?, [""; 0]);
    Ok(())
}

#[test]
fn the_first_write_takes_the_lock_and_its_owner_is_the_writer() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "locked")?;
    assert_eq!(image.lock_owners()?, []);
    image.write_at(0, b"mine")?;
    let owners = image.lock_owners()?;
    assert_eq!(owners.len(), 1, "{owners:?}");
    assert_eq!(owners[0].as_str(), image.watchers()?[0].address);
    let shown = site.locks("one/locked")?;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["address"], owners[0].as_str());
    Ok(())
}

#[test]
fn a_lock_that_is_kept_is_not_given_to_another_until_it_is_given_back() -> Result<()> {
    let (first, other) = (site::disk(&site::pool(ONE)?, "kept")?, site::pool(ONE)?.open("kept")?);
    first.acquire_lock()?;
    assert_eq!(refusal(other.acquire_lock()), Refusal::LockHeld);
    first.release_lock()?;
    other.acquire_lock()?;
    other.write_at(0, b"its turn")?;
    other.release_lock()?;
    assert!(other.release_lock().is_err());
    Ok(())
}

#[test]
fn a_lock_is_broken_for_the_next_writer_and_its_old_owner_is_shut_out() -> Result<()> {
    let site = site::site()?;
    let (first, other) = (site::disk(&site::pool(ONE)?, "broken")?, site::pool(ONE)?.open("broken")?);
    first.acquire_lock()?;
    first.write_at(0, b"old")?;
    first.flush()?;
    let owner = other.lock_owners()?.pop().context("nobody holds the lock")?;
    other.break_lock(&owner)?;
    other.write_at(0, b"new")?;
    other.flush()?;
    assert!(site.blocklist()?.iter().any(|listed| listed == owner.as_str()), "{:?}", site.blocklist()?);
    let late = first.write_at(0, b"old");
    assert_eq!(refusal(late), Refusal::Blocklisted);
    assert_eq!(other.read_at(0, 3)?, b"new");
    let again = other.break_lock(&owner);
    assert!(matches!(&again, Err(Error::NotFound { .. })) || errno(again) == Errno::EBUSY);
    Ok(())
}
