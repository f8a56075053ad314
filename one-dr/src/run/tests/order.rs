//! The wrong order of everything: all sequences of three verbs, with the home site there, gone, or back. Each is refused or does
//! no harm.

use super::state::holds;
use super::{intent, plan_of, protected};
use crate::model::Scenario;
use crate::plan::{Error, Verb};
use crate::run::Run;
use crate::site::Side;

/// What the operator, or fate, does.
#[derive(Clone, Copy, Debug)]
enum Move {
    Do(Verb),
    DoReversed(Verb),
    Lose(Side),
    Back,
}

const MOVES: [Move; 11] = [
    Move::Do(Verb::Protect),
    Move::Do(Verb::Relocate),
    Move::Do(Verb::Failover),
    Move::DoReversed(Verb::Failover),
    Move::Do(Verb::Failback),
    Move::Do(Verb::Reprotect),
    Move::DoReversed(Verb::Reprotect),
    Move::Do(Verb::Drill),
    Move::Lose(Side::Home),
    Move::Lose(Side::Recovery),
    Move::Back,
];

fn make(scenario: &Scenario, next: Move, so_far: &str) {
    let wanted = match next {
        Move::Do(verb) => intent(scenario, verb),
        Move::DoReversed(verb) => intent(scenario, verb).reversed(),
        Move::Lose(side) => return scenario.model.disaster(side),
        Move::Back => {
            scenario.model.back(Side::Home);
            return scenario.model.back(Side::Recovery);
        }
    };
    let seen = crate::observe::observe(&scenario.pair, &crate::observe::Scope::of(&[12]));
    if seen.is_err() {
        return;
    }
    match plan_of(scenario, wanted, &[12]) {
        Ok(plan) => {
            if let Ok(run) = Run::start(&scenario.pair, &scenario.store, plan) {
                // It may stop at a named wait: the site is gone, after all.
                _ = run.to_end(|_| {});
            }
        }
        Err(Error::Refused(plan)) => {
            for finding in plan.findings.iter().filter(|finding| finding.refuses()) {
                assert!(!finding.safe.is_empty(), "{so_far}: {finding}");
                assert!(!finding.at_risk.is_empty() && !finding.evidence.is_empty(), "{so_far}: {finding}");
            }
        }
        Err(_) => {}
    }
}

#[test]
fn three_moves_in_any_order_do_no_harm() {
    let base = protected();
    for first in MOVES {
        let one = base.fork();
        make(&one, first, &format!("{first:?}"));
        let one = one.after(20);
        for second in MOVES {
            let two = one.fork();
            let so_far = format!("{first:?}, {second:?}");
            make(&two, second, &so_far);
            holds(&two, &so_far);
            let two = two.after(20);
            for third in MOVES {
                let three = two.fork();
                let so_far = format!("{first:?}, {second:?}, {third:?}");
                make(&three, third, &so_far);
                holds(&three, &so_far);
            }
        }
    }
}
