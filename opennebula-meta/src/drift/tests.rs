//! Drift, told from real documents where there are some.

use super::*;
use crate::{Images, capture::Mirror};

const BEFORE: &str =
    include_str!("../../testdata/documents/6.10.3-ceph-site-a/vm-0-running-three-kinds-of-disk.xml");
const REVERTED: &str =
    include_str!("../../testdata/documents/6.10.3-ceph-site-a/vm-0-poweroff-after-disk-snapshot-revert.xml");
const IMAGE: &str =
    include_str!("../../testdata/documents/6.10.3-ceph-site-a/image-1-datablock-persistent-used.xml");

fn capture(vm: &str) -> Capture {
    Capture { vms: vec![Vm::parse(vm).unwrap()], ..Capture::default() }
}

fn mirrored(names: &[(&str, &str, u64)]) -> Mirrored {
    names
        .iter()
        .map(|(name, id, mib)| {
            (name.parse().unwrap(), Mirror { global_id: (*id).to_owned(), bytes: Some(mib << 20) })
        })
        .collect()
}

#[test]
fn nothing_drifts_while_a_vm_just_runs() {
    let later = BEFORE
        .replace("<LAST_POLL>0</LAST_POLL>", "<LAST_POLL>99</LAST_POLL>")
        .replace("<PORT><![CDATA[5900]]>", "<PORT><![CDATA[5907]]>");
    assert_eq!(between(&capture(BEFORE), &capture(&later)), []);
}

#[test]
fn a_revert_is_told_with_the_image_that_it_left_unprotected() {
    let drift = between(&capture(BEFORE), &capture(REVERTED));
    assert!(
        drift.iter().any(|one| matches!(
            one,
            Drift::DiskReverted { image, carrier, to: SnapshotId(0), .. }
                if image.to_string() == "one/one-0-0-0" && carrier.to_string() == "one/one-0-0-0-0"
        )),
        "{drift:?}"
    );
}

/// As seen on real Ceph: the identity moves with the renamed image, and mirroring stays healthy.
#[test]
fn protection_that_follows_the_renamed_carrier_is_found_by_identity_and_by_name() {
    let before =
        mirrored(&[("one/one-0-0-0", "f0", 256), ("one/one-1", "f1", 128), ("one/one-sys-0-2", "f2", 64)]);
    let after =
        mirrored(&[("one/one-0-0-0-0", "f0", 256), ("one/one-1", "f1", 128), ("one/one-sys-0-2", "f2", 64)]);
    assert_eq!(against(&capture(BEFORE), &before, None), []);
    for earlier in [Some(&before), None] {
        let drift = against(&capture(REVERTED), &after, earlier);
        assert!(
            matches!(&drift[..], [Drift::ProtectionMoved { image, carrier, global_id, .. }]
                if image.name() == "one-0-0-0" && carrier.name() == "one-0-0-0-0" && global_id == "f0"),
            "{drift:?}"
        );
    }
}

#[test]
fn disks_that_are_added_resized_replaced_or_gone_are_told() {
    let disk = "<DISK><CLONE>NO</CLONE><DISK_ID>9</DISK_ID><PERSISTENT>YES</PERSISTENT><SIZE>10</SIZE>\
                <SOURCE>one/one-9</SOURCE><TYPE>RBD</TYPE></DISK><MEMORY>";
    let added = BEFORE.replace("<MEMORY>", disk);
    let rbd = Some("one/one-9".parse::<RbdImage>().unwrap());
    let (vm, disk) = (VmId(0), DiskId(9));
    let told = between(&capture(BEFORE), &capture(&added));
    assert!(told.contains(&Drift::DiskAdded { vm, disk, image: rbd.clone() }), "{told:?}");
    assert!(between(&capture(&added), &capture(BEFORE)).contains(&Drift::DiskGone { vm, disk, image: rbd }));

    let resized = BEFORE.replace("<SIZE><![CDATA[256]]></SIZE>", "<SIZE><![CDATA[512]]></SIZE>");
    let (from, to) = (Mebibytes(256), Mebibytes(512));
    assert_eq!(
        between(&capture(BEFORE), &capture(&resized)),
        [Drift::DiskResized { vm, disk: DiskId(0), from, to }]
    );

    let switched = BEFORE.replacen("<CLONE><![CDATA[YES]]></CLONE>", "<CLONE><![CDATA[NO]]></CLONE>", 1);
    let drift = between(&capture(BEFORE), &capture(&switched));
    assert!(matches!(&drift[..], [Drift::DiskReplaced { from: (DiskKind::Clone, _), .. }]), "{drift:?}");
}

