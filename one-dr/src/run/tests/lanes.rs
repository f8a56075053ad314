//! Several VMs at once: they wait side by side, and change one after the other.

use super::{intent, plan_of, protected};
use crate::model::Scenario;
use crate::plan::Verb;
use crate::run::{End, Event, Run, Stop};
use crate::site::Side;
use crate::step::Action;

/// What a relocation tells of both power-offs: the VM's number, and what came.
fn power_offs(scenario: &Scenario, stop_at_first: bool) -> (End, Vec<String>, Vec<Option<Stop>>) {
    let mut relocate = intent(scenario, Verb::Relocate);
    relocate.stop_at_first = stop_at_first;
    let plan = plan_of(scenario, relocate, &[12, 13]).unwrap();
    let steps = plan.steps.clone();
    let mut told = Vec::new();
    let report = Run::start(&scenario.pair, &scenario.store, plan)
        .unwrap()
        .to_end(|event| {
            let (at, word) = match event {
                Event::Began { step } => (*step, "begins"),
                Event::Waiting { step, .. } => (*step, "waits"),
                Event::Done { step, .. } => (*step, "done"),
                Event::Stopped { step, .. } => (*step, "stops"),
                Event::Progress { .. } => return,
            };
            if matches!(steps[at].action, Action::Poweroff { .. }) {
                told.push(format!("{} {word}", steps[at].vm.unwrap()));
            }
        })
        .unwrap();
    let stops = report.vms.iter().map(|vm| vm.stopped.clone().map(|(_, stop)| stop)).collect();
    (report.end, told, stops)
}

#[test]
fn guests_go_down_side_by_side() {
    let (end, told, _) = power_offs(&protected(), false);
    assert_eq!(end, End::Done);
    let place =
        |words: &str| told.iter().position(|line| line == words).unwrap_or_else(|| panic!("{told:?}"));
    assert!(place("13 begins") < place("12 done"), "{told:?}");
}

#[test]
fn a_guest_that_does_not_listen_holds_nobody_up_within_its_stage() {
    let scenario = protected();
    scenario.model.lock().one(Side::Home).vms[0].deaf = true;
    let (end, told, stops) = power_offs(&scenario, false);
    assert_eq!(end, End::Stopped);
    let place =
        |words: &str| told.iter().position(|line| line == words).unwrap_or_else(|| panic!("{told:?}"));
    assert!(place("13 done") < place("12 stops"), "{told:?}");
    assert!(matches!(stops.as_slice(), [Some(Stop::Wait { .. }), None]), "{stops:?}");
}

#[test]
fn who_asked_to_stop_at_the_first_failure_gets_nobody_moved() {
    let scenario = protected();
    scenario.model.lock().one(Side::Home).vms[0].deaf = true;
    let (end, _, stops) = power_offs(&scenario, true);
    assert_eq!(end, End::Stopped);
    assert!(matches!(stops.as_slice(), [Some(Stop::Wait { .. }), Some(Stop::Others)]), "{stops:?}");
    let mut state = scenario.model.lock();
    for side in [Side::Home, Side::Recovery] {
        let images = &state.pool(side).images;
        let mut mirrored = images.iter().filter(|image| image.global_id.is_some());
        assert!(mirrored.all(|image| image.primary == (side == Side::Home)), "{side:?}: {images:#?}");
    }
}
