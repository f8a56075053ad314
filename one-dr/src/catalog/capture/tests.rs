//! Captures of the model's home site: what a second one tells, and one that could not be read to its end.

use opennebula_meta::drift::Drift;
use opennebula_meta::id::VmId;

use super::{CaptureError, Refreshed, refresh};
use crate::catalog;
use crate::model::{Fault, Scenario};
use crate::plan::{Intent, Verb, plan};
use crate::site::Side;
use crate::{Run, Scope, observe};

fn protected() -> Scenario {
    let scenario = Scenario::new().with_vm(12, "erp-db", "cp").with_vm(13, "erp-app", "c");
    let seen = observe(&scenario.pair, &Scope::of(&[12, 13])).unwrap();
    let intent = Intent::new(Verb::Protect, &scenario.pair.settings);
    let plan = plan(&seen, intent, &scenario.pair.settings).unwrap();
    Run::start(&scenario.pair, &scenario.store, plan).unwrap().to_end(|_| {}).unwrap();
    scenario
}

fn captured(scenario: &Scenario) -> Result<Refreshed, CaptureError> {
    let shelf = scenario.pair.storage(Side::Recovery);
    refresh(&scenario.pair, &shelf, &[], scenario.pair.clock.now())
}

#[test]
fn a_second_capture_tells_what_changed_and_what_lost_its_protection() {
    let scenario = protected();
    let still = captured(&scenario).unwrap();
    assert!(still.drift.is_empty(), "{:?}", still.drift);
    {
        let mut state = scenario.model.lock();
        state.one(Side::Home).vms[0].name = "erp-db-old".to_owned();
        // By hand: `rbd mirror image disable`.
        let disk = state.one(Side::Home).vms[1].disks[0].rbd.replace("one/", "");
        let images = &mut state.pool(Side::Home).images;
        images.iter_mut().filter(|image| image.name == disk).for_each(|image| image.global_id = None);
    }
    let told = captured(&scenario).unwrap();
    assert_eq!(told.record.capture().vms.len(), 2);
    let words: Vec<String> = told.drift.iter().map(ToString::to_string).collect();
    assert!(words.iter().any(|line| line == r#"VM 12: renamed from "erp-db" to "erp-db-old""#), "{words:?}");
    let dangerous: Vec<&Drift> = told.drift.iter().filter(|one| one.is_dangerous()).collect();
    assert!(matches!(dangerous.as_slice(), [Drift::Unprotected { vm: VmId(13), .. }]), "{words:?}");
}

#[test]
fn a_capture_that_lacks_something_leaves_the_version_before_the_newest() {
    let scenario = protected();
    let shelf = scenario.pair.storage(Side::Recovery);
    let before = catalog::newest(&shelf).unwrap();
    // Which calls a capture makes at home, from `version` to the list of what is mirrored.
    let clean = scenario.fork();
    let first = clean.model.calls();
    captured(&clean).unwrap();
    let calls = clean.model.calls() - first;
    let trace = clean.model.trace();
    let ops = trace[trace.len() - usize::try_from(calls).unwrap()..].to_vec();
    let mut failed = 0;
    for (number, op) in
        (1..).zip(&ops).filter(|(_, op)| op.contains("imagepool") || op.contains("datastorepool"))
    {
        for fault in [Fault::Error, Fault::Hang] {
            let scenario = scenario.fork();
            scenario.model.inject(number, fault);
            let error = captured(&scenario).expect_err(op);
            assert!(
                error.is_unreachable() && error.to_string().contains("the version before stays"),
                "{error}"
            );
            scenario.model.heal();
            let shelf = scenario.pair.storage(Side::Recovery);
            assert_eq!(catalog::newest(&shelf).unwrap().version, before.version, "{op}");
            failed += 1;
        }
    }
    assert!(failed >= 4, "{ops:?}");
}

#[test]
fn a_vm_that_is_gone_from_home_stays_in_the_catalog() {
    let scenario = protected();
    scenario.model.lock().one(Side::Home).vms[1].power = crate::frontend::Power::Done;
    let told = captured(&scenario).unwrap();
    assert!(told.record.capture().vm(VmId(13)).is_some());
    assert!(
        told.drift.iter().any(|one| matches!(one, Drift::VmGone { vm: VmId(13), .. })),
        "{:?}",
        told.drift
    );
}
