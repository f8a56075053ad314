//! Guards of a site as a whole: another run, room, daemons, versions.

use super::{Check, Guard};
use crate::observe::PoolView;
use crate::plan::Verb;
use crate::site::Side;
use crate::storage::DaemonHealth;

pub(super) fn check(check: &mut Check<'_>) {
    for side in [Side::Recovery, Side::Home] {
        if let Some(pool) = check.seen.site(side).pool.get().cloned() {
            lease(check, side, &pool);
        }
    }
    let intent = check.intent;
    if let Some(pool) = check.seen.site(intent.to).pool.get().cloned() {
        capacity(check, intent.to, &pool);
        daemons(check, intent.to, &pool);
    }
    versions(check);
}

fn lease(check: &mut Check<'_>, side: Side, pool: &PoolView) {
    let Some(lease) = &pool.lease else { return };
    let site = check.seen.site(side).name.clone();
    check.find(
        Guard::AnotherRunActive,
        None,
        format!(
            "{} holds the lease of one-dr at site {site} until {} (and may prolong it).",
            lease.owner, lease.until
        ),
        "two operators who switch the same disks in opposite directions",
        &[
            "one-dr history        shows the run; wait for it, or speak to its operator",
            "one-dr resume RUN     if it was killed: the same operator gets the lease back at once, others after that time",
        ],
    );
}

fn capacity(check: &mut Check<'_>, side: Side, pool: &PoolView) {
    let Some(space) = &pool.capacity else { return };
    let needed: u64 = if check.intent.verb == Verb::Protect {
        // What is not there yet. Thin images take less; a full pool stops every VM in it.
        let vms = check.seen.vms.iter().flat_map(|vm| &vm.disks);
        vms.filter(|disk| disk.recovery.view().is_none())
            .filter_map(|disk| disk.home.view())
            .map(|view| view.bytes)
            .sum()
    } else {
        0
    };
    let site = check.seen.site(side).name.clone();
    let gib = |bytes: u64| bytes.div_ceil(1 << 30);
    if space.full || space.near_full || needed > space.free_bytes {
        let state = if space.full {
            "is full".to_owned()
        } else if space.near_full {
            "is nearly full".to_owned()
        } else {
            format!("has {} GiB left, and up to {} GiB are to come", gib(space.free_bytes), gib(needed))
        };
        check.find(
            Guard::InsufficientCapacity,
            None,
            format!("pool {} at site {site} {state}.", pool.identity.pool),
            "a full pool stops every write in it: those of the VMs that run there, and the replication",
            &["add space at that site, or purge its trash: rbd trash ls -l; rbd trash purge"],
        );
    }
}

fn daemons(check: &mut Check<'_>, side: Side, pool: &PoolView) {
    let Some(daemons) = &pool.daemons else { return };
    if !matches!(check.intent.verb, Verb::Protect | Verb::Relocate | Verb::Failback | Verb::Failover) {
        return;
    }
    let well = |health| matches!(health, DaemonHealth::Ok | DaemonHealth::Warning);
    if daemons.iter().any(|daemon| well(daemon.health)) {
        return;
    }
    let site = check.seen.site(side).name.clone();
    let state = if daemons.is_empty() {
        "no rbd-mirror daemon runs".to_owned()
    } else {
        let words: Vec<String> = daemons
            .iter()
            .map(|daemon| format!("{} on {}: {:?}", daemon.id, daemon.host, daemon.health))
            .collect();
        format!("no rbd-mirror daemon is well ({})", words.join("; "))
    };
    check.find(
        Guard::MirrorDaemonDownAtSurvivor,
        None,
        format!("at site {site} {state}."),
        "what the other site wrote last has not been fetched, and a demotion there is never heard of here",
        &[
            "right after `one-dr init` or a start of the daemon: wait half a minute, until it has reported",
            "else: systemctl start ceph-rbd-mirror.target at that site, then try again",
        ],
    );
}

/// The first number of `16.2.15`.
fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

fn versions(check: &mut Check<'_>) {
    let (home, recovery) = (&check.seen.home, &check.seen.recovery);
    let ceph = |site: &crate::observe::SiteView| {
        site.pool.get().and_then(|pool| pool.identity.ceph.as_deref().and_then(major))
    };
    let mut found = Vec::new();
    if let (Some(a), Some(b)) = (ceph(home), ceph(recovery))
        && a.abs_diff(b) > 3
    {
        found.push(format!("Ceph is {a} at site {} and {b} at site {}.", home.name, recovery.name));
    }
    let one = |site: &crate::observe::SiteView| site.frontend.get().and_then(|text| major(text));
    if let (Some(a), Some(b)) = (one(home), one(recovery))
        && b < a
    {
        found.push(format!(
            "OpenNebula is {a}.x at site {} and only {b}.x at site {}.",
            home.name, recovery.name
        ));
    }
    for evidence in found {
        check.find(
            Guard::VersionSkew,
            None,
            evidence,
            "a VM or an image that the older site does not understand",
            &["upgrade the older site first"],
        );
    }
}
