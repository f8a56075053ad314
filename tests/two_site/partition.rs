//! The line between the sites is cut, or loses packets, while this machine reaches both.

use std::time::Duration;

use anyhow::Result;
use lab::{Lab, Options};
use rbd_mirror::pair::{Completeness, Side, Verdict};
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{
    Error, MirrorImageMode, Promote, Refusal, SyncState, demotion_has_arrived, sync_state, wait,
};
use tests::expect::refusal;

use crate::sites::{SOON, Sites, alone};

/// Longer than anything takes to arrive where the line is whole: 1 to 3 s.
const NEVER: Duration = Duration::from_secs(10);

/// A planned move in the middle of a partition: nothing arrives, nothing is promoted, and after the heal nothing is lost.
#[test]
fn a_demotion_that_cannot_arrive_is_waited_for_and_arrives_when_the_line_is_whole() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("cut"))?;
    let sites = Sites::of(&lab)?;
    let (image, id) = sites.protected("apart", MirrorImageMode::Journal)?;
    lab.cut()?;
    image.write_at(0, b"written in the partition")?;
    image.close()?;
    let waited = wait::caught_up(&sites.a, &sites.b, &id, NEVER);
    assert!(matches!(waited, Err(Error::TimedOut { .. })), "{waited:?}");
    // Both sites can be asked, so nobody is forced into anything.
    assert_eq!(refusal(sites.at_b().promote(&id)), Refusal::PeerIsPrimary);
    let forced = sites.at_b().promote_by_force(&id, Completeness::Assumed);
    assert_eq!(refusal(forced), Refusal::PeerAliveAndPrimary);

    sites.a.open_by_global_id(&id)?.demote()?;
    let waited = wait::demotion_arrived(&sites.a, &sites.b, &id, NEVER);
    assert!(matches!(waited, Err(Error::TimedOut { .. })), "{waited:?}");
    assert!(!demotion_has_arrived(&sites.a, &sites.b, &id)?);
    // As far as B's copy knows, A owns the image still.
    assert_eq!(refusal(sites.at_b().promote(&id)), Refusal::PrimaryElsewhere);

    lab.heal()?;
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    sites.at_b().promote(&id)?;
    assert_eq!(sites.b.open_by_global_id(&id)?.read_at(0, 24)?, b"written in the partition");
    wait::settled(&sites.b, &sites.a, &id, SOON)?;
    sites.expect_equal("apart")
}

/// Somebody at B believes that A is gone, and forces it. Both work on, until the line is whole.
#[test]
fn a_promotion_forced_in_a_partition_is_recognised_and_ended_by_a_resync() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("torn"))?;
    let sites = Sites::of(&lab)?;
    let (image, id) = sites.protected("torn", MirrorImageMode::Journal)?;
    lab.cut()?;
    let replica = sites.b.open_by_global_id(&id)?;
    replica.promote(Promote::Force)?;
    replica.take_over(SOON)?;
    replica.write_at(0, b"B goes on")?;
    replica.close()?;
    image.write_at(0, b"so does A")?;
    image.close()?;
    assert_eq!(sites.at_a().look(&id)?.verdict, Verdict::TwoPrimaries);
    assert_eq!(sync_state(&sites.a, &sites.b, &id)?, SyncState::TwoPrimaries);

    lab.heal()?;
    sites.a.open_by_global_id(&id)?.demote()?;
    until("reported as split brain", &sites.a.spec().image("torn").into(), SOON.into(), || {
        Ok(match sites.at_a().look(&id)?.verdict {
            Verdict::SplitBrain { primary: Side::There } => Seen::Done(()),
            verdict => Seen::NotYet(verdict.to_string()),
        })
    })?;
    let old = sites.at_a().resync(&id)?;
    wait::resynced(&sites.b, &sites.a, &id, &old, SOON)?;
    sites.expect_equal("torn")?;
    assert_eq!(sites.a.open_by_global_id_read_only(&id)?.read_at(0, 9)?, b"B goes on");
    Ok(())
}

/// A bad line makes mirroring slow, not wrong.
#[test]
fn what_is_written_over_a_line_that_loses_packets_arrives_all_the_same() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("lossy"))?;
    let sites = Sites::of(&lab)?;
    let (image, id) = sites.protected("lossy", MirrorImageMode::Journal)?;
    lab.lose(10)?;
    for part in 0..16_u8 {
        image.write_at(u64::from(part) << 20, &vec![part ^ 0x5a; 65_536])?;
    }
    image.close()?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    sites.expect_equal("lossy")
}
