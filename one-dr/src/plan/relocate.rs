//! A planned move, there (relocate) or home (failback): stop, prove that nobody writes, demote, wait for the demotion, promote,
//! start. Nothing is lost, or the move does not happen.

use super::build::{Build, mirrored, stage};
use super::failover::is_there_already;
use super::{Error, Verb};
use crate::frontend::Power;
use crate::site::Side;
use crate::step::Action;

pub(super) fn steps(build: &mut Build<'_>) -> Result<(), Error> {
    let (from, to) = (build.intent.from, build.intent.to);
    let hard = build.intent.hard;
    for vm in build.seen.vms.clone() {
        if to == Side::Home && vm.at_home.is_none() {
            return Err(Error::Unfit(format!(
                "{} is not at site {} any more, so it cannot be resumed there; its disks are at site {}",
                vm.label(),
                build.seen.home.name,
                build.seen.recovery.name
            )));
        }
        if is_there_already(&vm, from, to) {
            continue;
        }
        if let Some(at) = vm.at(from)
            && matches!(at.power, Power::Unknown | Power::Failed)
        {
            return Err(Error::Unfit(format!(
                "{} is {} at site {}: OpenNebula cannot power it off, and a guest that runs on would lose what it writes. See to \
                 its host first: `onevm show {}`. Never `onevm recover --delete`: that removes disks",
                vm.label(),
                at.power,
                build.seen.site(from).name,
                at.id
            )));
        }
        build.leave_volatile(&vm);
        for disk in vm.disks.iter().filter_map(mirrored) {
            build.step(stage::READY, vm.id, Action::Synced { primary: from, disk: disk.clone() });
            build.step(stage::READY, vm.id, Action::ReverseRegistered { at: to, disk: disk.clone() });
            build.step(stage::NO_WRITER, vm.id, Action::NoWriter { at: from, disk: disk.clone() });
            build.step(stage::DEMOTE, vm.id, Action::Demote { at: from, disk: disk.clone() });
            build.step(stage::PROMOTE, vm.id, Action::DemotionArrived { at: to, disk: disk.clone() });
            build.step(stage::PROMOTE, vm.id, Action::Promote { at: to, disk: disk.clone() });
            build.step(stage::VERIFY, vm.id, Action::Follows { primary: to, disk });
        }
        build.step(stage::POWEROFF, vm.id, Action::Poweroff { at: from, hard });
        build.raise(&vm, to, false, &[to, from]);
        if to == Side::Recovery {
            build.register(&vm, stage::REGISTER, true);
        }
    }
    if !build.steps.is_empty() {
        build.boot(to);
        let disks: u64 = build.seen.vms.iter().map(|vm| u64::try_from(vm.disks.len()).unwrap_or(0)).sum();
        build.pause_seconds = Some((20 + disks, 60 + 5 * disks));
    }
    debug_assert!(matches!(build.intent.verb, Verb::Relocate | Verb::Failback));
    Ok(())
}
