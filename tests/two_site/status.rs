//! The list of statuses, and what it must not lose.

use anyhow::{Context, Result};
use rbd_mirror::fleet::Fleet;
use rbd_mirror::status::SiteState;
use rbd_mirror::status::description::Meaning;
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{MirrorImageMode, Promote, wait};

use crate::sites::{SOON, shared};

#[test]
fn the_list_tells_what_both_sites_say_of_an_image() -> Result<()> {
    let sites = shared()?;
    let (_image, id) = sites.protected("listed", MirrorImageMode::Journal)?;
    // The daemon's words come up to half a minute after the fact.
    until("told by both sites", &sites.b.spec().image("listed").into(), SOON.into(), || {
        let listed = sites
            .b
            .statuses()
            .find(|status| status.as_ref().is_ok_and(|status| status.id.as_ref() == Some(&id)));
        let Some(status) = listed.transpose()? else { return Ok(Seen::NotYet("not listed".to_owned())) };
        let told =
            status.local.as_ref().is_some_and(|local| local.up && local.description.journal().is_some())
                && status.peers.iter().any(|(_, peer)| peer.description.meaning() == Meaning::LocalIsPrimary);
        Ok(if told { Seen::Done(()) } else { Seen::NotYet(format!("{status:?}")) })
    })?;
    let shown = sites.witness_b.image_status("one/listed")?;
    assert_eq!(shown.state, "up+replaying");
    assert_eq!(shown.global_id, id.as_str());
    let summary = sites.b.status_summary()?;
    assert!(summary.iter().any(|(state, count)| *state == SiteState::Replaying && *count > 0), "{summary:?}");
    // Both ways of asking which daemon has it agree.
    let instances = sites.b.daemon_instances().collect::<Result<Vec<_>, _>>()?;
    let image = sites.b.open_by_global_id_read_only(&id)?;
    let instance = image.daemon_instance()?.context("no daemon has it")?;
    assert!(instances.contains(&(image.id()?, instance.to_string())), "{instances:?}");
    let mirrored = sites.b.mirrored(None).collect::<Result<Vec<_>, _>>()?;
    assert!(mirrored.iter().any(|image| image.role.id() == Some(&id) && !image.role.is_primary()));
    Ok(())
}

// Trap: the status list loses the text of unknown
#[test]
fn the_list_keeps_the_text_of_an_image_that_both_sites_have_demoted() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("waiting", MirrorImageMode::Journal)?;
    image.demote()?;
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    let listed = || -> rbd_mirror::Result<_> {
        let found = sites
            .b
            .statuses()
            .find(|status| status.as_ref().is_ok_and(|status| status.id.as_ref() == Some(&id)));
        found.transpose()
    };
    // librbd's own list says "status not found" from here on.
    until("unknown with its text", &sites.b.spec().image("waiting").into(), SOON.into(), || {
        let status = listed()?;
        let local = status.as_ref().and_then(|status| status.local.clone());
        let kept = local.as_ref().is_some_and(|local| {
            local.state == SiteState::Unknown && local.description.meaning() == Meaning::RemoteNotPrimary
        });
        Ok(if kept { Seen::Done(()) } else { Seen::NotYet(format!("{local:?}")) })
    })?;
    let single = sites.b.open_by_global_id_read_only(&id)?.status()?.local.context("no words")?;
    assert_eq!(single.description.meaning(), Meaning::RemoteNotPrimary);
    sites.at_a().promote(&id)?;
    Ok(())
}

#[test]
fn a_whole_page_of_demoted_images_keeps_its_texts_at_the_price_of_one_more_read() -> Result<()> {
    let sites = shared()?;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(sites.protected(&format!("page-{number}"), MirrorImageMode::Journal)?.1);
    }
    for outcome in Fleet::new(&sites.a, &ids).demote() {
        outcome.result?;
    }
    until("all unknown with their texts", &sites.b.spec().clone().into(), SOON.into(), || {
        let statuses = sites.b.statuses().collect::<rbd_mirror::Result<Vec<_>>>()?;
        let ours = statuses.iter().filter(|status| status.id.as_ref().is_some_and(|id| ids.contains(id)));
        let kept = ours.clone().filter(|status| {
            status.local.as_ref().is_some_and(|local| {
                local.state == SiteState::Unknown && local.description.meaning() == Meaning::RemoteNotPrimary
            })
        });
        let words = ours.map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Ok(if kept.count() == ids.len() { Seen::Done(()) } else { Seen::NotYet(words) })
    })?;
    for outcome in Fleet::new(&sites.a, &ids).promote(Promote::Clean) {
        outcome.result?;
    }
    Ok(())
}
