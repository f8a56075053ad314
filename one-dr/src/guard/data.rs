//! Guards of the data: is everything there, whole, and nobody else's.

use super::{Check, Guard};
use crate::observe::{DiskView, SideImage, VmView};
use crate::plan::Verb;
use crate::site::Side;
use crate::storage::{Follower, Role};

pub(super) fn check(check: &mut Check<'_>) {
    let vms = check.seen.vms.clone();
    for vm in &vms {
        let verb = check.intent.verb;
        for disk in &vm.disks {
            collision(check, vm, disk);
            match verb {
                Verb::Relocate | Verb::Failback | Verb::Failover | Verb::Drill => {
                    missing(check, vm, disk);
                    parent(check, vm, disk);
                    synced(check, vm, disk);
                }
                _ => {}
            }
            if verb == Verb::Failover {
                rpo(check, vm, disk);
            }
            if matches!(verb, Verb::Relocate | Verb::Failback | Verb::Reprotect) {
                writers(check, vm, disk);
            }
        }
        if matches!(verb, Verb::Protect | Verb::Relocate | Verb::Failover) {
            for reason in &vm.out_of_reach {
                check.find(
                    Guard::ReplicaMissingDisk,
                    Some(vm.id),
                    format!("{}: {reason}: it is on no RBD image that could be mirrored.", vm.label()),
                    "the data of that disk stays at home",
                    &["move the disk to the mirrored Ceph datastore, or detach it"],
                );
            }
        }
    }
}

fn collision(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    if !disk.namesake {
        return;
    }
    let b = check.seen.recovery.name.clone();
    check.find(
        Guard::NameCollisionAtB,
        Some(vm.id),
        format!(
            "site {b} has an image named {} that is not the replica of disk {} of {}.",
            disk.image,
            disk.disk,
            vm.label()
        ),
        format!("OpenNebula at site {b} would take one for the other; no replica can be made while the name is taken"),
        &["rbd info of it at that site: rename or remove it, and give site B's own images a pool of their own"],
    );
}

fn missing(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    let to = check.intent.to;
    let site = check.seen.site(to).name.clone();
    let why = if let Some(pool) = &disk.elsewhere {
        Some(format!("is in pool {pool}, which is not the mirrored one"))
    } else if disk.global_id.is_none()
        || disk.home.role() == Some(Role::NotMirrored) && !disk.recovery.is_primary()
    {
        Some("is not mirrored".to_owned())
    } else {
        match disk.at(to) {
            SideImage::Absent => Some(format!("has no copy at site {site}")),
            SideImage::Present(view) if view.name != disk.image => Some(format!(
                "is called {} at site {site}: a snapshot revert moved the protection",
                view.name
            )),
            _ => None,
        }
    };
    let Some(why) = why else { return };
    let protect = format!("one-dr protect {}", vm.id);
    check.find(
        Guard::ReplicaMissingDisk,
        Some(vm.id),
        format!("disk {} ({}) of {} {why}.", disk.disk, disk.image, vm.label()),
        format!("the VM would start at site {site} without that disk, or with an old one"),
        &[&protect],
    );
}

fn parent(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    let to = check.intent.to;
    if let Some(view) = disk.at(to).view()
        && let Some(parent) = &view.parent
    {
        let protect = format!("one-dr protect {}", vm.id);
        check.find(
            Guard::UnflattenedClone,
            Some(vm.id),
            format!(
                "{} of {} at site {} is still a clone of {parent}.",
                disk.image,
                vm.label(),
                check.seen.site(to).name
            ),
            "the disk is whole only while its parent is, at that site too",
            &[&protect],
        );
    }
}

fn synced(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    let (from, to) = (check.intent.from, check.intent.to);
    let target = disk.at(to);
    if target.is_primary() {
        return;
    }
    let site = check.seen.site(to).name.clone();
    let label = format!("disk {} ({}) of {}", disk.disk, disk.image, vm.label());
    let incomplete = target.view().map(|view| view.complete);
    let why = match (&disk.follower, incomplete) {
        // By the primary's journal it replays, so it is complete; what the daemon said last may be from before.
        (Some(Follower::CaughtUp | Follower::Behind(_)), _) => None,
        // Whatever else is said: a first copy that is not complete is no image.
        (_, Some(Some(false))) => Some("its first copy is not complete".to_owned()),
        (Some(Follower::NoReplica), _) => None,
        (Some(Follower::PeerSilent | Follower::TwoPrimaries | Follower::NotPrimary), _) => None,
        (Some(bad), _) if disk.at(from).is_primary() => Some(bad.to_string()),
        // An orphan has replayed the other site's demotion, so it was complete.
        (_, Some(None))
            if target.role() != Some(Role::Orphan)
                && !disk.at(from).is_primary()
                && check.intent.verb == Verb::Failover =>
        {
            Some("nothing there says whether its first copy was ever complete".to_owned())
        }
        _ => None,
    };
    if let Some(why) = why {
        let status = format!("one-dr status {}     wait until it follows", vm.id);
        check.find(
            Guard::NotSynced,
            Some(vm.id),
            format!("{label} at site {site}: {why}."),
            "half an image is no image: its file systems may not mount, or lose what was written last",
            &[&status],
        );
    }
}

fn rpo(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    let (from, to) = (check.intent.from, check.intent.to);
    let target = check.intent.targets.last_contact_seconds;
    let Some(view) = disk.at(to).view() else { return };
    if view.role == Role::Primary || disk.at(from).is_primary() || view.role == Role::Orphan {
        return;
    }
    let Some(contact) = view.last_contact else { return };
    let age = check.seen.at.since(contact).as_secs();
    if age <= target {
        return;
    }
    let site = check.seen.site(from).name.clone();
    check.find(
        Guard::RpoExceeded,
        Some(vm.id),
        format!(
            "disk {} ({}) of {}: the last confirmed contact with site {site} was at {contact}, {age} s ago (target {target} s).",
            disk.disk,
            disk.image,
            vm.label()
        ),
        format!(
            "what site {site} wrote since then, if it still stands: up to {age} s. \"0 behind\" says nothing about a silent site"
        ),
        &["if site A can be brought back, bring it back first: nothing is lost while it is not forced"],
    );
}

fn writers(check: &mut Check<'_>, vm: &VmView, disk: &DiskView) {
    // In a resync the copy that is given up is looked at; in a switch the one that is left.
    let side = if check.intent.verb == Verb::Reprotect { check.intent.to.other() } else { check.intent.from };
    let Some(view) = disk.at(side).view() else { return };
    let runs = vm.at(side).is_some_and(|at| at.power.may_run());
    if runs || view.users.is_empty() {
        return;
    }
    let users: Vec<String> = view.users.iter().map(ToString::to_string).collect();
    let site = check.seen.site(side).name.clone();
    let what = if side == Side::Home { "at home" } else { "there" };
    check.find(
        Guard::WritersPresent,
        Some(vm.id),
        format!(
            "{} of {} is open for writing at site {site} by {}, although its VM does not run {what}.",
            disk.image,
            vm.label(),
            users.join(", ")
        ),
        "a writer that OpenNebula does not know of: its writes are lost, or go into a copy that is given up",
        &["find and stop it at that address (virsh list; rbd status); then try again"],
    );
}
