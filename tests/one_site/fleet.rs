//! Many images at once: an outcome for each, whatever becomes of the others.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use rbd_mirror::fleet::{Cancel, Counts, Fleet, Target};
use rbd_mirror::wait::{self, Seen};
use rbd_mirror::{
    Deadline, Disable, Error, GlobalImageId, MirrorImageMode, Op, Pool, PoolMode, Promote, Refusal, Role,
    Subject,
};
use tests::expect::refusal;

use crate::site::{self, ONE};

/// A namespace of its own, so that "the whole pool" is this test's alone.
fn pool_of_its_own(name: &str) -> Result<Pool> {
    let pool = site::pool(ONE)?;
    pool.create_namespace(name)?;
    let pool = pool.namespace(name)?;
    pool.set_mirror_mode(PoolMode::Image)?;
    Ok(pool)
}

fn images(pool: &Pool, count: usize, mode: MirrorImageMode) -> Result<Vec<GlobalImageId>> {
    (0..count)
        .map(|number| {
            let image = site::disk(pool, &format!("disk-{number:02}"))?;
            Ok(image.enable(mode)?)
        })
        .collect()
}

/// What the witness says of a namespace's images: how many are primary.
fn primaries(pool: &Pool) -> Result<usize> {
    let site = site::site()?;
    let mut count = 0;
    for image in pool.images()? {
        let spec = format!("{ONE}/{}/{}", pool.spec().namespace, image.name);
        count += usize::from(site.image_info(&spec)?.mirroring.is_some_and(|mirroring| mirroring.primary));
    }
    Ok(count)
}

#[test]
fn a_whole_pool_is_demoted_and_promoted_in_both_modes_and_every_image_has_its_outcome() -> Result<()> {
    for mode in [MirrorImageMode::Journal, MirrorImageMode::Snapshot] {
        let pool = pool_of_its_own(&format!("fleet-{mode}"))?;
        let ids = images(&pool, 12, mode)?;
        let demoted: Vec<_> = Fleet::of_pool(&pool)?.demote().collect();
        assert_eq!(demoted.len(), ids.len());
        for outcome in demoted {
            outcome.result?;
        }
        assert_eq!(primaries(&pool)?, 0, "{mode}");
        let mut seen = HashMap::new();
        for outcome in Fleet::of_pool(&pool)?.promote(Promote::Clean) {
            outcome.result?;
            assert!(!outcome.took.is_zero());
            *seen.entry(outcome.image).or_insert(0) += 1;
        }
        assert_eq!(primaries(&pool)?, ids.len(), "{mode}");
        assert!(ids.iter().all(|id| seen.get(&Target::from(id)) == Some(&1)), "{seen:?}");
        for outcome in Fleet::new(&pool, &ids).role() {
            let Target::Global(id) = outcome.image else { panic!("named otherwise") };
            assert_eq!(outcome.result?, Role::Primary(id));
        }
        for outcome in Fleet::new(&pool, &ids).status() {
            let Target::Global(id) = outcome.image else { panic!("named otherwise") };
            assert_eq!(outcome.result?.id, Some(id));
        }
        // Handles that were left open would be watchers.
        let image = pool.open_read_only("disk-00")?;
        assert_eq!(image.watchers()?, []);
    }
    Ok(())
}

#[test]
fn each_image_fails_for_its_own_reason_and_the_others_do_not_care() -> Result<()> {
    let pool = pool_of_its_own("fleet-mixed")?;
    let ids = images(&pool, 2, MirrorImageMode::Journal)?;
    site::disk(&pool, "plain")?;
    pool.open("disk-00")?.demote()?;
    let nowhere = GlobalImageId::new("00000000-0000-0000-0000-000000000000");
    let set = [
        Target::from(&ids[0]),
        Target::from("disk-01"),
        Target::from("plain"),
        Target::from("missing"),
        Target::from(nowhere.clone()),
    ];
    let mut outcomes: HashMap<Target, rbd_mirror::Result<()>> =
        Fleet::new(&pool, set).promote(Promote::Clean).map(|one| (one.image, one.result)).collect();
    let mut of = |target: Target| outcomes.remove(&target).expect("every image has an outcome");
    of(Target::from(&ids[0]))?;
    assert_eq!(refusal(of("disk-01".into())), Refusal::AlreadyPrimary);
    assert_eq!(refusal(of("plain".into())), Refusal::NotMirrored);
    assert!(matches!(of("missing".into()), Err(Error::NotFound { .. })));
    assert!(matches!(of(nowhere.into()), Err(Error::NotFound { .. })));
    assert!(outcomes.is_empty());
    Ok(())
}

