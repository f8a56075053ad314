//! Each guard on an observation that it must refuse, and on the one before, that it must not.

use std::collections::BTreeSet;

use super::{Guard, check};
use crate::clock::Moment;
use crate::model::Scenario;
use crate::observe::{Answer, DiskView, Observation, PoolView, RegisteredImage, Scope, SideImage, observe};
use crate::plan::{Error, Intent, Verb, plan};
use crate::run::Run;
use crate::site::Side;
use crate::storage::{DaemonHealth, Follower, Holder, ImageView, Lease, ParentSpec, Role};

/// Protected and running at home.
fn quiet() -> (Scenario, Observation) {
    let scenario = Scenario::new().with_vm(12, "erp-db", "cp");
    let seen = observe(&scenario.pair, &Scope::of(&[12])).unwrap();
    let intent = Intent::new(Verb::Protect, &scenario.pair.settings);
    let plan = plan(&seen, intent, &scenario.pair.settings).unwrap();
    Run::start(&scenario.pair, &scenario.store, plan).unwrap().to_end(|_| {}).unwrap();
    let scenario = scenario.after(10);
    let seen = observe(&scenario.pair, &Scope::of(&[12])).unwrap();
    (scenario, seen)
}

/// The same with the home site gone.
fn disaster() -> (Scenario, Observation) {
    let (scenario, _) = quiet();
    scenario.model.disaster(Side::Home);
    let seen = observe(&scenario.pair, &Scope::of(&[12])).unwrap();
    (scenario, seen)
}

fn disk(seen: &mut Observation) -> &mut DiskView {
    &mut seen.vms[0].disks[0]
}

fn view(side: &mut SideImage) -> &mut ImageView {
    match side {
        SideImage::Present(view) => view,
        other => panic!("{other:?}"),
    }
}

fn pool(answer: &mut Answer<PoolView>) -> &mut PoolView {
    match answer {
        Answer::Answers(pool) => pool,
        Answer::Silent(why) => panic!("{why}"),
    }
}

/// Exactly this guard refuses after the change, and none before it.
#[track_caller]
fn one(
    guard: Guard,
    verb: Verb,
    (scenario, mut seen): (Scenario, Observation),
    change: impl Fn(&mut Observation),
) {
    let settings = &scenario.pair.settings;
    let intent = Intent::new(verb, settings);
    let names = |seen: &Observation, intent: &Intent| {
        check(seen, intent)
            .into_iter()
            .filter(super::Finding::refuses)
            .map(|found| found.guard)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&seen, &intent), BTreeSet::new(), "before");
    change(&mut seen);
    assert_eq!(names(&seen, &intent), BTreeSet::from([guard]));
    let Err(Error::Refused(shown)) = plan(&seen, intent.clone(), settings) else { panic!("it was planned") };
    let finding = shown.findings.iter().find(|finding| finding.guard == guard).unwrap();
    let text = finding.to_string();
    assert!(text.starts_with(&format!("REFUSED [{guard}]")), "{text}");
    assert!(text.contains("at risk: ") && text.contains("safe: "), "{text}");
    let passing = intent.passing(guard, "ticket 4711");
    if guard.can_be_overridden() {
        assert!(text.contains(&format!("--override {guard}=")), "{text}");
        let found = check(&seen, &passing);
        assert!(found.iter().all(|found| found.overridden.as_deref() == Some("ticket 4711")), "{found:#?}");
    } else {
        assert!(!text.contains("--override"), "{text}");
        assert!(matches!(plan(&seen, passing, settings), Err(Error::Unfit(_))));
    }
}

#[test]
fn names_are_stable_and_read_back() {
    assert_eq!(Guard::ALL.len(), 19);
    for guard in Guard::ALL {
        assert_eq!(Guard::named(guard.name()), Some(*guard));
        assert_eq!(serde_json::to_value(guard).unwrap(), guard.name());
    }
}

#[test]
fn peer_is_primary() {
    one(Guard::PeerIsPrimary, Verb::Abort, quiet(), |seen| {
        view(&mut disk(seen).home).role = Role::Orphan;
        view(&mut disk(seen).recovery).role = Role::Primary;
    });
}

#[test]
fn peer_still_primary_and_alive() {
    one(Guard::PeerStillPrimaryAndAlive, Verb::Failover, disaster(), |seen| {
        let there = view(&mut disk(seen).recovery).clone();
        disk(seen).home = SideImage::Present(Box::new(ImageView { role: Role::Primary, ..there }));
    });
}

#[test]
fn writers_present() {
    one(Guard::WritersPresent, Verb::Relocate, quiet(), |seen| {
        seen.vms[0].at_home.as_mut().unwrap().power = crate::frontend::Power::Off;
        let stranger = Holder { address: "10.0.0.7:0/1".to_owned(), client: None };
        view(&mut disk(seen).home).users = vec![stranger];
        view(&mut seen.vms[0].disks[1].home).users.clear();
    });
}

