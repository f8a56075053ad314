//! Findings, told from real documents where there are some.

use super::*;
use crate::{Capture, Datastore, Image, Network, capture::Mirror, source::NoRbd, version::Version};

const COMPLEX: &str = include_str!("../../testdata/documents/6.10.3/vm-1-running-complex-decrypted.xml");
const SNAPSHOTS: &str =
    include_str!("../../testdata/documents/6.10.3/vm-2-poweroff-disk-snapshots-sched-actions.xml");
const SIMPLE: &str = include_str!("../../testdata/documents/6.10.3/vm-0-running-nonpersistent.xml");
const IMAGES: &str = include_str!("../../testdata/documents/6.10.3/imagepool.xml");
const DATASTORES: &str = include_str!("../../testdata/documents/6.10.3/datastorepool.xml");
const NETWORK: &str = include_str!("../../testdata/documents/6.10.3/vnet-0-bridge.xml");

fn images() -> Images {
    Image::parse_pool(IMAGES).unwrap().into()
}

fn lint(text: &str, mirrored: Option<&Mirrored>) -> Vec<Finding> {
    let around = Around { images: &images(), site_map: &SiteMap::default(), mirrored };
    vm(&Vm::parse(text).unwrap().with_secrets(Secrets::Decrypted), &around)
}

fn has(findings: &[Finding], path: &str, wanted: impl Fn(&Lint) -> bool) -> bool {
    findings.iter().any(|finding| finding.path == path && wanted(&finding.lint))
}

#[test]
fn the_complex_vm_is_told_everything_that_the_operator_must_know() {
    let mirrored: Mirrored = ["one/one-0-1-0", "one/one-1", "one/one-4-1-5", "one/one-2"]
        .iter()
        .map(|name| (name.parse().unwrap(), Mirror { global_id: String::new(), bytes: None }))
        .collect();
    let findings = lint(COMPLEX, Some(&mirrored));
    let told: Vec<(&str, &Lint)> = findings.iter().map(|one| (one.path.as_str(), &one.lint)).collect();
    for (path, wanted) in [
        ("VM/USER_TEMPLATE/SCHED_REQUIREMENTS", Lint::PinnedToCluster),
        ("VM/USER_TEMPLATE/SCHED_REQUIREMENTS", Lint::PinnedToHost),
        ("VM/USER_TEMPLATE/SCHED_DS_REQUIREMENTS", Lint::PinnedToDatastore),
        ("VM/TEMPLATE/PCI", Lint::PciDevice),
        ("VM/TEMPLATE/RAW", Lint::Raw),
        ("VM/TEMPLATE/OS/FIRMWARE", Lint::UefiVariables),
        ("VM/TEMPLATE/CONTEXT/TOKEN", Lint::OneGate),
        ("VM/TEMPLATE/DISK[3]", Lint::StartsEmpty),
        ("VM/TEMPLATE/DISK[4]", Lint::CdNotMirrored { image: "one/one-3".parse().unwrap() }),
    ] {
        assert!(told.contains(&(path, &wanted)), "{path} {wanted:?} is not in {told:#?}");
    }
    assert!(
        !findings.iter().any(|one| matches!(one.lint, Lint::NotMirrored { .. } | Lint::CipherText)),
        "{told:#?}"
    );
    assert!(findings.is_sorted_by_key(|finding| finding.severity));
}

#[test]
fn snapshots_and_a_revert_are_told() {
    let findings = lint(SNAPSHOTS, None);
    assert!(has(&findings, "VM/TEMPLATE/DISK", |lint| matches!(lint, Lint::DiskSnapshots { count: 4 })));
    assert!(has(&findings, "VM/TEMPLATE/DISK", |lint| {
        matches!(lint, Lint::Reverted { carrier, .. } if carrier.name() == "one-0-2-0-0:1")
    }));
    let findings = lint(SIMPLE, None);
    assert!(has(&findings, "VM/TEMPLATE/SNAPSHOT", |lint| matches!(lint, Lint::SystemSnapshot { .. })));
}

#[test]
fn what_cannot_be_registered_is_told() {
    let long = "x".repeat(129);
    for (from, to, wanted) in [
        ("<NAME>alpine-0</NAME>", format!("<NAME>{long}</NAME>"), "has 129 bytes"),
        ("<NAME>alpine-0</NAME>", "<NAME>a/b</NAME>".to_owned(), "'/' is not allowed"),
        ("<SOURCE><![CDATA[one/one-0]]></SOURCE>", String::new(), "SOURCE is missing"),
        ("<TYPE><![CDATA[RBD]]></TYPE>", "<TYPE>FILE</TYPE>".to_owned(), "no RBD image"),
        (
            "<NETWORK><![CDATA[YES]]></NETWORK>",
            "<NETWORK>YES</NETWORK><A>x@^_^@B=y</A>".to_owned(),
            "separator",
        ),
        ("<TARGET><![CDATA[hda]]></TARGET>", "<TARGET>vda</TARGET>".to_owned(), "two disks have the target"),
        ("<MEMORY><![CDATA[96]]></MEMORY>", String::new(), "MEMORY is missing"),
        ("<MODEL><![CDATA[virtio]]></MODEL>", "<MODEL>a\u{1F600}</MODEL>".to_owned(), "U+1F600"),
    ] {
        assert!(SIMPLE.contains(from), "{from}");
        let findings = lint(&SIMPLE.replace(from, &to), None);
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|one| one.contains(wanted)), "{wanted} is not in {told:#?}");
    }
}

