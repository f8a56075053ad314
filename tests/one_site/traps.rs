//! What librbd does to those who trust it, each as a test that would see it happen to us.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use rbd_mirror::status::description::Meaning;
use rbd_mirror::status::{ImageStatus, SiteState};
use rbd_mirror::{
    CreateOptions, Direction, Disable, Errno, Error, Features, GlobalImageId, MirrorImageMode, Pool,
    PoolMode, Promote, Refusal, SnapshotFlags, Version,
};
use tests::expect::refusal;

use crate::forge::{self, DISABLED, DISABLING, ENABLED};
use crate::site::{self, MIB, OFF, ONE, WHOLE};

/// `MIRROR_IMAGE_STATUS_STATE_UNKNOWN`, `_REPLAYING`
const UNKNOWN: u8 = 0;
const REPLAYING: u8 = 4;

/// A namespace of its own, mirrored: other tests add images to the pool.
fn apart(name: &str) -> Result<Pool> {
    let pool = site::pool(ONE)?;
    pool.create_namespace(name)?;
    let apart = pool.namespace(name)?;
    apart.set_mirror_mode(PoolMode::Image)?;
    Ok(apart)
}

fn listed(pool: &Pool, id: &GlobalImageId) -> Result<ImageStatus> {
    for status in pool.statuses() {
        let status = status?;
        if status.id.as_ref() == Some(id) {
            return Ok(status);
        }
    }
    anyhow::bail!("{id} is not listed")
}

// Trap: the status list's primary is always false
#[test]
fn no_list_says_of_a_primary_that_it_is_none() -> Result<()> {
    let pool = apart("primaries")?;
    let image = site::mirrored(&pool, "really-primary")?;
    let id = image.global_id()?;
    let shown = serde_json::to_value(listed(&pool, &id)?)?;
    assert_ne!(shown["primary"], false, "{shown}");
    let mirrored = pool.mirrored(None).next().context("no list")??;
    assert!(mirrored.role.is_primary() && image.role()?.is_primary());
    image.demote()?;
    assert!(!pool.mirrored(None).next().context("no list")??.role.is_primary());
    Ok(())
}

// Trap: the status list loses the text of unknown
#[test]
fn the_text_of_an_unknown_state_is_in_the_list_as_the_daemon_wrote_it() -> Result<()> {
    let pool = apart("texts")?;
    let image = site::mirrored(&pool, "demoted-elsewhere")?;
    let id = image.global_id()?;
    forge::status(&pool, id.as_str(), UNKNOWN, "remote image demoted")?;
    for status in [listed(&pool, &id)?, image.status()?] {
        let local = status.local.context("no word of the local site")?;
        assert_eq!(
            (local.state, local.description.text.as_str()),
            (SiteState::Unknown, "remote image demoted")
        );
        assert_eq!(local.description.meaning(), Meaning::RemoteNotPrimary);
    }
    // With and without a name, a status and a word of its own state: both lists say the same of all.
    forge::mirrored(&pool, "zz-nameless", "global-nameless", ENABLED, forge::SNAPSHOT)?;
    site::mirrored(&pool, "quiet")?;
    let replaying = site::mirrored(&pool, "followed")?.global_id()?;
    forge::status(&pool, replaying.as_str(), REPLAYING, "replaying, {\"entries_behind_primary\":7}")?;
    let [by_class, by_librbd] = [pool.statuses(), pool.statuses().by_librbd()]
        .map(|statuses| statuses.collect::<rbd_mirror::Result<Vec<_>>>());
    let by_class = by_class?;
    assert_eq!(by_class.len(), 4);
    assert_eq!(by_class, by_librbd?);
    Ok(())
}

