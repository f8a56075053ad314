//! What is wrong, or will be on the worst night: each finding with what is, what comes of it, and what to do.

use opennebula_meta::Datastore;
use serde::Serialize;

use crate::catalog;
use crate::guard;
use crate::observe::{Answer, Observation, PoolView, Scope, observe};
use crate::overview::{Reported, State, overview};
use crate::plan::{Intent, Verb};
use crate::site::{Side, SitePair};
use crate::storage::{Daemon, DaemonHealth, PoolMode};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// To be known.
    Note,
    /// To be mended by day.
    Warning,
    /// Data is at risk, or a failover would not work.
    Problem,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its stable name.
    pub id: &'static str,
    /// How bad.
    pub level: Level,
    /// The site, where it is one's.
    pub site: Option<String>,
    /// What is.
    pub evidence: String,
    /// What comes of it.
    pub consequence: String,
    /// What to do.
    pub cure: String,
}

/// What was looked at, and found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// How many things were looked at.
    pub checks: usize,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// Whether nothing is worse than a note.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.level == Level::Note)
    }

    /// Of one level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// As findings are gathered.
struct Gather<'a> {
    pair: &'a SitePair,
    checks: usize,
    findings: Vec<Finding>,
}

impl Gather<'_> {
    /// One check: what it finds is the rest of the arguments.
    #[expect(clippy::too_many_arguments, reason = "each is a column of the table that this is")]
    fn check(
        &mut self,
        found: bool,
        id: &'static str,
        level: Level,
        side: Option<Side>,
        evidence: impl Into<String>,
        consequence: &str,
        cure: impl Into<String>,
    ) {
        self.checks += 1;
        if found {
            let site = side.map(|side| self.pair.at(side).name.clone());
            let (evidence, cure) = (evidence.into(), cure.into());
            self.findings.push(Finding {
                id,
                level,
                site,
                evidence,
                consequence: consequence.to_owned(),
                cure,
            });
        }
    }
}

/// Looks at both sites, the catalog, and the VMs of `scope` one by one: what would stand in the way of moving them.
///
/// # Errors
/// What [`observe`] answers.
pub fn examine(
    pair: &SitePair,
    scope: &Scope,
    home: &Reported,
    recovery: &Reported,
) -> Result<Examination, crate::observe::Error> {
    let seen = observe(pair, scope)?;
    let mut gather = Gather { pair, checks: 0, findings: Vec::new() };
    for side in [Side::Home, Side::Recovery] {
        site(&mut gather, &seen, side);
    }
    both(&mut gather, &seen);
    metadata(&mut gather, &seen);
    replicas(&mut gather, home, recovery);
    if seen.recovery.frontend.answers() {
        datastores(&mut gather, &seen);
    }
    would_refuse(&mut gather, &seen);
    gather.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    Ok(Examination { checks: gather.checks, findings: gather.findings })
}

fn site(gather: &mut Gather<'_>, seen: &Observation, side: Side) {
    let view = seen.site(side);
    let at = Some(side);
    let cannot = if side == Side::Recovery {
        "a failover needs this site"
    } else {
        "nothing can be moved as planned; what is written there is not captured"
    };
    let why = |answer: &str| answer.to_owned();
    let silent = if let Answer::Silent(words) = &view.frontend { why(words) } else { String::new() };
    gather.check(
        !view.frontend.answers(),
        "front-end-silent",
        Level::Problem,
        at,
        silent,
        cannot,
        "look at oned, at the address and the credentials in the configuration",
    );
    let silent = if let Answer::Silent(words) = &view.pool { why(words) } else { String::new() };
    gather.check(
        !view.pool.answers(),
        "ceph-silent",
        Level::Problem,
        at,
        silent,
        cannot,
        "look at the monitors, at the configuration file and the keyring",
    );
    if let Answer::Answers(pool) = &view.pool {
        pool_of(gather, side, pool);
    }
}

