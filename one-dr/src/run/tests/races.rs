//! The world changes between a plan and its steps: somebody else's hand, or a site that goes or comes back. The step that would do
//! harm then does not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::state::{holds, nothing_lost, picture};
use super::{done, intent, last, plan_of, protected, resume};
use crate::frontend::Power;
use crate::model::image::What;
use crate::model::{Crash, Fault, Model, Scenario};
use crate::plan::{Intent, Verb};
use crate::run::{End, Event, Report, Run, Stop};
use crate::site::Side;
use crate::step::Action;

/// Runs a verb, and lets something happen when the first step of a kind begins.
fn with(
    scenario: &Scenario,
    intent: Intent,
    when: fn(&Action) -> bool,
    happens: impl Fn(&Model) + Send,
) -> Report {
    let plan = plan_of(scenario, intent, &[12]).unwrap();
    let at = plan.steps.iter().position(|step| when(&step.action)).expect("there is such a step");
    let run = Run::start(&scenario.pair, &scenario.store, plan).unwrap();
    let model = scenario.model.clone();
    run.to_end(move |event| {
        if matches!(event, Event::Began { step } if *step == at) {
            happens(&model);
        }
    })
    .unwrap()
}

fn hand(model: &Model, side: Side, primary: bool) {
    let mut state = model.lock();
    let event = state.event(if primary { What::Promoted(side) } else { What::Demoted(side) });
    for image in state.pool(side).images.iter_mut().filter(|image| image.name == "one-120-12-0") {
        image.primary = primary;
        image.log.push(event);
    }
}

fn power(model: &Model, side: Side, power: Power) {
    model.lock().one(side).vms.iter_mut().filter(|vm| vm.id == 12).for_each(|vm| vm.power = power);
}

#[track_caller]
fn blocked(report: &Report, words: &str) {
    assert_eq!(report.end, End::Stopped);
    let (_, stop) = report.vms[0].stopped.clone().expect("it stopped");
    assert!(stop.to_string().contains(words), "{stop}");
}

fn failed_over() -> Scenario {
    let base = protected();
    base.model.disaster(Side::Home);
    let base = base.after(5);
    done(&base, Verb::Failover, &[12]);
    base.model.back(Side::Home);
    base.after(20)
}

/// The old copy is still there then, and mirrored no more.
#[test]
fn a_run_that_is_killed_as_a_copy_is_given_up_and_taken_up_at_once_waits_for_the_new_one() {
    let base = failed_over();
    let clean = base.fork();
    let plan = plan_of(&clean, intent(&clean, Verb::Reprotect), &[12]).unwrap();
    let before = clean.model.calls();
    let report = Run::start(&clean.pair, &clean.store, plan).unwrap().to_end(|_| {}).unwrap();
    assert_eq!(report.end, End::Done);
    let calls = usize::try_from(clean.model.calls() - before).unwrap();
    let trace = clean.model.trace();
    let resync = trace[trace.len() - calls..].iter().position(|call| call.contains("resync")).unwrap();
    for milliseconds in [0, 200, 500, 700, 900, 1500, 3000] {
        let scenario = base.fork();
        let plan = plan_of(&scenario, intent(&scenario, Verb::Reprotect), &[12]).unwrap();
        scenario.model.inject(u64::try_from(resync).unwrap() + 1, Fault::CrashAfter);
        let run = AssertUnwindSafe(|| Run::start(&scenario.pair, &scenario.store, plan)?.to_end(|_| {}));
        assert!(catch_unwind(run).is_err_and(|panic| panic.is::<Crash>()));
        scenario.model.heal();
        scenario.model.pass(Duration::from_millis(milliseconds));
        let report = resume(&scenario, &last(&scenario).unwrap()).unwrap();
        assert_eq!(report.end, End::Done, "after {milliseconds} ms: {:?}", report.vms);
        holds(&scenario, "killed as a copy was given up");
    }
}

#[test]
fn a_site_that_is_promoted_again_by_hand_is_not_joined_by_the_other() {
    let base = protected();
    let wanted = |action: &Action| matches!(action, Action::Promote { .. });
    let report = with(&base, intent(&base, Verb::Relocate), wanted, |model| hand(model, Side::Home, true));
    blocked(&report, "[peer-is-primary]");
    holds(&base, "promoted by hand");
}

