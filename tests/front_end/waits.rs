//! Waiting for VMs and images that take their time, or never get there.

use std::time::{Duration, Instant};

use lab::front_end::{Hook, Rule, Setup, Trouble, WorkKind};
use one_dr::FrontEnd;
use one_dr::clock::WallClock;
use one_dr::frontend::wait::{self, Poweroff, WaitError};
use one_dr::frontend::{Object, Power, VmAction};
use opennebula_meta::id::{DatastoreId, ImageId, VmId};

use super::{replica, start, template};

const LONG: Duration = Duration::from_secs(30);
const VM: VmId = VmId(0);

fn machine() -> opennebula_meta::Template {
    template("NAME=vm\nCPU=1\nMEMORY=64\n")
}

fn failing_at(kind: WorkKind) -> Setup {
    let hook = Hook::new(move |work| if work.kind == kind { Err("not today".to_owned()) } else { Ok(()) });
    Setup { hook: Some(hook), pace_ms: 100, ..Setup::default() }
}

#[test]
fn a_vm_is_waited_for_through_its_states() {
    let (_oned, client) = start(Setup { pace_ms: 200, ..Setup::default() });
    client.allocate_vm(&machine(), false).expect("new");
    assert_eq!(Power::of(&client.vm(VM).expect("an answer").expect("there")), Power::Starting);
    wait::vm(&client, &WallClock, VM, Power::Running, LONG).expect("it gets there");
    wait::poweroff(&client, &WallClock, VM, Poweroff::Soft, LONG).expect("the guest listens");
    wait::poweroff(&client, &WallClock, VM, Poweroff::Soft, LONG).expect("it is off already");
    client.act(VM, VmAction::Resume).expect("off");
    wait::vm(&client, &WallClock, VM, Power::Running, LONG).expect("it gets there");
    client.act(VM, VmAction::TerminateHard).expect("running");
    wait::vm(&client, &WallClock, VM, Power::Done, LONG).expect("it gets there");
    let error = wait::vm(&client, &WallClock, VM, Power::Running, LONG).expect_err("never again");
    assert!(matches!(error, WaitError::Astray { .. }), "{error}");
    let error = wait::vm(&client, &WallClock, VmId(9), Power::Running, LONG).expect_err("there is none");
    assert!(matches!(error, WaitError::Gone { .. }), "{error}");
}

#[test]
fn a_guest_that_does_not_listen_runs_on_until_the_plug_is_asked_for() {
    let slow = Hook::new(|work| {
        if work.kind == WorkKind::Shutdown {
            std::thread::sleep(Duration::from_millis(1500));
            return Err("the guest ignores ACPI".to_owned());
        }
        Ok(())
    });
    let (oned, client) = start(Setup { hook: Some(slow), ..Setup::default() });
    client.allocate_vm(&machine(), false).expect("new");
    wait::vm(&client, &WallClock, VM, Power::Running, LONG).expect("it gets there");
    let error = wait::poweroff(&client, &WallClock, VM, Poweroff::Soft, LONG).expect_err("it runs on");
    assert!(error.to_string().contains("the guest did not go down"), "{error}");
    assert_eq!(oned.count("one.vm.action"), 1, "nobody pulled the plug by himself");
    wait::poweroff(&client, &WallClock, VM, Poweroff::Hard, LONG).expect("no guest is asked");
}

#[test]
fn an_answer_to_poweroff_that_was_lost_is_no_reason_to_give_up() {
    let (oned, client) = start(Setup { pace_ms: 200, ..Setup::default() });
    client.allocate_vm(&machine(), false).expect("new");
    wait::vm(&client, &WallClock, VM, Power::Running, LONG).expect("it gets there");
    oned.inject(Rule::new(Trouble::ReplyLost).method("one.vm.action"));
    wait::poweroff(&client, &WallClock, VM, Poweroff::Soft, LONG).expect("it went down all the same");
}

#[test]
fn a_failure_ends_a_wait_with_opennebulas_reason() {
    for (kind, word) in [(WorkKind::Prolog, "failure state"), (WorkKind::Deploy, "failure state")] {
        let (_oned, client) = start(failing_at(kind));
        client.allocate_vm(&machine(), false).expect("new");
        let start = Instant::now();
        let error = wait::vm(&client, &WallClock, VM, Power::Running, LONG).expect_err("it failed");
        assert!(error.to_string().contains(word) && error.to_string().contains("not today"), "{error}");
        assert!(start.elapsed() < LONG / 2, "at once, not at the deadline");
    }
}

#[test]
fn a_wait_ends_at_its_deadline_and_says_what_it_saw() {
    let (oned, client) = start(Setup { hosts: Vec::new(), ..Setup::default() });
    client.allocate_vm(&machine(), false).expect("new");
    let within = Duration::from_millis(800);
    let error = wait::vm(&client, &WallClock, VM, Power::Running, within).expect_err("no host takes it");
    assert!(matches!(&error, WaitError::TimedOut { last, .. } if last == "starting"), "{error}");
    oned.close();
    let error = wait::vm(&client, &WallClock, VM, Power::Running, within).expect_err("nobody answers");
    assert!(
        matches!(&error, WaitError::TimedOut { last, .. } if last.contains("does not answer")),
        "{error}"
    );
}

#[test]
fn a_replica_that_refuses_to_be_removed_is_seen_in_error_and_forgotten_by_force() {
    let (_oned, client) = start(failing_at(WorkKind::RemoveImage));
    let id: ImageId = client.allocate_image(&replica("one-0-0-0"), DatastoreId(1), false).expect("new");
    wait::image_ready(&client, &WallClock, id, LONG).expect("with SOURCE no driver runs");
    client.delete(Object::Image(id), false).expect("not in use");
    let error = wait::image_gone(&client, &WallClock, id, LONG).expect_err("its RBD image is not primary");
    assert!(matches!(error, WaitError::Astray { .. }), "{error}");
    let error = wait::image_ready(&client, &WallClock, id, LONG).expect_err("in ERROR");
    assert!(matches!(error, WaitError::Astray { .. }), "{error}");
    client.delete(Object::Image(id), true).expect("by force");
    wait::image_gone(&client, &WallClock, id, LONG).expect("the record is gone");
}
