//! Connections, pools, peers, objects, schedules.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rbd_mirror::schedule::{self, Interval, Level, Schedule, StartTime};
use rbd_mirror::{Connect, Direction, PeerAttributes, Pool, PoolMode, Version};

use crate::{WITHIN, disk, plain};

/// Connects in all ways, also to nowhere and as nobody; asks monitors and managers; fences an address.
pub(crate) fn connections(conf: &Path, pool: &Pool) -> Result<()> {
    let cluster = pool.cluster();
    assert!(Version::loaded() >= Version::FLOOR);
    let nobody =
        Connect::conf(conf).client("nobody").named("x").keyring("/nowhere").option("rbd_cache", "false");
    assert!(rbd_mirror::Cluster::connect(nobody).is_err());
    assert!(rbd_mirror::Cluster::connect(Connect::conf("/nowhere/x.conf")).is_err());
    cluster.pool_names()?;
    let name = cluster.site_name()?;
    cluster.set_site_name(&name)?;
    cluster.mon_command(r#"{"prefix": "osd dump", "format": "json"}"#)?;
    assert!(cluster.mon_command(r#"{"prefix": "no such command"}"#).is_err());
    cluster.mgr_command(r#"{"prefix": "pg stat", "format": "json"}"#)?;
    let address = "127.0.0.7:0/7";
    cluster.blocklist(address, Duration::from_secs(60))?;
    cluster.blocklisted()?;
    cluster.unblocklist(address)?;
    assert!(cluster.pool("nowhere").is_err());
    Ok(())
}

/// What a pool holds, and its peers; those in a namespace of its own, so that nothing is really mirrored.
pub(crate) fn pools(pool: &Pool) -> Result<()> {
    pool.init()?;
    pool.create_namespace("every")?;
    assert!(pool.namespaces()?.contains(&"every".to_owned()));
    let apart = pool.namespace("every")?;
    apart.set_mirror_mode(PoolMode::Image)?;
    apart.mirror_mode()?;
    apart.mirror_uuid()?;
    assert!(apart.remote_namespace().is_err() || Version::loaded().minor >= 20);
    assert!(apart.set_remote_namespace("x").is_err());

    let token = apart.create_bootstrap_token()?;
    assert!(apart.import_bootstrap_token(&token, Direction::RxTx).is_err(), "a site is no peer of its own");
    let peer = apart.add_peer(Direction::RxTx, "site-x", "client.x")?;
    apart.remove_peer(&apart.add_peer_beside_others(Direction::Rx, "site-y", "client.y")?)?;
    apart.set_peer_site_name(&peer, "site-y")?;
    apart.set_peer_client(&peer, "client.y")?;
    apart.set_peer_direction(&peer, Direction::Rx)?;
    let key = Some("AQBlbW9uIGtleSBmb3IgdGVzdHM=".to_owned().into());
    apart.set_peer_attributes(&peer, &PeerAttributes { mon_host: Some("127.0.0.1".to_owned()), key })?;
    apart.peer_attributes(&peer)?;
    assert_eq!(apart.peers()?.len(), 1);
    apart.remove_peer(&peer)?;
    apart.set_mirror_mode(PoolMode::Disabled)?;
    pool.remove_namespace("every")?;

    for number in 0..300 {
        pool.set_metadata(&format!("every-{number}"), &"value ".repeat(number))?;
    }
    assert!(pool.metadata_entries().count() >= 300);
    for number in 0..300 {
        pool.metadata(&format!("every-{number}"))?;
        pool.remove_metadata(&format!("every-{number}"))?;
    }
    pool.set_config("rbd_mirroring_delete_delay", "1")?;
    assert!(pool.config()?.len() > 10);
    pool.remove_config("rbd_mirroring_delete_delay")?;

    disk(pool, "every-named")?.close()?;
    pool.rename("every-named", "every-renamed")?;
    assert!(pool.images()?.iter().any(|entry| entry.name == "every-renamed"));
    assert!(pool.create("every-renamed", 1, &plain()).is_err());
    pool.remove("every-renamed")?;
    assert!(pool.id() > 0);
    Ok(())
}

/// Objects beside the images.
pub(crate) fn objects(pool: &Pool) -> Result<()> {
    let name = "every-object";
    pool.write_object(name, b"some")?;
    pool.append_object(name, b" words")?;
    pool.write_object_at(name, 0, b"Some")?;
    assert_eq!(pool.read_object(name)?, b"Some words");
    pool.set_object_entries(name, &[("a", b"1"), ("b", b"2")])?;
    assert_eq!(pool.object_entries(name)?.len(), 2);
    pool.remove_object_entries(name, &["a"])?;
    pool.lock_object(name, "lock", "cookie", WITHIN)?;
    let lockers = pool.object_lockers(name, "lock")?;
    pool.unlock_object(name, "lock", "cookie")?;
    assert!(pool.break_object_lock(name, "lock", &lockers[0]).is_err());
    pool.remove_object(name)?;
    Ok(())
}

/// Schedules of all levels.
pub(crate) fn schedules(pool: &Pool) -> Result<()> {
    let cluster = pool.cluster();
    schedule::ready(cluster, WITHIN)?;
    let often = Schedule { start: StartTime::utc(1, 2), ..Schedule::every(Interval::minutes(600)?) };
    cluster.add_snapshot_schedule(&Level::pool(pool), often)?;
    assert!(!cluster.snapshot_schedules(&Level::Cluster)?.is_empty());
    cluster.snapshot_schedule_status(&Level::Cluster)?;
    cluster.remove_snapshot_schedule(&Level::pool(pool), Some(often))?;
    assert!(cluster.add_snapshot_schedule(&Level::image(pool, "nobody"), often).is_err());
    Ok(())
}
