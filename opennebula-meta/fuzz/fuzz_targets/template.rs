//! The template parser: no panic, and what it reads can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opennebula_meta::Template;

fuzz_target!(|text: &str| {
    let Ok(template) = Template::parse(text) else { return };
    let xml = template.to_xml().expect("what was read can be written as XML");
    assert_eq!(Template::parse(&xml).expect("our own XML"), template);
    if let Ok(text) = template.to_text() {
        assert_eq!(Template::parse(&text).expect("our own text"), template);
    }
});