// Trap: a short page is not the end
// Trap: the summary counts images that are being disabled
#[test]
fn what_is_being_disabled_shortens_a_page_and_not_the_list() -> Result<()> {
    let pool = apart("short")?;
    for number in 0..9 {
        let state = if [1, 3, 6].contains(&number) { DISABLED } else { ENABLED };
        forge::mirrored(&pool, &format!("id{number}"), &format!("global{number}"), state, forge::SNAPSHOT)?;
    }
    let expected = [0, 2, 4, 5, 7, 8].map(|number| format!("id{number}"));
    // Also pages of which the nine entries are a multiple, and pages that are all of them.
    for size in [1, 2, 3, 4, 9, 100] {
        for statuses in [pool.statuses().page_size(size), pool.statuses().page_size(size).by_librbd()] {
            let ids: Vec<_> = statuses
                .map(|status| Ok(status?.image_id.map(|id| id.as_str().to_owned()).unwrap_or_default()))
                .collect::<Result<_>>()?;
            assert_eq!(ids, expected, "pages of {size}");
        }
    }
    // The summary counts them all: it tells that something has changed, not how many images there are.
    let counted: u32 = pool.status_summary()?.into_iter().map(|(_, count)| count).sum();
    assert_eq!((counted, pool.mirrored_ids()?.len()), (9, 9));
    assert_eq!(pool.statuses().count(), 6);
    Ok(())
}

#[test]
fn an_image_has_its_own_name_among_many_that_are_not_mirrored() -> Result<()> {
    let pool = apart("scattered")?;
    for number in 0..60 {
        let id = format!("id{number:02}");
        forge::named(&pool, &id, &format!("disk-{number}"))?;
        if number % 12 == 0 || number == 49 {
            forge::mirrored(&pool, &id, &format!("global{number}"), ENABLED, forge::SNAPSHOT)?;
        }
    }
    // The last one has no name.
    forge::mirrored(&pool, "id99", "global99", ENABLED, forge::SNAPSHOT)?;
    for size in [1, 4, 100] {
        let statuses = pool.statuses().page_size(size);
        let names: Vec<_> = statuses.map(|status| Ok(status?.name)).collect::<Result<_>>()?;
        let expected = ["disk-0", "disk-12", "disk-24", "disk-36", "disk-48", "disk-49", "id99"];
        assert_eq!(names, expected, "pages of {size}");
    }
    Ok(())
}

#[test]
fn images_that_go_between_two_pages_take_no_other_with_them() -> Result<()> {
    let pool = apart("going")?;
    for number in 0..8 {
        forge::mirrored(&pool, &format!("id{number}"), &format!("global{number}"), ENABLED, forge::SNAPSHOT)?;
    }
    for by_librbd in [false, true] {
        let mut statuses = pool.statuses().page_size(2);
        if by_librbd {
            statuses = statuses.by_librbd();
        }
        let mut next = || -> Result<Option<String>> {
            let status = statuses.next().transpose()?;
            Ok(status.and_then(|status| status.image_id).map(|id| id.as_str().to_owned()))
        };
        let first = [next()?, next()?];
        // The last of the page that was read, and the first of the next one.
        pool.remove_object_entries("rbd_mirroring", &["image_id1", "image_id2"])?;
        let mut seen: Vec<_> = first.into_iter().flatten().collect();
        while let Some(id) = next()? {
            seen.push(id);
        }
        assert_eq!(seen, ["id0", "id1", "id3", "id4", "id5", "id6", "id7"], "by librbd: {by_librbd}");
        for number in [1, 2] {
            forge::mirrored(
                &pool,
                &format!("id{number}"),
                &format!("global{number}"),
                ENABLED,
                forge::SNAPSHOT,
            )?;
        }
    }
    Ok(())
}

// Trap: the image list drops images silently
#[test]
fn an_image_that_librbds_list_leaves_out_is_in_the_directory() -> Result<()> {
    let pool = apart("dropped")?;
    let image = site::mirrored(&pool, "kept")?;
    forge::mirrored(&pool, "dropped", "global-dropped", DISABLED, forge::JOURNAL)?;
    forge::mirrored(&pool, "stuck", "global-stuck", DISABLING, forge::JOURNAL)?;
    let read: BTreeSet<_> =
        pool.mirrored(None).map(|image| Ok(image?.image.as_str().to_owned())).collect::<Result<_>>()?;
    let of_kept = image.id()?.as_str().to_owned();
    assert!(read.contains(&of_kept) && !read.contains("dropped"), "{read:?}");
    let ids: BTreeSet<_> = pool.mirrored_ids()?.into_iter().map(|(id, _)| id.as_str().to_owned()).collect();
    assert_eq!(ids, BTreeSet::from(["dropped".to_owned(), "stuck".to_owned(), of_kept]));
    Ok(())
}

