//! Statuses where no daemon has said anything: nothing is made up.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use rbd_mirror::status::SiteState;

use crate::site::{self, OFF, ONE};

#[test]
fn an_image_that_is_not_mirrored_has_neither_identity_nor_words() -> Result<()> {
    let status = site::disk(&site::pool(OFF)?, "status-plain")?.status()?;
    assert_eq!((status.id, status.local, status.peers), (None, None, Vec::new()));
    assert_eq!(status.name, "status-plain");
    Ok(())
}

#[test]
fn an_image_of_which_no_daemon_has_said_anything_has_no_words() -> Result<()> {
    let image = site::mirrored(&site::pool(ONE)?, "status-quiet")?;
    let status = image.status()?;
    assert_eq!(status.id, Some(image.global_id()?));
    assert_eq!((&status.local, status.is_split_brain()), (&None, false));
    assert_eq!(status.to_string(), "no status yet");
    assert_eq!(site::site()?.image_status("one/status-quiet")?.state, "down+unknown");
    Ok(())
}

#[test]
fn the_list_has_every_mirrored_image_once_and_no_other() -> Result<()> {
    let pool = site::pool(ONE)?.namespace("counted")?;
    pool.cluster().pool(ONE)?.create_namespace("counted")?;
    pool.set_mirror_mode(rbd_mirror::PoolMode::Image)?;
    site::disk(&pool, "left-out")?;
    let mut expected = BTreeSet::new();
    for number in 0..7 {
        let image = site::mirrored(&pool, &format!("disk-{number}"))?;
        expected.insert((image.name().to_owned(), Some(image.id()?), Some(image.global_id()?)));
    }
    let listed: Vec<_> = pool.statuses().collect::<Result<_, _>>()?;
    let seen = listed.iter().map(|status| (status.name.clone(), status.image_id.clone(), status.id.clone()));
    assert_eq!(listed.len(), 7);
    assert_eq!(seen.collect::<BTreeSet<_>>(), expected);

    let unknown = pool.status_summary()?.into_iter().find(|(state, _)| *state == SiteState::Unknown);
    assert_eq!(unknown.context("no count")?.1, 7);
    let shown = site::site()?.pool_status("one/counted")?;
    assert_eq!(shown["summary"]["states"]["unknown"], 7, "{shown}");
    Ok(())
}

#[test]
fn the_list_of_a_pool_that_does_not_mirror_is_empty_or_says_so() -> Result<()> {
    let listed: Vec<_> = site::pool(OFF)?.statuses().collect();
    assert!(listed.len() <= 1, "{listed:?}");
    assert!(listed.iter().all(Result::is_err), "{listed:?}");
    Ok(())
}
