//! Catalogs that were damaged.

use opennebula_meta::record::Stamp;
use opennebula_meta::{Capture, Record, Vm};

use super::{Directory, Error, INDEX, Shelf, index, name_of, newest, publish};
use crate::clock::Moment;

fn record(name: &str) -> Record {
    let vm = Vm::parse(&format!("<VM><ID>7</ID><NAME>{name}</NAME></VM>")).unwrap();
    let capture = Capture { vms: vec![vm], ..Capture::default() };
    Record::new(capture, Stamp { site: "a".to_owned(), captured_at: None })
}

#[test]
fn of_a_damaged_version_the_one_before_is_taken_and_it_is_said() {
    let place = tempfile::tempdir().unwrap();
    let shelf = Directory::new(place.path().join("catalog"));
    assert_eq!(newest(&shelf).err(), Some(Error::Empty));
    let good = publish(&shelf, &record("one"), Moment(1)).unwrap();
    let bad = publish(&shelf, &record("two"), Moment(2)).unwrap();
    assert_eq!(newest(&shelf).unwrap().version, bad);

    let mut bytes = shelf.get(&name_of(&bad.address)).unwrap().unwrap();
    bytes.truncate(bytes.len() / 2);
    shelf.put(&name_of(&bad.address), &bytes).unwrap();
    let found = newest(&shelf).unwrap();
    assert_eq!(found.version, good);
    assert_eq!(found.damaged.len(), 1, "{:?}", found.damaged);

    // Capturing the same again heals it.
    publish(&shelf, &record("two"), Moment(3)).unwrap();
    assert!(newest(&shelf).unwrap().damaged.is_empty());
}

#[test]
fn an_index_that_is_gone_or_garbled_is_made_from_the_records() {
    let place = tempfile::tempdir().unwrap();
    let shelf = Directory::new(place.path());
    publish(&shelf, &record("one"), Moment(1)).unwrap();
    shelf.put(INDEX, b"[{\"addr").unwrap();
    assert_eq!(index(&shelf).unwrap().len(), 1);
    shelf.remove(INDEX).unwrap();
    assert_eq!(newest(&shelf).unwrap().record.capture().vms[0].name(), "one");
}

#[test]
fn only_so_many_versions_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let shelf = Directory::new(place.path());
    for number in 0..60 {
        publish(&shelf, &record(&format!("vm{number}")), Moment(number)).unwrap();
    }
    assert_eq!(index(&shelf).unwrap().len(), 50);
    assert_eq!(shelf.list("one-dr.record.").unwrap().len(), 50);
}
