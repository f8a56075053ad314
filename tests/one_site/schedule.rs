//! Schedules of mirror snapshots, beside what `rbd` shows of them.

use anyhow::{Context, Result};
use rbd_mirror::schedule::{Interval, Level, Schedule, Scheduled, StartTime, ready};
use rbd_mirror::{Cluster, Connect, Error, MirrorImageMode, Pool};
use tests::connect;

use crate::site::{self, SOON};

/// A pool of its own: `one_site` tests run beside each other, and a schedule of a pool is for all its images.
fn scheduled_pool(name: &str) -> Result<Pool> {
    site::site()?.ceph_text(["osd", "pool", "create", name, "8"])?;
    let pool = site::pool(name)?;
    pool.init()?;
    pool.set_mirror_mode(rbd_mirror::PoolMode::Image)?;
    ready(pool.cluster(), SOON)?;
    Ok(pool)
}

fn every(minutes: u32) -> Result<Schedule> {
    Ok(Schedule::every(Interval::minutes(minutes)?))
}

#[test]
fn a_schedule_of_each_level_is_listed_as_rbd_lists_it_and_taken_back() -> Result<()> {
    let (site, pool) = (site::site()?, scheduled_pool("scheduled")?);
    pool.create_namespace("blue")?;
    let blue = pool.namespace("blue")?;
    blue.set_mirror_mode(rbd_mirror::PoolMode::Image)?;
    let image = site::disk(&pool, "often")?;
    image.enable(MirrorImageMode::Snapshot)?;
    let cluster = pool.cluster();
    let noon = Schedule { start: StartTime::utc(12, 0), ..every(1440)? };
    let levels = [
        (Level::pool(&pool), every(90)?),
        (Level::pool(&blue), noon),
        (Level::image(&pool, "often"), every(60)?),
    ];
    for (level, schedule) in &levels {
        cluster.add_snapshot_schedule(level, *schedule)?;
        cluster.add_snapshot_schedule(level, *schedule)?;
        let listed = cluster.snapshot_schedules(level)?;
        assert!(
            listed.contains(&Scheduled { level: level.clone(), schedules: vec![*schedule] }),
            "{level}: {listed:?}"
        );
    }
    let shown = site.rbd(["mirror", "snapshot", "schedule", "ls", "--pool", "scheduled", "--recursive"])?;
    let shown = shown.as_array().context("no list")?;
    let of = |pool: &str, namespace: &str, image: &str| {
        let found = shown.iter().find(|entry| {
            entry["pool"] == pool && entry["namespace"] == namespace && entry["image"] == image
        });
        found.map(|entry| entry["items"][0].clone()).with_context(|| format!("not in {shown:?}"))
    };
    assert_eq!(of("scheduled", "-", "-")?["interval"], "90m");
    assert_eq!(of("scheduled", "blue", "-")?["interval"], "1d");
    assert_eq!(of("scheduled", "blue", "-")?["start_time"], "12:00:00+00:00");
    assert_eq!(of("scheduled", "", "often")?["interval"], "1h");

    cluster.remove_snapshot_schedule(&levels[1].0, Some(noon))?;
    cluster.remove_snapshot_schedule(&levels[2].0, None)?;
    let left = cluster.snapshot_schedules(&levels[0].0)?;
    assert_eq!(left, [Scheduled { level: levels[0].0.clone(), schedules: vec![levels[0].1] }]);
    cluster.remove_snapshot_schedule(&levels[0].0, None)?;
    assert_eq!(cluster.snapshot_schedules(&levels[0].0)?, []);
    Ok(())
}

#[test]
fn what_is_not_there_or_not_permitted_is_said_and_not_retried() -> Result<()> {
    let (site, pool) = (site::site()?, scheduled_pool("unscheduled")?);
    let nobody = Level::image(&pool, "nobody");
    let added = pool.cluster().add_snapshot_schedule(&nobody, every(60)?);
    assert!(matches!(added, Err(Error::NotFound { .. })), "{added:?}");
    let nowhere = Level::Pool { pool: "nowhere".to_owned() };
    let listed = pool.cluster().snapshot_schedules(&nowhere);
    assert!(matches!(listed, Err(Error::NotFound { .. })), "{listed:?}");
    assert_eq!(pool.cluster().snapshot_schedule_status(&Level::pool(&pool))?, []);

    let caps = ["mon", "profile rbd", "osd", "profile rbd"];
    let key = site.ceph_text(["auth", "get-or-create-key", "client.unscheduled"].into_iter().chain(caps))?;
    let connect = Connect::conf(site.conf()).client("unscheduled").option("key", key.trim());
    let refused = Cluster::connect(connect)?.add_snapshot_schedule(&Level::pool(&pool), every(60)?);
    assert!(matches!(refused, Err(Error::NotPermitted { .. })), "{refused:?}");
    let unwatched = Cluster::connect(connect::to(&site))?.snapshot_schedules(&Level::pool(&pool))?;
    assert_eq!(unwatched, []);
    Ok(())
}
