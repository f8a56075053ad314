//! The marks by which we know again what we made in OpenNebula: a lost reply never makes a second one.

use opennebula_meta::template::Key;
use opennebula_meta::{Image, StoredTemplate, Template, Vm};

/// Of a VM and its template: the home site's name and the VM's number there, `a/12`.
pub const VM: &str = "ONE_DR_VM";
/// Of an image: the mirrored image's global id.
pub const IMAGE: &str = "ONE_DR_IMAGE";
/// Of everything that a drill made: the drill's name.
pub const DRILL: &str = "ONE_DR_DRILL";
/// Of a template: the name of what it was made from, so that an old one is noticed.
pub const CONTENT: &str = "ONE_DR_CONTENT";

/// The stamp of a VM.
#[must_use]
pub fn vm(home: &str, vm: u32) -> String {
    format!("{home}/{vm}")
}

/// Puts a stamp into a template, in the place of one that is there.
pub fn put(template: &mut Template, key: &'static str, value: &str) {
    template.remove(key);
    // Ours are all keys that OpenNebula takes.
    if let Ok(key) = Key::new(key) {
        template.push_single(key, value);
    }
}

/// The stamp that a VM carries.
#[must_use]
pub fn of_vm<'a>(vm: &'a Vm, key: &'static str) -> Option<&'a str> {
    vm.user_template().and_then(|template| template.value(key))
}

/// The stamp that an image carries.
#[must_use]
pub fn of_image(image: &Image) -> Option<&str> {
    image.root().child("TEMPLATE").and_then(|template| template.value(IMAGE))
}

/// The stamp that a template carries.
#[must_use]
pub fn of_template<'a>(template: &'a StoredTemplate, key: &'static str) -> Option<&'a str> {
    template.root().child("TEMPLATE").and_then(|template| template.value(key))
}
