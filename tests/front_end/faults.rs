//! Each call meets each trouble. A change that the other side can have seen is in doubt, and is never sent twice.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use lab::front_end::{FrontEnd as StandIn, Rule, Setup, Trouble};
use one_dr::FrontEnd;
use one_dr::frontend::{Endpoint, Error, LockLevel, Object, Oned, Options, Session, Update, VmAction};
use opennebula_meta::Template;
use opennebula_meta::id::{DatastoreId, GroupId, ImageId, NetworkId, TemplateId, UserId, VmId};
use opennebula_meta::owner::Permissions;

use super::{HELD_UP, client, impatient, replica, template, vm_on};

type Change = fn(&dyn FrontEnd) -> Result<(), Error>;
type Look = fn(&dyn FrontEnd) -> Result<(), Error>;

const IMAGE: Object = Object::Image(ImageId(0));
const SIXFOUR: Permissions = Permissions { owner: 6, group: 4, other: 4 };

/// Every change of the trait, as a call that succeeds on a site with an image, a template and a VM on hold.
const CHANGES: [(&str, Change); 16] = [
    ("one.image.allocate", |it| it.allocate_image(&replica("new"), DatastoreId(1), false).map(drop)),
    ("one.template.allocate", |it| it.allocate_template(&template("NAME=t2\nCPU=1\nMEMORY=1\n")).map(drop)),
    ("one.template.instantiate", |it| it.instantiate(TemplateId(0), "i", true, &Template::new()).map(drop)),
    ("one.vm.allocate", |it| it.allocate_vm(&template("NAME=v2\nCPU=1\nMEMORY=1\n"), true).map(drop)),
    ("one.image.chown", |it| it.chown(IMAGE, UserId(0), GroupId(1))),
    ("one.image.chmod", |it| it.chmod(IMAGE, SIXFOUR)),
    ("one.image.lock", |it| it.lock(IMAGE, LockLevel::Use)),
    ("one.image.unlock", |it| it.unlock(IMAGE)),
    ("one.image.rename", |it| it.rename(IMAGE, "other")),
    ("one.image.update", |it| it.update(IMAGE, &template("A=\"1\"\n"), Update::Merge)),
    ("one.image.delete", |it| it.delete(IMAGE, false)),
    ("one.image.enable", |it| it.enable_image(ImageId(0), false)),
    ("one.vm.action", |it| it.act(VmId(0), VmAction::Terminate)),
    ("one.template.delete", |it| it.delete(Object::Template(TemplateId(0)), false)),
    ("one.vn.hold", |it| it.hold_address(NetworkId(0), [192, 168, 150, 110].into())),
    ("one.vn.release", |it| it.release_address(NetworkId(0), [192, 168, 150, 105].into())),
];

/// Every read of the trait.
const READS: [(&str, Look); 9] = [
    ("one.vmpool.infoextended", |it| it.vms().map(drop)),
    ("one.vm.info", |it| it.vm(VmId(0)).map(drop)),
    ("one.imagepool.info", |it| it.images().map(drop)),
    ("one.image.info", |it| it.image(ImageId(0)).map(drop)),
    ("one.templatepool.info", |it| it.templates().map(drop)),
    ("one.vn.info", |it| it.networks().map(drop)),
    ("one.datastorepool.info", |it| it.datastores().map(drop)),
    ("one.userpool.info", |it| it.users().map(drop)),
    ("one.hostpool.info", |it| it.hosts().map(drop)),
];

/// A site on which every change finds what it changes.
fn site() -> StandIn {
    let oned = StandIn::start(Setup::default()).expect("a free port");
    let client = client(&oned, Options::default());
    client.allocate_image(&replica("disk"), DatastoreId(1), false).expect("new");
    client.allocate_template(&template("NAME=t\nCPU=1\nMEMORY=64\n")).expect("new");
    client.allocate_vm(&template("NAME=v\nCPU=1\nMEMORY=64\n"), true).expect("new");
    client.hold_address(NetworkId(0), [192, 168, 150, 105].into()).expect("free");
    oned
}

