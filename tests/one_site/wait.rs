//! Waits: they end at their deadline with what was seen, and before it where waiting is of no use.

use std::time::{Duration, Instant};

use anyhow::Result;
use rbd_mirror::{Error, GlobalImageId, Hopeless, wait};

use crate::site::{self, OFF, ONE, SOON};

/// Long enough for a few looks.
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn a_wait_for_a_replica_that_never_comes_ends_at_its_deadline_and_says_what_it_saw() -> Result<()> {
    let (primary, replica) = (site::pool(ONE)?, site::pool(OFF)?);
    let id = site::mirrored(&primary, "wait-alone")?.global_id()?;
    let start = Instant::now();
    let waited = wait::caught_up(&primary, &replica, &id, SHORT);
    assert!((SHORT..SOON).contains(&start.elapsed()));
    let Err(Error::TimedOut { last, .. }) = &waited else { panic!("{waited:?}") };
    assert!(last.contains("no replica"), "{last}");
    Ok(())
}

#[test]
fn a_wait_for_a_daemon_that_is_not_there_says_that_there_is_none() -> Result<()> {
    let waited = wait::daemon_healthy(&site::pool(ONE)?, SHORT);
    let Err(Error::TimedOut { last, .. }) = &waited else { panic!("{waited:?}") };
    assert!(last.contains("no daemon"), "{last}");
    Ok(())
}

#[test]
fn a_wait_for_the_demotion_of_a_primary_is_hopeless_at_once() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::mirrored(&pool, "wait-primary")?;
    let waited = wait::demotion_arrived(&pool, &pool, &image.global_id()?, SOON);
    assert!(matches!(waited, Err(Error::Hopeless { seen: Hopeless::StillPrimary, .. })), "{waited:?}");
    Ok(())
}

#[test]
fn a_wait_for_an_image_that_the_primary_does_not_have_ends_at_once() -> Result<()> {
    let (primary, replica) = (site::pool(ONE)?, site::pool(OFF)?);
    let id = GlobalImageId::new("nobody has it");
    for waited in [
        wait::caught_up(&primary, &replica, &id, SOON),
        wait::demotion_arrived(&primary, &replica, &id, SOON),
        wait::settled(&primary, &replica, &id, SOON),
        wait::reverse_registered(&replica, &primary, &id, SOON),
    ] {
        assert!(matches!(waited, Err(Error::NotFound { .. })), "{waited:?}");
    }
    Ok(())
}
