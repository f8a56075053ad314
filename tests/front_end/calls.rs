//! Every call of the trait, in both releases, and what differs between them.

use std::net::IpAddr;

use lab::front_end::{Release, Setup};
use one_dr::FrontEnd;
use one_dr::frontend::{Error, LockLevel, Object, Options, Power, Session, Update, VmAction};
use opennebula_meta::Template;
use opennebula_meta::id::{DatastoreId, GroupId, ImageId, NetworkId, TemplateId, UserId, VmId};
use opennebula_meta::owner::Permissions;
use opennebula_meta::version::Version;

use super::{client, replica, start, template, vm_on};

const DATASTORE: DatastoreId = DatastoreId(1);

fn two_users(release: Release) -> Setup {
    let user = |name: &str, password: &str| (name.to_owned(), password.to_owned());
    Setup {
        release,
        users: vec![user("oneadmin", "opennebula"), user("alice", "alicepw")],
        ..Setup::default()
    }
}

#[test]
fn every_call_does_in_both_releases_what_the_trait_says() {
    for (release, version) in [(Release::V6, Version::new(6, 10, 3)), (Release::V7, Version::new(7, 4, 0))] {
        let (_oned, client) = start(two_users(release));
        let front_end: &dyn FrontEnd = &client;
        assert_eq!(front_end.version(), Ok(version));
        let image = front_end.allocate_image(&replica("one-0-0-0"), DATASTORE, false).expect("it is new");
        front_end.chown(Object::Image(image), UserId(2), GroupId(1)).expect("they are there");
        front_end.chown(Object::Image(image), UserId(0), GroupId(0)).expect("back again");
        front_end.chmod(Object::Image(image), Permissions { owner: 6, group: 4, other: 0 }).expect("ours");
        front_end.rename(Object::Image(image), "renamed").expect("a free name");
        front_end.update(Object::Image(image), &template("EXTRA=\"1\"\n"), Update::Merge).expect("ours");
        let read = front_end.image(image).expect("an answer").expect("it is there");
        assert_eq!((read.name(), read.source().expect("a source")), ("renamed", "one/one-0-0-0"));
        assert_eq!(read.permissions().expect("digits").expect("given").to_string(), "640");
        assert_eq!(
            read.root().child("TEMPLATE").and_then(|node| node.value("ONE_DR_IMAGE")),
            Some("g-one-0-0-0")
        );
        front_end.enable_image(image, false).expect("READY");
        front_end.enable_image(image, true).expect("DISABLED");
        front_end.rename(Object::Image(image), "one-0-0-0").expect("a free name");

        let stored = front_end.allocate_template(&vm_on("one-0-0-0")).expect("a template");
        let vm = front_end.instantiate(stored, "moved", true, &template("ONE_DR_RUN=r1\n")).expect("on hold");
        let read = front_end.vm(vm).expect("an answer").expect("it is there");
        assert_eq!((Power::of(&read), read.name()), (Power::Held, "moved"));
        assert_eq!(read.user_template().and_then(|node| node.value("ONE_DR_VM")), Some("a/one-0-0-0"));
        assert_eq!(read.context().and_then(|node| node.value("PASSWORD")), Some("s3cret word"), "decrypted");
        let listed = front_end.vms().expect("an answer");
        let hidden = listed[0].context().and_then(|node| node.value("PASSWORD")).expect("one");
        assert!(!hidden.contains("s3cret"), "encrypted in the list");
        front_end.act(vm, VmAction::Release).expect("on hold");
        assert_eq!(Power::of(&front_end.vm(vm).expect("an answer").expect("there")), Power::Running);
        front_end.act(vm, VmAction::Poweroff).expect("running");
        front_end.act(vm, VmAction::Resume).expect("off");
        front_end.act(vm, VmAction::TerminateHard).expect("running");
        assert_eq!(Power::of(&front_end.vm(vm).expect("an answer").expect("DONE ones too")), Power::Done);
        assert_eq!(front_end.vms().expect("an answer").len(), 0, "DONE ones are not listed");
        let direct = front_end.allocate_vm(&vm_on("one-0-0-0"), true).expect("the image is free again");
        front_end.act(direct, VmAction::Terminate).expect("on hold");
        front_end.delete(Object::Template(stored), false).expect("ours");
        front_end.delete(Object::Image(image), false).expect("not in use");
        assert_eq!(front_end.image(image), Ok(None));
        assert_eq!(front_end.templates().expect("an answer").len(), 0);
    }
}

