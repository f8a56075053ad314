//! Each verb with each call of it going wrong in each way, then `resume`: the end is that of an undisturbed run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::state::{holds, nothing_lost, picture};
use super::{done, intent, last, plan_of, protected, resume};
use crate::model::image::What;
use crate::model::{Crash, Fault, Scenario, Up};
use crate::plan::{Intent, Verb};
use crate::run::{End, Error, Report, Run};
use crate::site::Side;
use crate::storage::PoolMode;

/// What the daemons need to come to rest after a run.
const SETTLE: Duration = Duration::from_secs(20);

/// One attempt: to begin the verb, or to take its run up again.
fn attempt(scenario: &Scenario, intent: &Intent, vms: &[u32]) -> Result<Report, Error> {
    if let Some(id) = last(scenario) {
        match resume(scenario, &id) {
            // The crash came after the last line.
            Err(Error::Over(_)) | Err(Error::Journal(crate::journal::Error::NoPlan)) => {}
            other => return other,
        }
    }
    let plan = plan_of(scenario, intent.clone(), vms)?;
    Run::start(&scenario.pair, &scenario.store, plan)?.to_end(|_| {})
}

/// Runs the verb from `base` with each call of it going wrong in each way. Answers how many runs that were.
fn exhaust(base: &Scenario, intent: &Intent, vms: &[u32], check: impl Fn(&Scenario, &str)) -> u64 {
    let clean = base.fork();
    let plan = plan_of(&clean, intent.clone(), vms).expect("a plan");
    let before = clean.model.calls();
    let report = Run::start(&clean.pair, &clean.store, plan).unwrap().to_end(|_| {}).unwrap();
    assert_eq!(report.end, End::Done, "{report:#?}");
    let calls = clean.model.calls() - before;
    let trace = clean.model.trace();
    let ops: Vec<String> = trace[trace.len() - usize::try_from(calls).unwrap()..].to_vec();
    // What the daemons do after it.
    clean.model.pass(SETTLE);
    let wanted = picture(&clean);
    let mut runs = 0;
    for (number, op) in (1..).zip(&ops) {
        for fault in Fault::ALL {
            // A read that hangs has no effect to be lost.
            let read = [
                "image",
                "object ",
                "objects",
                "follower",
                "info",
                "identity",
                "lease one",
                "arrived",
                "registered",
            ];
            let change = ["allocate", "take_lease", "release_lease", "put_object", "write_object"];
            let reads =
                read.iter().any(|word| op.contains(word)) && !change.iter().any(|word| op.contains(word));
            if reads && matches!(fault, Fault::HangDone | Fault::HangLate | Fault::CrashAfter) {
                continue;
            }
            let what = format!("{} with {fault:?} at call {number} ({op})", intent.verb.word());
            let scenario = base.fork();
            let plan = plan_of(&scenario, intent.clone(), vms).expect("a plan");
            scenario.model.inject(number, fault);
            let first = catch_unwind(AssertUnwindSafe(|| {
                Run::start(&scenario.pair, &scenario.store, plan)?.to_end(|_| {})
            }));
            let mut ended = match first {
                Ok(Ok(report)) => report.end == End::Done,
                Ok(Err(_)) => false,
                Err(panic) => {
                    assert!(panic.is::<Crash>(), "{what}: it panicked");
                    false
                }
            };
            scenario.model.heal();
            holds(&scenario, &what);
            let mut seen = Vec::new();
            for attempts in 0..4 {
                if ended {
                    break;
                }
                // The operator looks, thinks, and tries again: what hangs has had its effect by then. The same operator gets the
                // lease of a run back at once; that of a run that never was expires.
                scenario.model.pass(Duration::from_secs(if attempts == 0 { 80 } else { 310 }));
                match attempt(&scenario, intent, vms) {
                    Ok(report) => {
                        ended = report.end == End::Done;
                        seen.push(format!("{report:?}"));
                    }
                    Err(error) => seen.push(error.to_string()),
                }
                holds(&scenario, &what);
            }
            assert!(ended, "{what}: never came to its end: {seen:#?}");
            scenario.model.pass(SETTLE);
            assert_eq!(picture(&scenario), wanted, "{what}: I3: another end");
            check(&scenario, &what);
            runs += 1;
        }
    }
    runs
}

#[test]
fn relocate() {
    let base = protected();
    let runs = exhaust(&base, &intent(&base, Verb::Relocate), &[12, 13], nothing_lost);
    assert!(runs > 500, "{runs}");
}

#[test]
fn failover() {
    let base = protected();
    base.model.disaster(Side::Home);
    let base = base.after(5);
    exhaust(&base, &intent(&base, Verb::Failover), &[12, 13], prefix);
}

#[test]
fn failover_from_a_frozen_site() {
    let base = protected();
    base.model.set_up(Side::Home, Up::Frozen);
    let base = base.after(5);
    exhaust(&base, &intent(&base, Verb::Failover), &[13], prefix);
}

/// I5: what the survivor has is the beginning of what the other one had, in its order.
fn prefix(scenario: &Scenario, what: &str) {
    let mut state = scenario.model.lock();
    for there in state.pool(Side::Recovery).images.clone() {
        let Some(id) = there.global_id.clone().filter(|_| there.primary) else { continue };
        let here = state.by_id(Side::Home, &id).expect("it is there").clone();
        let switched = there.log.iter().position(|event| event.what == What::Promoted(Side::Recovery));
        let switched = switched.expect("it was promoted");
        assert_eq!(there.log[..switched], here.log[..switched], "{what}: I5: {}", there.name);
    }
}

#[test]
fn reprotect() {
    let base = protected();
    base.model.disaster(Side::Home);
    let base = base.after(5);
    done(&base, Verb::Failover, &[12, 13]);
    base.model.back(Side::Home);
    let base = base.after(20);
    exhaust(&base, &intent(&base, Verb::Reprotect), &[12, 13], |_, _| {});
}

#[test]
fn failback() {
    let base = protected();
    done(&base, Verb::Relocate, &[12, 13]);
    let base = base.after(30);
    exhaust(&base, &intent(&base, Verb::Failback), &[12, 13], nothing_lost);
}

#[test]
fn protect() {
    let base = Scenario::new().with_vm(12, "erp-db", "cp").with_vm(13, "erp-app", "c").after(5);
    exhaust(&base, &intent(&base, Verb::Protect), &[12, 13], nothing_lost);
}

#[test]
fn configure() {
    let base = Scenario::new();
    {
        let mut state = base.model.lock();
        for side in [Side::Home, Side::Recovery] {
            let pool = state.pool(side);
            (pool.site_name, pool.mode, pool.delete_delay, pool.peered) =
                (None, PoolMode::Disabled, None, false);
        }
    }
    exhaust(&base, &intent(&base, Verb::Configure), &[], |scenario, what| {
        let mut state = scenario.model.lock();
        for (side, name) in [(Side::Home, "a"), (Side::Recovery, "b")] {
            let pool = state.pool(side);
            let is = (pool.site_name.as_deref(), pool.mode, pool.delete_delay, pool.peered);
            assert_eq!(is, (Some(name), PoolMode::Image, Some(604_800), true), "{what}");
        }
    });
}

#[test]
fn drill() {
    let base = protected();
    exhaust(&base, &intent(&base, Verb::Drill), &[12], nothing_lost);
}

#[test]
fn unprotect() {
    let base = protected();
    exhaust(&base, &intent(&base, Verb::Unprotect), &[12, 13], |_, _| {});
}
