//! Two sites looked at together, where the second does not answer or is the first one's own other pool.

use anyhow::Result;
use rbd_mirror::pair::{Completeness, Pair, Side, SideView, Verdict};
use rbd_mirror::{Cluster, Connect, Error, GlobalImageId, Refusal};
use tests::expect::refusal;

use crate::site::{self, OFF, ONE, SOON};

fn without_peer(image: &str) -> Result<(Pair, GlobalImageId)> {
    let pool = site::pool(ONE)?;
    let id = site::mirrored(&pool, image)?.global_id()?;
    let why = Cluster::connect(Connect::conf("/nowhere/site-b.conf")).expect_err("there is nothing there");
    Ok((Pair::without_peer(&pool, &why), id))
}

#[test]
fn a_peer_that_cannot_be_reached_makes_the_verdict_unknown_and_is_quoted() -> Result<()> {
    let (pair, id) = without_peer("pair-alone")?;
    let view = pair.look(&id)?;
    assert_eq!(view.verdict, Verdict::Unknown);
    let SideView::Silent(why) = &view.there else { panic!("{view:?}") };
    assert!(why.contains("site-b"), "{why}");
    assert!(pair.reversed().is_none());
    Ok(())
}

#[test]
fn nothing_is_resynced_from_a_peer_that_cannot_be_reached() -> Result<()> {
    let (pair, id) = without_peer("pair-resync")?;
    let image = site::pool(ONE)?.open_by_global_id(&id)?;
    assert_eq!(refusal(pair.resync(&id)), Refusal::PeerUnknown);
    image.demote()?;
    assert_eq!(refusal(pair.resync(&id)), Refusal::PeerUnknown);
    assert!(site::site()?.image_exists("one/pair-resync")?);
    pair.promote(&id)?;
    assert!(
        site::site()?.image_info("one/pair-resync")?.mirroring.is_some_and(|mirroring| mirroring.primary)
    );
    Ok(())
}

#[test]
fn an_image_that_only_one_site_has_is_alone_and_is_nothing_to_resync_from() -> Result<()> {
    let (here, there) = (site::pool(ONE)?, site::pool(OFF)?);
    let id = site::mirrored(&here, "pair-only")?.global_id()?;
    let pair = Pair::new(&here, &there);
    assert_eq!(pair.look(&id)?.verdict, Verdict::Alone { at: Side::Here });
    assert_eq!(refusal(pair.resync(&id)), Refusal::PeerNotPrimary);
    let reversed = Pair::new(&there, &here);
    assert_eq!(reversed.look(&id)?.verdict, Verdict::Alone { at: Side::There });
    assert!(matches!(reversed.resync(&id), Err(Error::NotFound { .. })));
    assert_eq!(refusal(reversed.promote(&id)), Refusal::PeerIsPrimary);
    assert_eq!(refusal(reversed.promote_by_force(&id, Completeness::Proven)), Refusal::PeerAliveAndPrimary);
    assert_eq!(refusal(reversed.fail_over(&id, Completeness::Proven, SOON)), Refusal::PeerAliveAndPrimary);
    let unknown = GlobalImageId::new("nobody has it");
    assert!(matches!(pair.promote(&unknown), Err(Error::NotFound { .. })));
    assert!(matches!(pair.promote_by_force(&unknown, Completeness::Proven), Err(Error::NotFound { .. })));
    assert!(matches!(pair.fail_over(&unknown, Completeness::Proven, SOON), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn an_image_that_is_failed_over_is_primary_and_written_to_and_is_not_failed_over_twice() -> Result<()> {
    let (pair, id) = without_peer("pair-fail-over")?;
    let image = site::pool(ONE)?.open_by_global_id(&id)?;
    image.write_at(0, b"from before")?;
    image.demote()?;
    image.close()?;
    let before = site::site()?.sha256_of_export("one/pair-fail-over")?;
    assert_eq!(pair.fail_over(&id, Completeness::Proven, SOON)?.broken, []);
    assert!(
        site::site()?.image_info("one/pair-fail-over")?.mirroring.is_some_and(|mirroring| mirroring.primary)
    );
    assert_eq!(site::site()?.sha256_of_export("one/pair-fail-over")?, before);
    // Closed: nobody is left who has it.
    let image = site::pool(ONE)?.open_by_global_id_read_only(&id)?;
    assert_eq!(image.watchers()?, []);
    assert_eq!(refusal(pair.fail_over(&id, Completeness::Proven, SOON)), Refusal::AlreadyPrimary);
    Ok(())
}
