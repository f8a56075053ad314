//! The journal of an image, and the orphan one that crashes whoever enables the image beside it.

use anyhow::Result;
use rbd_mirror::journal::TagOwner;
use rbd_mirror::{Error, Features, Image, MirrorImageMode, Promote, Refusal};
use tests::expect::refusal;

use crate::site::{self, ONE};

/// Makes, as the witness, the object that a killed enable leaves behind.
fn leave_orphan(image: &Image) -> Result<String> {
    let object = format!("journal.{}", image.id()?);
    site::site()?.rados_text(["-p", ONE, "create", object.as_str()])?;
    Ok(object)
}

fn has_object(object: &str) -> bool {
    site::site().is_ok_and(|site| site.rados_text(["-p", ONE, "stat", object]).is_ok())
}

#[test]
fn an_orphan_journal_is_found_before_it_crashes_anybody_and_healed_on_request() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "orphaned")?;
    let object = leave_orphan(&image)?;
    let expected = Refusal::OrphanJournal { image_id: image.id()? };
    assert_eq!(refusal(image.enable(MirrorImageMode::Journal)), expected);
    assert_eq!(refusal(image.enable_features(Features::JOURNALING)), expected);
    assert!(has_object(&object));
    assert!(!site.image_info("one/orphaned")?.features.contains(&"journaling".to_owned()));

    assert!(image.heal_orphan_journal()?, "there was one");
    assert!(!has_object(&object));
    assert!(!image.heal_orphan_journal()?, "there is none any more");
    image.enable(MirrorImageMode::Journal)?;
    assert!(site.image_info("one/orphaned")?.mirroring.is_some_and(|mirroring| mirroring.primary));
    assert!(!image.heal_orphan_journal()?, "this one is in use");
    assert!(has_object(&object));
    image.write_at(0, b"journaled")?;
    Ok(())
}

#[test]
fn an_image_with_an_orphan_journal_is_not_removed_at_the_price_of_the_process() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "orphan-removed")?;
    let object = leave_orphan(&image)?;
    image.heal_orphan_journal()?;
    image.close()?;
    pool.remove("orphan-removed")?;
    assert!(!has_object(&object));
    assert!(!site.image_exists("one/orphan-removed")?);
    Ok(())
}

#[test]
fn an_orphan_journal_is_not_removed_while_somebody_else_has_the_image_open() -> Result<()> {
    let image = site::disk(&site::pool(ONE)?, "orphan-open")?;
    let object = leave_orphan(&image)?;
    let other = site::pool(ONE)?.open("orphan-open")?;
    let refused = refusal(image.heal_orphan_journal());
    assert!(matches!(refused, Refusal::InUse(_)), "{refused}");
    assert!(has_object(&object));
    let looker = site::pool(ONE)?.open_read_only("orphan-open")?;
    assert!(matches!(refusal(looker.heal_orphan_journal()), Refusal::InUse(_)));
    other.close()?;
    assert!(image.heal_orphan_journal()?);
    Ok(())
}

#[test]
fn an_image_without_the_feature_has_no_journal_to_read() -> Result<()> {
    let image = site::disk(&site::pool(ONE)?, "journalless")?;
    assert!(matches!(image.journal(), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn the_journal_tells_who_owns_the_image_through_every_change() -> Result<()> {
    let image = site::mirrored(&site::pool(ONE)?, "owned")?;
    let journal = image.journal()?;
    assert_eq!((journal.owner(), journal.peers.len()), (Some(&TagOwner::Local), 0));
    assert!(!journal.is_demoted() && !journal.has_broken_demotion());
    image.demote()?;
    let journal = image.journal()?;
    assert_eq!(journal.owner(), Some(&TagOwner::Orphan));
    assert!(journal.is_demoted() && !journal.has_broken_demotion());
    image.promote(Promote::Clean)?;
    let journal = image.journal()?;
    assert_eq!(journal.owner(), Some(&TagOwner::Local));
    assert!(!journal.is_demoted());
    Ok(())
}

#[test]
fn the_sites_own_position_is_the_one_that_rbd_shows() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::mirrored(&pool, "positions")?;
    for block in 0..20 {
        image.write_at(block * 4096, &[1; 4096])?;
    }
    let id = image.id()?;
    // Closing commits: afterwards the position stands still.
    image.close()?;
    let local = pool.journal_of(&id)?.local.expect("twenty writes were committed");
    let shown = site.journal_status(ONE, id.as_str())?;
    let clients = shown["registered_clients"].as_array().cloned().unwrap_or_default();
    let text = shown.to_string();
    assert_eq!(clients.len(), 1, "{text}");
    let needles = [format!("\"tag_tid\":{}", local.tag_tid), format!("\"entry_tid\":{}", local.entry_tid)];
    assert!(needles.iter().all(|needle| text.contains(needle)), "{local} in {text}");
    // Entries are counted from 0.
    assert!(local.entry_tid >= 19, "{local}");
    Ok(())
}