/// Everything that a change can change.
fn everything(oned: &StandIn) -> String {
    let kinds = [("image", 2), ("template", 2), ("vm", 3), ("vn", 1)];
    let documents = kinds.iter().flat_map(|(kind, count)| (0..*count).map(|id| oned.document(kind, id)));
    documents.map(Option::unwrap_or_default).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_change_that_can_have_been_seen_is_in_doubt_and_is_sent_once() {
    let troubles = [
        Trouble::HangUp,
        Trouble::ServerError,
        Trouble::ReplyLost,
        Trouble::ServerErrorAfter,
        Trouble::CutOff,
        Trouble::Truncated,
        Trouble::Garbage,
    ];
    for (method, change) in CHANGES {
        for trouble in troubles {
            let oned = site();
            let client = client(&oned, Options::default());
            let before = everything(&oned);
            let calls = oned.count(method);
            oned.inject(Rule::new(trouble).method(method));
            let error = change(&client).expect_err("it met with trouble");
            assert!(error.is_in_doubt(), "{method} {trouble:?}: {error}");
            assert_eq!(oned.count(method), calls + 1, "{method} {trouble:?}: sent once");
            let unlocks = method == "one.image.unlock";
            assert_eq!(everything(&oned) != before, trouble.is_done() && !unlocks, "{method} {trouble:?}");
        }
    }
}

#[test]
fn without_trouble_every_change_succeeds() {
    for (method, change) in CHANGES {
        let oned = site();
        change(&client(&oned, Options::default())).unwrap_or_else(|error| panic!("{method}: {error}"));
    }
}

#[test]
fn a_change_that_is_not_answered_in_time_is_in_doubt() {
    let oned = site();
    let client = client(&oned, impatient());
    oned.inject(Rule::new(Trouble::Slow(HELD_UP * 4)).method("one.image.rename"));
    let start = Instant::now();
    let error = client.rename(IMAGE, "late").expect_err("no answer in time");
    assert!(error.is_in_doubt() && error.to_string().contains("no answer in time"), "{error}");
    assert!(start.elapsed() < HELD_UP * 3, "{:?}", start.elapsed());
    assert_eq!(client.image(ImageId(0)).expect("an answer").expect("there").name(), "late", "it happened");
    oned.inject(Rule::new(Trouble::Slow(HELD_UP / 8)).method("one.image.rename"));
    client.rename(IMAGE, "in-time").expect("slow is not too slow");
}

#[test]
fn a_change_that_nobody_can_have_seen_is_no_doubt() {
    let oned = site();
    let client = client(&oned, impatient());
    let before = everything(&oned);
    oned.close();
    for (method, change) in CHANGES {
        let error = change(&client).expect_err("nobody listens");
        assert!(error.is_unreachable(), "{method}: {error}");
    }
    oned.open().expect("the port is ours");
    assert_eq!(everything(&oned), before);
    assert!(client.version().is_ok(), "it answers again");
}

#[test]
fn a_read_is_asked_again_a_bounded_number_of_times() {
    let troubles =
        [Trouble::HangUp, Trouble::ServerError, Trouble::CutOff, Trouble::Truncated, Trouble::Garbage];
    let oned = site();
    let client = client(&oned, Options { read_pause: Duration::from_millis(1), ..Options::default() });
    for (method, read) in READS {
        for trouble in troubles {
            oned.inject(Rule::new(trouble).method(method).times(2));
            read(&client).unwrap_or_else(|error| panic!("{method} {trouble:?}: {error}"));
        }
        let before = oned.count(method);
        oned.inject(Rule::new(Trouble::ServerError).method(method).times(100));
        let error = read(&client).expect_err("it fails for good");
        assert!(error.is_unreachable() && error.to_string().contains("HTTP 500"), "{method}: {error}");
        assert_eq!(oned.count(method) - before, 3, "{method}");
        oned.heal();
    }
    oned.inject(Rule::new(Trouble::Truncated).method("one.vm.info").times(3));
    let error = client.vm(VmId(0)).expect_err("never whole");
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
}

#[test]
fn a_frozen_front_end_costs_one_deadline() {
    let oned = site();
    let client = client(&oned, impatient());
    oned.freeze();
    for (method, read) in READS {
        let start = Instant::now();
        let error = read(&client).expect_err("nothing is answered");
        assert!(error.is_unreachable() && error.to_string().contains("in time"), "{method}: {error}");
        assert!(start.elapsed() < HELD_UP * 3, "{method} took {:?}", start.elapsed());
    }
    let error = client.rename(IMAGE, "frozen").expect_err("nothing is answered");
    assert!(error.is_in_doubt(), "{error}");
    oned.thaw();
}

/// Goal: a recovery that needs this front-end for nothing pays for its silence once. Method: its calls are counted.
#[test]
fn a_silent_front_end_is_not_asked_again_for_a_while_and_a_closed_one_is() {
    let oned = site();
    let client = client(&oned, Options { silence: Duration::from_secs(600), ..impatient() });
    oned.close();
    client.version().expect_err("nobody listens");
    oned.open().expect("the port is free");
    client.version().expect("being refused costs nothing, so it is asked again");
    oned.freeze();
    client.version().expect_err("nothing is answered");
    oned.thaw();
    let (calls, start) = (oned.calls().len(), Instant::now());
    let error = client.vms().expect_err("not asked");
    assert!(error.is_unreachable() && error.to_string().contains("not asked again"), "{error}");
    assert!(start.elapsed() < HELD_UP, "it took {:?}", start.elapsed());
    assert_eq!(oned.calls().len(), calls);
}

#[test]
fn a_front_end_that_nobody_routes_to_costs_the_time_to_connect() {
    // TEST-NET-1: reserved, nobody answers. Where the network refuses at once it is as good.
    let endpoint = Endpoint::new("http://192.0.2.1:2633/RPC2").expect("an address");
    let session = Session::new("oneadmin:opennebula").expect("credentials");
    let options = Options { connect_within: Duration::from_millis(700), ..Options::default() };
    let client = Oned::new("a", endpoint, session, options).expect("no file");
    let start = Instant::now();
    let error = client.rename(IMAGE, "far").expect_err("nobody answers");
    assert!(error.is_unreachable(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn another_server_at_the_address_is_no_site_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/RPC2", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Whatever is asked: not here, or over there.
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(
                b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
            ));
        }
    });
    let endpoint = Endpoint::new(&url).expect("an address");
    let session = Session::new("oneadmin:opennebula").expect("credentials");
    let client = Oned::new("a", endpoint, session, Options::default()).expect("no file");
    let error = client.version().expect_err("no front-end");
    assert!(matches!(&error, Error::Unreadable { .. }) && error.to_string().contains("HTTP 302"), "{error}");
    let error = client.rename(IMAGE, "x").expect_err("no front-end");
    assert!(matches!(&error, Error::Refused { .. }), "{error}");
}

