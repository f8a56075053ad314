//! Two operators, two machines, bad disks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::state::{holds, nothing_lost, picture};
use super::{done, intent, last, plan_of, protected, resume};
use crate::guard::Guard;
use crate::journal::{Directory, Memory, Store};
use crate::model::{Fault, Scenario};
use crate::plan::{Plan, Verb};
use crate::run::{Back, End, Error, Run, copy_object, history};
use crate::site::{Side, SitePair};

/// Another machine, with a journal directory of its own.
fn another(scenario: &Scenario) -> (SitePair, Memory) {
    (SitePair { operator: "bob@laptop".to_owned(), ..scenario.pair.clone() }, Memory::default())
}

fn relocate(scenario: &Scenario) -> Plan {
    plan_of(scenario, intent(scenario, Verb::Relocate), &[12, 13]).unwrap()
}

/// A run that is killed in the middle.
fn crashed(scenario: &Scenario, calls: u64) -> String {
    let plan = relocate(scenario);
    scenario.model.inject(calls, Fault::CrashAfter);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        Run::start(&scenario.pair, &scenario.store, plan).unwrap().to_end(|_| {})
    }));
    assert!(ended.is_err());
    last(scenario).unwrap()
}

#[test]
fn a_second_operator_is_told_who_is_at_work_and_changes_nothing() {
    let scenario = protected();
    let (pair, store) = another(&scenario);
    let plan = relocate(&scenario);
    let first = Run::start(&scenario.pair, &scenario.store, plan.clone()).unwrap();
    let before = picture(&scenario);
    let refused = Run::start(&pair, &store, plan).unwrap_err();
    assert!(matches!(refused, Error::LeaseHeld { .. }));
    let text = refused.to_string();
    assert!(text.contains("admin@desk run 2026-11-22-02") && text.contains("safe:"), "{text}");
    let planned = plan_of(&scenario, intent(&scenario, Verb::Relocate), &[12]).unwrap_err().to_string();
    assert!(planned.contains(Guard::AnotherRunActive.name()), "{planned}");
    assert_eq!(picture(&scenario), before);
    assert_eq!(first.to_end(|_| {}).unwrap().end, End::Done);
}

#[test]
fn another_machine_resumes_by_the_copy_in_the_pool_once_the_lease_is_over() {
    let scenario = protected();
    let id = crashed(&scenario, 300);
    let (pair, store) = another(&scenario);
    assert!(matches!(Run::resume(&pair, &store, &id), Err(Error::LeaseHeld { .. })));
    scenario.model.pass(Duration::from_secs(310));
    let report = Run::resume(&pair, &store, &id).unwrap().to_end(|_| {}).unwrap();
    assert_eq!(report.end, End::Done);
    holds(&scenario, "resumed elsewhere");
    nothing_lost(&scenario, "resumed elsewhere");
    assert!(history(&store).unwrap()[0].is_over());
    // The first machine does not begin again.
    let again = resume(&scenario, &id).unwrap();
    assert_eq!(again.end, End::Done, "everything is found done");
    holds(&scenario, "resumed here too");
}

#[test]
fn who_has_lost_the_lease_stops_before_the_next_change() {
    let scenario = protected();
    let run = Run::start(&scenario.pair, &scenario.store, relocate(&scenario)).unwrap();
    let id = run.id.clone();
    // A laptop that slept: its lease is over, and somebody else has taken the run up.
    scenario.model.pass(Duration::from_secs(400));
    let (pair, store) = another(&scenario);
    let other = Run::resume(&pair, &store, &id).unwrap();
    let before = picture(&scenario);
    assert!(matches!(run.to_end(|_| {}), Err(Error::LeaseHeld { .. })));
    assert_eq!(picture(&scenario), before);
    assert_eq!(other.to_end(|_| {}).unwrap().end, End::Done);
    holds(&scenario, "after the other");
}

#[test]
fn a_torn_journal_is_resumed_and_a_changed_one_is_not() {
    let scenario = protected();
    let id = crashed(&scenario, 300);
    for cut in [1, 40, 200] {
        let torn = scenario.fork();
        torn.store.damage(&id, |bytes| bytes.truncate(bytes.len() - cut));
        assert_eq!(resume(&torn, &id).unwrap().end, End::Done, "{cut} bytes short");
        holds(&torn, "torn");
        nothing_lost(&torn, "torn");
    }
    let changed = scenario.fork();
    changed.store.damage(&id, |bytes| {
        let text = String::from_utf8_lossy(bytes).replacen("power the VM off", "power the VM on", 1);
        *bytes = text.into_bytes();
    });
    let error = resume(&changed, &id).unwrap_err().to_string();
    assert!(error.contains("line") && error.contains("changed"), "{error}");
}

