//! Schedules at work: the manager takes the snapshots, and a manager that has just started is waited for.

use std::time::Duration;

use anyhow::Result;
use lab::{Daemon, Lab, Options, Peering, SiteId};
use rbd_mirror::schedule::{Interval, Level, Schedule, ready};
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{Cluster, MirrorImageMode, Refusal, SnapshotNamespace};
use tests::connect;

use crate::sites::{SOON, alone, shared};

/// A schedule acts on whole minutes, and the manager looks at its images once a minute.
const MINUTES: Duration = Duration::from_secs(240);

#[test]
fn a_scheduled_image_gets_its_mirror_snapshots_by_itself() -> Result<()> {
    let sites = shared()?;
    let (image, _) = sites.protected("scheduled", MirrorImageMode::Snapshot)?;
    image.close()?;
    let cluster = sites.a.cluster();
    let level = Level::image(&sites.a, "scheduled");
    ready(cluster, SOON)?;
    cluster.add_snapshot_schedule(&level, Schedule::every(Interval::minutes(1)?))?;
    let newest = || -> rbd_mirror::Result<Option<u64>> {
        let snapshots = sites.a.open_read_only("scheduled")?.snapshots()?;
        let mirror = snapshots.iter().filter(|one| matches!(one.namespace, SnapshotNamespace::Mirror(_)));
        Ok(mirror.map(|one| one.id).max())
    };
    let (first, on) = (newest()?, sites.a.spec().image("scheduled").into());
    until("due", &on, MINUTES.into(), || {
        let due = cluster.snapshot_schedule_status(&level)?;
        let listed = due.iter().any(|next| next.image == "one/scheduled" && next.at.starts_with("20"));
        Ok(if listed { Seen::Done(()) } else { Seen::NotYet(format!("{due:?}")) })
    })?;
    until("taken", &on, MINUTES.into(), || {
        let now = newest()?;
        Ok(if now > first { Seen::Done(()) } else { Seen::NotYet(format!("{now:?}")) })
    })?;
    cluster.remove_snapshot_schedule(&level, None)?;
    assert_eq!(cluster.snapshot_schedules(&level)?, []);
    Ok(())
}

#[test]
fn a_manager_that_has_just_started_is_not_ready_and_is_waited_for() -> Result<()> {
    let _alone = alone();
    let of_b = Daemon::ALL.map(|daemon| (SiteId::B, daemon));
    let options = Options {
        peering: Peering::None,
        absent: [&[(SiteId::A, Daemon::RbdMirror)], of_b.as_slice()].concat(),
        ..Options::temporary("schedule")
    };
    let lab = Lab::up(options)?;
    let within = connect::to(&lab.site(SiteId::A)).operations_within(Duration::from_secs(5));
    let cluster = Cluster::connect(within)?;
    ready(&cluster, SOON)?;
    lab.kill(SiteId::A, &[Daemon::Mgr])?;
    lab.start(SiteId::A, &[Daemon::Mgr])?;
    match cluster.snapshot_schedules(&Level::Cluster) {
        Ok(listed) => assert_eq!(listed, []),
        Err(error) => {
            let not_ready = error.refusal() == Some(&Refusal::ManagerNotReady);
            assert!(not_ready || error.is_unreachable(), "{error}");
        }
    }
    ready(&cluster, SOON)?;
    assert_eq!(cluster.snapshot_schedules(&Level::Cluster)?, []);
    Ok(())
}