// Trap: a number of a status that is absent is not zero
// Trap: seconds until synced may be garbage
// Trap: entries behind may be negative
#[test]
fn the_numbers_of_a_status_are_those_that_were_written_and_no_others() -> Result<()> {
    let pool = apart("numbers")?;
    let image = site::mirrored(&pool, "counted-on")?;
    let id = image.global_id()?;
    let told = |text: &str| -> Result<_> {
        forge::status(&pool, id.as_str(), REPLAYING, text)?;
        let status = listed(&pool, &id)?;
        assert_eq!(status, ImageStatus { image_id: status.image_id.clone(), ..image.status()? });
        Ok(status.local.context("no word of the local site")?.description)
    };
    let Meaning::Journal(absent) =
        told("replaying, {\"primary_position\":{},\"non_primary_position\":{}}")?.meaning()
    else {
        panic!("no replay")
    };
    assert_eq!((absent.entries_behind_primary, absent.seconds_until_synced), (None, None));
    assert_eq!((absent.bytes_per_second, absent.primary_position), (None, None));

    let text = "replaying, {\"bytes_per_second\":0.0,\"entries_behind_primary\":-1897,\"entries_per_second\":0.01,\
                \"non_primary_position\":{\"entry_tid\":7,\"object_number\":1,\"tag_tid\":2},\"primary_position\":{}}";
    let Meaning::Journal(ahead) = told(text)?.meaning() else { panic!("no replay") };
    assert_eq!((ahead.entries_behind_primary, ahead.bytes_per_second), (Some(-1897), Some(0.0)));

    for garbage in ["18446744073709551615", "-9223372036854775808", "1e300", "-1", "\"soon\"", "null"] {
        let text = format!("replaying, {{\"entries_behind_primary\":5,\"seconds_until_synced\":{garbage}}}");
        let Meaning::Journal(replay) = told(&text)?.meaning() else { panic!("no replay: {garbage}") };
        assert_eq!(
            (replay.entries_behind_primary, replay.seconds_until_synced),
            (Some(5), None),
            "{garbage}"
        );
    }
    let text = "replaying, {\"bytes_per_second\":0.0,\"bytes_per_snapshot\":0.0,\"remote_snapshot_timestamp\":1700000000,\
                \"replay_state\":\"idle\"}";
    let Meaning::Snapshot(replay) = told(text)?.meaning() else { panic!("no replay") };
    assert_eq!((replay.local_snapshot_timestamp, replay.syncing_percent), (None, None));
    Ok(())
}

