//! The rbd-mirror daemons of a pool: what only the `rbd` command computes otherwise.
//!
//! The daemons register with the manager's service map (`service dump`) and report each pool's state there (`service status`,
//! a JSON text within JSON). Needs the manager capability `allow r`, or both commands by name.

use std::fmt;

use crate::error::{Error, Result};
use crate::json::{self, Tree, Value};
use crate::op::Op;
use crate::pool::Pool;
use crate::status::SiteState;

/// An rbd-mirror daemon that serves a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Daemon {
    /// The number under which it is in the service map.
    pub service_id: String,
    /// The number of the client with which it works on this pool, as [`crate::Watcher::client_id`] shows it.
    pub instance_id: Option<String>,
    /// The user's id it runs as, without `client.rbd-mirror.`.
    pub client_id: String,
    /// The machine it runs on.
    pub hostname: String,
    /// Its release: `16.2.15`.
    pub version: String,
    /// Whether it leads those of this pool.
    pub leader: bool,
    /// The worst of its callouts, or a warning if it says nothing of this pool.
    pub health: Health,
    /// What it complains of.
    pub callouts: Vec<String>,
    /// How many images of the pool it has; `None` if it says nothing of this pool.
    pub images: Option<u64>,
}

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Health {
    /// Well.
    Ok,
    /// To be looked at.
    Warning,
    /// Broken.
    Error,
}

impl fmt::Display for Health {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        })
    }
}

impl fmt::Display for Daemon {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rbd-mirror {} on {}: {}", self.client_id, self.hostname, self.health)?;
        for callout in &self.callouts {
            write!(f, ", {callout}")?;
        }
        Ok(())
    }
}

/// A pool's health at one site, as `rbd mirror pool status` computes it. It is that site's own word: two primaries are `Ok`
/// ([`crate::survey`] says more).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PoolHealth {
    /// The worst of its images: an error in any, or a warning while any is unknown.
    pub images: Health,
    /// The worst of its daemons; `None` if there is none.
    pub daemons: Option<Health>,
    /// How many images are in which state.
    pub states: Vec<(SiteState, u32)>,
}

impl PoolHealth {
    fn new(daemons: &[Daemon], states: Vec<(SiteState, u32)>) -> Self {
        let of_state = |(state, _): &(SiteState, u32)| match state {
            SiteState::Error => Health::Error,
            SiteState::Unknown => Health::Warning,
            _ => Health::Ok,
        };
        let images = states.iter().filter(|(_, count)| *count > 0).map(of_state).max().unwrap_or(Health::Ok);
        Self { images, daemons: daemons.iter().map(|daemon| daemon.health).max(), states }
    }

    /// Both together. Without a daemon it is a warning at the least.
    #[must_use]
    #[inline]
    pub fn overall(&self) -> Health {
        self.images.max(self.daemons.unwrap_or(Health::Warning))
    }
}

impl Pool {
    /// The pool's health at this site: the summary of its images and its daemons, four calls whatever its size.
    ///
    /// # Errors
    /// As [`daemons`](Self::daemons) and [`status_summary`](Self::status_summary).
    ///
    /// Similar to: `rbd mirror pool status`
    #[inline]
    pub fn health(&self) -> Result<PoolHealth> {
        Ok(PoolHealth::new(&self.daemons()?, self.status_summary()?))
    }

    /// The rbd-mirror daemons that serve this pool at this site. A daemon that was killed stays listed until the manager misses
    /// it: a minute, by default.
    ///
    /// # Errors
    /// [`Error::Command`] (`EACCES`) without the capability; [`Error::Unreachable`] if no manager answers.
    ///
    /// Similar to: `rbd mirror pool status --verbose` (its list of daemons)
    #[inline]
    pub fn daemons(&self) -> Result<Vec<Daemon>> {
        let cluster = self.cluster().bounded_by(self.bound());
        let ask = |prefix| cluster.mgr_command(&json::command(&[("prefix", prefix), ("format", "json")]));
        let (dump, status) = (ask("service dump")?.output, ask("service status")?.output);
        let read = json::parse(&dump).zip(json::parse(&status));
        let what = "the manager's service map";
        let unreadable = || Error::Unreadable { op: Op::DaemonStatus, on: self.subject(), what };
        let (dump, status) = read.ok_or_else(unreadable)?;
        Ok(daemons(&dump, &status, self.id()))
    }
}

/// Of a daemon that is in the map of services and that the manager has no report of. After a pause of the whole site that is longer than
/// `mgr_service_beacon_grace`, the manager may drop a daemon whose connection lives on; it hears of it when it registers again, and that
/// is at its next start alone (seen on 16.2.15).
const UNHEARD_OF: &str = "the manager has not heard from it: restart it if that lasts";

fn daemons(dump: &Value<'_>, status: &Value<'_>, pool_id: i64) -> Vec<Daemon> {
    let listed = ["services", "rbd-mirror", "daemons"].iter().try_fold(dump, |within, name| within.get(name));
    let pool_id = pool_id.to_string();
    let heard_of = |service_id: &str| status.get("rbd-mirror")?.get(service_id);
    let daemon =
        |service_id: &str, entry: &Value<'_>| Daemon::read(service_id, entry, heard_of(service_id), &pool_id);
    let listed = listed.map(Value::members).unwrap_or_default().iter();
    listed.filter_map(|(service_id, entry)| daemon(service_id, entry)).collect()
}

