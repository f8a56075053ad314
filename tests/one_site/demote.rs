//! Demote on one site: the causes behind its errnos, and what becomes of clients that have the image open.

use anyhow::Result;
use rbd_mirror::{Refusal, Role};
use tests::expect::refusal;

use crate::site::{self, ONE};

fn is_primary(image: &str) -> Result<bool> {
    Ok(site::site()?.image_info(image)?.mirroring.is_some_and(|mirroring| mirroring.primary))
}

#[test]
fn what_is_not_mirrored_is_not_demoted_and_nothing_is_demoted_twice() -> Result<()> {
    let pool = site::pool(ONE)?;
    assert_eq!(refusal(site::disk(&pool, "demote-plain")?.demote()), Refusal::NotMirrored);
    let image = site::mirrored(&pool, "demote-twice")?;
    let id = image.global_id()?;
    image.demote()?;
    assert_eq!(image.role()?, Role::NonPrimary(id));
    assert_eq!(refusal(image.demote()), Refusal::NotPrimary);
    assert!(!is_primary("one/demote-twice")?);
    Ok(())
}

#[test]
fn a_read_only_handle_demotes_nothing() -> Result<()> {
    let pool = site::pool(ONE)?;
    site::mirrored(&pool, "demote-read-only")?.close()?;
    assert_eq!(refusal(pool.open_read_only("demote-read-only")?.demote()), Refusal::ReadOnlyHandle);
    assert!(is_primary("one/demote-read-only")?);
    Ok(())
}

#[test]
fn a_client_that_keeps_the_lock_keeps_the_image_primary() -> Result<()> {
    let image = site::mirrored(&site::pool(ONE)?, "demote-locked")?;
    let other = site::pool(ONE)?.open("demote-locked")?;
    other.acquire_lock()?;
    other.write_at(0, b"held")?;
    assert_eq!(refusal(image.demote()), Refusal::LockHeld);
    assert!(is_primary("one/demote-locked")?);
    other.release_lock()?;
    image.demote()?;
    assert!(!is_primary("one/demote-locked")?);
    Ok(())
}

#[test]
fn an_open_client_does_not_stop_a_demotion_and_its_writes_are_refused() -> Result<()> {
    let image = site::mirrored(&site::pool(ONE)?, "demote-open")?;
    let client = site::pool(ONE)?.open("demote-open")?;
    client.write_at(0, b"accepted")?;
    client.flush()?;
    image.demote()?;
    assert_eq!(refusal(client.write_at(0, b"rejected")), Refusal::Replica);
    assert_eq!(refusal(client.discard(0, 4096)), Refusal::Replica);
    assert_eq!(refusal(client.create_snapshot("late")), Refusal::Replica);
    assert_eq!(refusal(client.grow(32 << 20)), Refusal::Replica);
    assert_eq!(refusal(client.set_metadata("late", "x")), Refusal::Replica);
    let reader = site::pool(ONE)?.open_read_only("demote-open")?;
    assert_eq!(reader.read_at(0, 8)?, b"accepted");
    Ok(())
}