#[test]
fn pools_of_an_empty_site_and_what_is_in_a_new_one_are_read() {
    let (_oned, client) = start(two_users(Release::V6));
    assert_eq!(client.vms().expect("an answer").len(), 0);
    assert_eq!(client.images().expect("an answer").len(), 0);
    assert_eq!(client.vm(VmId(9999)), Ok(None));
    assert_eq!(client.image(ImageId(9999)), Ok(None));
    let datastores = client.datastores().expect("an answer");
    assert_eq!(datastores.iter().map(|each| each.name()).collect::<Vec<_>>(), ["files", "default", "system"]);
    let hosts = client.hosts().expect("an answer");
    assert_eq!(
        (hosts[0].name.as_str(), hosts[0].usable, hosts[0].free_cpu_percent),
        ("node0-site-a", true, 800)
    );
    let names = |names: Vec<String>| names.join(" ");
    assert_eq!(
        names(client.users().expect("an answer").into_iter().map(|user| user.name).collect()),
        "alice oneadmin"
    );
    assert_eq!(
        names(client.groups().expect("an answer").into_iter().map(|group| group.name).collect()),
        "users oneadmin"
    );
}

#[test]
fn networks_come_with_their_leases_which_the_pool_does_not_show() {
    let (_oned, client) = start(Setup::default());
    let address: IpAddr = "192.168.150.120".parse().expect("an address");
    let holders = || {
        let networks = client.networks().expect("an answer");
        let ranges = networks[0].root().child("AR_POOL").expect("ranges");
        let leases =
            ranges.child("AR").and_then(|range| range.child("LEASES")).expect("asked for one by one");
        leases
            .children()
            .filter_map(|lease| Some(format!("{} {}", lease.value("IP")?, lease.value("VM")?)))
            .collect::<Vec<_>>()
    };
    client.hold_address(NetworkId(0), address).expect("free");
    assert_eq!(holders(), ["192.168.150.120 -1"]);
    let again = client.hold_address(NetworkId(0), address).expect_err("held");
    assert!(matches!(&again, Error::Refused { code: 8192, text, .. } if text.contains("in use")), "{again}");
    client.release_address(NetworkId(0), address).expect("held");
    assert!(holders().is_empty());
    client.release_address(NetworkId(0), address).expect("releasing twice does no harm");
}

#[test]
fn a_full_datastore_refuses_a_replica_unless_its_check_is_skipped() {
    for release in [Release::V6, Release::V7] {
        let (_oned, client) = start(Setup { release, free_mb: 10, ..Setup::default() });
        let refused = client.allocate_image(&replica("full"), DATASTORE, false).expect_err("10 MiB are free");
        assert!(matches!(&refused, Error::Refused { code: 2048, .. }), "{refused}");
        client.allocate_image(&replica("full"), DATASTORE, true).expect("its data is there already");
    }
}

#[test]
fn a_locked_replica_cannot_be_deleted_and_loses_its_lock_with_every_change_of_state() {
    let (_oned, client) = start(Setup::default());
    let id = client.allocate_image(&replica("locked"), DATASTORE, false).expect("new");
    let locked = || client.image(id).expect("an answer").expect("there").root().child("LOCK").is_some();
    for level in [LockLevel::Use, LockLevel::Manage] {
        client.lock(Object::Image(id), level).expect("ours");
        let refused = client.delete(Object::Image(id), true).expect_err("with force too");
        assert!(refused.is_not_allowed() && refused.to_string().contains("IMAGE is locked"), "{refused}");
    }
    let vm = client.allocate_vm(&vm_on("locked"), true).expect("level 2 allows it");
    assert!(!locked(), "the image is in use now");
    client.lock(Object::Image(id), LockLevel::Use).expect("ours");
    client.act(vm, VmAction::Terminate).expect("on hold");
    assert!(!locked(), "the image is free again");
    client.unlock(Object::Image(id)).expect("unlocking twice does no harm");
}