#[test]
fn context_that_would_not_arrive_is_told() {
    let with = |attribute: &str| {
        let text = SIMPLE.replace("<CONTEXT>", &format!("<CONTEXT>{attribute}"));
        lint(&text, None)
    };
    let path = "VM/TEMPLATE/CONTEXT/A";
    for value in ["5$ each", "${X}", "$HOME", "$$", "a\\\\$X"] {
        assert!(
            has(&with(&format!("<A>{value}</A>")), path, |lint| *lint == Lint::ContextVariable),
            "{value}"
        );
    }
    for value in ["\\$1", "no dollar", "\\\\\\$X"] {
        assert!(
            !has(&with(&format!("<A>{value}</A>")), path, |lint| *lint == Lint::ContextVariable),
            "{value}"
        );
    }
    assert!(has(&with("<FILES_DS>/x:'init.sh' </FILES_DS>"), "VM/TEMPLATE/CONTEXT/FILES_DS", |lint| *lint
        == Lint::ContextFiles));
    let around = Around { images: &images(), site_map: &SiteMap::default(), mirrored: None };
    let cipher = SIMPLE.replace("<CONTEXT>", "<CONTEXT><PASSWORD>xuuq8arGS/4L/woT9NyfVQ==</PASSWORD>");
    let told = vm(&Vm::parse(&cipher).unwrap(), &around);
    assert!(has(&told, "VM/TEMPLATE/CONTEXT/PASSWORD", |lint| *lint == Lint::CipherText));
}

fn site_b() -> Capture {
    Capture {
        version: Some(Version::new(7, 4, 0)),
        images: Image::parse_pool(IMAGES).unwrap().into(),
        datastores: Datastore::parse_pool(DATASTORES).unwrap(),
        networks: vec![Network::parse(NETWORK).unwrap()],
        vms: vec![Vm::parse(SIMPLE).unwrap()],
        ..Capture::default()
    }
}

fn lint_at_b(text: &str, map: &SiteMap, b: &Capture) -> Vec<String> {
    let vm = Vm::parse(text).unwrap();
    let there = reregister::vm(&vm, &images(), map).unwrap();
    at_b(&vm, &there, b).iter().map(ToString::to_string).collect()
}

/// The worst case: a B with its own images in the mirrored pool, and the same numbers.
#[test]
fn a_site_that_makes_images_in_the_mirrored_pool_is_told_first() {
    let told = lint_at_b(SIMPLE, &SiteMap::default(), &site_b());
    assert!(told[0].contains("VM whose own RBD image is one/one-0-0-0"), "{told:#?}");
    assert!(told[1].contains("site B may make one/one-0-0-0 itself"), "{told:#?}");
    assert!(told.iter().any(|one| one.contains("192.168.150.100 is in use")), "{told:#?}");
    assert!(told.iter().any(|one| one.contains("MACHINE")), "{told:#?}");

    let apart = DATASTORES.replace("<POOL_NAME><![CDATA[one]]>", "<POOL_NAME><![CDATA[local]]>");
    let b = Capture { datastores: Datastore::parse_pool(&apart).unwrap(), vms: Vec::new(), ..site_b() };
    let told = lint_at_b(SIMPLE, &SiteMap::default(), &b);
    assert!(!told.iter().any(|one| one.contains("one-0-0-0")), "{told:#?}");
}

#[test]
fn names_addresses_and_room_at_the_other_site_are_told() {
    let map = SiteMap { name_suffix: String::new(), ..SiteMap::default() };
    let taken = SIMPLE.replace("<NAME>alpine-0</NAME>", "<NAME>db-data</NAME>");
    let told = lint_at_b(&taken, &map, &site_b());
    assert!(
        told.iter().any(|one| one.contains("has an image \"db-data\" of \"oneadmin\" already")),
        "{told:#?}"
    );
    let far = SIMPLE.replace("<IP><![CDATA[192.168.150.100]]>", "<IP><![CDATA[10.9.9.9]]>");
    let told = lint_at_b(&far, &map, &site_b());
    assert!(told.iter().any(|one| one.contains("no range with 10.9.9.9")), "{told:#?}");
    let large = SIMPLE.replace("<SIZE><![CDATA[256]]>", "<SIZE><![CDATA[99999999]]>");
    let told = lint_at_b(&large, &map, &site_b());
    assert!(told.iter().any(|one| one.contains("99999999 are asked for")), "{told:#?}");
    let other = SIMPLE.replace("<MAC><![CDATA[02:00:c0:a8:96:64]]>", "<MAC><![CDATA[02:00:00:00:00:01]]>");
    let told = lint_at_b(&other, &map, &site_b());
    assert!(told.iter().any(|one| one.contains("comes with the MAC 02:00:c0:a8:96:64")), "{told:#?}");
    let blanks = SIMPLE.replace("<ARCH><![CDATA[x86_64]]>", "<ARCH><![CDATA[ x86_64]]>");
    let told = lint_at_b(&blanks, &map, &site_b());
    assert!(told.iter().any(|one| one.starts_with("VM/USER_TEMPLATE/ARCH: ")), "{told:#?}");
}

#[test]
fn a_disk_without_an_rbd_image_is_told_by_number() {
    let findings = lint(&SIMPLE.replace("<TYPE><![CDATA[RBD]]></TYPE>", "<TYPE>FILE</TYPE>"), None);
    assert!(
        findings.iter().any(|one| matches!(one.lint, Lint::NoRbd { why: NoRbd::File, .. })),
        "{findings:#?}"
    );
}
