//! An unplanned move: the site that goes on is all that is needed. Force is used for the images whose demotion has not
//! arrived, and only because the operator asked for this verb.

use super::build::{Build, mirrored, stage};
use crate::frontend::Power;
use crate::guard::Guard;
use crate::observe::VmView;
use crate::site::Side;
use crate::step::Action;
use crate::storage::{Completeness, Role};

/// What a power-off may cost that will hardly succeed: a guest without its disks does not listen.
const TRY_SECONDS: u64 = 10;

pub(super) fn steps(build: &mut Build<'_>) {
    let (from, to) = (build.intent.from, build.intent.to);
    let passed = |guard| build.intent.overrides.contains_key(&guard);
    let beside = passed(Guard::PeerStillPrimaryAndAlive);
    let completeness = if passed(Guard::NotSynced) { Completeness::Assumed } else { Completeness::Proven };
    let hard = build.intent.hard;
    for vm in build.seen.vms.clone() {
        if is_there_already(&vm, from, to) {
            continue;
        }
        build.leave_volatile(&vm);
        if let Some(at) = vm.at(from)
            && at.power.may_run()
        {
            // A front-end without its pool cannot do it: the VM cannot write there either, and comes back as it was.
            let alive = build.seen.pool_answers(from);
            let step = build.step(stage::POWEROFF, vm.id, Action::Poweroff { at: from, hard });
            if !alive {
                step.optional = true;
                step.limit_seconds = TRY_SECONDS;
            }
        }
        if build.seen.pool_answers(from) {
            for disk in vm.disks.iter().filter_map(mirrored) {
                // Powered off is no proof: what OpenNebula does not see may still write.
                let optional = passed(Guard::WritersPresent);
                build.step(stage::NO_WRITER, vm.id, Action::NoWriter { at: from, disk }).optional = optional;
            }
        }
        let mut forced = false;
        for view in &vm.disks {
            let Some(disk) = mirrored(view) else { continue };
            match view.at(to).role() {
                Some(Role::Primary) => {}
                // The other site's demotion has arrived: nothing is lost, and nothing has to be forced.
                Some(Role::Orphan) if !view.at(from).is_primary() => {
                    build.step(stage::PROMOTE, vm.id, Action::Promote { at: to, disk: disk.clone() });
                }
                _ => {
                    forced = true;
                    build.data_at_risk.push(risk(build, view, from, to));
                    let beside_a_primary = beside && view.at(from).is_primary();
                    let force =
                        Action::ForcePromote { at: to, disk: disk.clone(), completeness, beside_a_primary };
                    build.step(stage::PROMOTE, vm.id, force);
                }
            }
            build.step(stage::PROMOTE, vm.id, Action::TakeOver { at: to, disk });
        }
        let forced = forced || vm.newest_epoch().is_some_and(|epoch| epoch.forced && epoch.active == to);
        build.raise(&vm, to, forced, &[to]);
        if to == Side::Recovery {
            build.register(&vm, stage::REGISTER, true);
        }
    }
    if !build.steps.is_empty() {
        build.boot(to);
        build.pause_seconds = Some((20, 120));
    }
}

/// Whether it runs there, on its own disks, by our own record: there is nothing left to do.
pub(super) fn is_there_already(vm: &VmView, from: Side, to: Side) -> bool {
    vm.disks.iter().all(|disk| disk.at(to).is_primary() && !disk.at(from).is_primary())
        && vm.at(to).is_some_and(|at| at.power == Power::Running)
        && vm.at(from).is_none_or(|at| !at.power.may_run())
        // One that was never moved has no record, and is at home.
        && vm.epoch(to).map_or(to == Side::Home, |epoch| epoch.active == to)
}

fn risk(build: &Build<'_>, view: &crate::observe::DiskView, from: Side, to: Side) -> String {
    let site = &build.seen.site(from).name;
    let contact = view.at(to).view().and_then(|view| view.last_contact);
    match contact {
        Some(contact) => format!(
            "{}: what site {site} wrote after {contact} (at most {} s when this was observed)",
            view.image,
            build.seen.at.since(contact).as_secs()
        ),
        None => format!(
            "{}: what site {site} wrote last, and nothing tells how much: the last contact is not known",
            view.image
        ),
    }
}
