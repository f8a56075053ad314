//! Promotion with a peer that is alive: refused, then after a demotion that has arrived, and the way back.

use anyhow::Result;
use rbd_mirror::pair::{Completeness, Side, Verdict};
use rbd_mirror::{MirrorImageMode, Promote, Refusal, wait};
use tests::expect::refusal;

use crate::sites::{SOON, shared};

#[test]
fn an_image_moves_to_the_other_site_and_home_and_loses_nothing() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("moved", MirrorImageMode::Journal)?;
    image.write_at(0, b"written at A")?;
    image.close()?;

    sites.a.open("moved")?.demote()?;
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    sites.at_b().promote(&id)?;
    assert_eq!(sites.primaries("moved")?, (false, true));
    let there = sites.b.open_by_global_id(&id)?;
    assert_eq!(there.read_at(0, 12)?, b"written at A");
    there.write_at(4096, b"written at B")?;
    there.close()?;
    wait::settled(&sites.b, &sites.a, &id, SOON)?;
    sites.expect_equal("moved")?;
    assert_eq!(sites.at_a().look(&id)?.verdict, Verdict::Following { primary: Side::There });

    sites.b.open("moved")?.demote()?;
    wait::demotion_arrived(&sites.b, &sites.a, &id, SOON)?;
    sites.at_a().promote(&id)?;
    assert_eq!(sites.primaries("moved")?, (true, false));
    wait::settled(&sites.a, &sites.b, &id, SOON)?;
    assert_eq!(sites.a.open("moved")?.read_at(4096, 12)?, b"written at B");
    sites.expect_equal("moved")
}

#[test]
fn promotion_is_refused_while_the_peer_is_primary() -> Result<()> {
    let sites = shared()?;
    let (_image, id) = sites.protected("kept", MirrorImageMode::Journal)?;
    let replica = sites.b.open_by_global_id(&id)?;
    assert_eq!(refusal(replica.promote(Promote::Clean)), Refusal::PrimaryElsewhere);
    assert_eq!(refusal(sites.at_b().promote(&id)), Refusal::PeerIsPrimary);
    let forced = sites.at_b().promote_by_force(&id, Completeness::Assumed);
    assert_eq!(refusal(forced), Refusal::PeerAliveAndPrimary);
    assert_eq!(sites.primaries("kept")?, (true, false));
    Ok(())
}

#[test]
fn an_image_that_was_mirrored_a_moment_ago_moves_without_a_split_brain() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("fresh", MirrorImageMode::Journal)?;
    image.close()?;
    sites.a.open("fresh")?.demote()?;
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    sites.at_b().promote(&id)?;
    wait::settled(&sites.b, &sites.a, &id, SOON)?;
    assert!(!sites.a.open_by_global_id(&id)?.status()?.is_split_brain());
    sites.expect_equal("fresh")
}

#[test]
fn a_demoted_site_takes_back_what_nobody_else_has_taken() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("taken-back", MirrorImageMode::Journal)?;
    image.demote()?;
    sites.at_a().promote(&id)?;
    assert_eq!(sites.primaries("taken-back")?, (true, false));
    image.write_at(0, b"on it goes")?;
    image.flush()?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    Ok(())
}

#[test]
fn once_both_are_demoted_one_promotion_excludes_the_other() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("excluded", MirrorImageMode::Journal)?;
    image.demote()?;
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    assert_eq!(sites.at_a().look(&id)?.verdict, Verdict::BothDemoted);
    sites.at_b().promote(&id)?;
    // librbd alone would promote A as well: it looks at A's journal, which says that nobody owns the image.
    assert_eq!(refusal(sites.at_a().promote(&id)), Refusal::PeerIsPrimary);
    assert_eq!(sites.primaries("excluded")?, (false, true));
    Ok(())
}
