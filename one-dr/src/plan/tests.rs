//! Plans: their order, their file, and what they need.

use opennebula_meta::id::VmId;

use super::{Error, Intent, Plan, Verb, plan};
use crate::catalog::newest;
use crate::model::Scenario;
use crate::observe::{Scope, observe};
use crate::run::Run;
use crate::settings::Boot;
use crate::site::Side;
use crate::step::Action;

fn protected() -> Scenario {
    let mut scenario = Scenario::new().with_vm(12, "erp-db", "cp").with_vm(13, "erp-app", "c");
    let groups = [("12".to_owned(), 1), ("13".to_owned(), 2)].into();
    scenario.pair.settings.boot = Boot { groups, delays: [("2".to_owned(), 30)].into() };
    let made = make(&scenario, Verb::Protect).unwrap();
    Run::start(&scenario.pair, &scenario.store, made).unwrap().to_end(|_| {}).unwrap();
    scenario.after(10)
}

fn make(scenario: &Scenario, verb: Verb) -> Result<Plan, Error> {
    let seen = observe(&scenario.pair, &Scope::of(&[13, 12])).unwrap();
    plan(&seen, Intent::new(verb, &scenario.pair.settings), &scenario.pair.settings)
}

#[test]
fn every_disk_is_demoted_before_any_is_promoted_and_no_vm_starts_before() {
    let made = make(&protected(), Verb::Relocate).unwrap();
    let place = |wanted: fn(&Action) -> bool, last: bool| {
        let mut places =
            made.steps.iter().enumerate().filter(|(_, step)| wanted(&step.action)).map(|(at, _)| at);
        if last { places.next_back().unwrap() } else { places.next().unwrap() }
    };
    let order = [
        place(|action| matches!(action, Action::Synced { .. }), true),
        place(|action| matches!(action, Action::Poweroff { .. }), false),
        place(|action| matches!(action, Action::Poweroff { .. }), true),
        place(|action| matches!(action, Action::NoWriter { .. }), false),
        place(|action| matches!(action, Action::NoWriter { .. }), true),
        place(|action| matches!(action, Action::Demote { .. }), false),
        place(|action| matches!(action, Action::Demote { .. }), true),
        place(|action| matches!(action, Action::Promote { .. }), false),
        place(|action| matches!(action, Action::Promote { .. }), true),
        place(|action| matches!(action, Action::Start { .. }), false),
    ];
    assert!(order.is_sorted(), "{order:?}");
    assert!(made.data_at_risk.is_empty());
}

#[test]
fn groups_start_one_after_the_other_with_their_delays() {
    let made = make(&protected(), Verb::Relocate).unwrap();
    let boot = made.steps.iter().filter(|step| {
        matches!(step.action, Action::Start { .. } | Action::Running { .. } | Action::Pause { .. })
    });
    let boot: Vec<_> = boot.map(|step| (step.vm, step.action.clone())).collect();
    let at = Side::Recovery;
    assert_eq!(
        boot,
        [
            (Some(VmId(12)), Action::Start { at }),
            (Some(VmId(12)), Action::Running { at }),
            (None, Action::Pause { seconds: 30 }),
            (Some(VmId(13)), Action::Start { at }),
            (Some(VmId(13)), Action::Running { at }),
        ]
    );
}

#[test]
fn a_plan_survives_its_file_and_another_version_is_refused() {
    let made = make(&protected(), Verb::Relocate).unwrap();
    let text = made.to_json().unwrap();
    assert_eq!(Plan::parse(&text).unwrap(), made);
    assert!(!text.contains("s3cret"));
    let newer = text.replacen("\"version\": 1", "\"version\": 2", 1);
    assert!(matches!(Plan::parse(&newer), Err(Error::File(why)) if why.contains("version 2")));
    assert!(matches!(Plan::parse("{}"), Err(Error::File(_))));
}

#[test]
fn a_move_says_which_site_it_misses_and_what_can_be_done_without_it() {
    let scenario = protected();
    scenario.model.disaster(Side::Home);
    let text = make(&scenario, Verb::Relocate).unwrap_err().to_string();
    assert!(text.contains("needs site a") && text.contains("one-dr plan failover"), "{text}");
    let made = make(&scenario, Verb::Failover).unwrap();
    assert!(made.data_at_risk.iter().all(|risk| risk.contains("what site a wrote after")), "{made:#?}");
    scenario.model.disaster(Side::Recovery);
    let nobody = observe(&scenario.pair, &Scope::of(&[12])).unwrap_err().to_string();
    assert!(
        nobody.contains("at home does not answer") && nobody.contains("the recovery site does not"),
        "{nobody}"
    );
}

#[test]
fn what_is_done_already_is_not_planned_again() {
    let scenario = protected();
    let made = make(&scenario, Verb::Relocate).unwrap();
    Run::start(&scenario.pair, &scenario.store, made).unwrap().to_end(|_| {}).unwrap();
    let scenario = scenario.after(30);
    // The site that was left has heard of it, so nothing is old; there is just nothing to do.
    assert!(make(&scenario, Verb::Relocate).unwrap().is_empty());
    assert!(make(&scenario, Verb::Reprotect).unwrap().is_empty());
    assert!(!make(&scenario, Verb::Failback).unwrap().is_empty());
}

#[test]
fn the_features_of_an_image_are_kept_once_clone_or_not() {
    let scenario = Scenario::new().with_vm(12, "erp-db", "cp").with_vm(13, "erp-app", "c");
    let made = make(&scenario, Verb::Protect).unwrap();
    let kept = made.steps.iter().filter(|step| matches!(step.action, Action::KeepFeatures { .. }));
    assert_eq!(kept.count(), 3);
}

#[test]
fn a_vm_that_is_unprotected_is_in_the_catalog_no_more() {
    let scenario = protected();
    let made = make(&scenario, Verb::Unprotect).unwrap();
    assert!(made.data_at_risk.iter().any(|risk| risk.contains("stays in OpenNebula at site b")));
    Run::start(&scenario.pair, &scenario.store, made).unwrap().to_end(|_| {}).unwrap();
    let newest = newest(&scenario.pair.storage(Side::Recovery)).unwrap();
    assert!(newest.record.capture().vms.is_empty());
}
