//! What a demotion and its arrival look like from both sites.

use anyhow::Result;
use rbd_mirror::journal::TagOwner;
use rbd_mirror::{MirrorImageMode, Refusal, demotion_has_arrived, wait};
use tests::expect::refusal;

use crate::sites::{SOON, shared};

#[test]
fn a_replica_is_written_by_nobody_but_its_daemon_and_demoted_by_nobody() -> Result<()> {
    let sites = shared()?;
    let (_image, id) = sites.protected("replica", MirrorImageMode::Journal)?;
    let replica = sites.b.open_by_global_id(&id)?;
    assert_eq!(refusal(replica.write_at(0, b"x")), Refusal::Replica);
    assert_eq!(refusal(replica.create_snapshot("x")), Refusal::Replica);
    assert_eq!(refusal(replica.grow(32 << 20)), Refusal::Replica);
    assert_eq!(refusal(replica.demote()), Refusal::NotPrimary);
    assert_eq!(refusal(sites.b.remove("replica")), Refusal::Replica);
    sites.expect_equal("replica")
}

#[test]
fn a_demotion_has_arrived_when_the_replicas_journal_has_no_owner() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("arriving", MirrorImageMode::Journal)?;
    assert!(!demotion_has_arrived(&sites.a, &sites.b, &id)?);
    let uuid_a = sites.a.mirror_uuid()?;
    let owner = |pool: &rbd_mirror::Pool| -> Result<Option<TagOwner>> {
        Ok(pool.open_by_global_id_read_only(&id)?.journal()?.owner().cloned())
    };
    assert_eq!((owner(&sites.a)?, owner(&sites.b)?), (Some(TagOwner::Local), Some(TagOwner::Peer(uuid_a))));
    image.demote()?;
    let journal = image.journal()?;
    assert!(journal.is_demoted() && !journal.has_broken_demotion(), "{journal:?}");
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    assert_eq!(owner(&sites.b)?, Some(TagOwner::Orphan));
    assert!(demotion_has_arrived(&sites.a, &sites.b, &id)?);
    // The other way round nothing has arrived: A is no copy of B's.
    assert!(!demotion_has_arrived(&sites.b, &sites.a, &id)?);
    Ok(())
}

#[test]
fn a_snapshot_of_the_primary_is_there_at_the_replica_and_can_be_cloned() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("tested", MirrorImageMode::Journal)?;
    image.create_snapshot("dr-test")?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    let replica = sites.b.open_by_global_id_read_only(&id)?;
    assert!(replica.snapshots()?.iter().any(|snapshot| snapshot.name == "dr-test"));
    let options = rbd_mirror::CreateOptions {
        clone_format: Some(rbd_mirror::CloneFormat::V2),
        features: Some(rbd_mirror::Features::DEFAULT),
        ..Default::default()
    };
    sites.b.clone_image("tested", "dr-test", &sites.b, "tested-clone", &options)?;
    let clone = sites.b.open("tested-clone")?;
    clone.write_at(0, b"only here")?;
    clone.flush()?;
    assert_eq!(clone.role()?, rbd_mirror::Role::NotMirrored);
    image.write_at(8192, b"on it goes")?;
    // Closing commits what was written: until then the primary itself is not done with it.
    image.close()?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    sites.expect_equal("tested")
}
