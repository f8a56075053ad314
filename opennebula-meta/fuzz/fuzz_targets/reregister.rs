//! A whole VM: whatever it holds, the template for B reads back as it was written, and nothing of the way panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opennebula_meta::{
    Capture, Images, SiteMap, Template, Vm,
    drift::{self, Drift},
    lint::{self, Around},
    record::{Record, Stamp},
    reregister, source,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(vm) = Vm::parse(text) else { return };
    let (images, map) = (Images::default(), SiteMap::default());
    let _ = source::disks(&vm);
    let _ = lint::vm(&vm, &Around { images: &images, site_map: &map, mirrored: None });
    if let Ok(there) = reregister::vm(&vm, &images, &map) {
        let xml = there.template.to_xml().expect("a template that was handed over can be written");
        assert_eq!(Template::parse(&xml).expect("our own XML"), there.template);
        let capture = Capture { vms: vec![vm.clone()], ..Capture::default() };
        let _ = lint::at_b(&vm, &there, &capture);
        let _ = spelled(&there.changes);
    }
    let capture = Capture { vms: vec![vm], ..Capture::default() };
    let told = drift::between(&capture, &capture);
    assert!(told.iter().all(|one| matches!(one, Drift::Unreadable { .. })), "{told:?}");
    let record = Record::new(capture, Stamp::default());
    assert_eq!(Record::parse(&record.to_json()).expect("our own record").address(), record.address());
});

/// Spells every change out.
fn spelled(changes: &reregister::Changes) -> String {
    changes.iter().map(|change| change.to_string()).collect()
}