fn pool_of(gather: &mut Gather<'_>, side: Side, pool: &PoolView) {
    use Level::{Problem, Warning};
    let at = Some(side);
    let (own, other) = (gather.pair.at(side).name.clone(), gather.pair.at(side.other()).name.clone());
    let identity = &pool.identity;
    let name = &identity.pool;
    gather.check(
        identity.pool_mode == PoolMode::Disabled,
        "pool-not-mirrored",
        Problem,
        at,
        format!("the pool {name} mirrors nothing"),
        "no image can be protected (guide defect G1)",
        "one-dr init",
    );
    gather.check(
        identity.pool_mode == PoolMode::Pool,
        "pool-mode-pool",
        Warning,
        at,
        format!("the pool {name} mirrors every journaled image by itself"),
        "a clone whose parent is not mirrored counts as enabled and never arrives, with health OK (G2)",
        format!("rbd mirror pool enable {name} image"),
    );
    gather.check(
        identity.site_name.is_none(),
        "no-site-name",
        Warning,
        at,
        "Ceph does not know the site's name, or does not tell it to this client",
        "the other site has two peers for it, and health is WARNING for ever although all is well (G6)",
        "one-dr init     or: ceph auth caps: mon 'profile rbd-mirror-peer'",
    );
    gather.check(
        identity.site_name.as_ref().is_some_and(|named| *named != own),
        "site-name-differs",
        Level::Note,
        at,
        format!(
            "Ceph calls the site {:?}, the configuration {own:?}",
            identity.site_name.clone().unwrap_or_default()
        ),
        "two names for one thing, on a night when names matter",
        "give both the same name",
    );
    gather.check(
        !identity.peers.iter().any(|peer| peer.receives),
        "does-not-receive",
        Problem,
        at,
        format!("the pool {name} receives from nobody"),
        if side == Side::Recovery { "nothing is replicated" } else { "after a failover nothing comes home" },
        "one-dr init",
    );
    gather.check(
        identity.peers.len() > 1,
        "several-peers",
        Warning,
        at,
        format!("{} peers: {}", identity.peers.len(), names(identity)),
        "one is what a set-up without site names left (G6)",
        format!("rbd mirror pool info {name}     then remove the one that is only {other}'s fsid"),
    );
    gather.check(
        identity.peers.iter().any(|peer| peer.receives && peer.mirror_uuid.is_none()),
        "peer-never-met",
        Problem,
        at,
        format!("its rbd-mirror has never reached {other}"),
        "a peer is configuration, not a connection",
        "look at the daemon's log: a wrong key, capabilities, or a firewall to the OSDs",
    );
    gather.check(
        identity.delete_delay_seconds.unwrap_or(0) == 0,
        "no-delete-delay",
        Warning,
        at,
        "rbd_mirroring_delete_delay is not set",
        "terminating a VM at the other site removes the copy here within seconds (G20), and a resync cannot be undone",
        "one-dr init",
    );
    daemons(gather, side, pool.daemons.as_deref());
    gather.check(
        pool.capacity.is_none(),
        "no-capacity",
        Warning,
        at,
        "its space cannot be asked for",
        "nothing warns before the pool is full",
        "ceph auth caps: mon 'profile rbd'",
    );
    let space = pool.capacity;
    gather.check(
        space.is_some_and(|space| space.full),
        "pool-full",
        Problem,
        at,
        "the pool takes no more writes",
        "the replication stands still, or guests do",
        "add space, or remove what is not needed (rbd trash ls --all)",
    );
    gather.check(
        space.is_some_and(|space| space.near_full && !space.full),
        "pool-near-full",
        Warning,
        at,
        "the cluster warns that it is nearly full",
        "a full pool stops the replication, and a journal that grows meanwhile fills the other one",
        "add space",
    );
    let lease = pool.lease.as_ref().map(|lease| format!("{} until {}", lease.owner, lease.until));
    gather.check(
        lease.is_some(),
        "run-active",
        Level::Note,
        at,
        lease.unwrap_or_default(),
        "no other run can begin",
        "one-dr history",
    );
}

