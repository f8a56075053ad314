//! Flatten: progress on the caller's thread, a break, a panic, and what is left after each.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use anyhow::Result;
use rbd_mirror::{Error, Progress, Refusal};
use tests::expect::refusal;

use crate::site::{self, ONE};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// The clone is flat by everybody's account, and holds what its parent held.
fn assert_flat(name: &str) -> Result<()> {
    let (site, image) = (site::site()?, site::pool(ONE)?.open_read_only(name)?);
    assert_eq!(image.parent()?, None);
    let of = |image: &str| format!("{ONE}/{image}");
    assert_eq!(site.image_info(&of(name))?.parent, None);
    assert_eq!(
        site.sha256_of_export(&of(name))?,
        site.sha256_of_export(&of(&format!("{name}-parent@base")))?
    );
    Ok(())
}

#[test]
fn progress_never_goes_back_reaches_its_total_and_is_told_on_the_callers_thread() -> Result<()> {
    let clone = site::cloned(&site::pool(ONE)?, "progress")?;
    let (here, mut seen) = (thread::current().id(), Vec::new());
    clone.flatten(|progress| {
        assert_eq!(thread::current().id(), here);
        seen.push(progress);
        GO_ON
    })?;
    assert_eq!(seen.last(), Some(&Progress { done: 16, total: 16 }), "{seen:?}");
    assert!(seen.is_sorted_by_key(|progress| progress.done), "{seen:?}");
    assert!(seen.iter().all(|progress| progress.total == 16), "{seen:?}");
    assert_flat("progress")
}

// Trap: a panic or a break in a progress callback
#[test]
fn a_break_leaves_the_parent_and_flattening_again_ends_it() -> Result<()> {
    let clone = site::cloned(&site::pool(ONE)?, "broken-off")?;
    let mut calls = 0;
    let stopped = clone.flatten(|_| {
        calls += 1;
        if calls < 3 { GO_ON } else { ControlFlow::Break(()) }
    });
    assert!(matches!(stopped, Err(Error::Cancelled { .. })), "{stopped:?}");
    assert_eq!(calls, 3, "called on after the break");
    assert!(clone.parent()?.is_some());
    assert!(site::site()?.image_info("one/broken-off")?.parent.is_some());
    assert_eq!(clone.read_at(0, 1)?, [1]);
    clone.flatten(|_| GO_ON)?;
    assert_flat("broken-off")
}

// Trap: a panic or a break in a progress callback
#[test]
fn a_panic_in_the_closure_is_the_callers_and_the_image_stays_usable() -> Result<()> {
    let clone = site::cloned(&site::pool(ONE)?, "panicked")?;
    let caught = catch_unwind(AssertUnwindSafe(|| clone.flatten(|_| panic!("in the closure"))));
    let payload = caught.expect_err("the panic was swallowed");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the closure"));
    assert!(clone.parent()?.is_some());
    clone.write_at(0, &[1])?;
    clone.flatten(|_| GO_ON)?;
    clone.close()?;
    assert_flat("panicked")
}

#[test]
fn what_is_flat_or_read_only_is_refused_with_its_cause() -> Result<()> {
    let pool = site::pool(ONE)?;
    let flat = site::disk(&pool, "flat")?;
    assert_eq!(refusal(flat.flatten(|_| GO_ON)), Refusal::NotAClone);
    let clone = site::cloned(&pool, "untouched")?;
    let handle = pool.open_read_only("untouched")?;
    assert_eq!(refusal(handle.flatten(|_| GO_ON)), Refusal::ReadOnlyHandle);
    assert!(clone.parent()?.is_some());
    Ok(())
}

#[test]
fn a_handle_dropped_right_after_a_break_is_closed() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let clone = site::cloned(&pool, "let-go")?;
    assert!(clone.flatten(|_| ControlFlow::Break(())).is_err());
    drop(clone);
    assert_eq!(site.watchers("one/let-go")?, [""; 0]);
    Ok(())
}
