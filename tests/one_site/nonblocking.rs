//! The same calls as futures, on two executors that have nothing in common.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use anyhow::Result;
use rbd_mirror::wait::{self, Seen};
use rbd_mirror::{Deadline, Error, Image, MirrorImageMode, Promote, Refusal, Role, SnapshotFlags, Subject};
use tests::expect::refusal;

use crate::site::{self, ONE};

/// One executor that does nothing but block on a future, and one with threads.
fn on_both<F: Future<Output = Result<()>> + Send + 'static>(name: &str, test: fn(String) -> F) -> Result<()> {
    pollster::block_on(test(format!("{name}-pollster")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    runtime.block_on(async { tokio::spawn(test(format!("{name}-tokio"))).await })?
}

#[test]
fn an_image_is_opened_demoted_promoted_looked_at_and_closed() -> Result<()> {
    on_both("future-verbs", |name| async move {
        let pool = site::pool(ONE)?;
        let id = site::mirrored(&pool, &name)?.global_id()?;
        let image = pool.nonblocking().open(&name).await?.into_nonblocking();
        assert_eq!(image.role().await?, Role::Primary(id.clone()));
        image.demote().await?;
        assert_eq!(image.role().await?, Role::NonPrimary(id.clone()));
        assert!(site::site()?.image_info(&format!("one/{name}"))?.mirroring.is_some_and(|one| !one.primary));
        image.promote(Promote::Clean).await?;
        assert_eq!(image.status().await?.id, Some(id.clone()));
        image.close().await?;
        let again = pool.nonblocking().open_by_global_id(&id).await?;
        assert_eq!(again.name(), name);
        let by_id = pool.nonblocking().open_by_id(&again.id()?).await?;
        assert_eq!(by_id.name(), name);
        let read_only = pool.nonblocking().open_read_only(&name).await?.into_nonblocking();
        assert_eq!(refusal(read_only.demote().await), Refusal::ReadOnlyHandle);
        Ok(())
    })
}

#[test]
fn errors_have_the_causes_that_blocking_calls_find() -> Result<()> {
    on_both("future-errors", |name| async move {
        let pool = site::pool(ONE)?;
        assert!(matches!(pool.nonblocking().open("never-there").await, Err(Error::NotFound { .. })));
        let image = site::disk(&pool, &name)?.into_nonblocking();
        assert_eq!(refusal(image.promote(Promote::Clean).await), Refusal::NotMirrored);
        assert_eq!(refusal(image.demote().await), Refusal::NotMirrored);
        assert_eq!(refusal(image.create_mirror_snapshot(SnapshotFlags::empty()).await), Refusal::NotMirrored);
        let image = image.into_blocking();
        image.enable(MirrorImageMode::Journal)?;
        assert_eq!(refusal(image.into_nonblocking().promote(Promote::Clean).await), Refusal::AlreadyPrimary);
        Ok(())
    })
}

#[test]
fn futures_of_many_images_are_under_way_together_on_one_thread() -> Result<()> {
    let pool = site::pool(ONE)?;
    let names: Vec<String> = (0..6).map(|number| format!("future-many-{number}")).collect();
    for name in &names {
        site::disk(&pool, name)?.enable(MirrorImageMode::Snapshot)?;
    }
    // On one thread, all have begun before the first has ended only if none of them blocks it.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let begun = Arc::new(AtomicUsize::new(0));
    let together = runtime.block_on(async {
        let mut tasks = Vec::new();
        for name in &names {
            let (pool, name, begun) = (pool.clone(), name.clone(), Arc::clone(&begun));
            tasks.push(tokio::spawn(async move {
                let image = pool.nonblocking().open(&name).await?.into_nonblocking();
                begun.fetch_add(1, Ordering::Relaxed);
                image.demote().await?;
                let others = begun.load(Ordering::Relaxed);
                image.close().await?;
                Ok::<_, Error>(others)
            }));
        }
        let mut ended = Vec::new();
        for task in tasks {
            ended.push(task.await??);
        }
        anyhow::Ok(ended)
    })?;
    assert_eq!(together, [6; 6]);
    for name in &names {
        assert!(!pool.open_read_only(name)?.role()?.is_primary());
    }
    Ok(())
}

#[test]
fn a_future_that_is_dropped_leaves_its_operation_behind_and_the_image_usable() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::mirrored(&pool, "future-dropped")?.into_nonblocking();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let waited = runtime.block_on(async { tokio::time::timeout(Duration::ZERO, image.demote()).await });
    // Polled once, and dropped: the demotion is under way, and ends by itself.
    assert!(waited.is_err());
    let image = image.into_blocking();
    let on = Subject::from(image.spec().clone());
    wait::until("demoted", &on, Deadline::after(site::SOON), || {
        let role = image.role()?;
        Ok(match role {
            Role::NonPrimary(_) => Seen::Done(()),
            other => Seen::NotYet(other.to_string()),
        })
    })?;
    // The operation has the image open until its completion has been heard, a moment later.
    drop(image);
    wait::until("closed", &on, Deadline::after(site::SOON), || {
        let watchers = pool.open_read_only("future-dropped")?.watchers()?;
        Ok(if watchers.is_empty() { Seen::Done(()) } else { Seen::NotYet(format!("{watchers:?}")) })
    })?;
    Ok(())
}

type Opening = Pin<Box<dyn Future<Output = rbd_mirror::Result<Image>> + Send>>;

/// A task that is dropped when it is woken, as by a timeout that comes in that very moment.
struct DroppedWhenWoken {
    opening: Mutex<Option<Opening>>,
    dropped: SyncSender<()>,
}

impl Wake for DroppedWhenWoken {
    fn wake(self: Arc<Self>) {
        drop(self.opening.lock().expect("nobody panics with it").take());
        // Nobody listens where the test has failed.
        let _ = self.dropped.try_send(());
    }
}

#[test]
fn an_image_that_was_opened_as_nobody_wanted_it_any_more_is_not_closed_on_librbds_thread() -> Result<()> {
    site::disk(&site::pool(ONE)?, "future-unwanted")?;
    // A connection of its own: closing on its threads would hang each call on it.
    let pool = site::pool(ONE)?;
    for _ in 0..400 {
        let (dropped, heard) = mpsc::sync_channel(1);
        let task = Arc::new(DroppedWhenWoken { opening: Mutex::default(), dropped });
        let waker = Waker::from(Arc::clone(&task));
        let nonblocking = pool.nonblocking();
        let mut opening = Box::pin(async move { nonblocking.open("future-unwanted").await });
        {
            let mut place = task.opening.lock().expect("nobody panics with it");
            if opening.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                continue;
            }
            *place = Some(opening);
        }
        heard.recv_timeout(site::SOON / 2)?;
    }
    let on = Subject::from(pool.spec().clone());
    wait::until("closed", &on, Deadline::after(site::SOON), || {
        let watchers = pool.open_read_only("future-unwanted")?.watchers()?;
        Ok(if watchers.is_empty() { Seen::Done(()) } else { Seen::NotYet(format!("{watchers:?}")) })
    })?;
    Ok(())
}
