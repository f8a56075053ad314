//! The operator did it by hand: any number of first steps, before the run or after its crash. The end is the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::state::{holds, nothing_lost, picture};
use super::{done, intent, last, plan_of, protected, resume};
use crate::model::{Fault, Scenario};
use crate::plan::{Plan, Verb};
use crate::run::{End, Run};
use crate::site::Side;
use crate::step::{Look, World};

const SETTLE: Duration = Duration::from_secs(20);

/// Does the first steps of a plan as a hand would: without a run, a journal or a lease.
fn by_hand(scenario: &Scenario, plan: &Plan, count: usize) {
    let phase = scenario.model.lock().journal_phase.take();
    let world = World::new(&scenario.pair, plan);
    for step in plan.steps.iter().take(count) {
        let began = scenario.pair.clock.now();
        for _ in 0..200 {
            match step.look(&world, began).unwrap() {
                Look::Done => break,
                Look::Ready => _ = step.act(&world, &mut |_| std::ops::ControlFlow::Continue(())).unwrap(),
                Look::Waiting(_) => {}
                Look::Blocked(why) => panic!("{}: {why}", step.action),
            }
            scenario.pair.clock.sleep(Duration::from_millis(500));
        }
    }
    scenario.model.lock().journal_phase = phase;
}

/// Epochs are numbered by the steps that wrote them: a hand that wrote one makes the next.
fn without_epochs(scenario: &Scenario) -> Vec<String> {
    scenario.model.pass(SETTLE);
    let mut lines = picture(scenario);
    lines.retain(|line| !line.contains("one-dr.epoch"));
    lines
}

fn at_every_step(base: &Scenario, verb: Verb, vms: &[u32]) {
    let clean = base.fork();
    done(&clean, verb, vms);
    let wanted = without_epochs(&clean);
    let steps = plan_of(&base.fork(), intent(base, verb), vms).unwrap().steps.len();
    for count in 0..=steps {
        // After a crash of the run, that had done nothing yet.
        let scenario = base.fork();
        let plan = plan_of(&scenario, intent(&scenario, verb), vms).unwrap();
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            let run = Run::start(&scenario.pair, &scenario.store, plan.clone()).unwrap();
            scenario.model.inject(1, Fault::CrashAfter);
            run.to_end(|_| {})
        }));
        assert!(crashed.is_err());
        by_hand(&scenario, &plan, count);
        let what = format!("{} after {count} of {steps} steps by hand", verb.word());
        let report = resume(&scenario, &last(&scenario).unwrap()).unwrap();
        assert_eq!(report.end, End::Done, "{what}: {report:#?}");
        holds(&scenario, &what);
        assert_eq!(without_epochs(&scenario), wanted, "{what}");

        // Before there was a run: the plan is made of what is then.
        let scenario = base.fork();
        let plan = plan_of(&scenario, intent(&scenario, verb), vms).unwrap();
        by_hand(&scenario, &plan, count);
        scenario.model.pass(Duration::from_secs(3));
        match plan_of(&scenario, intent(&scenario, verb), vms) {
            Ok(plan) => {
                let report =
                    Run::start(&scenario.pair, &scenario.store, plan).unwrap().to_end(|_| {}).unwrap();
                assert_eq!(report.end, End::Done, "{what}, planned then: {report:#?}");
                assert_eq!(without_epochs(&scenario), wanted, "{what}, planned then");
            }
            // After our own record says so, the site that was left is old: a second move from there makes no sense.
            Err(error) => assert!(
                error.to_string().contains("[epoch-old]") || matches!(verb, Verb::Failback),
                "{what}, planned then: {error}"
            ),
        }
        holds(&scenario, &what);
        if !matches!(verb, Verb::Failover | Verb::Reprotect) {
            nothing_lost(&scenario, &what);
        }
    }
}

#[test]
fn protect() {
    let base = Scenario::new().with_vm(12, "erp-db", "cp").after(5);
    at_every_step(&base, Verb::Protect, &[12]);
}

#[test]
fn relocate() {
    at_every_step(&protected(), Verb::Relocate, &[12, 13]);
}

#[test]
fn failback() {
    let base = protected();
    done(&base, Verb::Relocate, &[12, 13]);
    at_every_step(&base.after(30), Verb::Failback, &[12, 13]);
}

#[test]
fn failover() {
    let base = protected();
    base.model.disaster(Side::Home);
    at_every_step(&base.after(5), Verb::Failover, &[12, 13]);
}

#[test]
fn reprotect() {
    let base = protected();
    base.model.disaster(Side::Home);
    let base = base.after(5);
    done(&base, Verb::Failover, &[12]);
    base.model.back(Side::Home);
    at_every_step(&base.after(20), Verb::Reprotect, &[12]);
}
