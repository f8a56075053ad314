//! The same move in snapshot mode.

use anyhow::Result;
use rbd_mirror::{
    MirrorImageMode, MirrorSnapshotState, Refusal, SnapshotFlags, SnapshotNamespace, SyncState,
    demotion_has_arrived, sync_state, wait,
};

use crate::sites::{SOON, shared};

#[test]
fn an_image_in_snapshot_mode_moves_and_loses_nothing() -> Result<()> {
    let sites = shared()?;
    let image = sites.filled("by-snapshot")?;
    let id = image.enable(MirrorImageMode::Snapshot)?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    sites.expect_equal("by-snapshot")?;

    image.write_at(0, b"after the first snapshot")?;
    image.flush()?;
    let taken = image.create_mirror_snapshot(SnapshotFlags::empty())?;
    let newest = image.snapshots()?.into_iter().find(|snapshot| snapshot.id == taken);
    let Some(SnapshotNamespace::Mirror(mirror)) = newest.map(|snapshot| snapshot.namespace) else {
        anyhow::bail!("the new snapshot is no mirror snapshot")
    };
    assert_eq!((mirror.state, mirror.primary_id), (MirrorSnapshotState::Primary, None));
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    assert_eq!(sync_state(&sites.b, &sites.a, &id)?, SyncState::NotPrimary);

    // A read-only handle has no watch: it must not go on saying what the image was.
    let onlooker = sites.a.open_by_global_id_read_only(&id)?;
    assert!(onlooker.role()?.is_primary());
    image.write_at(4096, b"and before the demotion")?;
    image.demote()?;
    assert!(!onlooker.role()?.is_primary());
    image.close()?;
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    assert!(!demotion_has_arrived(&sites.b, &sites.a, &id)?);
    sites.at_b().promote(&id)?;
    assert_eq!(sites.primaries("by-snapshot")?, (false, true));
    let there = sites.b.open_by_global_id(&id)?;
    assert_eq!(there.read_at(0, 24)?, b"after the first snapshot");
    assert_eq!(there.read_at(4096, 23)?, b"and before the demotion");
    there.close()?;
    wait::settled(&sites.b, &sites.a, &id, SOON)?;
    sites.expect_equal("by-snapshot")
}

#[test]
fn what_is_still_on_its_way_is_waited_for_and_not_resynced() -> Result<()> {
    let sites = shared()?;
    let image = sites.filled("on-its-way")?;
    let id = image.enable(MirrorImageMode::Snapshot)?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    image.demote()?;
    // Until the demotion's snapshot is there, the advice is to wait.
    match sites.at_b().promote(&id) {
        Ok(()) => {}
        Err(error) => {
            let advice = error.refusal();
            assert!(matches!(advice, Some(Refusal::PrimaryElsewhere | Refusal::LockHeld)), "{error}");
        }
    }
    Ok(())
}