// Trap: one EINVAL for ten causes
#[test]
fn each_of_librbds_causes_for_one_errno_has_a_name_of_its_own() -> Result<()> {
    let pool = site::pool(ONE)?;
    let (plain, primary) = (site::disk(&pool, "cause-plain")?, site::mirrored(&pool, "cause-primary")?);
    let (demoted, clone) = (site::mirrored(&pool, "cause-demoted")?, site::cloned(&pool, "cause-clone")?);
    demoted.demote()?;
    let off = site::disk(&site::pool(OFF)?, "cause-off")?;
    let whole = site::disk(&site::pool(WHOLE)?, "cause-whole")?;
    let alone = apart("peerless")?;
    let snapshotted = site::disk(&alone, "cause-snapshot")?;
    snapshotted.enable(MirrorImageMode::Snapshot)?;
    let locked = CreateOptions { features: Some(Features::LAYERING), ..CreateOptions::default() };
    pool.create("cause-lockless", MIB, &locked)?;
    let lockless = pool.open("cause-lockless")?;
    let journal = MirrorImageMode::Journal;
    let flattened = plain.flatten(|_| std::ops::ControlFlow::Continue(()));

    let causes: Vec<(Error, Refusal)> = [
        (primary.promote(Promote::Clean).err(), Refusal::AlreadyPrimary),
        (demoted.demote().err(), Refusal::NotPrimary),
        (plain.demote().err(), Refusal::NotMirrored),
        (snapshotted.create_mirror_snapshot(SnapshotFlags::empty()).err(), Refusal::NoPeers),
        (primary.enable(MirrorImageMode::Snapshot).err(), Refusal::OtherMode { is: journal }),
        (whole.enable(journal).err(), Refusal::PoolModePool),
        (off.enable(journal).err(), Refusal::PoolMirroringDisabled),
        (
            clone.enable(journal).err(),
            Refusal::ParentNotMirrored { parent: "one/cause-clone-parent@base".into() },
        ),
        (flattened.err(), Refusal::NotAClone),
        (lockless.acquire_lock().err(), Refusal::NoExclusiveLock),
    ]
    .into_iter()
    .map(|(error, cause)| Ok((error.with_context(|| format!("{cause} did not fail"))?, cause)))
    .collect::<Result<_>>()?;
    for (error, cause) in &causes {
        assert_eq!(error.refusal(), Some(cause), "{error}");
        // The other mode is found out before librbd is asked, which would turn journaling on as it refuses.
        let guarded = matches!(cause, Refusal::OtherMode { .. });
        assert_eq!(error.errno(), (!guarded).then_some(Errno::EINVAL), "{error}");
    }
    let texts: BTreeSet<String> = causes.iter().map(|(_, cause)| cause.to_string()).collect();
    assert_eq!(texts.len(), 10, "two causes read the same: {texts:?}");
    // The same number for what needs consent by force, and for what is refused before librbd is asked.
    assert_eq!(refusal(demoted.disable(Disable::Clean)), Refusal::NotPrimary);
    assert_eq!(refusal(primary.resync(&primary.global_id()?)), Refusal::IsPrimary);
    Ok(())
}

// Trap: not found for an image that is there and not mirrored
#[test]
fn an_image_that_is_there_and_not_mirrored_is_never_not_found() -> Result<()> {
    let image = site::disk(&site::pool(ONE)?, "there")?;
    let any = GlobalImageId::new("any");
    for outcome in [
        image.promote(Promote::Clean),
        image.promote(Promote::Force),
        image.demote(),
        image.resync(&any),
        image.create_mirror_snapshot(SnapshotFlags::empty()).map(drop),
        image.daemon_instance().map(drop),
        image.global_id().map(drop),
    ] {
        assert_eq!(refusal(outcome), Refusal::NotMirrored);
    }
    assert_eq!(image.disable(Disable::Force).ok(), Some(()));
    Ok(())
}

#[test]
fn what_the_loaded_librbd_lacks_is_unsupported_and_names_both_versions() -> Result<()> {
    let pool = apart("far")?;
    let loaded = Version::loaded();
    assert!(loaded >= Version::FLOOR, "{loaded}");
    let (asked, set) = (pool.remote_namespace(), site::pool(ONE)?.set_remote_namespace("elsewhere"));
    if loaded >= (Version { major: 1, minor: 20, extra: 0 }) {
        assert_eq!(asked?, "far");
        // Too late: the pool mirrors already.
        assert!(set.is_err());
        return Ok(());
    }
    for error in [asked.err().context("it has it")?, set.err().context("it has it")?] {
        let Error::Unsupported { needs, have, .. } = &error else { panic!("{error}") };
        assert_eq!((needs.minor, *have), (20, loaded));
        assert!(error.to_string().contains(&loaded.to_string()), "{error}");
    }
    Ok(())
}

#[test]
fn a_peer_that_only_sends_is_no_way_to_receive() -> Result<()> {
    let pool = site::pool(ONE)?;
    let token = pool.create_bootstrap_token()?;
    let imported = pool.import_bootstrap_token(&token, Direction::Tx);
    assert!(matches!(imported, Err(Error::InvalidInput { .. })), "{imported:?}");
    Ok(())
}
