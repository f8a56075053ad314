//! Each verb, undisturbed.

use super::state::{holds, nothing_lost, picture};
use super::{done, intent, plan_of, protected, run};
use crate::frontend::Power;
use crate::guard::Guard;
use crate::model::{Fault, Scenario, Up};
use crate::plan::{Error, Verb};
use crate::run::End;
use crate::site::Side;
use crate::step::Action;

#[test]
fn protection_flattens_enables_waits_captures_and_puts_in_place() {
    let scenario = Scenario::new().with_vm(12, "erp-db", "cp").with_vm(13, "erp-app", "c");
    done(&scenario, Verb::Protect, &[12, 13]);
    holds(&scenario, "protect");
    let picture = picture(&scenario);
    assert!(
        picture
            .iter()
            .any(|line| line
                == "b rbd one-120-12-0 NonPrimary parent=false split=false resync=false locked=false"),
        "{picture:#?}"
    );
    assert!(
        picture.iter().any(|line| line.starts_with("b image erp-db one/one-120-12-0 (\"carol\", \"users\")")
            && line.ends_with("lock=Some(1)")),
        "{picture:#?}"
    );
    assert!(picture.iter().any(|line| line == "b template one-dr-a-12"), "{picture:#?}");
}

#[test]
fn there_and_back_loses_nothing() {
    let scenario = protected();
    done(&scenario, Verb::Relocate, &[12, 13]);
    holds(&scenario, "relocate");
    nothing_lost(&scenario, "relocate");
    let there = picture(&scenario);
    assert!(
        there.iter().any(|line| line.starts_with("b vm erp-db Running (\"carol\", \"users\")")),
        "{there:#?}"
    );
    assert!(there.iter().any(|line| line.starts_with("a vm erp-db Off")), "{there:#?}");
    let images: Vec<_> = there.iter().filter(|line| line.starts_with("b image")).collect();
    assert!(
        images.len() == 3 && images.iter().all(|line| line.ends_with("used=true lock=Some(2)")),
        "{images:#?}"
    );
    let scenario = scenario.after(30);
    done(&scenario, Verb::Failback, &[12, 13]);
    holds(&scenario, "failback");
    nothing_lost(&scenario, "failback");
    let back = picture(&scenario);
    assert!(back.iter().any(|line| line.starts_with("a vm erp-db Running")), "{back:#?}");
    // And there again: the VM that is there already is resumed.
    let scenario = scenario.after(30);
    done(&scenario, Verb::Relocate, &[12, 13]);
    holds(&scenario, "relocate again");
    nothing_lost(&scenario, "relocate again");
}

#[test]
fn a_disaster_and_the_way_home() {
    let scenario = protected();
    scenario.model.disaster(Side::Home);
    let scenario = scenario.after(5);
    done(&scenario, Verb::Failover, &[12, 13]);
    holds(&scenario, "failover");
    let there = picture(&scenario);
    assert!(there.iter().any(|line| line.starts_with("b vm erp-app Running")), "{there:#?}");

    scenario.model.back(Side::Home);
    let scenario = scenario.after(20);
    let report = done(&scenario, Verb::Reprotect, &[12, 13]);
    assert!(report.vms.iter().all(|vm| vm.stopped.is_none()));
    holds(&scenario, "reprotect");
    let scenario = scenario.after(20);
    done(&scenario, Verb::Failback, &[12, 13]);
    holds(&scenario, "failback");
    let back = picture(&scenario);
    assert!(back.iter().any(|line| line.starts_with("a vm erp-db Running")), "{back:#?}");
    assert!(back.iter().any(|line| line.starts_with("b vm erp-db Off")), "{back:#?}");
}

#[test]
fn a_frozen_site_is_left_behind_and_its_lock_is_taken() {
    let scenario = protected();
    scenario.model.set_up(Side::Home, Up::Frozen);
    let scenario = scenario.after(5);
    let report = done(&scenario, Verb::Failover, &[12]);
    assert!(report.notes.iter().any(|note| note.contains("locked out")), "{report:#?}");
    holds(&scenario, "failover");
}

#[test]
fn a_failover_needs_nothing_of_a_site_that_lets_nobody_in() {
    let scenario = protected();
    scenario.model.disaster(Side::Home);
    scenario.model.set_up(Side::Home, Up::Refusing);
    let scenario = scenario.after(5);
    done(&scenario, Verb::Failover, &[12, 13]);
    holds(&scenario, "failover");
}

#[test]
fn a_failover_from_a_site_that_answers_is_refused_with_the_safe_command() {
    let scenario = protected();
    let refused = plan_of(&scenario, intent(&scenario, Verb::Failover), &[12]).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, Error::Refused(_)));
    assert!(
        text.contains("REFUSED [peer-still-primary-and-alive]") && text.contains("one-dr plan relocate 12"),
        "{text}"
    );
    // With a reason it is done, and A's VM is off before B is primary.
    let forced = intent(&scenario, Verb::Failover).passing(Guard::PeerStillPrimaryAndAlive, "ticket 4711");
    assert_eq!(run(&scenario, forced, &[12]).end, End::Done);
    holds(&scenario, "forced failover");
}