#[test]
fn a_site_that_comes_back_before_the_force_is_not_forced() {
    let base = protected();
    base.model.disaster(Side::Home);
    let base = base.after(5);
    let wanted = |action: &Action| matches!(action, Action::ForcePromote { .. });
    let report = with(&base, intent(&base, Verb::Failover), wanted, |model| {
        model.back(Side::Home);
        // A silent site is asked again every five seconds.
        model.pass(Duration::from_secs(6));
    });
    blocked(&report, "[peer-still-primary-and-alive]");
    holds(&base, "back in time");
    nothing_lost(&base, "back in time");
}

#[test]
fn a_vm_that_is_resumed_by_hand_keeps_its_disks() {
    let base = protected();
    let wanted = |action: &Action| matches!(action, Action::Demote { .. });
    let report =
        with(&base, intent(&base, Verb::Relocate), wanted, |model| power(model, Side::Home, Power::Running));
    blocked(&report, "open for writing by client.12");
    holds(&base, "resumed by hand");
    nothing_lost(&base, "resumed by hand");
}

#[test]
fn a_copy_is_not_given_up_when_the_other_stops_being_primary() {
    let base = failed_over();
    let wanted = |action: &Action| matches!(action, Action::Resync { .. });
    let report =
        with(&base, intent(&base, Verb::Reprotect), wanted, |model| hand(model, Side::Recovery, false));
    blocked(&report, "[resync-peer-not-primary]");
    holds(&base, "demoted by hand");
    let kept = base.model.lock().by_name(Side::Home, "one-120-12-0").is_some_and(|image| !image.resync);
    assert!(kept, "the copy at home is still there");
}

#[test]
fn a_copy_is_not_given_up_under_a_writer() {
    let base = failed_over();
    let wanted = |action: &Action| matches!(action, Action::Resync { .. });
    let report = with(&base, intent(&base, Verb::Reprotect), wanted, |model| {
        let mut state = model.lock();
        if let Some(image) = state.by_name(Side::Home, "one-120-12-0") {
            image.strangers.push("10.0.0.66:0/1".to_owned());
        }
    });
    blocked(&report, "10.0.0.66:0/1");
    holds(&base, "a stranger");
}

#[test]
fn a_vm_is_not_started_on_what_it_cannot_write_to() {
    let kinds: [fn(&Action) -> bool; 2] =
        [|action| matches!(action, Action::Start { .. }), |action| matches!(action, Action::Instantiate)];
    for wanted in kinds {
        let base = protected();
        let report =
            with(&base, intent(&base, Verb::Relocate), wanted, |model| hand(model, Side::Recovery, false));
        blocked(&report, "could not write");
        holds(&base, "demoted by hand");
        let lines = picture(&base);
        let is_there = lines.iter().any(|line| line.starts_with("b vm erp-db"));
        assert_eq!(is_there, wanted(&Action::Start { at: Side::Recovery }), "{lines:#?}");
    }
}

#[test]
fn a_site_that_dies_between_its_demotion_and_the_promotion_is_left_behind_without_loss() {
    let base = protected();
    let wanted = |action: &Action| matches!(action, Action::Promote { .. });
    let report = with(&base, intent(&base, Verb::Relocate), wanted, |model| model.disaster(Side::Home));
    let stop = report.vms[0].stopped.clone();
    assert!(matches!(stop, Some((_, Stop::Wait { .. }))), "{stop:?}");
    let plan = plan_of(&base, intent(&base, Verb::Failover), &[12]).unwrap();
    assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::ForcePromote { .. })), "{plan:#?}");
    assert!(plan.data_at_risk.is_empty());
    done(&base, Verb::Failover, &[12]);
    holds(&base, "left behind");
    // It comes back, and follows: nothing has to be resynced.
    base.model.back(Side::Home);
    // The lease that could not be given back there expires.
    let base = base.after(310);
    done(&base, Verb::Reprotect, &[12]);
    holds(&base, "back");
    nothing_lost_of_12(&base);
}

fn nothing_lost_of_12(base: &Scenario) {
    let lines = picture(base);
    assert!(lines.iter().any(|line| line.starts_with("b rbd one-120-12-0 Primary")), "{lines:#?}");
    nothing_lost(base, "back");
}

#[test]
fn a_copy_that_was_left_behind_is_known_before_its_daemon_says_so() {
    let base = failed_over();
    power(&base.model, Side::Home, Power::Off);
    hand(&base.model, Side::Home, false);
    {
        let mut state = base.model.lock();
        state.by_name(Side::Home, "one-121").unwrap().primary = false;
    }
    // Ceph would promote it now, without force, and its status says nothing yet.
    let refused = plan_of(&base, intent(&base, Verb::Failback), &[12]).unwrap_err().to_string();
    assert!(refused.contains("[not-synced]") && refused.contains("was made primary without it"), "{refused}");
}