fn names(identity: &crate::storage::Identity) -> String {
    identity.peers.iter().map(|peer| peer.site_name.as_str()).collect::<Vec<_>>().join(", ")
}

fn daemons(gather: &mut Gather<'_>, side: Side, daemons: Option<&[Daemon]>) {
    let at = Some(side);
    gather.check(
        daemons.is_none(),
        "daemons-unknown",
        Level::Warning,
        at,
        "the manager may not be asked for the rbd-mirror daemons",
        "nobody notices that none runs",
        "ceph auth caps: mgr 'allow command \"service dump\", allow command \"service status\"'",
    );
    gather.check(
        daemons.is_some_and(<[Daemon]>::is_empty),
        "no-daemon",
        Level::Problem,
        at,
        "no rbd-mirror daemon serves the pool",
        if side == Side::Recovery { "nothing is replicated" } else { "after a failover nothing comes home" },
        "install and start it: apt install rbd-mirror; systemctl enable --now ceph-rbd-mirror@rbd-mirror.HOST",
    );
    for daemon in daemons.unwrap_or_default() {
        let words = format!("rbd-mirror {} on {}: {}", daemon.id, daemon.host, daemon.callouts.join(", "));
        gather.check(
            matches!(daemon.health, DaemonHealth::Error | DaemonHealth::Warning),
            "daemon-complains",
            if daemon.health == DaemonHealth::Error { Level::Problem } else { Level::Warning },
            at,
            words,
            "it may replicate all the same; or nothing",
            "journalctl -u ceph-rbd-mirror@*",
        );
    }
}

fn both(gather: &mut Gather<'_>, seen: &Observation) {
    let pools = [Side::Home, Side::Recovery].map(|side| seen.site(side).pool.get());
    let [Some(home), Some(recovery)] = pools else { return };
    gather.check(
        home.identity.fsid == recovery.identity.fsid,
        "one-cluster",
        Level::Problem,
        None,
        format!("both sites are the cluster {}", home.identity.fsid),
        "there is no second site",
        "look at the two configuration files",
    );
    let major = |pool: &PoolView| {
        pool.identity.ceph.as_ref().and_then(|text| text.split('.').next().map(str::to_owned))
    };
    let (one, other) = (major(home), major(recovery));
    gather.check(
        one.is_some() && other.is_some() && one != other,
        "version-skew",
        Level::Note,
        None,
        format!("Ceph {} and {}", one.unwrap_or_default(), other.unwrap_or_default()),
        "the older site's rbd-mirror may not read what the newer one writes",
        "bring both to one release",
    );
}

fn metadata(gather: &mut Gather<'_>, seen: &Observation) {
    let why = if let Answer::Silent(why) = &seen.catalog { why.clone() } else { String::new() };
    gather.check(
        !seen.catalog.answers(),
        "no-catalog",
        Level::Problem,
        Some(Side::Recovery),
        why,
        "without the captured metadata no VM can be made at the recovery site (G16)",
        "one-dr protect VM     or: one-dr capture",
    );
    let Answer::Answers(catalog) = &seen.catalog else { return };
    let target = gather.pair.settings.targets.metadata_age_seconds;
    gather.check(
        catalog.age_seconds > target,
        "catalog-old",
        Level::Warning,
        Some(Side::Recovery),
        format!(
            "captured at {}, {} s ago; the target is {target} s",
            catalog.captured_at, catalog.age_seconds
        ),
        "what was changed since is lost in a failover (G16)",
        "one-dr capture --every 5m     as a service",
    );
    gather.check(
        !catalog.damaged.is_empty(),
        "catalog-damaged",
        Level::Problem,
        Some(Side::Recovery),
        catalog.damaged.join("; "),
        "an older version is used",
        "one-dr capture",
    );
}