#[test]
fn vms_that_come_go_or_are_done_are_told_with_what_goes_with_them() {
    let empty = Capture::default();
    let gone = between(&capture(BEFORE), &empty);
    assert!(matches!(&gone[..], [Drift::VmGone { images, .. }] if images.len() == 2), "{gone:?}");
    assert!(matches!(&between(&empty, &capture(BEFORE))[..], [Drift::VmAdded { .. }]));
    let done = capture(&BEFORE.replace("<STATE>3</STATE>", "<STATE>6</STATE>"));
    assert_eq!(between(&capture(BEFORE), &done), gone);
}

#[test]
fn a_change_of_configuration_is_told_by_field_and_shows_no_secret() {
    let changed =
        BEFORE.replace("<MEMORY><![CDATA[96]]></MEMORY>", "<MEMORY><![CDATA[192]]></MEMORY>").replace(
            "<NETWORK><![CDATA[YES]]></NETWORK>",
            "<NETWORK><![CDATA[YES]]></NETWORK><PASSWORD>hunter2</PASSWORD>",
        );
    let drift = between(&capture(BEFORE), &capture(&changed));
    let [Drift::Configuration { fields, .. }] = &drift[..] else { panic!("{drift:?}") };
    let told: Vec<_> =
        fields.iter().map(|one| (one.path.as_str(), one.was.as_deref(), one.now.as_deref())).collect();
    assert_eq!(
        told,
        [("TEMPLATE/MEMORY", Some("96"), Some("192")), ("TEMPLATE/CONTEXT/PASSWORD", None, None)]
    );
}

#[test]
fn a_switched_persistence_is_told() {
    let with = |image: &str| Capture {
        images: Images::from(vec![Image::parse(image).unwrap()]),
        ..Capture::default()
    };
    let switched = IMAGE.replace("<PERSISTENT>1</PERSISTENT>", "<PERSISTENT>0</PERSISTENT>");
    let drift = between(&with(IMAGE), &with(&switched));
    assert!(
        matches!(&drift[..], [Drift::PersistenceSwitched { to: Persistence::NonPersistent, .. }]),
        "{drift:?}"
    );
    assert!(matches!(&between(&with(IMAGE), &Capture::default())[..], [Drift::ImageGone { .. }]));
}

#[test]
fn what_is_not_mirrored_of_another_size_or_of_nobody_is_told() {
    let drift = against(
        &capture(BEFORE),
        &mirrored(&[("one/one-0-0-0", "f0", 300), ("one/one-1", "f1", 128), ("one/one-7-7-7", "f7", 1)]),
        None,
    );
    assert!(
        matches!(
            &drift[..],
            [
                Drift::SizeDiffers { stated: Mebibytes(256), mirrored: Mebibytes(300), .. },
                Drift::Unprotected { kind: DiskKind::Volatile, .. },
                Drift::Unused { .. }
            ]
        ),
        "{drift:?}"
    );
}

#[test]
fn a_vm_whose_disks_cannot_be_told_is_told() {
    let short = BEFORE.replace("<SOURCE><![CDATA[one/one-0]]></SOURCE>", "");
    let drift = against(&capture(&short), &Mirrored::default(), None);
    assert!(matches!(&drift[..], [Drift::Unreadable { error, .. }] if error.contains("SOURCE")), "{drift:?}");
}

/// Somebody renamed the mirrored image by hand: no name tells, the identity does.
#[test]
fn protection_is_followed_by_identity_to_any_name() {
    let before =
        mirrored(&[("one/one-0-0-0", "f0", 256), ("one/one-1", "f1", 128), ("one/one-sys-0-2", "f2", 64)]);
    let after = mirrored(&[("one/kept", "f0", 256), ("one/one-1", "f1", 128), ("one/one-sys-0-2", "f2", 64)]);
    let drift = against(&capture(BEFORE), &after, Some(&before));
    assert!(
        matches!(&drift[0], Drift::ProtectionMoved { carrier, global_id, .. } if carrier.name() == "kept" && global_id == "f0"),
        "{drift:?}"
    );
}