#[test]
fn not_synced() {
    for bad in [Follower::Syncing, Follower::NotRegistered, Follower::Disconnected, Follower::SplitBrain] {
        one(Guard::NotSynced, Verb::Relocate, quiet(), |seen| disk(seen).follower = Some(bad.clone()));
    }
    one(Guard::NotSynced, Verb::Failover, disaster(), |seen| view(&mut disk(seen).recovery).complete = None);
    one(Guard::NotSynced, Verb::Failover, disaster(), |seen| {
        view(&mut disk(seen).recovery).complete = Some(false);
    });
}

#[test]
fn what_a_daemon_said_before_it_replayed_refuses_nothing() {
    let (scenario, mut seen) = quiet();
    // Its status is up to half a minute old, and the primary's journal knows better.
    view(&mut disk(&mut seen).recovery).complete = Some(false);
    let intent = Intent::new(Verb::Relocate, &scenario.pair.settings);
    let found = check(&seen, &intent);
    assert!(found.iter().all(|finding| finding.guard != Guard::NotSynced), "{found:?}");
}

#[test]
fn rpo_exceeded() {
    one(Guard::RpoExceeded, Verb::Failover, disaster(), |seen| {
        let long_ago = Moment(seen.at.0 - 2 * 3600 * 1000);
        view(&mut disk(seen).recovery).last_contact = Some(long_ago);
    });
}

#[test]
fn metadata_stale() {
    one(Guard::MetadataStale, Verb::Relocate, quiet(), |seen| {
        seen.vms[0].drift = vec!["disk 2 was added".to_owned()];
    });
    one(Guard::MetadataStale, Verb::Failover, disaster(), |seen| {
        seen.catalog = Answer::Silent("none".to_owned());
    });
    one(Guard::MetadataStale, Verb::Failover, disaster(), |seen| seen.vms[0].captured = false);
    one(Guard::MetadataStale, Verb::Failover, disaster(), |seen| {
        let Answer::Answers(catalog) = &mut seen.catalog else { panic!("it was captured") };
        catalog.age_seconds = 48 * 3600;
    });
    one(Guard::MetadataStale, Verb::Failover, disaster(), |seen| {
        let Answer::Answers(catalog) = &mut seen.catalog else { panic!("it was captured") };
        catalog.damaged = vec!["sha256:... of yesterday: VM 12 was changed".to_owned()];
    });
}

#[test]
fn both_primary() {
    for verb in [Verb::Relocate, Verb::Protect, Verb::Reprotect, Verb::Drill] {
        let (scenario, seen) = quiet();
        let mut before = seen.clone();
        view(&mut before.vms[0].disks[0].recovery).role = Role::Primary;
        let intent = Intent::new(verb, &scenario.pair.settings);
        let found = check(&before, &intent);
        assert!(found.iter().any(|found| found.guard == Guard::BothPrimary), "{verb:?}: {found:#?}");
    }
}

#[test]
fn resync_peer_not_primary() {
    let (scenario, seen) = quiet();
    let found = check(&seen, &Intent::new(Verb::Reprotect, &scenario.pair.settings));
    assert!(found.iter().all(|found| found.guard == Guard::ResyncPeerNotPrimary), "{found:#?}");
    assert_eq!(found.len(), 2, "each disk that is primary at home alone");
}

#[test]
fn name_collision_at_b() {
    one(Guard::NameCollisionAtB, Verb::Protect, quiet(), |seen| disk(seen).namesake = true);
}

#[test]
fn source_already_registered() {
    let foreign = |id, ours| RegisteredImage {
        id: opennebula_meta::id::ImageId(id),
        name: "by-hand".to_owned(),
        ours,
        locked: false,
    };
    one(Guard::SourceAlreadyRegistered, Verb::Relocate, quiet(), |seen| {
        disk(seen).registered = vec![foreign(41, false)];
    });
    one(Guard::SourceAlreadyRegistered, Verb::Failover, disaster(), |seen| {
        disk(seen).registered = vec![foreign(41, true), foreign(42, true)];
    });
    one(Guard::SourceAlreadyRegistered, Verb::Failover, disaster(), |seen| {
        seen.vms[0].duplicates = vec![opennebula_meta::id::VmId(77)];
    });
}

#[test]
fn unmapped() {
    one(Guard::Unmapped, Verb::Failover, disaster(), |seen| {
        seen.vms[0].unmapped = vec!["no counterpart at site B for network \"prod\"".to_owned()];
    });
}

#[test]
fn insufficient_capacity() {
    one(Guard::InsufficientCapacity, Verb::Failover, disaster(), |seen| {
        pool(&mut seen.recovery.pool).capacity.as_mut().unwrap().near_full = true;
    });
    one(Guard::InsufficientCapacity, Verb::Protect, quiet(), |seen| {
        disk(seen).recovery = SideImage::Absent;
        pool(&mut seen.recovery.pool).capacity.as_mut().unwrap().free_bytes = 1 << 20;
    });
}