#[test]
fn after_a_failure_nothing_more_is_begun_where_the_caller_wants_that_and_the_rest_is_named() -> Result<()> {
    let pool = pool_of_its_own("fleet-stops")?;
    images(&pool, 4, MirrorImageMode::Journal)?;
    let names = ["disk-00", "missing", "disk-01", "disk-02", "disk-03"];
    let outcomes: Vec<_> = Fleet::new(&pool, names).at_once(1).stop_on_error().demote().collect();
    assert_eq!(outcomes.len(), 5);
    assert!(outcomes[0].result.is_ok());
    assert!(matches!(outcomes[1].result, Err(Error::NotFound { .. })));
    for outcome in &outcomes[2..] {
        assert!(matches!(outcome.result, Err(Error::NotBegun { cancelled: false, .. })), "{outcome:?}");
        assert!(outcome.took.is_zero());
    }
    assert_eq!(primaries(&pool)?, 3);
    Ok(())
}

#[test]
fn a_cancelled_fleet_awaits_what_it_has_begun_and_reports_the_rest() -> Result<()> {
    let pool = pool_of_its_own("fleet-cancel")?;
    images(&pool, 6, MirrorImageMode::Journal)?;
    let cancel = Cancel::new();
    let mut outcomes = Fleet::of_pool(&pool)?.at_once(2).cancelled_by(&cancel).demote();
    assert!(outcomes.next().expect("the first").result.is_ok());
    cancel.cancel();
    let rest: Vec<_> = outcomes.by_ref().collect();
    let begun = 1 + rest.iter().filter(|one| one.result.is_ok()).count();
    let given_up =
        rest.iter().filter(|one| matches!(one.result, Err(Error::NotBegun { cancelled: true, .. }))).count();
    assert_eq!(begun + given_up, 6);
    assert!(begun <= 3 && given_up >= 3, "{begun} begun");
    assert_eq!(primaries(&pool)?, given_up, "the outcomes are what the witness sees");
    assert_eq!(
        outcomes.counts(),
        Counts { waiting: 0, running: 0, done: begun, failed: 0, not_begun: given_up }
    );
    Ok(())
}

#[test]
fn no_more_are_under_way_than_the_caller_allows_and_all_at_once_if_he_wants() -> Result<()> {
    let pool = pool_of_its_own("fleet-bound")?;
    images(&pool, 9, MirrorImageMode::Journal)?;
    for (at_once, expected) in [(3, 3), (usize::MAX, 9)] {
        let most = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&most);
        let outcomes = Fleet::of_pool(&pool)?.at_once(at_once).role().observed_by(move |counts| {
            seen.fetch_max(counts.running, Ordering::Relaxed);
            assert_eq!(counts.waiting + counts.running + counts.done, 9);
        });
        assert_eq!(outcomes.filter(|one| one.result.is_ok()).count(), 9);
        assert_eq!(most.load(Ordering::Relaxed), expected);
    }
    Ok(())
}

