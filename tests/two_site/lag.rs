//! How far a replica is behind in time, held against the times at which the test itself wrote.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use lab::{Daemon, Lab, Options, SiteId};
use rbd_mirror::lag::{Lag, WhyUnknown, lag, lag_by_replica};
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{MirrorImageMode, SnapshotFlags, SyncState, sync_state};

use crate::sites::{SOON, Sites, in_a_process_of_its_own, shared};

fn the_lag_is_the_age_of_the_first_write_that_is_missing_body() -> Result<()> {
    let lab = Lab::up(Options::temporary("lag"))?;
    let sites = Sites::of(&lab)?;
    let (image, id) = sites.protected("lagging", MirrorImageMode::Journal)?;
    let on = sites.a.spec().image("lagging").into();
    until("nothing missing", &on, SOON.into(), || match lag(&sites.a, &sites.b, &id)? {
        Lag::Known(Duration::ZERO) => Ok(Seen::Done(())),
        other => Ok(Seen::NotYet(other.to_string())),
    })?;
    assert_eq!(sync_state(&sites.a, &sites.b, &id)?, SyncState::CaughtUp);

    lab.freeze(SiteId::B, &[Daemon::RbdMirror])?;
    // More than the part of an object that is read first, and the longest entry besides.
    let begun = Instant::now();
    image.write_at(0, &[9; 16 * 1024])?;
    let first = Instant::now();
    for part in 1..256_u64 {
        image.write_at(part * 16 * 1024, &[9; 16 * 1024])?;
    }
    let at_least = first.elapsed();
    let seen = lag(&sites.a, &sites.b, &id)?;
    let at_most = begun.elapsed();
    assert!(matches!(seen, Lag::AtMost(_)), "{seen}");
    let bound = seen.bound().context("no bound")?;
    assert!(at_least <= bound && bound <= at_most, "{at_least:?} {bound:?} {at_most:?}");

    let before = bound;
    until("grown", &on, SOON.into(), || {
        let now = lag(&sites.a, &sites.b, &id)?;
        let grown = now.bound().is_some_and(|now| now > before + Duration::from_secs(2));
        Ok(if grown { Seen::Done(()) } else { Seen::NotYet(now.to_string()) })
    })?;
    assert!(!lag(&sites.a, &sites.b, &id)?.is_within(Duration::from_secs(1)));

    lab.thaw(SiteId::B, &[Daemon::RbdMirror])?;
    // A clean end of the writer lets the replica commit to the end.
    image.close()?;
    until("nothing missing", &on, SOON.into(), || match lag(&sites.a, &sites.b, &id)? {
        Lag::Known(Duration::ZERO) => Ok(Seen::Done(())),
        other => Ok(Seen::NotYet(other.to_string())),
    })?;
    sites.expect_equal("lagging")
}

#[test]
fn the_lag_is_the_age_of_the_first_write_that_is_missing() -> Result<()> {
    in_a_process_of_its_own(
        "lag::the_lag_is_the_age_of_the_first_write_that_is_missing",
        the_lag_is_the_age_of_the_first_write_that_is_missing_body,
    )
}

#[test]
fn without_knowledge_the_lag_is_unknown_and_never_zero() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("lag-unknown", MirrorImageMode::Journal)?;
    assert_eq!(lag_by_replica(&sites.b, &id)?, Lag::Unknown(WhyUnknown::PrimaryNotAsked));
    assert_eq!(lag(&sites.b, &sites.a, &id)?, Lag::Unknown(WhyUnknown::NotPrimary));
    image.demote()?;
    assert_eq!(lag(&sites.a, &sites.b, &id)?, Lag::Unknown(WhyUnknown::NotPrimary));
    rbd_mirror::wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    sites.at_a().promote(&id)?;
    Ok(())
}

#[test]
fn in_snapshot_mode_the_replica_is_as_old_as_its_newest_whole_snapshot_and_says_so_alone() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("lag-snapshot", MirrorImageMode::Snapshot)?;
    let first = lag(&sites.a, &sites.b, &id)?.bound().context("a snapshot is there")?;
    let on = sites.a.spec().image("lag-snapshot").into();
    until("older", &on, SOON.into(), || {
        let now = lag(&sites.a, &sites.b, &id)?;
        let older = now.bound().is_some_and(|now| now > first + Duration::from_secs(1));
        Ok(if older { Seen::Done(()) } else { Seen::NotYet(now.to_string()) })
    })?;
    let before = SystemTime::now();
    image.write_at(0, b"newer")?;
    image.create_mirror_snapshot(SnapshotFlags::empty())?;
    until("as new as the snapshot", &on, SOON.into(), || {
        let now = lag(&sites.a, &sites.b, &id)?;
        let since = before.elapsed().unwrap_or_default() + Duration::from_secs(1);
        Ok(if now.is_within(since) { Seen::Done(()) } else { Seen::NotYet(now.to_string()) })
    })?;
    until("told by the replica alone", &on, SOON.into(), || match lag_by_replica(&sites.b, &id)? {
        Lag::AtMost(_) => Ok(Seen::Done(())),
        other => Ok(Seen::NotYet(other.to_string())),
    })?;
    Ok(())
}
