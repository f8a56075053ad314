//! Guards of who is primary.

use std::cmp::Ordering;

use super::{Check, Guard};
use crate::observe::{DiskView, VmView};
use crate::plan::Verb;
use crate::site::Side;

pub(super) fn check(check: &mut Check<'_>) {
    let vms = check.seen.vms.clone();
    for vm in &vms {
        epoch(check, vm);
        for disk in &vm.disks {
            match check.intent.verb {
                Verb::Failover => failover(check, vm, disk),
                Verb::Relocate | Verb::Failback => switch(check, vm, disk),
                Verb::Reprotect => reprotect(check, vm, disk),
                Verb::Abort => abort(check, vm, disk),
                Verb::Configure | Verb::Protect | Verb::Unprotect | Verb::Drill => {
                    both_primary(check, vm, disk);
                }
            }
        }
    }
}

/// `one/one-7-12-0 of erp-db (VM 12)`.
fn named(check: &Check<'_>, vm: &VmView, disk: &DiskView) -> String {
    let pool = [Side::Home, Side::Recovery]
        .iter()
        .find_map(|side| check.seen.site(*side).pool.get().map(|pool| pool.identity.pool.clone()));
    format!("{}/{} of {}", pool.unwrap_or_default(), disk.image, vm.label())
}

fn writers(disk: &DiskView, side: Side) -> String {
    let users = disk.at(side).view().map(|view| view.users.clone()).unwrap_or_default();
    if users.is_empty() {
        "nobody has it open now".to_owned()
    } else {
        let users: Vec<String> = users.iter().map(ToString::to_string).collect();
        format!("open for writing by {}", users.join(", "))
    }
}

fn both_primary(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    if !disk.two_primaries() {
        return;
    }
    let (a, b) = (check.seen.home.name.clone(), check.seen.recovery.name.clone());
    let evidence = format!(
        "{} is primary at BOTH sites: at {a} {}; at {b} {}. Ceph calls this healthy.",
        named(check, vm, disk),
        writers(disk, Side::Home),
        writers(disk, Side::Recovery)
    );
    let ways = ways_out(check, vm);
    let ways: Vec<&str> = ways.iter().map(String::as_str).collect();
    check.find(
        Guard::BothPrimary,
        Some(vm.id),
        evidence,
        "both accept writes and neither gets the other's: one site's writes since the switch will be given up",
        &ways,
    );
}

/// What leads out of two primaries: the site that our record names keeps its data. Without a record only the operator can say which.
fn ways_out(check: &Check<'_>, vm: &VmView) -> Vec<String> {
    let number = |side| vm.epoch(side).map_or(0, |epoch| epoch.number);
    let site = |side| &check.seen.site(side).name;
    let keep = |winner: Side| {
        let reversed = if winner == Side::Home { " --reversed" } else { "" };
        format!("one-dr plan reprotect{reversed} {}", vm.id)
    };
    match number(Side::Recovery).cmp(&number(Side::Home)) {
        Ordering::Greater => vec![keep(Side::Recovery)],
        Ordering::Less => vec![keep(Side::Home)],
        Ordering::Equal => [Side::Home, Side::Recovery]
            .map(|side| {
                let name = Guard::BothPrimary.name();
                format!("{} --override {name}=WHY     keeps what site {} has", keep(side), site(side))
            })
            .to_vec(),
    }
}

fn failover(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    let (from, to) = (check.intent.from, check.intent.to);
    if disk.two_primaries() {
        return both_primary(check, vm, disk);
    }
    if !disk.at(from).is_primary() || disk.at(to).is_primary() {
        return;
    }
    let site = check.seen.site(from).name.clone();
    let evidence = format!(
        "site {site} answers, and {} is primary there, {}.",
        named(check, vm, disk),
        writers(disk, from)
    );
    let planned = match to {
        Side::Recovery => format!("one-dr plan relocate {}", vm.id),
        Side::Home => format!("one-dr plan failback {}", vm.id),
    };
    check.find(
        Guard::PeerStillPrimaryAndAlive,
        Some(vm.id),
        evidence,
        format!(
            "forcing now makes two primaries (split brain): what site {site} writes from {} on will later be discarded",
            check.seen.at
        ),
        &[&planned],
    );
}

