//! What the verbs share: the order of stages, limits, the steps of a registration.

use std::collections::BTreeMap;

use opennebula_meta::id::VmId;

use super::{Error, Intent, Plan, VERSION, Verb};
use crate::epoch::Epoch;
use crate::frontend::LockLevel;
use crate::guard::Finding;
use crate::observe::{Answer, DiskView, Observation, VmView};
use crate::settings::Settings;
use crate::site::Side;
use crate::step::{Action, Disk, Step};

/// The stages, in order. Boot groups come after `BOOT`, one stage each.
pub(super) mod stage {
    pub(in crate::plan) const READY: u32 = 10;
    pub(in crate::plan) const POWEROFF: u32 = 20;
    pub(in crate::plan) const NO_WRITER: u32 = 30;
    pub(in crate::plan) const DEMOTE: u32 = 40;
    pub(in crate::plan) const PROMOTE: u32 = 50;
    pub(in crate::plan) const RECORD: u32 = 60;
    pub(in crate::plan) const REGISTER: u32 = 70;
    pub(in crate::plan) const BOOT: u32 = 1000;
    pub(in crate::plan) const VERIFY: u32 = u32::MAX - 10;
    pub(in crate::plan) const SETTLE: u32 = u32::MAX - 5;
}

/// Steps as they are put together.
pub(super) struct Build<'a> {
    pub(super) seen: &'a Observation,
    pub(super) intent: &'a Intent,
    pub(super) settings: &'a Settings,
    pub(super) steps: Vec<Step>,
    pub(super) data_at_risk: Vec<String>,
    pub(super) pause_seconds: Option<(u64, u64)>,
}

/// Refuses at once what cannot be looked at.
pub(super) fn needed(seen: &Observation, intent: &Intent) -> Result<(), Error> {
    let (pools, frontends): (&[Side], &[Side]) = match intent.verb {
        Verb::Protect | Verb::Drill => (&[Side::Recovery, Side::Home], &[Side::Recovery, Side::Home]),
        Verb::Unprotect => (&[Side::Home], &[]),
        Verb::Relocate | Verb::Failback => (&[Side::Recovery, Side::Home], &[Side::Recovery, Side::Home]),
        Verb::Failover => (std::slice::from_ref(&intent.to), std::slice::from_ref(&intent.to)),
        Verb::Configure | Verb::Reprotect | Verb::Abort => (&[Side::Recovery, Side::Home], &[]),
    };
    let instead = match intent.verb {
        Verb::Relocate => {
            "wait until it is back; or, if it is gone: one-dr plan failover (see what would be lost)"
        }
        Verb::Failback | Verb::Reprotect => "wait until it is back: nothing is lost meanwhile",
        Verb::Failover => "one-dr doctor: a failover needs that site alone",
        _ => "bring it back first: one-dr doctor",
    };
    let silent = |side: Side, why: &String| Error::Unreachable {
        verb: intent.verb,
        site: seen.site(side).name.clone(),
        why: why.clone(),
        instead: instead.to_owned(),
    };
    for side in pools {
        if let Answer::Silent(why) = &seen.site(*side).pool {
            return Err(silent(*side, why));
        }
    }
    for side in frontends {
        if let Answer::Silent(why) = &seen.site(*side).frontend {
            return Err(silent(*side, why));
        }
    }
    Ok(())
}

/// A mirrored disk of a view.
pub(super) fn mirrored(view: &DiskView) -> Option<Disk> {
    let id = view.global_id.clone()?;
    Some(Disk { disk: view.disk, image: view.image.clone(), id })
}

impl<'a> Build<'a> {
    pub(super) fn new(seen: &'a Observation, intent: &'a Intent, settings: &'a Settings) -> Self {
        Self { seen, intent, settings, steps: Vec::new(), data_at_risk: Vec::new(), pause_seconds: None }
    }

    pub(super) fn step(&mut self, stage: u32, vm: VmId, action: Action) -> &mut Step {
        let limits = &self.settings.limits;
        let limit_seconds = match &action {
            Action::Poweroff { .. } => limits.poweroff_seconds,
            Action::NoWriter { .. } | Action::Demote { .. } => limits.no_writer_seconds,
            Action::ReverseRegistered { .. }
            | Action::DemotionArrived { .. }
            | Action::Promote { .. }
            | Action::Synced { .. }
            | Action::DrillArrived { .. } => limits.mirror_seconds,
            Action::Follows { .. } | Action::FollowsByName { .. } | Action::Resync { .. } => {
                limits.copy_seconds
            }
            Action::Running { .. } | Action::DrillRunning { .. } => limits.start_seconds,
            _ => limits.step_seconds,
        };
        let at = self.steps.len();
        self.steps.push(Step { stage, vm: Some(vm), limit_seconds, optional: false, action });
        &mut self.steps[at]
    }

