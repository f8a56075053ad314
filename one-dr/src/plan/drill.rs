//! A test beside production: a snapshot at home, clones of it at the recovery site, a VM on them that is apart, the verdict, and
//! everything of it removed again. Replication goes on.

use super::build::{Build, mirrored, stage};
use crate::step::Action;

pub(super) fn steps(build: &mut Build<'_>) {
    let seconds = build.seen.at.seconds();
    for vm in build.seen.vms.clone() {
        let drill = format!("one-dr-drill-{}-{seconds}", vm.id);
        let pool = build
            .settings
            .drill
            .pool
            .clone()
            .or_else(|| build.seen.recovery.pool.get().map(|pool| pool.identity.pool.clone()));
        let pool = pool.unwrap_or_default();
        let disks: Vec<_> = vm.disks.iter().filter_map(mirrored).collect();
        let clone_of = |disk: &crate::step::Disk| format!("{drill}-{}", disk.disk);
        for disk in &disks {
            let (name, clone) = (drill.clone(), clone_of(disk));
            build.step(stage::READY, vm.id, Action::DrillSnapshot { disk: disk.clone(), name: name.clone() });
            build.step(
                stage::POWEROFF,
                vm.id,
                Action::DrillArrived { disk: disk.clone(), name: name.clone() },
            );
            build.step(
                stage::NO_WRITER,
                vm.id,
                Action::DrillClone {
                    disk: disk.clone(),
                    name: name.clone(),
                    pool: pool.clone(),
                    clone: clone.clone(),
                },
            );
            build.step(
                stage::REGISTER,
                vm.id,
                Action::DrillRegister {
                    disk: disk.disk,
                    drill: drill.clone(),
                    pool: pool.clone(),
                    clone: clone.clone(),
                },
            );
            // What is taken away again comes even after a verdict of "no".
            build.step(
                stage::VERIFY,
                vm.id,
                Action::DrillUnregister {
                    disk: disk.disk,
                    drill: drill.clone(),
                    pool: pool.clone(),
                    clone: clone.clone(),
                },
            );
            build.step(stage::SETTLE, vm.id, Action::DrillRemoveClone { pool: pool.clone(), clone });
            build.step(stage::SETTLE + 1, vm.id, Action::DrillRemoveSnapshot { disk: disk.clone(), name });
        }
        build.step(stage::BOOT, vm.id, Action::DrillInstantiate { drill: drill.clone() });
        build.step(stage::BOOT + 1, vm.id, Action::DrillRunning { drill: drill.clone() });
        build.step(stage::BOOT + 2, vm.id, Action::DrillTerminate { drill });
    }
    // Whatever does not succeed is the verdict; what was made for it is removed all the same.
    for step in &mut build.steps {
        step.optional = !step.action.cleans_up();
    }
}