impl Daemon {
    /// Out of its entry in the service map and what the manager has heard of it. `None` for the field "summary" among the daemons: a daemon
    /// has metadata.
    fn read(
        service_id: &str,
        entry: &Value<'_>,
        heard_of: Option<&Value<'_>>,
        pool_id: &str,
    ) -> Option<Self> {
        let metadata = entry.get("metadata")?;
        let text = |of: &Value<'_>, name| of.get(name).and_then(Value::text).unwrap_or_default().to_owned();
        let report = heard_of.and_then(|report| report.get("status")?.get("json")?.text());
        let pools = report.and_then(|report| json::parse(report.as_bytes()));
        let pool = pools.as_ref().and_then(|pools| pools.get(pool_id));
        let said = |name| pool.and_then(|pool| pool.get(name));
        let mut health = if pool.is_some() { Health::Ok } else { Health::Warning };
        let mut callouts = Vec::new();
        if heard_of.is_none() {
            callouts.push(UNHEARD_OF.to_owned());
        }
        for (_, callout) in said("callouts").map(Value::members).unwrap_or_default() {
            health = health.max(level(&text(callout, "level")));
            callouts.push(text(callout, "text"));
        }
        let instance_id = said("instance_id").and_then(Value::text).filter(|id| !id.is_empty());
        Some(Self {
            service_id: service_id.to_owned(),
            instance_id: instance_id.map(str::to_owned),
            client_id: text(metadata, "id"),
            hostname: text(metadata, "hostname"),
            version: text(metadata, "ceph_version_short"),
            leader: said("leader").and_then(Value::boolean).unwrap_or_default(),
            health,
            callouts,
            images: pool.map(|_| said("image_assigned_count").and_then(Value::unsigned).unwrap_or_default()),
        })
    }
}

fn level(word: &str) -> Health {
    match word {
        "error" => Health::Error,
        "info" => Health::Ok,
        _ => Health::Warning,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Daemon, Health, PoolHealth};
    use crate::json;
    use crate::status::SiteState;

    fn daemons(dump: &Value, status: &Value) -> Vec<Daemon> {
        let (dump, status) = (dump.to_string(), status.to_string());
        super::daemons(&json::parse(dump.as_bytes()).unwrap(), &json::parse(status.as_bytes()).unwrap(), 1)
    }

    fn dump() -> Value {
        json!({"services": {"rbd-mirror": {"daemons": {
            "summary": "",
            "4126": {"gid": 4126, "metadata": {"id": "vm", "hostname": "node1", "ceph_version_short": "16.2.15"}}
        }}}})
    }

    fn status(report: &str) -> Value {
        json!({"rbd-mirror": {"4126": {"status": {"json": report}}}})
    }

    fn only(dump: &Value, status: &Value) -> Daemon {
        let mut found = daemons(dump, status);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn a_daemon_that_serves_the_pool_without_complaint_is_healthy() {
        let report = r#"{"1":{"name":"one","callouts":{},"image_assigned_count":3,"instance_id":"4129","leader":true}}"#;
        let daemon = only(&dump(), &status(report));
        assert_eq!(daemon.health, Health::Ok);
        assert_eq!(
            (daemon.instance_id.as_deref(), daemon.leader, daemon.images),
            (Some("4129"), true, Some(3))
        );
        assert_eq!((daemon.hostname.as_str(), daemon.version.as_str()), ("node1", "16.2.15"));
    }

    #[test]
    fn the_worst_callout_is_the_daemons_health() {
        let report = r#"{"1":{"callouts":{"7":{"level":"warning","text":"slow"},"8":{"level":"error","text":"unable to connect to remote cluster"}}}}"#;
        let daemon = only(&dump(), &status(report));
        assert_eq!(daemon.health, Health::Error);
        assert_eq!(daemon.callouts, ["slow", "unable to connect to remote cluster"]);
    }

    #[test]
    fn a_daemon_that_says_nothing_of_this_pool_is_a_warning() {
        assert_eq!(only(&dump(), &status(r#"{"2":{"callouts":{}}}"#)).health, Health::Warning);
        let unheard_of = only(&dump(), &json!({}));
        assert_eq!(
            (unheard_of.health, unheard_of.callouts.as_slice()),
            (Health::Warning, [super::UNHEARD_OF.to_owned()].as_slice())
        );
        assert_eq!(only(&dump(), &status("not json")).health, Health::Warning);
    }

    #[test]
    fn the_worst_image_and_the_worst_daemon_make_the_pools_health() {
        let none = PoolHealth::new(&[], vec![(SiteState::Replaying, 3)]);
        assert_eq!((none.images, none.daemons, none.overall()), (Health::Ok, None, Health::Warning));
        let unknown = PoolHealth::new(&[], vec![(SiteState::Unknown, 1), (SiteState::Error, 0)]);
        assert_eq!(unknown.images, Health::Warning);
        let error = PoolHealth::new(&[], vec![(SiteState::Unknown, 1), (SiteState::Error, 1)]);
        assert_eq!(error.overall(), Health::Error);
    }

    #[test]
    fn a_manager_without_such_daemons_lists_none() {
        assert_eq!(daemons(&json!({"services": {}}), &json!({})), []);
    }
}
