//! Capturing a site, whole and in pieces.

use std::num::NonZeroUsize;

use lab::front_end::{FrontEnd as StandIn, Rule, Setup, Trouble};
use one_dr::FrontEnd;
use one_dr::frontend::capture::{Captured, Part, Scope, capture};
use one_dr::frontend::{Options, VmAction};
use opennebula_meta::id::{DatastoreId, VmId};
use opennebula_meta::vm::Secrets;

use super::{client, impatient, replica, start, vm_on};

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Nine VMs with a password each; the last is DONE.
fn nine(front_end: &dyn FrontEnd) {
    for at in 0..9 {
        let name = format!("disk-{at}");
        front_end.allocate_image(&replica(&name), DatastoreId(1), false).expect("new");
        front_end.allocate_vm(&vm_on(&name), true).expect("new");
    }
    front_end.act(VmId(8), VmAction::Terminate).expect("on hold");
}

fn ids(captured: &Captured, secrets: Secrets) -> Vec<u32> {
    let vms = captured.capture.vms.iter().filter(|vm| vm.secrets() == secrets);
    let mut ids: Vec<_> = vms.map(|vm| vm.id().0).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_capture_holds_everything_with_secrets_in_the_clear() {
    let (_oned, client) = start(Setup::default());
    nine(&client);
    let captured = capture(&client, &Scope::All, FOUR).expect("it answers");
    assert_eq!(captured.missing, []);
    assert_eq!(ids(&captured, Secrets::Decrypted), [0, 1, 2, 3, 4, 5, 6, 7], "DONE ones are gone");
    let password = |at: usize| captured.capture.vms[at].context().and_then(|node| node.value("PASSWORD"));
    assert!((0..8).all(|at| password(at) == Some("s3cret word")));
    assert_eq!((captured.capture.images.iter().count(), captured.capture.networks.len()), (9, 1));
    assert_eq!((captured.capture.datastores.len(), captured.users.len(), captured.groups.len()), (3, 1, 2));
    let some = Scope::These(vec![VmId(3), VmId(8), VmId(99)]);
    assert_eq!(ids(&capture(&client, &some, FOUR).expect("it answers"), Secrets::Decrypted), [3]);
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_kept() {
    let oned = StandIn::start(Setup::default()).expect("a free port");
    let client = client(&oned, Options { read_again: 0, ..Options::default() });
    nine(&client);
    oned.inject(Rule::new(Trouble::Garbage).method("one.vm.info").nth(3));
    oned.inject(Rule::new(Trouble::Truncated).method("one.imagepool.info"));
    let captured = capture(&client, &Scope::All, FOUR).expect("it answers");
    let parts: Vec<_> = captured.missing.iter().map(|missing| missing.what).collect();
    let [Part::Secrets(vm), Part::Images] = parts[..] else { panic!("{parts:?}") };
    assert_eq!(ids(&captured, Secrets::Encrypted), [vm.0], "as the list has it");
    assert_eq!(captured.capture.vms.len(), 8);
    assert!(captured.missing[0].to_string().starts_with(&format!("the secrets of VM {vm}: ")));
    assert!(captured.missing[1].to_string().starts_with("the images: "));
    assert_eq!((captured.capture.images.iter().count(), captured.capture.networks.len()), (0, 1));
}

#[test]
fn a_front_end_that_falls_silent_costs_few_deadlines_and_no_vm() {
    let oned = StandIn::start(Setup::default()).expect("a free port");
    let client = client(&oned, impatient());
    nine(&client);
    oned.inject(Rule::new(Trouble::Slow(super::HELD_UP * 4)).method("one.vm.info").nth(2).times(99));
    let one = NonZeroUsize::MIN;
    let captured = capture(&client, &Scope::All, one).expect("it answers at first");
    assert_eq!(oned.count("one.vm.info"), 2, "one that was answered, one that was not");
    assert_eq!((ids(&captured, Secrets::Decrypted).len(), ids(&captured, Secrets::Encrypted).len()), (1, 7));
    assert_eq!(captured.missing.len(), 7);
    oned.heal();
    oned.close();
    assert!(capture(&client, &Scope::All, one).expect_err("nobody answers").is_unreachable());
}
