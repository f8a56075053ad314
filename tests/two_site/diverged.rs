//! Two primaries, and what comes of them: recognised while Ceph says that all is well, and never made worse.

use anyhow::Result;
use lab::{Daemon, Lab, Options, SiteId};
use rbd_mirror::pair::{Completeness, Pair, Side, Verdict};
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{
    Error, Hopeless, MirrorImageMode, Promote, Refusal, SyncState, demotion_has_arrived, sync_state, wait,
};
use tests::connect;
use tests::expect::refusal;

use crate::sites::{SOON, Sites, alone, in_a_process_of_its_own};

/// A forced promotion, writes at both sites, and then each guard in its turn, up to the resync that ends it.
#[test]
fn a_diverged_copy_is_recognised_refused_and_resynced_only_with_proof() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("diverged"))?;
    let sites = Sites::of(&lab)?;
    let (image, id) = sites.protected("torn", MirrorImageMode::Journal)?;
    let (throw_away, other) = sites.protected("throw-away", MirrorImageMode::Journal)?;

    // Two primaries, made as an operator makes them who believes that A is gone.
    for id in [&id, &other] {
        let replica = sites.b.open_by_global_id(id)?;
        replica.promote(Promote::Force)?;
        replica.take_over(SOON)?;
        replica.write_at(0, b"B goes on")?;
        replica.close()?;
    }
    image.write_at(0, b"so does A")?;
    image.flush()?;
    assert_eq!(sites.at_a().look(&id)?.verdict, Verdict::TwoPrimaries);
    assert_eq!(sites.primaries("torn")?, (true, true));
    let health = sites.witness_a.pool_status("one")?["summary"]["image_health"].clone();
    assert_eq!(health, "OK", "Ceph has begun to report two primaries");
    assert_eq!(sync_state(&sites.a, &sites.b, &id)?, SyncState::TwoPrimaries);
    let waited = wait::caught_up(&sites.a, &sites.b, &id, SOON);
    assert!(matches!(waited, Err(Error::Hopeless { seen: Hopeless::TwoPrimaries, .. })), "{waited:?}");
    assert_eq!(refusal(sites.at_a().resync(&id)), Refusal::IsPrimary);

    // The user of A's copy stands in the way of a resync, demoted or not.
    image.demote()?;
    assert!(matches!(refusal(sites.at_a().resync(&id)), Refusal::InUse(_)));
    image.close()?;
    assert_eq!(refusal(sites.at_a().promote(&id)), Refusal::PeerIsPrimary);
    until("reported as split brain", &sites.a.spec().image("torn").into(), SOON.into(), || {
        let view = sites.at_a().look(&id)?;
        Ok(match view.verdict {
            Verdict::SplitBrain { primary: Side::There } => Seen::Done(()),
            verdict => Seen::NotYet(verdict.to_string()),
        })
    })?;
    assert!(sites.witness_a.image_status("one/torn")?.description.starts_with("split-brain"));

    // With B demoted as well, neither is a copy of the other, and librbd would promote either.
    throw_away.demote()?;
    throw_away.close()?;
    sites.b.open_by_global_id(&other)?.demote()?;
    assert!(!demotion_has_arrived(&sites.b, &sites.a, &other)?);
    assert!(!demotion_has_arrived(&sites.a, &sites.b, &other)?);
    assert_eq!(refusal(sites.at_a().promote(&other)), Refusal::NotSynced);
    assert_eq!(refusal(sites.at_a().resync(&other)), Refusal::PeerNotPrimary);
    sites.a.open_by_global_id(&other)?.promote(Promote::Clean)?;
    assert_eq!(sites.primaries("throw-away")?, (true, false), "librbd no longer promotes a diverged copy");

    // The peer must answer, and the consent must be for this image.
    let gone = connect::pool(&sites.witness_b, "no-such-pool").expect_err("there is none");
    assert_eq!(refusal(Pair::without_peer(&sites.a, &gone).resync(&id)), Refusal::PeerUnknown);
    let copy = sites.a.open_by_global_id(&id)?;
    assert_eq!(refusal(copy.resync(&other)), Refusal::ConsentMismatch { actual: id.clone() });
    copy.close()?;

    let old = sites.at_a().resync(&id)?;
    let new = wait::resynced(&sites.b, &sites.a, &id, &old, SOON)?;
    assert_ne!(new, old);
    assert_eq!(sites.witness_a.image_info("one/torn")?.id, new.as_str());
    sites.expect_equal("torn")?;
    assert_eq!(sites.a.open_by_global_id_read_only(&id)?.read_at(0, 9)?, b"B goes on");
    Ok(())
}

/// A wait for a copy that has diverged is given up when the daemon has said so twice, not at its deadline.
#[test]
fn a_wait_for_a_split_brain_to_go_away_is_given_up() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("hopeless"))?;
    let sites = Sites::of(&lab)?;
    let (image, id) = sites.protected("torn", MirrorImageMode::Journal)?;
    let replica = sites.b.open_by_global_id(&id)?;
    replica.promote(Promote::Force)?;
    replica.take_over(SOON)?;
    replica.write_at(0, b"B")?;
    replica.close()?;
    image.write_at(0, b"A")?;
    image.demote()?;
    image.close()?;
    let waited = wait::caught_up(&sites.b, &sites.a, &id, SOON * 2);
    assert!(matches!(waited, Err(Error::Hopeless { seen: Hopeless::SplitBrain, .. })), "{waited:?}");
    Ok(())
}

/// What B knows of an image decides whether it may be promoted by force when A is gone.
#[test]
fn an_image_whose_first_copy_never_ended_is_not_promoted_by_force() -> Result<()> {
    in_a_process_of_its_own(
        "diverged::an_image_whose_first_copy_never_ended_is_not_promoted_by_force",
        forced_without_knowledge,
    )
}

fn forced_without_knowledge() -> Result<()> {
    let lab = Lab::up(Options::temporary("half"))?;
    let sites = Sites::of(&lab)?;
    let (image, id) = sites.protected("whole", MirrorImageMode::Journal)?;
    image.close()?;
    lab.kill(SiteId::A, &Daemon::ALL)?;
    let why =
        rbd_mirror::Cluster::connect(connect::to(&sites.witness_a).within(std::time::Duration::from_secs(2)))
            .expect_err("A is gone");
    let pair = Pair::without_peer(&sites.b, &why);
    let complete = match pair.look(&id)?.here {
        rbd_mirror::pair::SideView::Present { complete, .. } => complete,
        other => anyhow::bail!("{other}"),
    };
    // Known or not, depending on whether the daemon has written its status since; never known to be incomplete.
    match complete {
        Some(true) => pair.promote_by_force(&id, Completeness::Proven)?,
        None => {
            assert_eq!(
                refusal(pair.promote_by_force(&id, Completeness::Proven)),
                Refusal::CompletenessUnknown
            );
            pair.promote_by_force(&id, Completeness::Assumed)?;
        }
        Some(false) => anyhow::bail!("a complete copy is taken for an incomplete one"),
    }
    sites.b.open_by_global_id(&id)?.take_over(SOON)?;
    Ok(())
}
