//! Peering two sites that know nothing of each other, through the library alone.

use anyhow::Result;
use lab::{Lab, Options, Peering};
use rbd_mirror::{Direction, PoolMode, wait};

use crate::sites::{ONE, SOON, Sites, alone};

#[test]
fn one_token_peers_both_sites_each_with_one_peer_and_both_get_healthy() -> Result<()> {
    let _alone = alone();
    let options = Options {
        peering: Peering::None,
        pools: vec![lab::Pool::plain(ONE)],
        ..Options::temporary("bootstrap")
    };
    let lab = Lab::up(options)?;
    let sites = Sites::of(&lab)?;
    for (pool, name) in [(&sites.a, "site-a"), (&sites.b, "site-b")] {
        pool.cluster().set_site_name(name)?;
        pool.set_mirror_mode(PoolMode::Image)?;
        assert_eq!(pool.cluster().site_name()?, name);
    }
    let token = sites.a.create_bootstrap_token()?;
    sites.b.import_bootstrap_token(&token, Direction::RxTx)?;
    // Again, as a resumed set-up does.
    sites.b.import_bootstrap_token(&token, Direction::RxTx)?;
    for (pool, other, witness) in
        [(&sites.a, "site-b", &sites.witness_a), (&sites.b, "site-a", &sites.witness_b)]
    {
        let peers = pool.peers()?;
        assert_eq!(peers.len(), 1, "{peers:?}");
        assert_eq!((peers[0].site_name.as_str(), peers[0].direction), (other, Direction::RxTx));
        let attributes = pool.peer_attributes(&peers[0].uuid)?;
        assert!(attributes.mon_host.is_some() && attributes.key.is_some());
        assert!(!format!("{attributes:?}").contains(attributes.key.as_ref().map_or("", |key| key.as_str())));
        wait::daemon_healthy(pool, SOON)?;
        let shown = witness.pool_info(ONE)?;
        assert_eq!(shown["peers"].as_array().map(Vec::len), Some(1), "{shown}");
        assert_eq!(shown["peers"][0]["uuid"], peers[0].uuid.as_str());
    }
    let (_, id) = sites.protected("first", rbd_mirror::MirrorImageMode::Journal)?;
    sites.expect_equal("first")?;
    // Once they have met, each knows the other by its mirror uuid.
    assert_eq!(sites.b.peers()?[0].mirror_uuid, Some(sites.a.mirror_uuid()?));
    assert_eq!(sites.b.find(&id)?, sites.b.open("first")?.id()?);
    Ok(())
}