fn switch(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    both_primary(check, vm, disk);
    let (from, to) = (check.intent.from, check.intent.to);
    let (source, target) = (disk.at(from), disk.at(to));
    // A stale copy, demoted and never resynced: Ceph would promote it without force.
    let stale = target.role().is_some_and(crate::storage::Role::is_non_primary)
        && (disk.split_brain()
            || vm.newest_epoch().is_some_and(|epoch| epoch.forced && epoch.active == from));
    if stale && !disk.two_primaries() {
        let (here, there) = (check.seen.site(to).name.clone(), check.seen.site(from).name.clone());
        let evidence = format!(
            "{} at site {here} is an old copy: site {there} was made primary without it, and it was never resynced.",
            named(check, vm, disk)
        );
        let plan = format!("one-dr plan reprotect {}", vm.id);
        check.find(
            Guard::NotSynced,
            Some(vm.id),
            evidence,
            format!(
                "everything written at site {there} since then: Ceph would promote the old copy without asking"
            ),
            &[&plan],
        );
    }
    if !source.is_primary()
        && !target.is_primary()
        && source.role().is_none()
        && target.role().is_some()
        && check.seen.pool_answers(from)
    {
        let evidence = format!("{} is not at site {}.", named(check, vm, disk), check.seen.site(from).name);
        check.find(
            Guard::NotSynced,
            Some(vm.id),
            evidence,
            "a copy that follows nothing is of no known moment",
            &["one-dr status"],
        );
    }
}

fn reprotect(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    let winner = check.intent.to;
    if !disk.at(winner).is_primary() {
        let evidence = format!(
            "{} is not primary at site {}, from which the other copy would be fetched.",
            named(check, vm, disk),
            check.seen.site(winner).name
        );
        let plan = format!("one-dr status {}", vm.id);
        check.find(
            Guard::ResyncPeerNotPrimary,
            Some(vm.id),
            evidence,
            "a resync deletes the copy first: with no primary to fetch it from, the last good copy is gone",
            &[&plan, "promote the site that has the newest data first"],
        );
    }
    let loser = winner.other();
    let number = |side| vm.epoch(side).map_or(0, |epoch| epoch.number);
    if disk.two_primaries() && number(winner) <= number(loser) {
        both_primary(check, vm, disk);
    }
}

fn abort(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    let (back, target) = (check.intent.to, check.intent.from);
    if disk.at(target).is_primary() {
        let there = check.seen.site(target).name.clone();
        let evidence = format!("{} is primary at site {there} already.", named(check, vm, disk));
        check.find(
            Guard::PeerIsPrimary,
            Some(vm.id),
            evidence,
            format!("promoting site {} beside it makes two primaries", check.seen.site(back).name),
            &["one-dr resume RUN     goes on to the end; move back from there"],
        );
    }
}

fn epoch(check: &mut Check<'_>, vm: &VmView) {
    let intent = check.intent;
    if !matches!(intent.verb, Verb::Relocate | Verb::Failback | Verb::Protect | Verb::Drill) {
        return;
    }
    let Some(newest) = vm.newest_epoch() else { return };
    let from = if intent.verb == Verb::Protect { Side::Home } else { intent.from };
    if !check.seen.pool_answers(from) {
        return;
    }
    let known = vm.epoch(from).map_or(0, |epoch| epoch.number);
    if newest.number <= known {
        return;
    }
    let (left, active) = (check.seen.site(from).name.clone(), check.seen.site(newest.active).name.clone());
    let evidence = format!(
        "{} was switched to site {active} at {} (epoch {}, run {}); site {left} has not heard of it (epoch {known}).",
        vm.label(),
        newest.at,
        newest.number,
        newest.run
    );
    let plan = format!("one-dr plan reprotect {}", vm.id);
    check.find(
        Guard::EpochOld,
        Some(vm.id),
        evidence,
        format!(
            "site {left}'s disks and metadata are older than the switch: taking them for the truth undoes it"
        ),
        &[&plan],
    );
}
