//! Protection: flatten, then enable, then wait for the proof at the other site; then keep what OpenNebula knows, and put images
//! and template in place there, locked.

use super::Error;
use super::build::{Build, stage};
use crate::observe::VmView;
use crate::site::Side;
use crate::step::{Action, Step};
use crate::storage::{PoolMode, Role};

pub(super) fn steps(build: &mut Build<'_>) -> Result<(), Error> {
    for side in [Side::Home, Side::Recovery] {
        let site = build.seen.site(side);
        if let Some(pool) = site.pool.get()
            && pool.identity.pool_mode != PoolMode::Image
        {
            return Err(Error::Unfit(format!(
                "pool {} at site {} does not mirror single images (mode {:?}): one-dr init",
                pool.identity.pool, site.name, pool.identity.pool_mode
            )));
        }
    }
    for vm in build.seen.vms.clone() {
        for disk in &vm.disks {
            disk_steps(build, &vm, disk)?;
        }
        build.register(&vm, stage::REGISTER, false);
    }
    let vms: Vec<_> = build.seen.vms.iter().map(|vm| vm.id).collect();
    if !vms.is_empty() {
        let limit_seconds = build.settings.limits.step_seconds;
        let action = Action::Capture { vms };
        build.steps.push(Step { stage: stage::RECORD, vm: None, limit_seconds, optional: false, action });
    }
    Ok(())
}

fn disk_steps(build: &mut Build<'_>, vm: &VmView, disk: &crate::observe::DiskView) -> Result<(), Error> {
    let image = disk.image.clone();
    let label = format!("disk {} ({image}) of {}", disk.disk, vm.label());
    if let Some(pool) = &disk.elsewhere {
        return Err(Error::Unfit(format!("{label} is in pool {pool}, which is not the mirrored one")));
    }
    let Some(view) = disk.home.view() else {
        return Err(Error::Unfit(format!("{label} is not in the pool at site {}", build.seen.home.name)));
    };
    if view.role.is_non_primary() {
        return Err(Error::Unfit(format!(
            "{label} is {} at home: it is active at the other site, or was left behind: one-dr status",
            view.role
        )));
    }
    if view.parent.is_some() || view.role != Role::Primary {
        build.step(stage::READY, vm.id, Action::KeepFeatures { image: image.clone() });
    }
    if view.parent.is_some() {
        build.step(stage::READY, vm.id, Action::Flatten { image: image.clone() });
    }
    let mode = build.settings.mirror_mode;
    if view.role != Role::Primary {
        build.step(stage::POWEROFF, vm.id, Action::Enable { image: image.clone(), mode });
    }
    build.step(stage::NO_WRITER, vm.id, Action::FollowsByName { image });
    Ok(())
}
