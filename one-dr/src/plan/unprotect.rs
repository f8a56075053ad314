//! The opposite of a protection: mirroring is disabled, the replicas go, and the images get the features back that they had.

use super::build::{Build, mirrored, stage};
use crate::step::Action;
use crate::storage::Role;

pub(super) fn steps(build: &mut Build<'_>) {
    for vm in build.seen.vms.clone() {
        for view in &vm.disks {
            if view.home.role() != Some(Role::NotMirrored)
                && let Some(disk) = mirrored(view)
            {
                build.data_at_risk.push(format!(
                    "{}: its replica at site {} is removed",
                    view.image, build.seen.recovery.name
                ));
                build.step(stage::DEMOTE, vm.id, Action::Disable { disk });
            }
            build.step(stage::PROMOTE, vm.id, Action::RestoreFeatures { image: view.image.clone() });
        }
    }
}
