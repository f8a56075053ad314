//! Mirroring: on one site, between both, and many images at once.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, Result};
use rbd_mirror::fleet::{Cancel, Fleet};
use rbd_mirror::lag::{lag, lag_by_replica};
use rbd_mirror::pair::{Completeness, Pair};
use rbd_mirror::{
    Connect, Disable, Error, GlobalImageId, MirrorImageMode, Op, Pool, Promote, SnapshotFlags,
    demotion_has_arrived, sync_state, wait,
};

use crate::{WITHIN, disk, wait_until_removed};

/// Enabled, looked at, refused, demoted, promoted and disabled.
pub(crate) fn one_site(pool: &Pool) -> Result<()> {
    for mode in [MirrorImageMode::Journal, MirrorImageMode::Snapshot] {
        let image = disk(pool, "every-alone")?;
        assert!(!image.heal_orphan_journal()?);
        let id = image.enable(mode)?;
        image.role()?;
        image.global_id()?;
        image.mirror_mode()?;
        image.status()?;
        image.daemon_instance()?;
        pool.find(&id)?;
        pool.open_by_global_id(&id)?.close()?;
        pool.open_by_global_id_read_only(&id)?.close()?;
        match mode {
            MirrorImageMode::Journal => {
                image.journal()?;
                pool.journal_of(&image.id()?)?;
            }
            _ => drop(image.create_mirror_snapshot(SnapshotFlags::SKIP_QUIESCE)?),
        }
        image.snapshots()?;
        image.demote()?;
        assert!(image.demote().is_err() && image.resync(&GlobalImageId::new("another")).is_err());
        image.promote(Promote::Clean)?;
        assert!(image.promote(Promote::Clean).is_err());
        image.take_over(WITHIN)?;
        image.disable(Disable::Clean)?;
        image.close()?;
        wait_until_removed(pool, "every-alone")?;
    }
    Ok(())
}

/// There and back again, and a copy made anew.
pub(crate) fn both_sites(here: &Pool, there: &Pool) -> Result<()> {
    let image = disk(here, "every-mirrored")?;
    image.write_at(0, b"mirrored")?;
    let id = image.enable(MirrorImageMode::Journal)?;
    image.close()?;
    wait::daemon_healthy(there, WITHIN)?;
    there.daemons()?;
    wait::caught_up(here, there, &id, WITHIN)?;
    wait::reverse_registered(here, there, &id, WITHIN)?;
    sync_state(here, there, &id)?;
    lag(here, there, &id)?;
    lag_by_replica(there, &id)?;
    let statuses: Vec<_> = there.statuses().collect::<Result<_, _>>()?;
    let first = statuses.first().and_then(|status| status.image_id.clone()).context("no status")?;
    assert!(there.statuses_after(&first).page_size(1).all(|status| status.is_ok()));
    assert_eq!(there.statuses().by_librbd().filter_map(Result::ok).count(), statuses.len());
    there.status_summary()?;
    assert!(there.mirrored(None).count() > 0);
    assert!(there.mirrored(Some(MirrorImageMode::Snapshot)).all(|image| image.is_ok()));
    assert!(there.daemon_instances().all(|instance| instance.is_ok()));
    there.mirrored_ids()?;
    let mut watch = there.watch();
    wait::changed(&mut watch, WITHIN)?;
    watch.look()?;

    let pair = Pair::new(here, there);
    pair.look(&id)?;
    assert!(pair.promote(&id).is_err() && pair.resync(&id).is_err());
    here.open("every-mirrored")?.demote()?;
    wait::demotion_arrived(here, there, &id, WITHIN)?;
    assert!(demotion_has_arrived(here, there, &id)?);
    let back = pair.reversed().context("there is a peer")?;
    back.promote(&id)?;
    wait::settled(there, here, &id, WITHIN)?;
    let old = pair.resync(&id)?;
    wait::resynced(there, here, &id, &old, WITHIN)?;
    assert!(pair.promote_by_force(&id, Completeness::Proven).is_err());
    let why = rbd_mirror::Cluster::connect(Connect::conf("/nowhere/x.conf")).err().context("no such file")?;
    Pair::without_peer(there, &why).look(&id)?;
    there.open("every-mirrored")?.disable(Disable::Clean)?;
    wait_until_removed(there, "every-mirrored")
}

/// A fleet with every verb, one that is cancelled, and the same calls as futures.
pub(crate) fn many(here: &Pool, there: &Pool) -> Result<()> {
    let names = ["every-1", "every-2", "every-3"];
    for name in names {
        disk(here, name)?.close()?;
    }
    let fleet = || Fleet::new(here, names);
    assert!(fleet().enable(MirrorImageMode::Journal).all(|outcome| outcome.result.is_ok()));
    assert!(fleet().at_once(2).role().all(|outcome| outcome.result.is_ok()));
    assert!(fleet().status().all(|outcome| outcome.result.is_ok()));
    assert_eq!(fleet().flatten(|_, _| ControlFlow::Continue(())).count(), 3);
    assert!(fleet().demote().all(|outcome| outcome.result.is_ok()));
    assert!(fleet().promote(Promote::Clean).all(|outcome| outcome.result.is_ok()));
    assert_eq!(fleet().resync().count(), 3);
    let ended = fleet()
        .each(Op::ImageInfo, |pool, target| pool.open_read_only(&target.to_string())?.info().map(drop));
    assert!(ended.into_iter().all(|outcome| outcome.result.is_ok()));
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(fleet().cancelled_by(&cancel).role().all(|outcome| outcome.result.is_err()));
    // Looked away from: what was begun ends by itself.
    drop(fleet().stop_on_error().status().next());
    let hurried = Fleet::new(&here.bounded_by(Duration::from_nanos(1)), names);
    assert_eq!(hurried.status().count(), 3);
    assert!(Fleet::of_pool(there)?.role().count() < usize::MAX);

    pollster::block_on(async {
        let pool = here.nonblocking();
        let image = pool.open("every-1").await?.into_nonblocking();
        image.demote().await?;
        image.promote(Promote::Clean).await?;
        image.role().await?;
        image.status().await?;
        assert!(image.create_mirror_snapshot(SnapshotFlags::empty()).await.is_err());
        let id = image.into_blocking().id()?;
        pool.open_by_id(&id).await?.into_nonblocking().close().await?;
        let read_only = pool.open_read_only("every-1").await?;
        let global = read_only.global_id()?;
        pool.open_by_global_id(&global).await?;
        // Left behind before its end.
        drop(pool.open("every-2"));
        Ok::<_, Error>(())
    })?;
    assert!(fleet().disable(Disable::Clean).all(|outcome| outcome.result.is_ok()));
    for name in names {
        wait_until_removed(here, name)?;
    }
    Ok(())
}