#[test]
fn a_plan_is_stale_when_anything_that_matters_has_changed() {
    let scenario = protected();
    let plan = relocate(&scenario);
    // What changes by itself does not matter.
    let scenario = scenario.after(60);
    let text = plan.to_json().unwrap();
    let plan = Plan::parse(&text).unwrap();
    {
        let mut state = scenario.model.lock();
        state.one(Side::Home).vms[0].power = crate::frontend::Power::Off;
    }
    let before = picture(&scenario);
    let refused = Run::start(&scenario.pair, &scenario.store, plan.clone()).unwrap_err();
    assert!(matches!(refused, Error::Stale { .. }), "{refused}");
    assert_eq!(picture(&scenario), before);
    {
        let mut state = scenario.model.lock();
        state.one(Side::Home).vms[0].power = crate::frontend::Power::Running;
    }
    assert_eq!(
        Run::start(&scenario.pair, &scenario.store, plan).unwrap().to_end(|_| {}).unwrap().end,
        End::Done
    );
}

#[test]
fn a_move_that_was_stopped_before_the_other_site_was_primary_is_undone() {
    let scenario = protected();
    let plan = relocate(&scenario);
    // B's daemon dies with the first demotion: it never arrives.
    let mut run = Some(Run::start(&scenario.pair, &scenario.store, plan).unwrap());
    let model = scenario.model.clone();
    let report = run
        .take()
        .unwrap()
        .to_end(move |event| {
            if matches!(event, crate::run::Event::Began { step } if *step > 12) {
                model.set_daemon(Side::Recovery, false);
            }
        })
        .unwrap();
    assert_eq!(report.end, End::Stopped, "{report:#?}");
    let back = Run::abort(&scenario.pair, &scenario.store, &report.run).unwrap();
    let Back::Intent(back) = back else { panic!("{back:?}") };
    let report = super::run(&scenario, back, &[12, 13]);
    assert_eq!(report.end, End::Done, "{report:#?}");
    holds(&scenario, "abort");
    nothing_lost(&scenario, "abort");
    let lines = picture(&scenario);
    assert!(lines.iter().any(|line| line.starts_with("a vm erp-db Running")), "{lines:#?}");
    scenario.model.set_daemon(Side::Recovery, true);
    let scenario = scenario.after(20);
    done(&scenario, Verb::Relocate, &[12, 13]);
    nothing_lost(&scenario, "relocate after all");
}

#[test]
fn one_vm_that_fails_does_not_stop_the_other() {
    let scenario = protected();
    scenario.model.lock().one(Side::Home).vms[0].deaf = true;
    let report = super::run(&scenario, intent(&scenario, Verb::Relocate), &[12, 13]);
    assert_eq!(report.end, End::Stopped);
    assert!(report.vms[0].stopped.is_some() && report.vms[1].stopped.is_none(), "{report:#?}");
    assert!(scenario.store.runs().unwrap().len() == 2);
    let lines = picture(&scenario);
    assert!(lines.iter().any(|line| line.starts_with("b vm erp-app Running")), "{lines:#?}");
    // The guest listens after all.
    scenario.model.lock().one(Side::Home).vms[0].deaf = false;
    let scenario = scenario.after(5);
    assert_eq!(resume(&scenario, &report.run).unwrap().end, End::Done);
    holds(&scenario, "both");
    nothing_lost(&scenario, "both");
}

#[test]
fn a_drill_that_was_given_up_is_cleaned_up() {
    let scenario = protected();
    let before = picture(&scenario);
    for calls in [60, 100] {
        let scenario = scenario.fork();
        let plan = plan_of(&scenario, intent(&scenario, Verb::Drill), &[12]).unwrap();
        scenario.model.inject(calls, Fault::CrashAfter);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            Run::start(&scenario.pair, &scenario.store, plan).unwrap().to_end(|_| {})
        }));
        assert!(ended.is_err(), "{calls}");
        let back = Run::abort(&scenario.pair, &scenario.store, &last(&scenario).unwrap()).unwrap();
        let Back::Plan(plan) = back else { panic!("{back:?}") };
        let report = Run::start(&scenario.pair, &scenario.store, *plan).unwrap().to_end(|_| {}).unwrap();
        assert_eq!(report.end, End::Done, "{calls}: {report:#?}");
        holds(&scenario, "cleaned up");
        assert_eq!(picture(&scenario), before, "{calls}");
    }
}

#[test]
fn a_journal_in_files_carries_a_run_over_a_kill() {
    let scenario = protected();
    let place = tempfile::tempdir().unwrap();
    let store = Directory::new(place.path().join("runs"));
    let plan = relocate(&scenario);
    scenario.model.inject(250, Fault::CrashAfter);
    let ended =
        catch_unwind(AssertUnwindSafe(|| Run::start(&scenario.pair, &store, plan).unwrap().to_end(|_| {})));
    assert!(ended.is_err());
    let id = store.runs().unwrap().pop().unwrap();
    let run = Run::resume(&scenario.pair, &store, &id).unwrap();
    assert!(matches!(
        Run::resume(&scenario.pair, &store, &id),
        Err(Error::Journal(crate::journal::Error::InUse(_)))
    ));
    assert_eq!(run.to_end(|_| {}).unwrap().end, End::Done);
    holds(&scenario, "in files");
    nothing_lost(&scenario, "in files");
    // The copy in the pool is the file, to the byte.
    let copy = scenario.pair.storage(Side::Recovery).object(&copy_object(&id)).unwrap().unwrap();
    assert_eq!(copy, store.peek(&id).unwrap());
}
