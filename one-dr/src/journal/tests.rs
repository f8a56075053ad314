//! Journals that were cut, changed and shared.

use super::{Directory, Error, Journal, Memory, Phase, Store, parse};
use crate::clock::Moment;

fn three(store: &dyn Store) {
    let mut journal = Journal::on(store.open("r", true).unwrap()).unwrap();
    for (phase, text) in [(Phase::Started, "one"), (Phase::Intent, "two"), (Phase::Done, "three")] {
        journal.write(Moment(1), Some(0), phase, text, None).unwrap();
    }
}

#[test]
fn what_is_written_to_a_file_is_read_again_and_belongs_to_one_process() {
    let place = tempfile::tempdir().unwrap();
    let store = Directory::new(place.path().join("runs"));
    three(&store);
    let mut first = Journal::on(store.open("r", false).unwrap()).unwrap();
    assert_eq!(first.entries().len(), 3);
    assert_eq!(store.open("r", false).err(), Some(Error::InUse("r".to_owned())));
    first.write(Moment(2), None, Phase::Finished, "", None).unwrap();
    drop(first);
    assert_eq!(Journal::on(store.open("r", false).unwrap()).unwrap().entries().len(), 4);
    assert_eq!(store.runs().unwrap(), ["r"]);
    assert_eq!(store.open("../r", false).err(), Some(Error::NoRun("../r".to_owned())));
}

#[test]
fn a_last_line_torn_at_any_byte_is_cut_off_and_written_over() {
    let whole = {
        let store = Memory::default();
        three(&store);
        store.peek("r").unwrap()
    };
    let second = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    for length in second..whole.len() {
        let store = Memory::default();
        three(&store);
        store.damage("r", |bytes| bytes.truncate(length));
        let mut journal = Journal::on(store.open("r", false).unwrap()).unwrap();
        assert_eq!(journal.entries().len(), 2, "torn at {length}");
        journal.write(Moment(3), None, Phase::Resumed, "", None).unwrap();
        assert_eq!(parse(&store.peek("r").unwrap()).unwrap().0.len(), 3);
    }
}

#[test]
fn a_garbled_last_line_is_cut_off_and_a_changed_line_before_it_is_an_error() {
    let store = Memory::default();
    three(&store);
    store.damage("r", |bytes| *bytes = String::from_utf8_lossy(bytes).replace("three", "thr\u{fffd}").into());
    assert_eq!(parse(&store.peek("r").unwrap()).unwrap().0.len(), 2);
    store.damage("r", |bytes| *bytes = String::from_utf8_lossy(bytes).replace("\"two\"", "\"too\"").into());
    assert_eq!(parse(&store.peek("r").unwrap()), Err(Error::Broken { line: 2 }));
}

#[test]
fn a_missing_line_is_an_error() {
    let store = Memory::default();
    three(&store);
    store.damage("r", |bytes| {
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        bytes.drain(..first);
    });
    assert_eq!(parse(&store.peek("r").unwrap()), Err(Error::Broken { line: 1 }));
}
