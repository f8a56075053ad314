//! Waits: what they prove, and where they must not say that all is well.

use std::time::{Duration, Instant};

use anyhow::Result;
use rbd_mirror::{Error, Hopeless, MirrorImageMode, SyncState, sync_state, wait};

use crate::sites::{SOON, shared};

#[test]
fn caught_up_means_equal_checksums() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("proven", MirrorImageMode::Journal)?;
    sites.expect_equal("proven")?;
    for round in 0..8_u8 {
        image.write_at(u64::from(round) * 100_000, &vec![round ^ 0x5a; 50_000])?;
    }
    image.flush()?;
    // Closing commits what was written: until then the primary itself is not done with it.
    image.close()?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    assert_eq!(sync_state(&sites.a, &sites.b, &id)?, SyncState::CaughtUp);
    sites.expect_equal("proven")
}

#[test]
fn a_replica_is_never_caught_up_with_by_its_primary() -> Result<()> {
    let sites = shared()?;
    let (_image, id) = sites.protected("one-way", MirrorImageMode::Journal)?;
    assert_eq!(sync_state(&sites.b, &sites.a, &id)?, SyncState::NotPrimary);
    let waited = wait::caught_up(&sites.b, &sites.a, &id, SOON);
    assert!(matches!(waited, Err(Error::Hopeless { seen: Hopeless::NotPrimary, .. })), "{waited:?}");
    let waited = wait::settled(&sites.b, &sites.a, &id, SOON);
    assert!(waited.is_err());
    Ok(())
}

#[test]
fn an_image_that_is_not_mirrored_is_no_replica_of_anything() -> Result<()> {
    let sites = shared()?;
    let image = sites.filled("lonely")?;
    let id = rbd_mirror::GlobalImageId::new("00000000-0000-0000-0000-000000000000");
    assert!(matches!(sync_state(&sites.a, &sites.b, &id), Err(Error::NotFound { .. })));
    assert!(image.global_id().is_err());
    Ok(())
}

#[test]
fn a_wait_that_cannot_end_well_ends_at_its_deadline() -> Result<()> {
    let sites = shared()?;
    let (_image, id) = sites.protected("impatient", MirrorImageMode::Journal)?;
    let started = Instant::now();
    let old = sites.b.find(&id)?;
    // Nobody asked for a resync, so the copy never becomes another one.
    let waited = wait::resynced(&sites.a, &sites.b, &id, &old, Duration::from_millis(700));
    assert!(matches!(waited, Err(Error::TimedOut { .. })), "{waited:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
    Ok(())
}
