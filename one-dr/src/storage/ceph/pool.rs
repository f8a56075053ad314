//! What a site says of itself.

use rbd_mirror::{CommandReply, ConfigSource, Error as CephError, Pool, Version};
use serde_json::Value;

use super::Ceph;
use crate::storage::{Capacity, Daemon, DaemonHealth, Identity, MirrorUuid, PeerView, PoolMode, Result};

type CephResult<T> = rbd_mirror::Result<T>;

pub(super) const DELETE_DELAY: &str = "rbd_mirroring_delete_delay";

impl Ceph {
    pub(super) fn read_identity(&self) -> Result<Identity> {
        self.here.read("ask who it is", identity)
    }

    pub(super) fn read_daemons(&self) -> Result<Vec<Daemon>> {
        let daemons = self.here.read("list rbd-mirror daemons", Pool::daemons)?;
        let daemon = |daemon: rbd_mirror::health::Daemon| Daemon {
            id: daemon.client_id,
            host: daemon.hostname,
            version: daemon.version,
            leader: daemon.leader,
            health: match daemon.health {
                _ if daemon.images.is_none() => DaemonHealth::Unknown,
                rbd_mirror::health::Health::Ok => DaemonHealth::Ok,
                rbd_mirror::health::Health::Warning => DaemonHealth::Warning,
                rbd_mirror::health::Health::Error => DaemonHealth::Error,
            },
            callouts: daemon.callouts,
        };
        Ok(daemons.into_iter().map(daemon).collect())
    }

    pub(super) fn read_capacity(&self) -> Result<Capacity> {
        self.here.read("ask for its space", |pool| {
            let ask = |command| pool.cluster().bounded_by(pool.bound()).mon_command(command);
            let df = ask(r#"{"prefix": "df", "detail": "detail", "format": "json"}"#)?;
            let checks = ask(r#"{"prefix": "health", "format": "json"}"#)
                .or_else(|_| ask(r#"{"prefix": "status", "format": "json"}"#));
            let checks = checks.map(|reply| read(&reply)).unwrap_or_default();
            let unreadable = || CephError::Unreadable {
                op: rbd_mirror::Op::MonCommand,
                on: pool.spec().clone().into(),
                what: "the pool's part of `df`",
            };
            capacity(&read(&df), &checks, &pool.spec().pool).ok_or_else(unreadable)
        })
    }
}

fn identity(pool: &Pool) -> CephResult<Identity> {
    let cluster = pool.cluster().bounded_by(pool.bound());
    let fsid = cluster.fsid().to_owned();
    let pool_mode = match pool.mirror_mode()? {
        rbd_mirror::PoolMode::Disabled => PoolMode::Disabled,
        rbd_mirror::PoolMode::Image => PoolMode::Image,
        rbd_mirror::PoolMode::Pool => PoolMode::Pool,
        _ => PoolMode::Other,
    };
    let mirror_uuid = match pool.mirror_uuid() {
        // A pool that never mirrored has none.
        Err(CephError::NotFound { .. }) => MirrorUuid::new(""),
        other => other?,
    };
    let peers = pool.peers()?.into_iter().map(|peer| PeerView {
        uuid: peer.uuid.as_str().to_owned(),
        receives: peer.direction.receives(),
        sends: matches!(peer.direction, rbd_mirror::Direction::Tx | rbd_mirror::Direction::RxTx),
        site_name: peer.site_name,
        mirror_uuid: peer.mirror_uuid,
        last_seen: peer.last_seen.map(Into::into),
    });
    let peers = peers.collect();
    let version = cluster.mon_command(r#"{"prefix": "version", "format": "json"}"#);
    Ok(Identity {
        site_name: Some(cluster.site_name()?).filter(|name| *name != fsid && !name.is_empty()),
        fsid,
        pool: pool.spec().pool.to_string(),
        mirror_uuid,
        pool_mode,
        peers,
        delete_delay_seconds: delete_delay(pool)?,
        librbd: Version::loaded().to_string(),
        ceph: version.ok().and_then(|reply| release(&reply)),
    })
}

/// What is set; none where it is left at Ceph's own nothing.
fn delete_delay(pool: &Pool) -> CephResult<Option<u64>> {
    let option = pool.config()?.into_iter().find(|option| option.name == DELETE_DELAY);
    let option = option.map(|option| (option.value.trim().parse::<u64>().ok(), option.source));
    Ok(option.and_then(|(value, source)| value.filter(|value| *value > 0 || source == ConfigSource::Pool)))
}

/// `ceph version 16.2.15 (618f...) pacific (stable)`
fn release(reply: &CommandReply) -> Option<String> {
    read(reply).get("version")?.as_str()?.split_whitespace().nth(2).map(str::to_owned)
}

/// The answer as JSON; null where it is none.
fn read(reply: &CommandReply) -> Value {
    serde_json::from_slice(&reply.output).unwrap_or_default()
}

fn capacity(df: &Value, health: &Value, name: &str) -> Option<Capacity> {
    let pools = df.get("pools")?.as_array()?;
    let stats =
        pools.iter().find(|pool| pool.get("name").and_then(Value::as_str) == Some(name))?.get("stats")?;
    let number = |key: &str| stats.get(key).and_then(Value::as_u64);
    let used_bytes = number("stored").or_else(|| number("bytes_used"))?;
    let free = number("max_avail")?;
    // OpenNebula takes the quota as a whole for free; what is used of it is not.
    let quota = number("quota_bytes").filter(|quota| *quota > 0);
    let free_bytes = quota.map_or(free, |quota| free.min(quota.saturating_sub(used_bytes)));
    let checks = health.get("checks").or_else(|| health.pointer("/health/checks")).and_then(Value::as_object);
    let has =
        |names: &[&str]| checks.is_some_and(|checks| names.iter().any(|name| checks.contains_key(*name)));
    Some(Capacity {
        used_bytes,
        free_bytes,
        near_full: has(&["POOL_NEAR_FULL", "OSD_NEARFULL", "POOL_NEARFULL", "OSD_BACKFILLFULL"]),
        full: has(&["POOL_FULL", "OSD_FULL"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::capacity;

    fn df(quota: u64) -> Value {
        let stats = json!({"stored": 60, "bytes_used": 180, "max_avail": 1000, "quota_bytes": quota});
        json!({"pools": [{"name": "other", "stats": {}}, {"name": "one", "stats": stats}]})
    }

    #[test]
    fn a_quota_leaves_what_is_not_used_of_it() {
        assert_eq!(capacity(&df(0), &Value::Null, "one").unwrap().free_bytes, 1000);
        assert_eq!(capacity(&df(100), &Value::Null, "one").unwrap().free_bytes, 40);
        assert_eq!(capacity(&df(50), &Value::Null, "one").unwrap().free_bytes, 0);
        assert!(capacity(&df(0), &Value::Null, "absent").is_none());
    }

    #[test]
    fn the_clusters_warning_is_taken_over_from_health_and_from_status() {
        let checks = json!({"POOL_FULL": {}});
        for health in [json!({"checks": checks}), json!({"health": {"checks": checks}})] {
            let space = capacity(&df(0), &health, "one").unwrap();
            assert!(space.full && !space.near_full);
        }
    }
}
