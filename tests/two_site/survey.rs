//! Two pools as a whole, in every state that Ceph calls healthy or does not name, and the cures of those that do not mend themselves.

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Lab, Options, SiteId};
use rbd_mirror::journal::PeerState;
use rbd_mirror::pair::{Broken, Side};
use rbd_mirror::survey::{Finding, survey};
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{
    CreateOptions, Deadline, Error, Features, Hopeless, MirrorImageMode, Promote, Refusal, wait,
};
use tests::expect::refusal;

use crate::sites::{MIB, SOON, Sites, alone};

/// What the survey says of one image.
fn of_image(sites: &Sites, name: &str) -> Result<Vec<Finding>> {
    let findings = survey(&sites.a, &sites.b)?;
    Ok(findings.into_iter().filter(|finding| finding.to_string().starts_with(&format!("{name}:"))).collect())
}

/// Waits until the survey says something of an image.
fn await_finding(sites: &Sites, name: &str, is_it: impl Fn(&Finding) -> bool) -> Result<()> {
    until("found", &sites.a.spec().image(name).into(), Deadline::after(SOON), || {
        let found = of_image(sites, name).map_err(|error| error.downcast::<Error>());
        let found = match found {
            Ok(found) => found,
            Err(Ok(error)) => return Err(error),
            Err(Err(error)) => return Ok(Seen::NotYet(error.to_string())),
        };
        Ok(if found.iter().any(&is_it) { Seen::Done(()) } else { Seen::NotYet(format!("{found:?}")) })
    })?;
    Ok(())
}

#[test]
fn a_survey_names_what_the_health_of_neither_site_does() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("survey"))?;
    let sites = Sites::of(&lab)?;
    sites.protected("sound", MirrorImageMode::Journal)?.0.close()?;
    let (moving, moving_id) = sites.protected("moving", MirrorImageMode::Journal)?;
    let (doubled, doubled_id) = sites.protected("doubled", MirrorImageMode::Journal)?;

    until("nothing to say", &sites.a.spec().clone().into(), Deadline::after(SOON), || {
        let findings = survey(&sites.a, &sites.b)?;
        let words = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Ok(if findings.is_empty() { Seen::Done(()) } else { Seen::NotYet(words) })
    })?;

    // What one site says of itself is what Ceph's own command computes.
    for (pool, witness) in [(&sites.a, &sites.witness_a), (&sites.b, &sites.witness_b)] {
        let (ours, theirs) = (pool.health()?, witness.pool_status("one")?["summary"].clone());
        assert_eq!(theirs["health"], ours.overall().to_string());
        assert_eq!(theirs["image_health"], ours.images.to_string());
        assert_eq!(theirs["daemon_health"], ours.daemons.context("a daemon runs")?.to_string());
    }

    // A switch-over that stopped half-way.
    moving.demote()?;
    wait::demotion_arrived(&sites.a, &sites.b, &moving_id, SOON)?;
    assert!(of_image(&sites, "moving")?.iter().any(|finding| matches!(finding, Finding::NoPrimary(_))));
    assert_eq!(sites.at_a().diagnose(&moving_id)?, None, "a sound demotion is not broken");
    assert_eq!(refusal(sites.at_a().take_demotion_back(&moving_id)), Refusal::NotBroken);
    sites.at_a().promote(&moving_id)?;
    moving.close()?;

    // Two primaries.
    sites.b.open_by_global_id(&doubled_id)?.promote(Promote::Force)?;
    let found = of_image(&sites, "doubled")?;
    assert!(found.iter().any(|finding| matches!(finding, Finding::TwoPrimaries(_))), "{found:?}");
    let twice = sites.b.open_by_global_id(&doubled_id)?;
    twice.take_over(SOON)?;
    twice.write_at(0, b"B")?;
    twice.close()?;
    doubled.write_at(0, b"A")?;
    doubled.demote()?;
    doubled.close()?;
    await_finding(&sites, "doubled", |finding| {
        matches!(finding, Finding::SplitBrain { diverged: Side::Here, .. })
    })?;

    // An image that does not arrive, while B's daemon stands still; and with it every word of that daemon grows old.
    lab.freeze(SiteId::B, &[Daemon::RbdMirror])?;
    let late = sites.filled("late")?;
    let late_id = late.enable(MirrorImageMode::Journal)?;
    let found = of_image(&sites, "late")?;
    let absent =
        |finding: &Finding| matches!(finding, Finding::NoReplica { at: Side::Here, parent: None, .. });
    assert!(found.iter().any(absent), "{found:?}");
    // Of an image that it has not spoken of yet, nothing grows old: of this one it has.
    await_finding(&sites, "moving", |finding| {
        matches!(finding, Finding::StaleStatus { at: Side::There, .. })
    })?;
    lab.thaw(SiteId::B, &[Daemon::RbdMirror])?;
    wait::caught_up(&sites.a, &sites.b, &late_id, SOON)?;

    // No daemon at all.
    lab.stop(SiteId::B, &[Daemon::RbdMirror])?;
    until("missed", &sites.b.spec().clone().into(), Deadline::after(SOON), || {
        let findings = survey(&sites.a, &sites.b)?;
        let missed = findings.iter().any(|finding| {
            matches!(
                finding,
                Finding::NoDaemon { at: Side::There }
                    | Finding::Daemon { at: Side::There, .. }
                    | Finding::StaleStatus { at: Side::There, .. }
            )
        });
        Ok(if missed { Seen::Done(()) } else { Seen::NotYet(format!("{findings:?}")) })
    })?;
    Ok(())
}