#[test]
fn a_long_pool_is_read_in_parts_and_misses_nothing() {
    let (oned, whole) = start(Setup::default());
    let expected: Vec<_> = (0..11).rev().map(ImageId).collect();
    for at in 0..11 {
        whole.allocate_image(&replica(&format!("disk-{at}")), DATASTORE, false).expect("new");
    }
    let ids = |client: &dyn FrontEnd| {
        client.images().expect("an answer").iter().map(|image| image.id()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&whole), expected);
    for page in [1, 2, 3, 10, 11, 12, 0] {
        let before = oned.count("one.imagepool.info");
        assert_eq!(ids(&client(&oned, Options { page, ..Options::default() })), expected, "{page} a page");
        let calls = oned.count("one.imagepool.info") - before;
        assert_eq!(
            calls,
            1 + usize::try_from(if page > 10 { 1 } else { 11_u32.div_ceil(page.max(1)) }).expect("small")
        );
    }
    for gone in [0, 4, 5, 10] {
        whole.delete(Object::Image(ImageId(gone)), false).expect("free");
    }
    let left: Vec<_> = [9, 8, 7, 6, 3, 2, 1].map(ImageId).into();
    assert_eq!(ids(&client(&oned, Options { page: 2, ..Options::default() })), left);
}

#[test]
fn refusals_come_as_decisions_with_opennebulas_words() {
    let (oned, client) = start(two_users(Release::V6));
    client.allocate_image(&replica("twice"), DATASTORE, false).expect("new");
    let taken = client.allocate_image(&replica("twice"), DATASTORE, false).expect_err("names are taken once");
    assert!(taken.is_name_taken(), "{taken}");
    let expected = "one.image.allocate at site b was refused: Error allocating a new image. NAME is already taken by \
                    IMAGE 0. (code 16384)";
    assert_eq!(taken.to_string(), expected);
    let nowhere = client.delete(Object::Image(ImageId(77)), false).expect_err("no such image");
    assert!(nowhere.is_not_found(), "{nowhere}");
    let endpoint = client.endpoint().clone();
    let with = |session: &str| {
        let session = Session::new(session).expect("credentials");
        one_dr::frontend::Oned::new("b", endpoint.clone(), session, Options::default()).expect("no file")
    };
    let wrong = with("oneadmin:mistyped").version().expect_err("the password is another");
    assert!(wrong.is_wrong_password() && !wrong.to_string().contains("mistyped"), "{wrong}");
    let alice = with("alice:alicepw");
    let restricted =
        alice.allocate_image(&replica("hers"), DATASTORE, false).expect_err("SOURCE is restricted");
    assert!(restricted.is_not_allowed() && restricted.to_string().contains("SOURCE"), "{restricted}");
    let deleted = client.delete(Object::Vm(VmId(0)), false).expect_err("VMs are terminated");
    assert!(matches!(deleted, Error::Refused { .. }) && oned.count("one.vm.delete") == 0, "{deleted}");
    let action = client.act(VmId(5), VmAction::Resume).expect_err("no such VM");
    assert!(action.is_not_found(), "{action}");
}

#[test]
fn a_refused_context_is_not_quoted_in_the_error() {
    let (_oned, client) = start(Setup::default());
    let refused = client.allocate_vm(
        &template("NAME=n\nCPU=1\nMEMORY=64\nCONTEXT=[PASSWORD=\"s3cret\",NOTE=\"5$ each\"]\n"),
        true,
    );
    let shown = refused.expect_err("a dollar that begins no variable").to_string();
    assert!(
        shown.contains("syntax error") && !shown.contains("s3cret") && !shown.contains("each"),
        "{shown}"
    );
}

#[test]
fn a_template_that_is_instantiated_may_be_given_nothing_more() {
    let (_oned, client) = start(Setup::default());
    let stored = client.allocate_template(&template("NAME=bare\nCPU=1\nMEMORY=64\n")).expect("a template");
    assert_eq!(client.instantiate(stored, "", true, &Template::new()), Ok(VmId(0)));
    assert_eq!(client.vm(VmId(0)).expect("an answer").expect("there").name(), "bare-0");
    assert!(
        client.instantiate(TemplateId(99), "x", true, &Template::new()).expect_err("no such").is_not_found()
    );
}
