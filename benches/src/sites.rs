//! The labs of the benchmarks and what is put into them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Lab, Options, OsdCounters, Peering, Proposals, Site, SiteId};
use rbd_mirror::fleet::Fleet;
use rbd_mirror::{Cluster, Connect, CreateOptions, Features, MirrorImageMode, Op, Pool, PoolMode};

/// Long for any single operation of a busy machine.
pub(crate) const WITHIN: Duration = Duration::from_secs(120);

pub(crate) const MIB: u64 = 1 << 20;

/// One site without rbd-mirror, so that nobody but the sides asks its OSD anything.
pub(crate) fn one(name: &str, pools: &[&str], proposals: Proposals) -> Result<Lab> {
    let of_b = Daemon::ALL.map(|daemon| (SiteId::B, daemon));
    let options = Options {
        peering: Peering::None,
        proposals,
        pools: pools.iter().map(|name| lab::Pool::plain(name)).collect(),
        absent: [&[(SiteId::A, Daemon::RbdMirror)], of_b.as_slice()].concat(),
        osd_bytes: 24 << 30,
        ..Options::temporary(name)
    };
    Ok(Lab::up(options)?)
}

/// Two sites that do not know each other, without rbd-mirror.
pub(crate) fn two(name: &str, pools: &[&str]) -> Result<Lab> {
    let options = Options {
        peering: Peering::None,
        pools: pools.iter().map(|name| lab::Pool::plain(name)).collect(),
        absent: vec![(SiteId::A, Daemon::RbdMirror), (SiteId::B, Daemon::RbdMirror)],
        ..Options::temporary(name)
    };
    Ok(Lab::up(options)?)
}

/// The lab's settings that matter for a figure, in words.
pub(crate) fn settings(lab: &Lab) -> String {
    let proposals = match lab.options().proposals {
        Proposals::Stock => "monitors propose as packaged (`paxos_propose_interval` 1 s)",
        Proposals::Quick => "monitors propose after 0.05 s (packaged: 1 s)",
    };
    let sites = match lab.options().peering {
        Peering::None => "without rbd-mirror, one OSD a site, bluestore on a sparse file",
        Peering::Full => "two sites (one OSD each), peered, an rbd-mirror at each with short timers",
    };
    format!("{sites}; {proposals}; cephx on; loopback")
}

pub(crate) fn pool(site: &Site, name: &str) -> Result<Pool> {
    let connect = Connect::conf(site.conf()).client("admin").operations_within(WITHIN);
    Ok(Cluster::connect(connect)?.pool(name)?)
}

/// What images have by default, whatever a site's configuration says.
pub(crate) fn plain() -> CreateOptions {
    CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() }
}

pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number:05}")).collect()
}

/// Makes small images and enables mirroring for them.
pub(crate) fn mirrored(pool: &Pool, names: &[String], mode: MirrorImageMode, at_once: usize) -> Result<()> {
    pool.set_mirror_mode(PoolMode::Image)?;
    let made = Fleet::new(pool, names.iter().cloned()).at_once(at_once).each(
        Op::CreateImage,
        move |pool, target| {
            let name = target.to_string();
            pool.create(&name, MIB, &plain())?;
            pool.open(&name)?.enable(mode).map(drop)
        },
    );
    for outcome in made {
        outcome.result.with_context(|| format!("making {}", outcome.image))?;
    }
    Ok(())
}

/// What the site's OSD does for `what`.
pub(crate) fn cost<T>(site: &Site, what: impl FnOnce() -> Result<T>) -> Result<OsdCounters> {
    let before = site.osd_counters()?;
    what()?;
    Ok(site.osd_counters()? - before)
}

/// Fails unless everything was done.
pub(crate) fn all<T: Send + 'static>(
    outcomes: rbd_mirror::fleet::Outcomes<T>,
    count: usize,
) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for outcome in outcomes {
        outcome.result.with_context(|| outcome.image.to_string())?;
        took.push(outcome.took);
    }
    ensure!(took.len() == count, "{} outcomes of {count} images", took.len());
    Ok(took)
}
