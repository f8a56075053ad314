//! The document readers: no panic, bounded, and a document reads back from its own XML; a stream reads the same
//! objects as a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opennebula_meta::document::{Document, Limits, Pool, pool};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = Document::parse_bytes(bytes) {
        let xml = document.to_xml();
        assert_eq!(Document::parse(&xml).expect("our own XML").to_xml(), xml);
    }
    let limits = Limits { bytes: 256, depth: 6, elements: 64 };
    let small: Vec<_> = Pool::within(bytes, &limits).collect();
    assert!(small.iter().rev().skip(1).all(Result::is_ok), "only the last may be an error");
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(objects) = pool(text)
        && let Ok(streamed) = Pool::new(bytes).collect::<Result<Vec<_>, _>>()
    {
        let xml = |objects: &[Document]| objects.iter().map(Document::to_xml).collect::<Vec<_>>();
        assert_eq!(xml(&objects), xml(&streamed));
    }
});
