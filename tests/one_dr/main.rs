//! one-dr on two real sites: its storage beside the model, by the same scripts.

mod command;
mod exits;
mod kills;
mod witness;

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, anyhow};
use lab::{Lab, Options, SiteId};
use one_dr::clock::WallClock;
use one_dr::model::script;
use one_dr::storage::ceph::{Access, Ceph};
use one_dr::storage::{Cause, Error, Storage};
use rbd_mirror::{CloneFormat, CreateOptions, Features, Pool};
use tests::connect;

static SHARED: OnceLock<Result<Lab, String>> = OnceLock::new();

fn lab() -> Result<&'static Lab> {
    let lab = SHARED.get_or_init(|| Lab::up(Options::temporary("one-dr")).map_err(|error| error.to_string()));
    lab.as_ref().map_err(|words| anyhow!("{words}"))
}

fn sites() -> Result<(Ceph, Ceph, Pool)> {
    let lab = lab()?;
    let access = |id: SiteId, name: &str| {
        let mut access = Access::new(name, "one");
        access.conf = Some(lab.site(id).conf());
        access
    };
    let (a, b) = Ceph::pair(access(SiteId::A, "a"), access(SiteId::B, "b"));
    Ok((a, b, connect::pool(&lab.site(SiteId::A), "one")?))
}

/// The scripts speak of `one-0` and the clone `one-1`: each runs on images of its own.
fn on_real_sites(text: &str, name: &str) -> Result<()> {
    let (a, b, pool) = sites()?;
    let options = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
    let (plain, clone) = (format!("{name}-0"), format!("{name}-1"));
    pool.create(&plain, 16 << 20, &options)?;
    let parent = format!("{name}-parent");
    pool.create(&parent, 16 << 20, &options)?;
    pool.open(&parent)?.create_snapshot("snap")?;
    let of_clone = CreateOptions { clone_format: Some(CloneFormat::V2), ..options };
    pool.clone_image(&parent, "snap", &pool, &clone, &of_clone)?;
    let text = text.replace("one-0", &plain).replace("one-1", &clone);
    Ok(script::run(&text, &a, &b, &WallClock)?)
}

#[test]
fn there_and_back_is_the_same_as_on_the_model() -> Result<()> {
    on_real_sites(include_str!("../../one-dr/src/model/scripts/there-and-back.txt"), "there")
}

#[test]
fn a_clone_is_the_same_as_on_the_model() -> Result<()> {
    on_real_sites(include_str!("../../one-dr/src/model/scripts/clone.txt"), "clone")
}

#[test]
fn a_split_brain_is_the_same_as_on_the_model() -> Result<()> {
    on_real_sites(include_str!("../../one-dr/src/model/scripts/split-brain.txt"), "split")
}

#[test]
fn a_lease_keeps_another_out_and_is_taken_up_again_by_its_owner() -> Result<()> {
    let (a, _, _) = sites()?;
    let (second, _, _) = sites()?;
    let lasting = Duration::from_secs(60);
    a.take_lease("test", "alice run 1", lasting)?;
    let refused = second.take_lease("test", "bob run 2", lasting).unwrap_err();
    assert!(
        matches!(refused.cause(), Some(Cause::LeaseHeld { owner, .. }) if owner == "alice run 1"),
        "{refused}"
    );
    // Another process of the same run: the one before it was killed.
    second.take_lease("test", "alice run 1", lasting)?;
    assert_eq!(a.lease("test")?.map(|lease| lease.owner).as_deref(), Some("alice run 1"));
    second.release_lease("test", "alice run 1")?;
    assert_eq!(a.lease("test")?, None);
    Ok(())
}

#[test]
fn objects_are_found_again_by_the_beginnings_of_their_names() -> Result<()> {
    let (a, _, _) = sites()?;
    a.put_object("test.x.1", b"one")?;
    a.write_object("test.x.2", 2, b"two")?;
    a.put_object("test.y", b"")?;
    assert_eq!(a.objects("test.x.")?, ["test.x.1", "test.x.2"]);
    assert_eq!(a.object("test.x.2")?.as_deref(), Some(b"\0\0two".as_slice()));
    a.remove_object("test.x.1")?;
    a.remove_object("test.x.1")?;
    assert_eq!((a.objects("test.x.")?, a.object("test.x.1")?), (vec!["test.x.2".to_owned()], None));
    Ok(())
}

#[test]
fn a_pool_that_is_not_there_is_no_silence() -> Result<()> {
    let mut nowhere = Access::new("nowhere", "one");
    nowhere.conf = Some(lab()?.site(SiteId::A).conf());
    nowhere.pool = "no-such-pool".to_owned();
    let (there, _) = Ceph::pair(nowhere.clone(), nowhere);
    assert!(matches!(there.identity(), Err(Error::Other { .. } | Error::NotFound { .. })));
    Ok(())
}