#[test]
fn every_question_for_the_version_is_asked() {
    let oned = site();
    let client = client(&oned, impatient());
    client.version().expect("it answers");
    oned.close();
    assert!(client.version().expect_err("a remembered answer proves nothing").is_unreachable());
}

#[test]
fn an_answer_that_is_too_long_is_not_read() {
    let oned = site();
    let client = client(&oned, Options { body_max: 300, ..Options::default() });
    let error = client.image(ImageId(0)).expect_err("a document is longer");
    assert!(matches!(error, Error::Unreadable { .. }) && error.to_string().contains("300 bytes"), "{error}");
}

#[test]
fn no_error_text_holds_a_credential() {
    let troubles =
        [Trouble::HangUp, Trouble::ServerError, Trouble::CutOff, Trouble::Truncated, Trouble::Garbage];
    let oned = site();
    let client = client(&oned, Options { read_again: 0, ..Options::default() });
    for trouble in troubles {
        oned.inject(Rule::new(trouble).times(3));
        let errors = [
            client.vm(VmId(0)).expect_err("trouble"),
            client.rename(IMAGE, "x").expect_err("trouble"),
            client.allocate_vm(&vm_on("disk"), true).expect_err("trouble"),
        ];
        for error in errors {
            let shown = format!("{error} {error:?} {client:?}");
            assert!(!shown.contains("opennebula:") && !shown.contains(":opennebula"), "{shown}");
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}