#[test]
fn a_demotion_before_the_first_copy_was_complete_is_recognised_and_taken_back() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("too-early"))?;
    let sites = Sites::of(&lab)?;
    // B's daemon registers, and stands still before its copy, of 256 MiB, is complete.
    let plain = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
    sites.a.create("too-early", 256 * MIB, &plain)?;
    let image = sites.a.open("too-early")?;
    for part in 0..64 {
        image.write_at(part * 4 * MIB, &vec![7; 4 << 20])?;
    }
    let id = image.enable(MirrorImageMode::Journal)?;
    let uuid = sites.b.mirror_uuid()?;
    let syncing = || -> rbd_mirror::Result<bool> {
        Ok(image.journal()?.peer(&uuid).is_some_and(|peer| peer.state == PeerState::Syncing))
    };
    // Looked at every few milliseconds: the waits of our library are too easy-going for a moment like this.
    lab::until("the copy has begun", SOON, &lab.logs(), || {
        Ok(match syncing() {
            Ok(true) => lab::Seen::Done(()),
            Ok(false) => lab::Seen::NotYet("not registered".to_owned()),
            Err(error) => lab::Seen::NotYet(error.to_string()),
        })
    })?;
    lab.freeze(SiteId::B, &[Daemon::RbdMirror])?;
    ensure!(syncing()?, "the copy was complete before it could be stopped");
    image.demote()?;
    image.close()?;
    assert_eq!(sites.at_a().diagnose(&id)?, Some(Broken::DemotedWhileSyncing));
    lab.thaw(SiteId::B, &[Daemon::RbdMirror])?;
    sites.at_a().take_demotion_back(&id)?;
    // A copy that was stopped in the middle may not find its place again; it is no copy yet, and is fetched anew.
    match wait::caught_up(&sites.a, &sites.b, &id, SOON) {
        Err(Error::Hopeless { seen: Hopeless::SplitBrain, .. }) => {
            let old = sites.at_b().resync(&id)?;
            wait::resynced(&sites.a, &sites.b, &id, &old, SOON)?;
        }
        other => other?,
    }
    assert_eq!(sites.at_a().diagnose(&id)?, None);

    // Now it goes through.
    wait::reverse_registered(&sites.a, &sites.b, &id, SOON)?;
    sites.a.open_by_global_id(&id)?.demote()?;
    wait::demotion_arrived(&sites.a, &sites.b, &id, SOON)?;
    sites.at_b().promote(&id)?;
    sites.expect_equal("too-early")
}

#[test]
fn an_enable_that_nobody_noticed_is_recognised_and_done_anew() -> Result<()> {
    let _alone = alone();
    let lab = Lab::up(Options::temporary("unnoticed"))?;
    let sites = Sites::of(&lab)?;
    // Nobody notices while both daemons are away, which is all that an enable that was killed leaves to be seen.
    for site in SiteId::ALL {
        lab.stop(site, &[Daemon::RbdMirror])?;
    }
    let image = sites.filled("unnoticed")?;
    let id = image.enable(MirrorImageMode::Journal)?;
    image.close()?;
    assert_eq!(sites.at_a().diagnose(&id)?, Some(Broken::UnnoticedEnable));
    let found = of_image(&sites, "unnoticed")?;
    assert!(
        found
            .iter()
            .any(|finding| matches!(finding, Finding::Broken { broken: Broken::UnnoticedEnable, .. })),
        "{found:?}"
    );
    let anew = sites.at_a().enable_anew(&id)?;
    assert_ne!(anew, id);
    for site in SiteId::ALL {
        lab.start(site, &[Daemon::RbdMirror])?;
    }
    wait::caught_up(&sites.a, &sites.b, &anew, SOON)?;
    assert_eq!(sites.at_a().diagnose(&anew)?, None);
    assert_eq!(refusal(sites.at_a().enable_anew(&anew)), Refusal::NotBroken);
    sites.expect_equal("unnoticed")
}
