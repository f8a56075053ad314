//! Mirror snapshots on one site: what they need, and what they are.

use anyhow::{Context, Result};
use rbd_mirror::{
    Direction, MirrorImageMode, MirrorSnapshotState, Refusal, SnapshotFlags, SnapshotNamespace,
};
use tests::expect::refusal;

use crate::site::{self, ONE};

const PLAIN: SnapshotFlags = SnapshotFlags::empty();

#[test]
fn a_mirror_snapshot_needs_a_primary_in_snapshot_mode() -> Result<()> {
    let pool = site::pool(ONE)?;
    let plain = site::disk(&pool, "moment-plain")?;
    assert_eq!(refusal(plain.create_mirror_snapshot(PLAIN)), Refusal::NotMirrored);
    let journaled = site::mirrored(&pool, "moment-journaled")?;
    let expected = Refusal::OtherMode { is: MirrorImageMode::Journal };
    assert_eq!(refusal(journaled.create_mirror_snapshot(PLAIN)), expected);
    assert_eq!(journaled.snapshots()?, []);
    Ok(())
}

#[test]
fn a_mirror_snapshot_needs_a_peer_that_would_fetch_it() -> Result<()> {
    let site = site::site()?;
    // A pool of its own: the peer is seen by all images of a pool.
    site.ceph_text(["osd", "pool", "create", "moments", "8"])?;
    let pool = site::pool("moments")?;
    pool.init()?;
    pool.init()?;
    pool.set_mirror_mode(rbd_mirror::PoolMode::Image)?;
    let image = site::disk(&pool, "moment")?;
    image.enable(MirrorImageMode::Snapshot)?;
    assert_eq!(refusal(image.create_mirror_snapshot(PLAIN)), Refusal::NoPeers);
    let peer = pool.add_peer(Direction::RxTx, "site-x", "client.x")?;
    image.write_at(0, b"moment")?;
    let id = image.create_mirror_snapshot(SnapshotFlags::SKIP_QUIESCE)?;
    let taken = image.snapshots()?.into_iter().find(|snapshot| snapshot.id == id).context("not listed")?;
    let SnapshotNamespace::Mirror(mirror) = taken.namespace else { panic!("{taken:?}") };
    assert_eq!(mirror.state, MirrorSnapshotState::Primary);
    assert_eq!((mirror.peers, mirror.primary_uuid, mirror.primary_id), (vec![peer], None, None));
    let shown = site.rbd(["snap", "ls", "--all", "moments/moment"])?;
    let shown = shown.as_array().into_iter().flatten().find(|snapshot| snapshot["id"] == id);
    let shown = shown.context("rbd does not list it")?;
    assert_eq!(shown["namespace"]["type"], "mirror", "{shown}");
    assert_eq!(shown["namespace"]["state"], "primary", "{shown}");

    image.demote()?;
    assert_eq!(refusal(image.create_mirror_snapshot(PLAIN)), Refusal::NotPrimary);
    Ok(())
}
