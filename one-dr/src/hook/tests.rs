//! Hooks as programs: what they are told, and how they are ended.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Error, Hook, OnFailure, When, run};
use crate::model::Scenario;
use crate::observe::{Scope, observe};
use crate::plan::{Intent, Plan, Verb, plan};

fn a_plan() -> Plan {
    let scenario = Scenario::new().with_vm(12, "erp-db", "c");
    let seen = observe(&scenario.pair, &Scope::of(&[12])).unwrap();
    plan(&seen, Intent::new(Verb::Protect, &scenario.pair.settings), &scenario.pair.settings).unwrap()
}

fn shell(when: When, script: &str) -> Hook {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    Hook { when, verbs: Vec::new(), command, timeout_seconds: 30, on_failure: OnFailure::Stop }
}

/// Reads what a hook has written, once it is there.
fn written(path: &Path) -> String {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => std::thread::yield_now(),
        }
    }
    panic!("nothing was written to {}", path.display());
}

#[test]
fn a_hook_is_told_what_is_run_and_how_it_ended() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("told");
    let script = format!("env | grep ^ONE_DR_ | sort > {0}; echo >> {0}", file.display());
    let hooks = [shell(When::After, &script), shell(When::Before, "exit 7")];
    run(&hooks, When::After, &a_plan(), Some("2026-11-22-03"), Some(5)).unwrap();
    let told = written(&file);
    let wanted = "ONE_DR_EXIT=5\nONE_DR_FROM=a\nONE_DR_RUN=2026-11-22-03\nONE_DR_TO=b\nONE_DR_VERB=protect\nONE_DR_VMS=12\n\n";
    assert_eq!(told, wanted);
}

#[test]
fn a_hook_of_other_verbs_is_not_run() {
    let hook = Hook { verbs: vec![Verb::Failover], ..shell(When::Before, "exit 1") };
    run(&[hook], When::Before, &a_plan(), None, None).unwrap();
}

#[test]
fn the_first_failure_that_stops_is_the_last_hook() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("never");
    let lenient = Hook { on_failure: OnFailure::GoOn, ..shell(When::Before, "exit 3") };
    let never = shell(When::Before, &format!("touch {}", file.display()));
    let failures = run(&[lenient, shell(When::Before, "exit 4"), never], When::Before, &a_plan(), None, None)
        .unwrap_err();
    let words: Vec<String> = failures.iter().map(|(error, _)| error.to_string()).collect();
    assert!(words[0].contains("3") && words[1].contains("4") && words.len() == 2, "{words:?}");
    assert!(!file.exists());
}

#[test]
fn a_hook_that_hangs_is_ended_with_what_it_started() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("child");
    // Its child would hold the pipe, the lock or the address long after it.
    let script = format!("sleep 600 & echo $! > {}; wait", file.display());
    let hook = Hook { timeout_seconds: 1, ..shell(When::Before, &script) };
    let failures = run(&[hook], When::Before, &a_plan(), None, None).unwrap_err();
    assert!(
        matches!(failures.as_slice(), [(Error::TimedOut { seconds: 1, .. }, OnFailure::Stop)]),
        "{failures:?}"
    );
    let child = written(&file).trim().to_owned();
    let gone =
        || fs::read_to_string(format!("/proc/{child}/stat")).map_or(true, |stat| stat.contains(") Z "));
    let until = Instant::now() + Duration::from_secs(20);
    while !gone() {
        assert!(Instant::now() < until, "the child {child} lives on");
        std::thread::yield_now();
    }
}

#[test]
fn a_hook_that_is_not_there_says_its_name() {
    let hook = Hook { command: vec!["/no/such/program".to_owned()], ..shell(When::Before, "") };
    let failures = run(&[hook], When::Before, &a_plan(), None, None).unwrap_err();
    assert!(failures[0].0.to_string().contains("/no/such/program"), "{failures:?}");
}
