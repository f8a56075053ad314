//! Peers by hand, and bootstrap tokens that are refused before they do harm.

use std::fs;

use anyhow::{Context, Result};
use rbd_mirror::{BootstrapToken, Direction, Error, PeerAttributes, PeerUuid, Refusal};
use tests::expect::refusal;

use crate::site::{self, OFF, ONE, PEERS};

#[test]
fn a_token_names_its_maker_and_is_silent() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let token = pool.create_bootstrap_token()?;
    assert_eq!(token.fsid().as_deref(), Some(pool.cluster().fsid()));
    let key = site.ceph_text(["auth", "get-key", "client.rbd-mirror-peer"])?;
    let shown = format!("{token:?}");
    assert!(!shown.contains(key.trim()) && !shown.contains(token.expose()), "{shown}");
    let monitors = token.mon_host().context("no monitors")?;
    let known = fs::read_to_string(site.conf())?;
    assert!(known.contains(monitors.trim_matches(['[', ']'])), "{monitors} is in no line of {known}");
    let again = BootstrapToken::from_text(&format!("\n {} \n", token.expose()));
    assert_eq!(again.fsid(), token.fsid());
    assert_eq!(pool.create_bootstrap_token()?.expose(), token.expose(), "each call made another user");
    Ok(())
}

#[test]
fn a_site_does_not_peer_with_itself() -> Result<()> {
    let pool = site::pool(ONE)?;
    let token = pool.create_bootstrap_token()?;
    assert_eq!(refusal(pool.import_bootstrap_token(&token, Direction::RxTx)), Refusal::OwnToken);
    assert_eq!(pool.peers()?, []);
    Ok(())
}

#[test]
fn what_is_no_token_or_half_of_one_is_unreadable() -> Result<()> {
    let pool = site::pool(ONE)?;
    let whole = pool.create_bootstrap_token()?.expose().to_owned();
    let halves = [&whole[..whole.len() / 2], &whole[1..], &whole[..whole.len() - 5]];
    for text in ["", "garbage", "{}", "e30=", "größe", "nul\0"].into_iter().chain(halves) {
        let token = BootstrapToken::from_text(text);
        let refused = refusal(pool.import_bootstrap_token(&token, Direction::RxTx));
        assert_eq!(refused, Refusal::TokenUnreadable, "{text:?}");
    }
    assert_eq!(site::site()?.pool_info(ONE)?["peers"], serde_json::json!([]));
    Ok(())
}

#[test]
fn a_token_is_imported_to_receive() -> Result<()> {
    let pool = site::pool(ONE)?;
    let token = pool.create_bootstrap_token()?;
    for direction in [Direction::Tx, Direction::Other(9)] {
        let imported = pool.import_bootstrap_token(&token, direction);
        assert!(matches!(imported, Err(Error::InvalidInput { .. })), "{imported:?}");
    }
    Ok(())
}

#[test]
fn a_pool_that_does_not_mirror_makes_no_token() -> Result<()> {
    assert_eq!(refusal(site::pool(OFF)?.create_bootstrap_token()), Refusal::PoolMirroringDisabled);
    Ok(())
}

#[test]
fn a_peer_is_added_once_changed_and_removed_once() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(PEERS)?);
    let uuid = pool.add_peer(Direction::RxTx, "site-x", "client.x")?;
    let peers = pool.peers()?;
    assert_eq!(peers.len(), 1);
    assert_eq!((&peers[0].uuid, peers[0].direction), (&uuid, Direction::RxTx));
    assert_eq!((peers[0].site_name.as_str(), peers[0].client.as_str()), ("site-x", "client.x"));
    assert_eq!((&peers[0].mirror_uuid, peers[0].last_seen), (&None, None));
    let shown = site.pool_info(PEERS)?;
    assert_eq!(shown["peers"][0]["uuid"], uuid.as_str());
    assert_eq!(shown["peers"][0]["direction"], "rx-tx");

    let twice = pool.add_peer(Direction::RxTx, "site-x", "client.y");
    assert!(matches!(twice, Err(Error::AlreadyExists { .. })), "{twice:?}");
    for direction in [Direction::Rx, Direction::RxTx] {
        let second = pool.add_peer(direction, "site-y", "client.y");
        assert_eq!(refusal(second), Refusal::SecondReceivingPeer);
    }
    assert_eq!(pool.peers()?.len(), 1);
    // Who replaces a peer says so.
    let beside = pool.add_peer_beside_others(Direction::RxTx, "site-y", "client.y")?;
    assert_eq!(pool.peers()?.len(), 2);
    pool.remove_peer(&beside)?;
    assert_eq!(pool.peers()?.len(), 1);

    pool.set_peer_site_name(&uuid, "site-z")?;
    pool.set_peer_client(&uuid, "client.z")?;
    pool.set_peer_direction(&uuid, Direction::Rx)?;
    let shown = site.pool_info(PEERS)?["peers"][0].clone();
    assert_eq!(
        (&shown["site_name"], &shown["client_name"]),
        (&"site-z".into(), &"client.z".into()),
        "{shown}"
    );
    assert_eq!(shown["direction"], "rx-only");

    let attributes = PeerAttributes {
        mon_host: Some("[v2:127.0.0.1:1/0]".to_owned()),
        key: Some("AQBlbW9uIGtleSBmb3IgdGVzdHM=".to_owned().into()),
    };
    pool.set_peer_attributes(&uuid, &attributes)?;
    let read = pool.peer_attributes(&uuid)?;
    assert_eq!((&read.mon_host, &read.key), (&attributes.mon_host, &attributes.key));
    assert!(!format!("{read:?}").contains("AQBlbW9u"), "{read:?}");
    assert_eq!(
        site.rbd(["mirror", "pool", "info", PEERS, "--all"])?["peers"][0]["mon_host"],
        "[v2:127.0.0.1:1/0]"
    );
    pool.set_peer_attributes(&uuid, &PeerAttributes::default())?;

    pool.remove_peer(&uuid)?;
    assert!(matches!(pool.remove_peer(&uuid), Err(Error::NotFound { .. })));
    assert_eq!(site.pool_info(PEERS)?["peers"], serde_json::json!([]));
    Ok(())
}

#[test]
fn a_peer_that_is_not_there_is_not_found_by_any_call() -> Result<()> {
    let pool = site::pool(ONE)?;
    let nobody = PeerUuid::new("5d4ba0cf-0000-0000-0000-000000000000");
    assert!(matches!(pool.remove_peer(&nobody), Err(Error::NotFound { .. })));
    assert!(matches!(pool.set_peer_site_name(&nobody, "x"), Err(Error::NotFound { .. })));
    assert!(matches!(pool.set_peer_client(&nobody, "client.x"), Err(Error::NotFound { .. })));
    assert!(matches!(pool.set_peer_direction(&nobody, Direction::Rx), Err(Error::NotFound { .. })));
    assert!(matches!(pool.peer_attributes(&nobody), Err(Error::NotFound { .. })));
    let set = pool.set_peer_attributes(&nobody, &PeerAttributes::default());
    assert!(matches!(set, Err(Error::NotFound { .. })), "{set:?}");
    Ok(())
}

#[test]
fn a_pool_that_does_not_mirror_takes_no_peer() -> Result<()> {
    let pool = site::pool(OFF)?;
    let added = pool.add_peer(Direction::RxTx, "site-x", "client.x");
    assert_eq!(refusal(added), Refusal::PoolMirroringDisabled);
    assert_eq!(pool.peers()?, []);
    Ok(())
}