#[test]
fn a_copy_that_was_left_behind_is_not_promoted() {
    let scenario = protected();
    scenario.model.disaster(Side::Home);
    let scenario = scenario.after(5);
    done(&scenario, Verb::Failover, &[12, 13]);
    scenario.model.back(Side::Home);
    let scenario = scenario.after(20);
    // Nobody has demoted A, or somebody has, by hand: either way no failback.
    let refused = plan_of(&scenario, intent(&scenario, Verb::Failback), &[12]).unwrap_err().to_string();
    assert!(refused.contains("[both-primary]"), "{refused}");
    let id = {
        let mut state = scenario.model.lock();
        for vm in &mut state.one(Side::Home).vms {
            vm.power = Power::Off;
        }
        let id = state.pool(Side::Home).images.iter().find_map(|image| image.global_id.clone());
        crate::storage::GlobalImageId::new(id.unwrap())
    };
    let scenario = scenario.after(5);
    scenario.model.lock().journal_phase = None;
    scenario.pair.storage(Side::Home).demote(&id).unwrap();
    let scenario = scenario.after(5);
    let refused = plan_of(&scenario, intent(&scenario, Verb::Failback), &[12]).unwrap_err().to_string();
    assert!(refused.contains("[not-synced]") && refused.contains("one-dr plan reprotect 12"), "{refused}");
    let refused =
        plan_of(&scenario, intent(&scenario, Verb::Failover).reversed(), &[12]).unwrap_err().to_string();
    assert!(refused.contains("[peer-still-primary-and-alive]"), "{refused}");
}

#[test]
fn a_drill_beside_production_leaves_nothing_behind() {
    let scenario = protected();
    let before = picture(&scenario);
    done(&scenario, Verb::Drill, &[12]);
    holds(&scenario, "drill");
    nothing_lost(&scenario, "drill");
    assert_eq!(picture(&scenario), before);
}

#[test]
fn unprotection_gives_the_features_back() {
    let scenario = protected();
    done(&scenario, Verb::Unprotect, &[13]);
    holds(&scenario, "unprotect");
    let mut state = scenario.model.lock();
    let image = state.by_name(Side::Home, "one-130-13-0").unwrap().clone();
    assert_eq!((image.role(), image.features), (crate::storage::Role::NotMirrored, 61));
}

#[test]
fn what_could_not_be_registered_is_refused_before_anything_is_mirrored() {
    let scenario = Scenario::new().with_vm(12, "erp-db", "cp");
    // Never captured: what stands in the way is read at home.
    let owner = scenario.fork();
    owner.model.lock().one(Side::Home).vms[0].owner = ("mallory".to_owned(), "users".to_owned());
    let Err(Error::Refused(plan)) = plan_of(&owner, intent(&owner, Verb::Protect), &[12]) else {
        panic!("planned")
    };
    let words = plan.findings.iter().map(ToString::to_string).collect::<String>();
    assert!(words.contains(Guard::Unmapped.name()) && words.contains("mallory"), "{words}");

    let name = scenario.fork();
    {
        let mut state = name.model.lock();
        let mut taken = state.one(Side::Home).images[0].clone();
        (taken.id, taken.name, taken.source) = (77, "erp-db".to_owned(), "local/one-77".to_owned());
        state.one(Side::Recovery).images.push(taken);
    }
    let Err(Error::Refused(plan)) = plan_of(&name, intent(&name, Verb::Protect), &[12]) else {
        panic!("planned")
    };
    let words = plan.findings.iter().map(ToString::to_string).collect::<String>();
    assert!(words.contains("taken there by image 77"), "{words}");
    assert!(plan_of(&scenario, intent(&scenario, Verb::Protect), &[12]).is_ok());
}

#[test]
fn a_vm_that_opennebula_has_lost_sight_of_is_not_moved() {
    let scenario = protected();
    scenario.model.lock().one(Side::Home).vms[0].power = Power::Unknown;
    let Err(Error::Unfit(words)) = plan_of(&scenario, intent(&scenario, Verb::Relocate), &[12]) else {
        panic!("planned")
    };
    assert!(words.contains("onevm show 12") && words.contains("Never"), "{words}");
}

#[test]
fn a_set_up_that_is_there_is_not_planned_again() {
    let scenario = Scenario::new();
    done(&scenario, Verb::Configure, &[]);
    assert!(plan_of(&scenario, intent(&scenario, Verb::Configure), &[]).unwrap().is_empty());
    scenario.model.lock().pool(Side::Recovery).delete_delay = None;
    let plan = plan_of(&scenario, intent(&scenario, Verb::Configure), &[]).unwrap();
    assert!(
        matches!(plan.steps.as_slice(), [step] if matches!(step.action, Action::SetDeleteDelay { at: Side::Recovery, .. })),
        "{plan:#?}"
    );
}

#[test]
fn a_drill_that_is_refused_something_says_so_and_leaves_nothing_behind() {
    let base = protected();
    let before = picture(&base);
    let clean = base.fork();
    let first = clean.model.calls();
    done(&clean, Verb::Drill, &[12]);
    let calls = usize::try_from(clean.model.calls() - first).unwrap();
    let trace = clean.model.trace();
    let trace = &trace[trace.len() - calls..];
    for op in ["create_snapshot", "clone_snapshot", "one.image.allocate", "one.vm.allocate"] {
        let at = trace.iter().position(|line| line.contains(op));
        let at = u64::try_from(at.unwrap_or_else(|| panic!("no {op} in {trace:#?}"))).unwrap();
        let scenario = base.fork();
        scenario.model.inject(at + 1, Fault::Error);
        let report = run(&scenario, intent(&scenario, Verb::Drill), &[12]);
        assert_eq!(report.end, End::Done, "{op}: {report:#?}");
        assert!(!report.vms[0].passed_over.is_empty(), "{op}: {report:#?}");
        assert_eq!(picture(&scenario), before, "{op}");
    }
}
