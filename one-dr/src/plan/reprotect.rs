//! After a failover, when the other site is back: quarantine it, demote its copies, give them up and fetch them anew, so that
//! it follows. `to` is the site whose data stays.

use super::build::{Build, mirrored, stage};
use crate::observe::{DiskView, VmView};
use crate::site::Side;
use crate::step::Action;
use crate::storage::{Follower, Role};

pub(super) fn steps(build: &mut Build<'_>) {
    let winner = build.intent.to;
    let loser = winner.other();
    let hard = build.intent.hard;
    for vm in build.seen.vms.clone() {
        let forced = vm.newest_epoch().is_some_and(|epoch| epoch.forced && epoch.active == winner);
        let known = |side| vm.epoch(side).map_or(0, |epoch| epoch.number);
        let follows = vm.disks.iter().all(|disk| matches!(disk.follower, Some(Follower::CaughtUp)));
        if follows && !forced && known(winner) == known(loser) {
            continue;
        }
        // First of all: what may write there, does not.
        // Without its front-end, that nobody writes has to be proof enough.
        let sees = build.seen.site(loser).frontend.answers();
        build.step(stage::POWEROFF, vm.id, Action::Poweroff { at: loser, hard }).optional = !sees;
        for view in &vm.disks {
            let Some(disk) = mirrored(view) else { continue };
            build.step(stage::NO_WRITER, vm.id, Action::NoWriter { at: loser, disk: disk.clone() });
            let needs = needs_resync(view, &vm, winner);
            if view.at(loser).is_primary() {
                build.step(stage::DEMOTE, vm.id, Action::Demote { at: loser, disk: disk.clone() });
            }
            if let Some(old) = view.at(loser).view().filter(|_| needs) {
                build.data_at_risk.push(format!(
                    "{}: the copy at site {} (image id {}) is given up: what was written there and not at site {} is \
                     gone with it (its trash keeps it for the delete delay, if one is set)",
                    view.image,
                    build.seen.site(loser).name,
                    old.image_id,
                    build.seen.site(winner).name
                ));
                let old = old.image_id.clone();
                build.step(stage::PROMOTE, vm.id, Action::Resync { at: loser, disk: disk.clone(), old });
            }
            build.step(stage::VERIFY, vm.id, Action::Follows { primary: winner, disk });
        }
        settle(build, &vm, winner);
    }
}

/// Whether the copy that is left behind has to be fetched anew.
fn needs_resync(view: &DiskView, vm: &VmView, winner: Side) -> bool {
    let loser = winner.other();
    if matches!(view.follower, Some(Follower::CaughtUp)) {
        return false;
    }
    let diverged = view.two_primaries()
        || view.at(loser).view().is_some_and(|view| view.split_brain)
        || matches!(view.follower, Some(Follower::SplitBrain | Follower::Disconnected));
    let forced = vm.newest_epoch().is_some_and(|epoch| epoch.forced && epoch.active == winner);
    diverged || forced && view.at(loser).role() != Some(Role::NotMirrored)
}

/// Both sites know who is active, and that nothing is left to be fetched.
fn settle(build: &mut Build<'_>, vm: &VmView, winner: Side) {
    let before = build.steps.len();
    build.raise(vm, winner, false, &[winner, winner.other()]);
    for step in build.steps.iter_mut().skip(before) {
        step.stage = stage::SETTLE;
    }
}
