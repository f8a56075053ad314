//! Promote on one site: the causes behind its errnos, and what it does to writes.

use anyhow::Result;
use rbd_mirror::{Promote, Refusal};
use tests::expect::refusal;

use crate::site::{self, ONE};

// Trap: not found for an image that is there and not mirrored
#[test]
fn what_is_not_mirrored_is_not_promoted_and_neither_is_a_primary() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "promote-plain")?;
    for how in [Promote::Clean, Promote::Force] {
        assert_eq!(refusal(image.promote(how)), Refusal::NotMirrored);
    }
    let image = site::mirrored(&pool, "promote-primary")?;
    for how in [Promote::Clean, Promote::Force] {
        assert_eq!(refusal(image.promote(how)), Refusal::AlreadyPrimary);
    }
    assert!(site.image_info("one/promote-primary")?.mirroring.is_some_and(|mirroring| mirroring.primary));
    Ok(())
}

#[test]
fn a_demoted_image_is_promoted_back_and_writable_again() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::mirrored(&pool, "back-again")?;
    image.write_at(0, b"first")?;
    image.demote()?;
    assert!(!site.image_info("one/back-again")?.mirroring.is_some_and(|mirroring| mirroring.primary));
    assert_eq!(refusal(image.write_at(0, b"never")), Refusal::Replica);
    image.promote(Promote::Clean)?;
    assert!(site.image_info("one/back-again")?.mirroring.is_some_and(|mirroring| mirroring.primary));
    assert_eq!(image.read_at(0, 5)?, b"first");
    image.write_at(0, b"again")?;
    Ok(())
}

#[test]
fn a_read_only_handle_promotes_nothing() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    site::mirrored(&pool, "promote-read-only")?.demote()?;
    let image = pool.open_read_only("promote-read-only")?;
    assert_eq!(refusal(image.promote(Promote::Clean)), Refusal::ReadOnlyHandle);
    assert_eq!(refusal(image.promote(Promote::Force)), Refusal::ReadOnlyHandle);
    let shown = site.image_info("one/promote-read-only")?.mirroring;
    assert!(!shown.is_some_and(|mirroring| mirroring.primary));
    Ok(())
}
