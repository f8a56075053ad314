//! Back from a switch that was stopped part-way, as long as nothing is primary at the site that was aimed at.

use super::build::{Build, mirrored, stage};
use crate::step::Action;

pub(super) fn steps(build: &mut Build<'_>) {
    let back = build.intent.to;
    for vm in build.seen.vms.clone() {
        for view in &vm.disks {
            if view.at(back).is_primary() {
                continue;
            }
            let Some(disk) = mirrored(view) else { continue };
            build.step(stage::PROMOTE, vm.id, Action::Promote { at: back, disk });
        }
    }
    build.boot(back);
}