#[test]
fn what_has_no_completion_runs_on_workers_with_the_same_outcomes() -> Result<()> {
    let pool = pool_of_its_own("fleet-workers")?;
    let names: Vec<String> = (0..5).map(|number| format!("disk-{number:02}")).collect();
    for name in &names {
        site::disk(&pool, name)?;
    }
    let mut ids = Vec::new();
    for outcome in Fleet::new(&pool, names.clone()).enable(MirrorImageMode::Journal) {
        ids.push(outcome.result?);
    }
    assert_eq!(primaries(&pool)?, 5);
    // A resync has no consent but the global id; and of a primary it is refused.
    for outcome in Fleet::new(&pool, names.clone()).resync() {
        assert!(matches!(outcome.result, Err(Error::InvalidInput { .. })));
    }
    for outcome in Fleet::new(&pool, &ids).resync() {
        assert_eq!(refusal(outcome.result), Refusal::IsPrimary);
    }
    let named = Fleet::new(&pool, names.clone()).each(Op::ImageInfo, |pool, target| match target {
        Target::Name(name) => pool.open_read_only(name)?.size(),
        _ => Ok(0),
    });
    assert!(
        named
            .map(|one| one.result)
            .collect::<rbd_mirror::Result<Vec<_>>>()?
            .iter()
            .all(|size| *size == 16 * site::MIB)
    );
    for outcome in Fleet::new(&pool, names).disable(Disable::Clean) {
        outcome.result?;
    }
    assert_eq!(pool.mirrored_ids()?, []);
    Ok(())
}

#[test]
fn clones_are_flattened_together_each_with_its_own_progress_and_its_own_stop() -> Result<()> {
    let pool = pool_of_its_own("fleet-flatten")?;
    for name in ["flat-a", "flat-b", "stopped"] {
        site::cloned(&pool, name)?;
    }
    let reports: Arc<Mutex<HashMap<Target, u64>>> = Arc::default();
    let kept = Arc::clone(&reports);
    let outcomes = Fleet::new(&pool, ["flat-a", "flat-b", "stopped"]).flatten(move |image, now| {
        kept.lock().expect("no test panics with it").insert(image.clone(), now.done);
        let stop = *image == Target::from("stopped") && now.done > 2;
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    for outcome in outcomes {
        match (outcome.image, outcome.result) {
            (Target::Name(name), Err(Error::Cancelled { .. })) => assert_eq!(name, "stopped"),
            (image, result) => {
                result?;
                assert_eq!(reports.lock().expect("as above")[&image], 16);
            }
        }
    }
    assert_eq!(pool.open_read_only("flat-a")?.parent()?, None);
    assert!(pool.open_read_only("stopped")?.parent()?.is_some());
    Ok(())
}

#[test]
fn a_caller_who_looks_away_leaves_nothing_open() -> Result<()> {
    let pool = pool_of_its_own("fleet-dropped")?;
    images(&pool, 8, MirrorImageMode::Journal)?;
    let mut outcomes = Fleet::of_pool(&pool)?.demote();
    assert!(outcomes.next().is_some());
    drop(outcomes);
    let on = Subject::from(pool.spec().clone());
    wait::until("closed", &on, Deadline::after(site::SOON), || {
        let mut open = 0;
        for image in pool.images()? {
            open += pool.open_read_only(&image.name)?.watchers()?.len();
        }
        Ok(if open == 0 { Seen::Done(()) } else { Seen::NotYet(format!("{open} open")) })
    })?;
    Ok(())
}

#[test]
fn a_panic_of_one_job_is_its_callers_and_the_other_images_still_have_their_outcomes() -> Result<()> {
    let pool = pool_of_its_own("fleet-panic")?;
    let mut outcomes = Fleet::new(&pool, ["bad", "good"]).each(Op::ImageInfo, |_, image| {
        assert_ne!(*image, Target::from("bad"), "a job that panics");
        Ok(())
    });
    let (mut panics, mut ended) = (0, Vec::new());
    // Where the panic left its job among those under way, the last call would never return.
    loop {
        match panic::catch_unwind(AssertUnwindSafe(|| outcomes.next())) {
            Ok(Some(outcome)) => ended.push(outcome.image),
            Ok(None) => break,
            Err(_) => panics += 1,
        }
    }
    assert_eq!((panics, ended), (1, vec![Target::from("good")]));
    Ok(())
}
