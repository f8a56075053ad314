//! Differences, with `rbd diff` as the witness.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use rbd_mirror::{CreateOptions, DiffOptions, Errno, Error, Extent, Features, Image};
use tests::expect::errno;

use crate::site::{self, MIB, ONE};

fn all(image: &Image, options: &DiffOptions) -> Result<Vec<Extent>> {
    let mut found = Vec::new();
    image.diff(options, |extent| {
        found.push(extent);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// What `rbd diff` says, in our words.
fn shown(arguments: &[&str]) -> Result<Vec<Extent>> {
    let shown = site::site()?.rbd(std::iter::once("diff").chain(arguments.iter().copied()))?;
    let extents = shown.as_array().into_iter().flatten().map(|entry| Extent {
        offset: entry["offset"].as_u64().unwrap_or(u64::MAX),
        length: entry["length"].as_u64().unwrap_or(u64::MAX),
        exists: entry["exists"] == "true",
    });
    Ok(extents.collect())
}

#[test]
fn what_changed_since_a_snapshot_is_what_rbd_diff_says_byte_by_byte_and_by_whole_objects() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::disk(&pool, "differing")?;
    image.write_at(0, &[1; 8192])?;
    image.write_at(8 * MIB, &[1; 4096])?;
    image.create_snapshot("then")?;
    image.write_at(4 * MIB, &[2; 8192])?;
    image.discard(8 * MIB, 4 * MIB)?;
    image.flush()?;
    let since = DiffOptions { since: Some("then".to_owned()), ..DiffOptions::default() };
    let changed = all(&image, &since)?;
    assert_eq!(changed, shown(&["--from-snap", "then", "one/differing"])?);
    let grown = Extent { offset: 4 * MIB, length: 8192, exists: true };
    assert!(changed.contains(&grown), "{changed:?}");
    assert!(changed.iter().any(|extent| extent.offset == 8 * MIB && !extent.exists), "{changed:?}");

    let objects = DiffOptions { whole_objects: true, ..since };
    let objects = all(&image, &objects)?;
    assert_eq!(objects, shown(&["--whole-object", "--from-snap", "then", "one/differing"])?);
    assert!(objects.iter().all(|extent| extent.length == 4 * MIB), "{objects:?}");

    let held = all(&image, &DiffOptions::default())?;
    assert_eq!(held, shown(&["one/differing"])?);
    let of_the_snapshot = all(&pool.open_at_snapshot("differing", "then")?, &DiffOptions::default())?;
    assert_eq!(of_the_snapshot, shown(&["one/differing@then"])?);

    let part = DiffOptions { offset: 4 * MIB, length: Some(4 * MIB), ..DiffOptions::default() };
    assert_eq!(all(&image, &part)?, [grown]);
    let behind = DiffOptions { offset: 17 * MIB, ..DiffOptions::default() };
    assert_eq!(all(&image, &behind)?, []);
    Ok(())
}

#[test]
fn what_a_clone_reads_from_its_parent_counts_only_when_asked_for() -> Result<()> {
    let clone = site::cloned(&site::pool(ONE)?, "diff-clone")?;
    clone.write_at(3 * MIB, &[9; 4096])?;
    clone.flush()?;
    let own = all(&clone, &DiffOptions { include_parent: false, ..DiffOptions::default() })?;
    let with_parent = all(&clone, &DiffOptions::default())?;
    assert!(own.len() < with_parent.len(), "{own:?} {with_parent:?}");
    assert_eq!(with_parent, shown(&["one/diff-clone"])?);
    Ok(())
}

// Trap: a panic or a break in a progress callback
#[test]
fn thousands_of_extents_arrive_in_order_and_a_break_or_a_panic_ends_them() -> Result<()> {
    let pool = site::pool(ONE)?;
    // Objects of 4 KiB: more extents than librbd may be ahead of the closure.
    let options =
        CreateOptions { order: Some(12), features: Some(Features::LAYERING), ..CreateOptions::default() };
    pool.create("scattered", 16 * MIB, &options)?;
    let image = pool.open("scattered")?;
    let (first, second) = (vec![1; 1 << 12], vec![0; 1 << 12]);
    let mut data = Vec::new();
    for number in 0..4096 {
        data.extend_from_slice(if number % 2 == 0 { &first } else { &second });
    }
    image.write_at(0, &data)?;
    for odd in (1..4096_u64).step_by(2) {
        image.discard(odd * 4096, 4096)?;
    }
    image.flush()?;
    let found = all(&image, &DiffOptions::default())?;
    let held: Vec<_> = found.iter().filter(|extent| extent.exists).map(|extent| extent.offset).collect();
    assert_eq!(held, (0..2048).map(|number| number * 8192).collect::<Vec<u64>>());

    let mut calls = 0;
    let stopped = image.diff(&DiffOptions::default(), |_| {
        calls += 1;
        if calls < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert!(matches!(stopped, Err(Error::Cancelled { .. })), "{stopped:?}");
    assert_eq!(calls, 3, "called on after the break");
    let diffing = || image.diff(&DiffOptions::default(), |_| panic!("in the closure"));
    let payload = catch_unwind(AssertUnwindSafe(diffing)).expect_err("the panic was swallowed");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the closure"));
    image.close()?;
    Ok(())
}

#[test]
fn a_snapshot_that_is_not_there_or_younger_than_what_is_shown_is_an_error() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::disk(&pool, "undiffed")?;
    image.create_snapshot("old")?;
    image.create_snapshot("young")?;
    let since = |snapshot: &str| DiffOptions { since: Some(snapshot.to_owned()), ..DiffOptions::default() };
    assert!(matches!(all(&image, &since("none")), Err(error) if error.to_string().contains("not found")));
    let old = pool.open_at_snapshot("undiffed", "old")?;
    assert_eq!(errno(old.diff(&since("young"), |_| ControlFlow::Continue(()))), Errno::EINVAL);
    Ok(())
}
