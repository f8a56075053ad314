//! Runs on the model: each verb from end to end, and everything that can go wrong on the way.

mod faults;
mod hand;
mod lanes;
mod operators;
mod order;
mod races;
mod state;
mod verbs;

use crate::journal::Store;
use crate::model::Scenario;
use crate::observe::{Scope, observe};
use crate::plan::{self, Intent, Plan, Verb, plan};
use crate::run::{End, Error, Report, Run};

/// A plan from what is now.
fn plan_of(scenario: &Scenario, intent: Intent, vms: &[u32]) -> Result<Plan, plan::Error> {
    let seen = observe(&scenario.pair, &Scope::of(vms)).expect("both sites can be looked at");
    plan(&seen, intent, &scenario.pair.settings)
}

fn intent(scenario: &Scenario, verb: Verb) -> Intent {
    Intent::new(verb, &scenario.pair.settings)
}

/// Plans and runs.
#[track_caller]
fn run(scenario: &Scenario, intent: Intent, vms: &[u32]) -> Report {
    let plan = match plan_of(scenario, intent, vms) {
        Ok(plan) => plan,
        Err(error) => panic!("{error}"),
    };
    Run::start(&scenario.pair, &scenario.store, plan)
        .expect("nobody else is at work")
        .to_end(|_| {})
        .expect("nothing is broken")
}

#[track_caller]
fn done(scenario: &Scenario, verb: Verb, vms: &[u32]) -> Report {
    let report = run(scenario, intent(scenario, verb), vms);
    assert_eq!(report.end, End::Done, "{report:#?}");
    report
}

fn resume(scenario: &Scenario, id: &str) -> Result<Report, Error> {
    Run::resume(&scenario.pair, &scenario.store, id)?.to_end(|_| {})
}

/// The name of the last run.
fn last(scenario: &Scenario) -> Option<String> {
    scenario.store.runs().expect("a store in memory").pop()
}

/// Two VMs, of three disks together, protected and captured.
fn protected() -> Scenario {
    let scenario = Scenario::new().with_vm(12, "erp-db", "cp").with_vm(13, "erp-app", "c");
    done(&scenario, Verb::Protect, &[12, 13]);
    scenario.after(10)
}
