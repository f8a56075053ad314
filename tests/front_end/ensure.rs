//! What is made once stays one, whichever answer is lost.

use lab::front_end::{FrontEnd as StandIn, Rule, Setup, Trouble};
use one_dr::FrontEnd;
use one_dr::frontend::Options;
use one_dr::frontend::ensure::{self, EnsureError, Origin, Stamp};
use opennebula_meta::id::{DatastoreId, TemplateId};

use super::{client, replica, start, template, vm_on};

const TROUBLES: [Trouble; 7] = [
    Trouble::HangUp,
    Trouble::ServerError,
    Trouble::ReplyLost,
    Trouble::ServerErrorAfter,
    Trouble::CutOff,
    Trouble::Truncated,
    Trouble::Garbage,
];

fn stamp(key: &str, value: &str) -> Stamp {
    Stamp { key: key.to_owned(), value: value.to_owned() }
}

/// The image, the template and the VM of a recovered machine.
fn recover(front_end: &dyn FrontEnd) -> Result<[Origin; 3], EnsureError> {
    let (disk, machine) = (replica("disk"), vm_on("disk"));
    let vm = Stamp::of(&machine, "ONE_DR_VM")?;
    let image = ensure::image(front_end, &disk, &Stamp::of(&disk, "ONE_DR_IMAGE")?, DatastoreId(1), false)?;
    let stored = ensure::template(front_end, &machine, &vm)?;
    let extra = template("ONE_DR_VM=\"a/disk\"\n");
    let made = ensure::vm(front_end, stored.id, "back", true, &extra, &vm)?;
    Ok([image.origin, stored.origin, made.origin])
}

#[track_caller]
fn is_one_of_each(oned: &StandIn, what: &str) {
    let client = client(oned, Options::default());
    let counts = [
        client.images().map(|all| all.len()),
        client.templates().map(|all| all.len()),
        client.vms().map(|all| all.len()),
    ];
    assert_eq!(counts, [Ok(1), Ok(1), Ok(1)], "{what}");
}

#[test]
fn what_is_there_is_found_and_not_made_again() {
    let (oned, client) = start(Setup::default());
    assert_eq!(recover(&client).expect("nothing is in the way"), [Origin::Made; 3]);
    assert_eq!(recover(&client).expect("all is there"), [Origin::Found; 3]);
    is_one_of_each(&oned, "twice");
}

/// Goal: whatever happens to the k-th call, asking again ends with one of each. Method: every trouble at every k.
#[test]
fn whatever_happens_to_the_kth_call_there_is_one_of_each_in_the_end() {
    let calls = {
        let (oned, client) = start(Setup::default());
        recover(&client).expect("nothing is in the way");
        oned.calls().len()
    };
    assert!(calls >= 9, "looked and made: {calls}");
    for trouble in TROUBLES {
        for k in 1..=u32::try_from(calls).expect("few") {
            let oned = StandIn::start(Setup::default()).expect("a free port");
            // Without asking again, so that every trouble is felt.
            let client = client(&oned, Options { read_again: 0, ..Options::default() });
            oned.inject(Rule::new(trouble).nth(k));
            let mut tries = 1;
            while let Err(error) = recover(&client) {
                assert!(tries < 3, "{trouble:?} at call {k}: {error}");
                tries += 1;
            }
            is_one_of_each(&oned, &format!("{trouble:?} at call {k}"));
        }
    }
}

#[test]
fn an_answer_lost_after_the_fact_ends_in_adoption() {
    let (oned, client) = start(Setup::default());
    for method in ["one.image.allocate", "one.template.allocate", "one.template.instantiate"] {
        oned.inject(Rule::new(Trouble::ReplyLost).method(method));
    }
    assert_eq!(recover(&client).expect("found afterwards"), [Origin::Adopted; 3]);
    is_one_of_each(&oned, "adopted");
}

#[test]
fn an_rbd_image_that_somebody_else_registered_is_not_taken() {
    let (_oned, client) = start(Setup::default());
    let foreign = template("NAME=theirs\nTYPE=OS\nSOURCE=\"one/disk\"\nFORMAT=raw\nSIZE=64\n");
    client.allocate_image(&foreign, DatastoreId(1), false).expect("OpenNebula checks nothing");
    let error = recover(&client).expect_err("two images on one RBD image");
    assert!(matches!(&error, EnsureError::Foreign { name, .. } if name == "theirs"), "{error}");
    assert_eq!(client.images().expect("an answer").len(), 1, "nothing was made");
}

#[test]
fn a_registration_whose_rbd_image_got_another_name_is_not_made_a_second_time() {
    let (_oned, client) = start(Setup::default());
    recover(&client).expect("nothing is in the way");
    let renamed =
        template("NAME=disk-1\nTYPE=OS\nSOURCE=\"one/disk-0\"\nFORMAT=raw\nSIZE=64\nONE_DR_IMAGE=g-disk\n");
    let error = ensure::image(&client, &renamed, &stamp("ONE_DR_IMAGE", "g-disk"), DatastoreId(1), false);
    let shown = error.expect_err("one global id, two registrations").to_string();
    assert!(shown.contains("image 0") && shown.contains("one/disk-0"), "{shown}");
    assert_eq!(client.images().expect("an answer").len(), 1);
}

#[test]
fn several_of_a_stamp_are_for_a_person_to_see() {
    let (_oned, client) = start(Setup::default());
    let machine = template("NAME=m\nCPU=1\nMEMORY=64\nONE_DR_VM=\"a/7\"\n");
    client.allocate_vm(&machine, true).expect("names of VMs are free");
    client.allocate_vm(&machine, true).expect("names of VMs are free");
    let extra = template("ONE_DR_VM=\"a/7\"\n");
    let error =
        ensure::vm(&client, TemplateId(0), "m", true, &extra, &stamp("ONE_DR_VM", "a/7")).expect_err("two");
    assert!(error.to_string().contains("VMs 1, 0 are all ONE_DR_VM=a/7"), "{error}");
}

#[test]
fn what_would_not_be_known_again_is_not_made() {
    let (oned, client) = start(Setup::default());
    let bare = template("NAME=m\nCPU=1\nMEMORY=64\n");
    let error = ensure::template(&client, &bare, &stamp("ONE_DR_VM", "a/7")).expect_err("no stamp");
    assert!(matches!(error, EnsureError::NoStamp { .. }), "{error}");
    assert!(matches!(Stamp::of(&bare, "ONE_DR_VM"), Err(EnsureError::NoStamp { .. })));
    assert!(oned.calls().is_empty(), "not even looked");
}