    /// The next record of a VM, at both sites where they answer.
    pub(super) fn raise(&mut self, vm: &VmView, active: Side, forced: bool, sides: &[Side]) {
        let number = vm.newest_epoch().map_or(0, |epoch| epoch.number) + 1;
        let run = format!("{} {}", self.intent.verb.word(), self.seen.fingerprint());
        let epoch = Epoch { number, active, forced, at: self.seen.at, run };
        for side in sides {
            self.step(stage::RECORD, vm.id, Action::RaiseEpoch { at: *side, epoch: epoch.clone() });
        }
    }

    /// What is on no image stays where it is.
    pub(super) fn leave_volatile(&mut self, vm: &VmView) {
        let (from, to) = (&self.seen.site(self.intent.from).name, &self.seen.site(self.intent.to).name);
        for disk in &vm.volatile {
            self.data_at_risk.push(format!(
                "disk {disk} of {} is volatile: what is on it stays at site {from}, site {to} has one of its own",
                vm.label()
            ));
        }
    }

    /// Images, template and VM at the recovery site. With `instantiate` false they are only put in place, locked.
    pub(super) fn register(&mut self, vm: &VmView, at: u32, instantiate: bool) {
        let disks: Vec<_> = vm.disks.iter().map(|disk| disk.disk).collect();
        for disk in &disks {
            self.step(at, vm.id, Action::RegisterImage { disk: *disk });
            self.step(at, vm.id, Action::OwnImage { disk: *disk });
            self.step(at, vm.id, Action::PermitImage { disk: *disk });
        }
        self.step(at, vm.id, Action::StageTemplate);
        if !instantiate {
            for disk in &disks {
                self.step(at, vm.id, Action::LockImage { disk: *disk, level: LockLevel::Use });
            }
            return;
        }
        for disk in &disks {
            self.step(at, vm.id, Action::UnlockImage { disk: *disk });
        }
        self.step(at, vm.id, Action::Instantiate);
        self.step(at, vm.id, Action::OwnVm);
        self.step(at, vm.id, Action::PermitVm);
        for disk in &disks {
            // Every change of an image's state takes its lock away.
            self.step(at, vm.id, Action::LockImage { disk: *disk, level: LockLevel::Manage });
        }
    }

    /// Starts the VMs in the order of their groups.
    pub(super) fn boot(&mut self, side: Side) {
        let mut vms: Vec<(u32, VmId)> = self.seen.vms.iter().map(|vm| (vm.group, vm.id)).collect();
        vms.sort_by_key(|(group, _)| *group);
        let mut last = None;
        for (group, vm) in vms {
            let at = stage::BOOT.saturating_add(group.min(1 << 24).saturating_mul(10));
            let seconds = self.settings.boot.delay_seconds(group);
            if last != Some(group) && seconds > 0 {
                let pause = Action::Pause { seconds };
                let limit_seconds = seconds.saturating_add(60);
                self.steps.push(Step { stage: at, vm: None, limit_seconds, optional: false, action: pause });
            }
            last = Some(group);
            self.step(at + 1, vm, Action::Start { at: side });
            self.step(at + 2, vm, Action::Running { at: side });
        }
    }

    pub(super) fn finish(self, findings: Vec<Finding>) -> Plan {
        let mut steps = self.steps;
        // Stable: within a stage the order is the one in which they were put together.
        steps.sort_by_key(|step| step.stage);
        let (seen, intent) = (self.seen, self.intent);
        let disks: BTreeMap<VmId, Vec<Disk>> =
            seen.vms.iter().map(|vm| (vm.id, vm.disks.iter().filter_map(mirrored).collect())).collect();
        let keeper = match intent.verb {
            Verb::Failover | Verb::Reprotect => intent.to,
            _ if seen.pool_answers(Side::Recovery) => Side::Recovery,
            _ => Side::Home,
        };
        let record = seen.catalog.get().map(|catalog| catalog.address.clone());
        Plan {
            version: VERSION,
            intent: intent.clone(),
            at: seen.at,
            home: seen.home.name.clone(),
            recovery: seen.recovery.name.clone(),
            keeper,
            leases: [Side::Recovery, Side::Home]
                .into_iter()
                .filter(|side| seen.pool_answers(*side))
                .collect(),
            scope: seen.scope.clone(),
            names: seen.vms.iter().map(|vm| (vm.id, vm.name.clone())).collect(),
            disks,
            record: record.filter(|_| intent.verb != Verb::Protect),
            steps,
            findings,
            data_at_risk: self.data_at_risk,
            pause_seconds: self.pause_seconds,
            fingerprint: seen.fingerprint(),
        }
    }
}