fn replicas(gather: &mut Gather<'_>, home: &Reported, recovery: &Reported) {
    let overview = overview(gather.pair, home, recovery);
    for vm in overview.vms {
        let level = match vm.state {
            State::Protected | State::Syncing => Level::Note,
            _ => Level::Problem,
        };
        let id = match vm.state {
            State::TwoPrimaries => "two-primaries",
            State::SplitBrain => "split-brain",
            State::NobodyPrimary => "nobody-primary",
            State::Syncing => "first-copy",
            _ => "not-protected",
        };
        let consequence = match vm.state {
            State::TwoPrimaries => {
                "both accept writes, and one site's will be thrown away; Ceph's health is OK with it"
            }
            State::SplitBrain => "nothing is replicated until one copy is given up",
            State::Syncing => "there is no replica yet",
            _ => "it cannot be failed over as it is",
        };
        let evidence = format!("VM {} {}: {}: {}", vm.vm, vm.name, vm.state, vm.notes.join("; "));
        let cure = vm.next.unwrap_or_else(|| "one-dr status".to_owned());
        gather.check(vm.state != State::Protected, id, level, None, evidence, consequence, cure);
    }
}

/// At the recovery site the mirrored pool is for replicas alone: VM and image numbers of both front-ends meet in it.
fn datastores(gather: &mut Gather<'_>, seen: &Observation) {
    let Some(pool) = seen.recovery.pool.get() else { return };
    let Ok(datastores) = gather.pair.frontend(Side::Recovery).datastores() else { return };
    let mirrored = pool.identity.pool.clone();
    let on_it = |datastore: &&Datastore| datastore.ceph_pool() == Some(mirrored.as_str());
    let listed = |wanted: &dyn Fn(&Datastore) -> bool| {
        let named = datastores.iter().filter(on_it).filter(|one| wanted(one));
        named.map(|one| format!("{} ({})", one.name(), one.id())).collect::<Vec<_>>().join(", ")
    };
    let is_system = |one: &Datastore| one.root().value("TYPE").is_some_and(|text| text.trim() == "1");
    let systems = listed(&|one| is_system(one));
    gather.check(
        !systems.is_empty(),
        "system-datastore-on-replicas",
        Level::Problem,
        Some(Side::Recovery),
        format!("system datastore {systems} uses the mirrored pool {mirrored}"),
        "a VM made there adopts a replica of the same name, and its terminate removes it at both sites (G18)",
        "give the recovery site's own VMs another pool",
    );
    let images = listed(&|one| !is_system(one));
    gather.check(
        images.is_empty(),
        "no-replica-datastore",
        Level::Problem,
        Some(Side::Recovery),
        format!("no image datastore is on the mirrored pool {mirrored}"),
        "replicas cannot be registered",
        format!("make an image datastore with POOL_NAME={mirrored}, for replicas alone"),
    );
}

/// What a planned move of each VM would be refused for.
fn would_refuse(gather: &mut Gather<'_>, seen: &Observation) {
    let away =
        seen.vms.iter().any(|vm| vm.newest_epoch().is_some_and(|epoch| epoch.active == Side::Recovery));
    let verb = if away { Verb::Failback } else { Verb::Relocate };
    let intent = Intent::new(verb, &gather.pair.settings);
    for found in guard::check(seen, &intent) {
        let loses = !found.guard.can_be_overridden() || found.guard == guard::Guard::BothPrimary;
        let level = if loses { Level::Problem } else { Level::Warning };
        let vm = found.vm.map(|vm| format!("VM {vm}: ")).unwrap_or_default();
        let consequence = format!("{} would be refused; at risk: {}", verb.word(), found.at_risk);
        gather.check(
            true,
            found.guard.name(),
            level,
            None,
            format!("{vm}{}", found.evidence),
            &consequence,
            found.safe.join("; "),
        );
    }
    gather.checks += guard::Guard::ALL.len();
}

/// The VMs of the catalog, as many as are looked at one by one.
#[must_use]
pub fn captured(pair: &SitePair, most: usize) -> Scope {
    let newest = catalog::newest(&pair.storage(Side::Recovery));
    let vms = newest.map(|newest| newest.record.into_capture().vms).unwrap_or_default();
    Scope { vms: vms.iter().take(most).map(opennebula_meta::Vm::id).collect() }
}
