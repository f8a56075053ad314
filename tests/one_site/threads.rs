//! Handles between threads: shared, dropped while a call runs, and opened two hundred times.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use anyhow::Result;
use lab::{Seen, until};

use crate::site::{self, MIB, ONE, SOON};

#[test]
fn one_handle_serves_many_threads_at_once() -> Result<()> {
    let image = site::mirrored(&site::pool(ONE)?, "shared")?;
    thread::scope(|scope| {
        let work = |number: u8| {
            let image = &image;
            move || -> Result<()> {
                let at = u64::from(number) * MIB;
                for round in 0..20_u8 {
                    image.write_at(at, &[number ^ round; 512])?;
                    assert_eq!(image.read_at(at, 512)?, [number ^ round; 512]);
                    assert!(image.role()?.is_primary());
                    image.status()?;
                    image.watchers()?;
                    image.journal()?;
                }
                Ok(())
            }
        };
        let workers: Vec<_> = (0..8).map(|number| scope.spawn(work(number))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a thread panicked"))
    })
}

#[test]
fn a_handle_dropped_by_one_thread_while_another_works_is_closed_when_both_are_done() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::cloned(&pool, "dropped")?;
    let (started, has_started) = mpsc::channel();
    let worker = {
        let image = image.clone();
        thread::spawn(move || {
            image.flatten(|_| {
                let _ = started.send(());
                ControlFlow::Continue(())
            })
        })
    };
    has_started.recv()?;
    // A clone of the handle that is not the last closes nothing, and says that all is well.
    image.close()?;
    drop(pool);
    worker.join().expect("the thread panicked")?;
    assert_eq!(site.image_info("one/dropped")?.parent, None);
    assert_eq!(site.watchers("one/dropped")?, [""; 0]);
    Ok(())
}

#[test]
fn a_call_given_up_at_its_bound_ends_by_itself_and_the_handle_is_closed_after_it() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::cloned(&pool, "given-up-on")?;
    let hurried = image.bounded_by(std::time::Duration::from_nanos(1));
    for _ in 0..20 {
        let outcome = hurried.write_at(0, &[1; 4096]);
        assert!(outcome.as_ref().map_or_else(rbd_mirror::Error::is_in_doubt, |()| true), "{outcome:?}");
        let outcome = hurried.role();
        assert!(outcome.as_ref().map_or_else(rbd_mirror::Error::is_in_doubt, |_| true), "{outcome:?}");
    }
    assert!(hurried.flatten(|_| ControlFlow::Continue(())).is_err_and(|error| error.is_in_doubt()));
    drop((image, hurried));
    until("the handle to be closed", SOON, &site::lab()?.logs(), || {
        let watchers = site.watchers("one/given-up-on")?;
        Ok(Seen::when(watchers.is_empty(), || watchers.join(", ")))
    })?;
    assert_eq!(pool.open("given-up-on")?.read_at(0, 1)?, [1]);
    Ok(())
}

#[test]
fn two_hundred_times_opened_and_closed_leave_no_watcher() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    site::disk(&pool, "cycled")?.close()?;
    for cycle in 0..200 {
        let image = pool.open("cycled")?;
        if cycle % 20 == 0 {
            image.write_at(0, &[7; 512])?;
        }
        match cycle % 2 {
            0 => image.close()?,
            _ => drop(image),
        }
    }
    assert_eq!(site.watchers("one/cycled")?, [""; 0]);
    assert_eq!(site.locks("one/cycled")?.len(), 0);
    Ok(())
}
