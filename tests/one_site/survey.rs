//! What the survey of two pools makes of one that is not mirrored.

use anyhow::Result;
use rbd_mirror::pair::Side;
use rbd_mirror::survey::{Finding, survey};
use rbd_mirror::{Direction, MirrorImageMode, PoolMode, Refusal, SnapshotFlags};
use tests::expect::refusal;

use crate::site::{self, OFF, PEERS};

#[test]
fn a_pool_that_was_never_mirrored_is_a_finding_and_no_failure_of_the_survey() -> Result<()> {
    let pool = site::pool(PEERS)?;
    pool.create_namespace("survey")?;
    let here = pool.namespace("survey")?;
    here.set_mirror_mode(PoolMode::Image)?;
    let findings = survey(&here, &site::pool(OFF)?)?;
    let off = Finding::PoolMode { at: Side::There, mode: PoolMode::Disabled };
    assert!(findings.contains(&off), "{findings:?}");
    assert!(findings.contains(&Finding::DoesNotReceive { at: Side::Here }), "{findings:?}");
    Ok(())
}

#[test]
fn a_peer_that_fetches_nothing_is_the_cause_of_a_refused_mirror_snapshot() -> Result<()> {
    let pool = site::pool(PEERS)?;
    pool.create_namespace("only-rx")?;
    let pool = pool.namespace("only-rx")?;
    pool.set_mirror_mode(PoolMode::Image)?;
    let peer = pool.add_peer(Direction::RxTx, "nowhere", "client.nobody")?;
    pool.set_peer_direction(&peer, Direction::Rx)?;
    let image = site::disk(&pool, "disk")?;
    image.enable(MirrorImageMode::Snapshot)?;
    assert_eq!(refusal(image.create_mirror_snapshot(SnapshotFlags::SKIP_QUIESCE)), Refusal::NoPeers);
    Ok(())
}
