//! The opposite of a protection: mirroring is disabled, the replicas go, the images get the features back that they had, and the
//! VM goes out of the catalog. What OpenNebula at the recovery site has of it is left to the operator.

use super::build::{Build, mirrored, stage};
use crate::observe::VmView;
use crate::site::Side;
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
        if build.seen.pool_answers(Side::Recovery) && vm.captured {
            build.step(stage::RECORD, vm.id, Action::Forget);
        }
        left(build, &vm);
    }
}

/// What stays in OpenNebula at the recovery site, without a disk under it.
fn left(build: &mut Build<'_>, vm: &VmView) {
    let mut left: Vec<String> = vm.at_recovery.iter().map(|at| format!("VM {}", at.id)).collect();
    left.extend(vm.template.iter().map(|template| format!("template {}", template.id)));
    let images = vm.disks.iter().flat_map(|disk| &disk.registered).filter(|image| image.ours);
    left.extend(images.map(|image| format!("image {}", image.id)));
    if !left.is_empty() {
        build.data_at_risk.push(format!(
            "{} stays in OpenNebula at site {}, with nothing under it ({}): terminate and delete these there",
            vm.label(),
            build.seen.recovery.name,
            left.join(", ")
        ));
    }
}
