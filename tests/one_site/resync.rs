//! Resync on one site: what is refused before anything is destroyed.

use anyhow::Result;
use rbd_mirror::{GlobalImageId, Refusal};
use tests::expect::refusal;

use crate::site::{self, ONE};

#[test]
fn what_is_not_mirrored_and_what_is_primary_is_not_resynced() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "resync-plain")?;
    assert_eq!(refusal(image.resync(&GlobalImageId::new("any"))), Refusal::NotMirrored);
    let image = site::mirrored(&pool, "resync-primary")?;
    assert_eq!(refusal(image.resync(&image.global_id()?)), Refusal::IsPrimary);
    assert!(site.image_info("one/resync-primary")?.mirroring.is_some_and(|mirroring| mirroring.primary));
    Ok(())
}

#[test]
fn consent_for_another_image_is_no_consent() -> Result<()> {
    let pool = site::pool(ONE)?;
    let (image, other) = (site::mirrored(&pool, "resync-this")?, site::mirrored(&pool, "resync-other")?);
    image.demote()?;
    let (given, actual) = (other.global_id()?, image.global_id()?);
    let expected = Refusal::ConsentMismatch { actual };
    assert_eq!(refusal(image.resync(&given)), expected);
    Ok(())
}

#[test]
fn a_read_only_handle_resyncs_nothing() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::mirrored(&pool, "resync-read-only")?;
    let id = image.global_id()?;
    image.demote()?;
    image.close()?;
    let handle = pool.open_read_only("resync-read-only")?;
    assert_eq!(refusal(handle.resync(&id)), Refusal::ReadOnlyHandle);
    assert!(site.image_exists("one/resync-read-only")?);
    Ok(())
}
