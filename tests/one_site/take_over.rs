//! Taking an image over: only what is primary, and only from rbd-mirror.

use std::time::Duration;

use anyhow::Result;
use rbd_mirror::Refusal;
use tests::expect::refusal;

use crate::site::{self, ONE, SOON};

#[test]
fn what_is_not_mirrored_or_not_primary_is_not_taken_over() -> Result<()> {
    let pool = site::pool(ONE)?;
    assert_eq!(refusal(site::disk(&pool, "take-plain")?.take_over(SOON)), Refusal::NotMirrored);
    let image = site::mirrored(&pool, "take-demoted")?;
    image.demote()?;
    assert_eq!(refusal(image.take_over(SOON)), Refusal::NotPrimary);
    Ok(())
}

#[test]
fn an_image_that_nobody_holds_is_taken_over_without_a_break_and_keeps_its_content() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::mirrored(&pool, "take-free")?;
    image.write_at(0, b"as it is")?;
    image.flush()?;
    let before = site.sha256_of_export("one/take-free")?;
    assert_eq!(image.take_over(SOON)?.broken, []);
    assert_eq!(site.sha256_of_export("one/take-free")?, before);
    Ok(())
}

#[test]
fn the_lock_of_a_client_that_is_no_daemon_is_not_broken() -> Result<()> {
    let site = site::site()?;
    let image = site::mirrored(&site::pool(ONE)?, "take-held")?;
    let client = site::pool(ONE)?.open("take-held")?;
    client.acquire_lock()?;
    client.write_at(0, b"mine")?;
    assert_eq!(refusal(image.take_over(Duration::from_secs(20))), Refusal::LockHeld);
    client.write_at(0, b"still")?;
    let holders = client.lock_owners()?;
    assert!(!site.blocklist()?.iter().any(|listed| listed == holders[0].as_str()));
    Ok(())
}
