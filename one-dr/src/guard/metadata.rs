//! Guards of OpenNebula's side: what was captured, and what the recovery site makes of it.

use super::{Check, Guard};
use crate::observe::{Answer, VmView};
use crate::plan::Verb;
use crate::site::Side;

pub(super) fn check(check: &mut Check<'_>) {
    let intent = check.intent;
    let registers =
        intent.to == Side::Recovery && matches!(intent.verb, Verb::Relocate | Verb::Failover | Verb::Drill);
    let vms = check.seen.vms.clone();
    for vm in &vms {
        if registers || intent.verb == Verb::Protect {
            registered(check, vm);
            unmapped(check, vm);
        }
        if registers {
            stale(check, vm);
        }
    }
}

fn registered(check: &mut Check<'_>, vm: &VmView) {
    let b = check.seen.recovery.name.clone();
    for disk in &vm.disks {
        let foreign: Vec<String> = disk
            .registered
            .iter()
            .filter(|image| !image.ours)
            .map(|image| format!("{} ({:?})", image.id, image.name))
            .collect();
        if foreign.is_empty() && disk.registered.len() < 2 {
            continue;
        }
        let evidence = if foreign.is_empty() {
            let ids: Vec<String> = disk.registered.iter().map(|image| image.id.to_string()).collect();
            format!("OpenNebula at site {b} has {} several times: images {}.", disk.image, ids.join(", "))
        } else {
            format!(
                "OpenNebula at site {b} has {} of {} registered already, and not by this tool: image {}.",
                disk.image,
                vm.label(),
                foreign.join(", ")
            )
        };
        check.find(
            Guard::SourceAlreadyRegistered,
            Some(vm.id),
            evidence,
            "OpenNebula does not notice two images on one RBD image: two VMs could write to it",
            &[
                "look which VM uses it: oneimage show. Never `oneimage delete` it while the RBD image is primary: that deletes the data at both sites",
            ],
        );
    }
    if !vm.duplicates.is_empty() {
        let ids: Vec<String> = vm.duplicates.iter().map(ToString::to_string).collect();
        check.find(
            Guard::SourceAlreadyRegistered,
            Some(vm.id),
            format!("site {b} has {} more than once: also VM {}.", vm.label(), ids.join(", ")),
            "two VMs on the same disks",
            &["onevm show them, and remove the one that was not made by the last run"],
        );
    }
}

fn unmapped(check: &mut Check<'_>, vm: &VmView) {
    if vm.unmapped.is_empty() {
        return;
    }
    let b = check.seen.recovery.name.clone();
    check.find(
        Guard::Unmapped,
        Some(vm.id),
        format!("{} cannot be made at site {b}: {}.", vm.label(), vm.unmapped.join("; ")),
        "the VM would not be accepted there, or would come up on a wrong network",
        &["name the counterparts in the configuration's [site_map], or make them at site B; then one-dr doctor"],
    );
}

fn stale(check: &mut Check<'_>, vm: &VmView) {
    if vm.at_recovery.is_some() {
        return;
    }
    let capture = format!("one-dr capture {}", vm.id);
    let find = |check: &mut Check<'_>, evidence: String, at_risk: &str| {
        check.find(Guard::MetadataStale, Some(vm.id), evidence, at_risk, &[&capture]);
    };
    let catalog = match check.seen.catalog.clone() {
        Answer::Answers(catalog) => catalog,
        Answer::Silent(why) => {
            return find(
                check,
                why,
                "without its metadata the disks are there, and no VM can be made of them",
            );
        }
    };
    if !vm.captured {
        return find(
            check,
            format!("{} is not in the captured metadata of {}.", vm.label(), catalog.captured_at),
            "without its metadata the disks are there, and no VM can be made of them",
        );
    }
    if !vm.drift.is_empty() {
        find(
            check,
            format!("{} has changed since {}: {}.", vm.label(), catalog.captured_at, vm.drift.join("; ")),
            "the VM would come up as it was then",
        );
    }
    let target = check.intent.targets.metadata_age_seconds;
    if catalog.age_seconds > target {
        find(
            check,
            format!(
                "the metadata of {} was captured at {}, {} s ago (target {target} s).",
                vm.label(),
                catalog.captured_at,
                catalog.age_seconds
            ),
            "changes of the VM since then are not in it",
        );
    }
    if !catalog.damaged.is_empty() {
        find(
            check,
            format!(
                "newer metadata is damaged ({}); what was captured at {} would be used.",
                catalog.damaged.join("; "),
                catalog.captured_at
            ),
            "changes of the VM since then are not in it",
        );
    }
}
