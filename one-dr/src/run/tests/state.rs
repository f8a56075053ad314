//! What must hold after a run, whatever happened on the way.

use crate::frontend::Power;
use crate::model::Scenario;
use crate::site::Side;
use crate::stamp;
use crate::storage::Role;

/// One line for each VM and disk: where it runs, and who is primary. Numbers that a retry may change are left out.
pub(super) fn picture(scenario: &Scenario) -> Vec<String> {
    let mut lines = Vec::new();
    let mut state = scenario.model.lock();
    for (side, name) in [(Side::Home, "a"), (Side::Recovery, "b")] {
        for image in state.pool(side).images.clone() {
            let (role, parent) = (image.role(), image.parent.is_some());
            lines.push(format!(
                "{name} rbd {} {role:?} parent={parent} split={} resync={} locked={}",
                image.name, image.split_brain, image.resync, image.locked
            ));
        }
        let one = state.one(side);
        for vm in &one.vms {
            if vm.power != Power::Done {
                lines.push(format!("{name} vm {} {:?} {:?} {:?}", vm.name, vm.power, vm.owner, vm.mode));
            }
        }
        for image in &one.images {
            lines.push(format!(
                "{name} image {} {} {:?} {:?} {} used={} lock={:?}",
                image.name,
                image.source,
                image.owner,
                image.mode,
                image.mebibytes,
                image.used_by.is_some(),
                image.lock
            ));
        }
        lines.extend(one.templates.iter().map(|template| format!("{name} template {}", template.name)));
        let epochs = state.pool(side).objects.iter().filter(|(key, _)| key.starts_with("one-dr.epoch"));
        let epochs = epochs.map(|(key, bytes)| {
            let epoch: crate::epoch::Epoch = serde_json::from_slice(bytes).expect("an epoch");
            format!("{name} {key} {} {:?} {}", epoch.number, epoch.active, epoch.forced)
        });
        lines.extend(epochs.collect::<Vec<_>>());
    }
    lines.sort();
    lines
}

/// The invariants that hold at every moment.
#[track_caller]
pub(super) fn holds(scenario: &Scenario, what: &str) {
    let violations = scenario.model.violations();
    assert!(violations.is_empty(), "{what}: {violations:#?}\n{:#?}", scenario.model.trace());
    let mut state = scenario.model.lock();
    // I9: one image for each RBD image, one VM for each stamp.
    for side in [Side::Home, Side::Recovery] {
        let one = state.one(side);
        let mut sources: Vec<&String> = one.images.iter().map(|image| &image.source).collect();
        sources.sort();
        let count = sources.len();
        sources.dedup();
        assert_eq!(sources.len(), count, "{what}: I9: two images on one RBD image");
        let stamps = one.vms.iter().filter(|vm| vm.power != Power::Done).filter_map(|vm| {
            vm.attributes.iter().find(|(key, _)| key == stamp::VM).map(|(_, value)| value.clone())
        });
        let mut stamps: Vec<String> = stamps.collect();
        stamps.sort();
        let count = stamps.len();
        stamps.dedup();
        assert_eq!(stamps.len(), count, "{what}: I9: a VM twice");
    }
    // I8: no secret in what a run leaves behind. (The catalog is made to hold them.)
    for side in [Side::Home, Side::Recovery] {
        for (name, bytes) in &state.pool(side).objects {
            let secret = String::from_utf8_lossy(bytes).contains("s3cret");
            assert!(!secret || name.starts_with("one-dr.record."), "{what}: I8: a secret in {name}");
        }
    }
}

/// I4: everything that was ever acknowledged to a guest is in the primary's content.
#[track_caller]
pub(super) fn nothing_lost(scenario: &Scenario, what: &str) {
    let mut state = scenario.model.lock();
    let acknowledged = state.acknowledged.clone();
    for (id, writes) in acknowledged {
        let sides = [Side::Home, Side::Recovery];
        let primary = sides
            .into_iter()
            .find_map(|side| state.by_id(side, &id).filter(|image| image.role() == Role::Primary).cloned());
        let Some(primary) = primary else { panic!("{what}: {id} is primary nowhere") };
        let have: std::collections::BTreeSet<u64> = primary.log.iter().map(|event| event.id).collect();
        let lost: Vec<_> = writes.iter().filter(|write| !have.contains(write)).collect();
        assert!(
            lost.is_empty(),
            "{what}: I4: {} lost {} of {} writes",
            primary.name,
            lost.len(),
            writes.len()
        );
    }
}