#[test]
fn mirror_daemon_down_at_survivor() {
    one(Guard::MirrorDaemonDownAtSurvivor, Verb::Relocate, quiet(), |seen| {
        pool(&mut seen.recovery.pool).daemons = Some(Vec::new());
    });
    one(Guard::MirrorDaemonDownAtSurvivor, Verb::Failover, disaster(), |seen| {
        let daemons = pool(&mut seen.recovery.pool).daemons.as_mut().unwrap();
        daemons.iter_mut().for_each(|daemon| daemon.health = DaemonHealth::Error);
    });
}

#[test]
fn another_run_active() {
    one(Guard::AnotherRunActive, Verb::Failover, disaster(), |seen| {
        let owner = "bob@laptop run 2026-11-22-07".to_owned();
        pool(&mut seen.recovery.pool).lease = Some(Lease { owner, until: Moment(seen.at.0 + 60_000) });
    });
}

#[test]
fn epoch_old() {
    one(Guard::EpochOld, Verb::Relocate, quiet(), |seen| {
        seen.vms[0].recovery_epoch = Some(crate::epoch::Epoch {
            number: 3,
            active: Side::Recovery,
            forced: true,
            at: seen.at,
            run: "failover 9f2c".to_owned(),
        });
    });
}

#[test]
fn unflattened_clone() {
    one(Guard::UnflattenedClone, Verb::Failover, disaster(), |seen| {
        let parent = ParentSpec { pool: "one".into(), image: "one-120".into(), snapshot: "snap".into() };
        view(&mut disk(seen).recovery).parent = Some(parent);
    });
}

#[test]
fn replica_missing_disk() {
    one(Guard::ReplicaMissingDisk, Verb::Failover, disaster(), |seen| {
        disk(seen).recovery = SideImage::Absent;
    });
    one(Guard::ReplicaMissingDisk, Verb::Relocate, quiet(), |seen| {
        seen.vms[0].out_of_reach = vec!["disk 3: File".to_owned()];
    });
    // A snapshot revert: the live disk is a new image, and the protection stayed with the old one under another name.
    one(Guard::ReplicaMissingDisk, Verb::Failover, disaster(), |seen| {
        view(&mut disk(seen).recovery).name = "one-120-12-0-0".to_owned();
    });
    one(Guard::ReplicaMissingDisk, Verb::Relocate, quiet(), |seen| {
        disk(seen).elsewhere = Some("ssd".to_owned());
    });
}

#[test]
fn version_skew() {
    one(Guard::VersionSkew, Verb::Relocate, quiet(), |seen| {
        seen.home.frontend = Answer::Answers("7.4.0".to_owned());
    });
    one(Guard::VersionSkew, Verb::Relocate, quiet(), |seen| {
        pool(&mut seen.recovery.pool).identity.ceph = Some("20.2.0".to_owned());
    });
}

#[test]
fn all_that_is_wrong_is_listed_at_once() {
    let (scenario, mut seen) = disaster();
    disk(&mut seen).recovery = SideImage::Absent;
    seen.vms[0].unmapped = vec!["no counterpart at site B for group \"users\"".to_owned()];
    pool(&mut seen.recovery.pool).daemons = Some(Vec::new());
    let intent = Intent::new(Verb::Failover, &scenario.pair.settings);
    let text = plan(&seen, intent, &scenario.pair.settings).unwrap_err().to_string();
    for guard in ["replica-missing-disk", "unmapped", "mirror-daemon-down-at-survivor"] {
        assert!(text.contains(guard), "{text}");
    }
}

#[test]
fn an_override_needs_its_reason() {
    let (scenario, seen) = disaster();
    let intent = Intent::new(Verb::Failover, &scenario.pair.settings).passing(Guard::RpoExceeded, "  ");
    assert!(matches!(plan(&seen, intent, &scenario.pair.settings), Err(Error::Unfit(_))));
}

#[test]
fn a_refusal_reads_well_at_night() {
    let (scenario, seen) = quiet();
    let intent = Intent::new(Verb::Failover, &scenario.pair.settings);
    let text = plan(&seen, intent, &scenario.pair.settings).unwrap_err().to_string();
    assert_eq!(
        text,
        "REFUSED [peer-still-primary-and-alive]  \
         site a answers, and one/one-120-12-0 of erp-db (VM 12) is primary there, open for writing by client.12 at \
         10.0.0.5:0/12.\n         \
         site a answers, and one/one-121 of erp-db (VM 12) is primary there, open for writing by client.12 at \
         10.0.0.5:0/12.\n  \
         at risk: forcing now makes two primaries (split brain): what site a writes from AT on will later be discarded\n  \
         safe:    one-dr plan relocate 12\n  \
         if you know better, and why:  --override peer-still-primary-and-alive=\"who decided it, and why\""
            .replace("AT", &seen.at.to_string())
    );
}
