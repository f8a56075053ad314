//! Every real document in testdata is read, in XML and JSON, of both versions, and says what it says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use opennebula_meta::{
    Datastore, Image, Network, StoredTemplate, Vm,
    datastore::DatastoreType,
    document::{Document, Why, pool},
    id::{DiskId, ImageId, Mebibytes, SnapshotId, VmId},
    image::{ImageState, ImageType, Persistence},
    source::{self, Backing, NoRbd, Origin, Protection, RbdImage, Reverted},
    vm::{DiskKind, Revert, VmState},
};

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/documents")
}

fn read(path: &str) -> String {
    let path = documents().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn all_files() -> Vec<PathBuf> {
    let folders = fs::read_dir(documents()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_real_document_is_read_and_written_without_loss() {
    let files = all_files();
    assert!(files.len() > 55, "only {} documents", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // One template a line: no document, but what was sent.
        for text in if file.to_string_lossy().contains("accepted-image-templates") {
            text.lines().map(str::to_owned).collect()
        } else {
            vec![text]
        } {
            let document =
                Document::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let xml = document.to_xml();
            assert_eq!(Document::parse(&xml).unwrap().to_xml(), xml, "{}", file.display());
            if !document.root().name().ends_with("_POOL") {
                continue;
            }
            let objects = pool(&text).unwrap();
            assert_eq!(objects.len(), document.root().children().count(), "{}", file.display());
        }
    }
}

#[test]
fn json_and_xml_of_the_command_line_say_the_same() {
    for (xml, json) in
        [("onevm-show-0.xml", "onevm-show-0.json"), ("oneimage-show-0.xml", "oneimage-show-0.json")]
    {
        let [xml, json] =
            [xml, json].map(|file| Document::parse(&read(&format!("cli/{file}"))).unwrap().to_xml());
        let plain = |text: String| text.replace("<![CDATA[]]>", "").replace("/>", "></");
        // JSON writes a list for some single elements, and has no difference between {} and an empty value.
        let names = |text: &str| plain(text.to_owned()).matches('<').count();
        assert_eq!(names(&xml), names(&json));
        assert_eq!(
            Document::parse(&json).unwrap().root().value("NAME"),
            Document::parse(&xml).unwrap().root().value("NAME")
        );
    }
    let indented = Vm::parse(&read("cli/onevm-show-1.xml")).unwrap();
    let flat = Vm::parse(&read("6.10.3/vm-1-running-complex.xml")).unwrap();
    assert_eq!(indented.document().to_xml(), flat.document().to_xml());
}

#[test]
fn typed_views_read_every_object_of_every_pool() {
    let images = Image::parse_pool(&read("6.10.3/imagepool.xml")).unwrap();
    assert_eq!(images.len(), 8);
    let types: Vec<ImageType> = images.iter().map(|image| image.image_type().unwrap()).collect();
    assert_eq!(types.iter().filter(|one| **one == ImageType::Datablock).count(), 3);
    let persistent = images.iter().find(|image| image.name() == "db-data").unwrap();
    assert_eq!(persistent.persistence(), Persistence::Persistent);
    assert_eq!(persistent.state().unwrap(), ImageState::UsedPersistent);
    assert_eq!(persistent.size().unwrap(), Mebibytes(512));
    assert_eq!(persistent.rbd().unwrap().to_string(), "one/one-1");
    assert_eq!(persistent.permissions().unwrap().unwrap().to_string(), "600");
    assert_eq!(persistent.snapshots().unwrap().all.len(), 0);
    let context = images.iter().find(|image| image.name() == "init.sh").unwrap();
    assert!(!context.is_rbd() && context.rbd().is_err());

    assert_eq!(Vm::parse_pool(&read("6.10.3/vmpool-extended.xml")).unwrap().len(), 5);
    assert_eq!(Vm::parse_pool(&read("6.10.3/vmpool.xml")).unwrap().len(), 5);
    let states = Vm::parse_pool(&read("7.4.0/vmpool.xml"))
        .unwrap()
        .iter()
        .map(|vm| vm.state().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(states.len(), 3);
    assert_eq!(Network::parse_pool(&read("6.10.3/vnetpool.xml")).unwrap().len(), 2);
    assert_eq!(StoredTemplate::parse_pool(&read("6.10.3/templatepool.xml")).unwrap().len(), 2);
    let datastores = Datastore::parse_pool(&read("6.10.3/datastorepool.xml")).unwrap();
    let types: Vec<_> =
        datastores.iter().map(|one| (one.datastore_type().unwrap(), one.ceph_pool())).collect();
    assert!(
        types.contains(&(DatastoreType::System, Some("one"))) && types.contains(&(DatastoreType::File, None))
    );
    for error in [Vm::parse("<IMAGE><ID>1</ID></IMAGE>").unwrap_err(), Image::parse("<VM/>").unwrap_err()] {
        assert!(matches!(error.why, Why::Root { .. }));
    }
}

#[test]
fn a_network_pairs_addresses_as_its_range_does() {
    let network = Network::parse(&read("6.10.3/vnet-0-bridge.xml")).unwrap();
    let vm = Vm::parse(&read("6.10.3/vm-1-running-complex.xml")).unwrap();
    let nic = vm.nics().next().unwrap();
    let ip = nic.element().value("IP").unwrap().parse().unwrap();
    assert_eq!(network.mac_for(ip).as_deref(), nic.element().value("MAC"));
    assert!(network.is_leased(ip));
    assert_eq!(network.mac_for("10.0.0.1".parse().unwrap()), None);
}

/// The RBD images that existed for these VMs, as the real drivers made them.
#[test]
fn every_disk_maps_to_the_rbd_image_that_the_real_drivers_made() {
    let sources = |path: &str| source::disks(&Vm::parse(&read(path)).unwrap()).unwrap();
    let names = |path: &str| -> Vec<String> {
        let name = |disk: source::DiskSource| match disk.backing {
            Backing::Rbd(image) => image.to_string(),
            Backing::None(why) => format!("{why:?}"),
        };
        sources(path).into_iter().map(name).collect()
    };
    assert_eq!(names("6.10.3/vm-0-running-nonpersistent.xml"), ["one/one-0-0-0", "ContextCd"]);
    assert_eq!(
        names("6.10.3/vm-1-running-complex.xml"),
        [
            "one/one-0-1-0",
            "one/one-1",
            "one/one-sys-1-2",
            "one/one-sys-1-3",
            "one/one-3",
            "one/one-4-1-5",
            "one/one-2",
            "ContextCd"
        ]
    );
    assert_eq!(names("6.10.3/vm-4-hold-minimal-no-disk-no-nic.xml"), Vec::<String>::new());
    assert_eq!(names("6.10.3/vm-5-undeployed.xml"), ["one/one-0-5-0", "ContextCd"]);
    assert_eq!(names("7.4.0/vm-1-running-nonpersistent.xml"), ["one/one-0-1-0", "ContextCd"]);
    assert_eq!(
        names("6.10.3-ceph-site-a/vm-0-running-three-kinds-of-disk.xml"),
        ["one/one-0-0-0", "one/one-1", "one/one-sys-0-2", "ContextCd"]
    );
    assert_eq!(
        names("6.10.3-ceph-site-b/vm-0-running-on-promoted-replicas.xml"),
        ["one/one-0-0-0", "one/one-1", "one/one-sys-0-2", "ContextCd"]
    );
    let kinds: Vec<DiskKind> =
        sources("6.10.3/vm-1-running-complex.xml").iter().map(|disk| disk.kind).collect();
    assert_eq!(
        kinds,
        [
            DiskKind::Clone,
            DiskKind::Persistent,
            DiskKind::Swap,
            DiskKind::Volatile,
            DiskKind::Cdrom,
            DiskKind::Clone,
            DiskKind::Persistent,
            DiskKind::Context
        ]
    );
}

#[test]
fn a_reverted_disk_is_a_clone_of_its_renamed_carrier() {
    let spec = |text: &str| text.parse::<RbdImage>().unwrap();
    for (path, head, carrier, parent) in [
        (
            "6.10.3/vm-2-poweroff-disk-snapshots-sched-actions.xml",
            "one/one-0-2-0",
            "one/one-0-2-0-0:1",
            "one/one-0-2-0-0:1@0",
        ),
        (
            "6.10.3-ceph-site-a/vm-0-poweroff-after-disk-snapshot-revert.xml",
            "one/one-0-0-0",
            "one/one-0-0-0-0",
            "one/one-0-0-0-0@0",
        ),
    ] {
        let disk = source::disks(&Vm::parse(&read(path)).unwrap()).unwrap().remove(0);
        assert_eq!(disk.rbd(), Some(&spec(head)));
        assert!(
            matches!(&disk.reverted, Reverted::Yes { carrier: guess, .. } if *guess == spec(carrier)),
            "{disk:?}"
        );
        let parents: Vec<String> = disk.parents.iter().map(ToString::to_string).collect();
        assert_eq!(parents, [parent, "one/one-0@snap"]);
        assert!(matches!(disk.protection(), Protection::Flatten { .. }));
        assert!(
            spec(carrier).is_carrier_of(&spec(head), None) && !spec(head).is_carrier_of(&spec(head), None)
        );
    }
    let image = Image::parse(&read("6.10.3/image-5-os-persistent-with-snapshots.xml")).unwrap();
    let tree = image.snapshots().unwrap();
    let Revert::To(base) = tree.revert else { panic!("{tree:?}") };
    assert_eq!(image.rbd().unwrap().carrier(&tree.beside(base)), spec("one/one-5-0:1"));
}

#[test]
fn a_disk_without_source_or_size_is_an_error_with_its_place() {
    let short = Vm::parse_pool(&read("6.10.3/vmpool.xml")).unwrap();
    let vm = short.iter().find(|vm| vm.disks().count() > 1).unwrap();
    let error = source::disks(vm).unwrap_err();
    assert!(matches!(error.why, Why::Missing("SOURCE")), "{error}");
    assert_eq!(error.at.path, "VM/TEMPLATE/DISK[0]");
    let full = read("6.10.3/vm-0-running-nonpersistent.xml");
    for (from, to, path) in [
        ("<SIZE><![CDATA[256]]></SIZE>", "", "VM/TEMPLATE/DISK"),
        ("<SIZE><![CDATA[256]]></SIZE>", "<SIZE>-5</SIZE>", "VM/TEMPLATE/DISK/SIZE"),
        ("<SIZE><![CDATA[256]]></SIZE>", "<SIZE>0</SIZE>", "VM/TEMPLATE/DISK/SIZE"),
        ("<SIZE><![CDATA[256]]></SIZE>", "<SIZE>256M</SIZE>", "VM/TEMPLATE/DISK/SIZE"),
        (
            "<SOURCE><![CDATA[one/one-0]]></SOURCE>",
            "<SOURCE>one/one-0@snap</SOURCE>",
            "VM/TEMPLATE/DISK/SOURCE",
        ),
        (
            "<SOURCE><![CDATA[one/one-0]]></SOURCE>",
            "<SOURCE>/var/lib/one/x</SOURCE>",
            "VM/TEMPLATE/DISK/SOURCE",
        ),
        ("<CLONE><![CDATA[YES]]></CLONE>", "", "VM/TEMPLATE/DISK"),
    ] {
        assert!(full.contains(from));
        let error = source::disks(&Vm::parse(&full.replace(from, to)).unwrap()).unwrap_err();
        assert_eq!((error.at.path.as_str(), error.at.line), (path, 1), "{to}: {error}");
        assert!(error.at.column > 1000);
    }
}

#[test]
fn a_disk_that_is_no_rbd_image_says_why() {
    let full = read("6.10.3/vm-0-running-nonpersistent.xml");
    let file = full.replace("<TYPE><![CDATA[RBD]]></TYPE>", "<TYPE><![CDATA[FILE]]></TYPE>");
    let disk = source::disks(&Vm::parse(&file).unwrap()).unwrap().remove(0);
    assert_eq!(disk.protection(), Protection::Impossible(NoRbd::File));
    let undeployed = "<VM><ID>1</ID><NAME>n</NAME><TEMPLATE><DISK><DISK_ID>0</DISK_ID><SIZE>1</SIZE><TYPE>fs</TYPE></DISK></TEMPLATE></VM>";
    let disk = source::disks(&Vm::parse(undeployed).unwrap()).unwrap().remove(0);
    assert_eq!(disk.protection(), Protection::Impossible(NoRbd::NotDeployed));
}

#[test]
fn the_memory_of_a_stopped_vm_is_in_the_pool_of_its_system_datastore() {
    let datastores = Datastore::parse_pool(&read("6.10.3/datastorepool.xml")).unwrap();
    let running = read("6.10.3/vm-0-running-nonpersistent.xml");
    let vm = Vm::parse(&running).unwrap();
    assert_eq!(source::checkpoint(&vm, &datastores).unwrap(), None);
    let stopped = Vm::parse(&running.replace("<STATE>3</STATE>", "<STATE>4</STATE>")).unwrap();
    assert_eq!(stopped.state().unwrap(), VmState::Stopped);
    assert_eq!(
        source::checkpoint(&stopped, &datastores).unwrap().unwrap().to_string(),
        "one/one-sys-0-checkpoint"
    );
}

#[test]
fn names_of_rbd_images_tell_whose_they_are() {
    for (name, origin) in [
        ("one-7", Origin::Image(ImageId(7))),
        ("one-7-0:1", Origin::ImageCarrier(ImageId(7), vec![SnapshotId(0), SnapshotId(1)])),
        ("one-7-3-0", Origin::Clone(ImageId(7), VmId(3), DiskId(0))),
        (
            "one-7-3-0-2:3",
            Origin::CloneCarrier(ImageId(7), VmId(3), DiskId(0), vec![SnapshotId(2), SnapshotId(3)]),
        ),
        ("one-sys-3-1", Origin::Volatile(VmId(3), DiskId(1))),
        ("one-sys-3-checkpoint", Origin::Checkpoint(VmId(3))),
        ("one-", Origin::Foreign),
        ("one-07", Origin::Foreign),
        ("one-7-", Origin::Foreign),
        ("one-7-3-0-2-5", Origin::Foreign),
        ("data", Origin::Foreign),
    ] {
        assert_eq!(Origin::of(name), origin, "{name}");
    }
}
