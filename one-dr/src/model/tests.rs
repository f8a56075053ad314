//! The model against the scripts that real sites are held to as well. `one-0` is a plain image at a, `one-1` a clone.

use std::time::Duration;

use super::Scenario;
use super::script::{ScriptError, run};
use crate::site::Side;

/// From protection there and back; what is refused on the way.
pub(crate) const THERE_AND_BACK: &str = include_str!("scripts/there-and-back.txt");
/// A clone has to be flattened first.
pub(crate) const CLONE: &str = include_str!("scripts/clone.txt");
/// Two primaries, a stale copy that Ceph would promote, and the resync that mends it.
pub(crate) const SPLIT_BRAIN: &str = include_str!("scripts/split-brain.txt");

fn on_the_model(script: &str) -> Result<(), ScriptError> {
    timed_on_the_model(script).0
}

/// With the time that it took there.
fn timed_on_the_model(script: &str) -> (Result<(), ScriptError>, Duration) {
    // Disks 0 and 1 of a VM that is off, renamed as the scripts call them.
    let scenario = Scenario::new().with_vm(1, "scripted", "pc");
    {
        let mut state = scenario.model.lock();
        state.one(Side::Home).vms.clear();
        for (image, name) in state.pool(Side::Home).images.iter_mut().zip(["one-0", "one-1"]) {
            image.name = name.to_owned();
        }
    }
    let (a, b) = (scenario.pair.storage(Side::Home), scenario.pair.storage(Side::Recovery));
    let clock = scenario.pair.clock.as_ref();
    let began = clock.now();
    let outcome = run(script, a, b, clock);
    (outcome, clock.now().since(began))
}

#[test]
fn there_and_back() {
    on_the_model(THERE_AND_BACK).unwrap();
}

#[test]
fn a_clone() {
    on_the_model(CLONE).unwrap();
}

#[test]
fn split_brain() {
    on_the_model(SPLIT_BRAIN).unwrap();
}

#[test]
fn an_answer_that_differs_ends_a_script_with_its_line() {
    let differs = on_the_model("\na role one-0 = primary\n").unwrap_err();
    assert_eq!(differs.to_string(), "line 2: a role one-0: not-mirrored, and not primary");
}

#[test]
fn a_wait_ends_at_once_with_an_answer_that_is_not_allowed_meanwhile() {
    let took = |script| timed_on_the_model(script).1;
    assert!(
        took("wait 600 a role one-0 = primary, until then absent | non-primary") < Duration::from_secs(10)
    );
    assert!(
        took("wait 600 a role one-0 = primary, until then absent | not-mirrored") >= Duration::from_secs(600)
    );
}
