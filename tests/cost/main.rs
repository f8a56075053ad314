//! What our calls cost the cluster, by the OSD's own count.
//!
//! One site without rbd-mirror, so that nobody else asks the OSD anything; one test after the other, for the same reason. Times
//! are not looked at.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use lab::{Daemon, Lab, Options, OsdCounters, Peering, Site, SiteId};
use rbd_mirror::fleet::Fleet;
use rbd_mirror::pair::{Completeness, Pair};
use rbd_mirror::watch::Change;
use rbd_mirror::{Cluster, Connect, CreateOptions, Features, MirrorImageMode, Op, Pool, PoolMode};
use serde_json::Value;
use tests::connect;
use tests::encoded::{mirror_image, string};

/// More than the object class gives at once, so that pages are turned.
const MANY: usize = 1_200;
const MANY_POOL: &str = "many";
const FEW_POOL: &str = "few";

const WITHIN: Duration = Duration::from_secs(60);

static LAB: OnceLock<Result<Lab, String>> = OnceLock::new();
static ALONE: Mutex<()> = Mutex::new(());

/// The site with its pools, for one test at a time.
fn site() -> Result<(Site, MutexGuard<'static, ()>)> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = LAB.get_or_init(|| bring_up().map_err(|error| format!("{error:#}"))).as_ref();
    Ok((lab.map_err(|words| anyhow!("{words}"))?.site(SiteId::A), alone))
}

fn bring_up() -> Result<Lab> {
    let of_b = Daemon::ALL.map(|daemon| (SiteId::B, daemon));
    let lab = Lab::up(Options {
        peering: Peering::None,
        pools: [MANY_POOL, FEW_POOL].map(lab::Pool::plain).to_vec(),
        absent: [&[(SiteId::A, Daemon::RbdMirror)], of_b.as_slice()].concat(),
        ..Options::temporary("cost")
    })?;
    for (name, count) in [(MANY_POOL, MANY), (FEW_POOL, 3)] {
        let pool = connect::pool(&lab.site(SiteId::A), name)?;
        pool.set_mirror_mode(PoolMode::Image)?;
        let names = (0..count).map(|number| format!("disk-{number:04}"));
        let made = Fleet::new(&pool, names).each(Op::CreateImage, |pool, target| {
            let options = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
            let name = target.to_string();
            pool.create(&name, 1 << 20, &options)?;
            pool.open(&name)?.enable(MirrorImageMode::Snapshot).map(drop)
        });
        for outcome in made {
            outcome.result?;
        }
    }
    Ok(lab)
}

/// What the OSD has done for `what`.
fn cost<T>(site: &Site, what: impl FnOnce() -> Result<T>) -> Result<(T, OsdCounters)> {
    let before = site.osd_counters()?;
    let value = what()?;
    Ok((value, site.osd_counters()? - before))
}

fn count(pool: &Pool) -> Result<usize> {
    Ok(pool.statuses().collect::<rbd_mirror::Result<Vec<_>>>()?.len())
}

#[test]
fn the_statuses_of_a_pool_cost_a_few_reads_however_many_they_are() -> Result<()> {
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, MANY_POOL)?;
    let (found, cost) = cost(&site, || count(&pool))?;
    assert_eq!(found, MANY);
    // For each page of 1,024 the statuses, and the names of the images on it.
    assert_eq!(cost.ops, u64::try_from(2 * MANY.div_ceil(1024))?, "{cost:?}");
    assert!(cost.bytes_out <= u64::try_from(MANY * 450)?, "{cost:?}");
    Ok(())
}

#[test]
fn small_pages_cost_more_and_find_the_same() -> Result<()> {
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, MANY_POOL)?;
    let all = || Ok(pool.statuses().page_size(100).collect::<rbd_mirror::Result<Vec<_>>>()?);
    let (found, small) = cost(&site, all)?;
    assert_eq!(found.len(), MANY);
    let (_, large) = cost(&site, || count(&pool))?;
    assert!(small.ops > 4 * large.ops, "{small:?} {large:?}");
    let (count, largest) = cost(&site, || Ok(pool.statuses().page_size(usize::MAX).count()))?;
    assert_eq!(count, MANY);
    assert!(largest.ops < large.ops, "{largest:?} {large:?}");
    let middle = found[MANY / 2].image_id.clone().expect("a list has ids");
    let rest = pool.statuses_after(&middle).collect::<rbd_mirror::Result<Vec<_>>>()?;
    assert_eq!(rest[..], found[MANY / 2 + 1..]);
    Ok(())
}

#[test]
fn to_watch_a_pool_in_which_nothing_changes_costs_two_reads_a_look() -> Result<()> {
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, MANY_POOL)?;
    let mut watch = pool.watch();
    assert_eq!(watch.look()?.len(), MANY);
    let (changes, cost) = cost(&site, || {
        let mut changes = Vec::new();
        for _ in 0..10 {
            changes.extend(watch.look()?);
        }
        Ok(changes)
    })?;
    assert_eq!(changes, []);
    assert_eq!(cost.ops, 20, "{cost:?}");
    Ok(())
}

#[test]
fn a_watch_tells_what_came_and_what_went() -> Result<()> {
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, FEW_POOL)?;
    let mut watch = pool.watch();
    assert!(watch.look()?.iter().all(|change| matches!(change, Change::Appeared(_))));
    assert_eq!(watch.statuses().count(), 3);
    let options = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
    pool.create("comes-and-goes", 1 << 20, &options)?;
    let image = pool.open("comes-and-goes")?;
    let id = image.enable(MirrorImageMode::Snapshot)?;
    let changes = watch.look()?;
    assert!(
        matches!(&changes[..], [Change::Appeared(status)] if status.id.as_ref() == Some(&id)),
        "{changes:?}"
    );
    image.disable(rbd_mirror::Disable::Clean)?;
    let changes = watch.look()?;
    assert!(matches!(&changes[..], [Change::Gone(status)] if status.name == "comes-and-goes"), "{changes:?}");
    Ok(())
}

#[test]
fn an_open_image_is_asked_for_its_role_or_its_status_with_one_read() -> Result<()> {
    let (site, _alone) = site()?;
    let image = connect::pool(&site, FEW_POOL)?.open("disk-0000")?;
    image.role()?;
    let (_, role) = cost(&site, || Ok(image.role()?))?;
    assert_eq!(role.ops, 1, "{role:?}");
    let (_, status) = cost(&site, || Ok(image.status()?))?;
    assert_eq!(status.ops, 1, "{status:?}");
    Ok(())
}

/// In one call the image is opened once; in two it is opened for each.
#[test]
fn a_failover_in_one_call_costs_less_than_in_two() -> Result<()> {
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, FEW_POOL)?;
    let nobody = Cluster::connect(Connect::conf("/nowhere/site-b.conf")).expect_err("there is nothing there");
    let pair = Pair::without_peer(&pool, &nobody);
    let options = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
    let demoted = |name: &str| -> Result<_> {
        pool.create(name, 1 << 20, &options)?;
        let image = pool.open(name)?;
        let id = image.enable(MirrorImageMode::Journal)?;
        image.demote()?;
        image.close()?;
        Ok(id)
    };
    let (one, two) = (demoted("in-one-call")?, demoted("in-two-calls")?);
    let (_, one) = cost(&site, || Ok(pair.fail_over(&one, Completeness::Proven, WITHIN)?))?;
    let (_, two) = cost(&site, || {
        pair.promote_by_force(&two, Completeness::Proven)?;
        let image = pool.open_by_global_id(&two)?;
        image.take_over(WITHIN)?;
        Ok(image.close()?)
    })?;
    println!("{one:?} {two:?}");
    assert!(one.ops <= 110, "{one:?}");
    assert!(one.ops + 10 < two.ops, "{one:?} {two:?}");
    for image in pool.mirrored(Some(MirrorImageMode::Journal)) {
        pool.open_by_id(&image?.image)?.disable(rbd_mirror::Disable::Clean)?;
    }
    Ok(())
}

/// A client holds the lock of an image and is shut out, as the daemon of fifty images is when the first of them was taken over. It is
/// not shut out again for the second, where it stays so for long enough; librbd would, and that is a new map of the OSDs.
#[test]
fn the_lock_of_a_client_that_is_shut_out_for_long_costs_no_decision_of_the_monitors() -> Result<()> {
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, FEW_POOL)?;
    let epoch = || -> Result<_> {
        let map = pool.cluster().mon_command(r#"{"prefix": "osd dump", "format": "json"}"#)?.output;
        serde_json::from_slice::<Value>(&map)?["epoch"].as_u64().context("no epoch")
    };
    let options = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
    let taken_over = |name: &str, shut_out: u64| -> Result<u64> {
        pool.create(name, 1 << 20, &options)?;
        let image = pool.open(name)?;
        image.enable(MirrorImageMode::Journal)?;
        let client = connect::pool(&site, FEW_POOL)?.open(name)?;
        client.acquire_lock()?;
        let holder = client.lock_owners()?.into_iter().next().context("nobody holds the lock")?;
        pool.cluster().blocklist(holder.as_str(), Duration::from_secs(shut_out))?;
        let before = epoch()?;
        assert_eq!(image.take_over(WITHIN)?.broken, [], "{name}");
        let maps = epoch()? - before;
        assert!(!image.lock_owners()?.contains(&holder), "{name}");
        image.disable(rbd_mirror::Disable::Clean)?;
        Ok(maps)
    };
    for (name, shut_out, decisions) in [("held-for-long", 7_200, 0), ("held-for-minutes", 600, 1)] {
        // A map comes for other reasons as well, now and then: it is the least of a few that is ours.
        let maps = (0..3).map(|number| taken_over(&format!("{name}-{number}"), shut_out));
        let maps = maps.collect::<Result<Vec<_>>>()?;
        assert_eq!(maps.iter().min(), Some(&decisions), "{name}: {maps:?}");
    }
    Ok(())
}

#[test]
fn the_directory_of_mirrored_images_is_read_a_thousand_at_a_time() -> Result<()> {
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, MANY_POOL)?;
    let (ids, cost) = cost(&site, || Ok(pool.mirrored_ids()?))?;
    assert_eq!(ids.len(), MANY);
    assert_eq!(cost.ops, u64::try_from(MANY.div_ceil(1024) + 1)?, "{cost:?}");
    Ok(())
}

/// Ten thousand images as the pool's two directories have them, written directly: to make them would take minutes.
#[test]
fn ten_thousand_statuses_cost_no_more_than_forty_reads() -> Result<()> {
    const COUNT: usize = 10_000;
    let (site, _alone) = site()?;
    let pool = connect::pool(&site, FEW_POOL)?;
    pool.create_namespace("forged")?;
    let pool = pool.namespace("forged")?;
    pool.set_mirror_mode(PoolMode::Image)?;
    for numbers in (0..COUNT).collect::<Vec<_>>().chunks(1_000) {
        let (mut mirrored, mut named) = (Vec::new(), Vec::new());
        for number in numbers {
            let (id, global) = (format!("id{number:08}"), format!("00000000-0000-0000-0000-{number:012}"));
            // Enabled, in snapshot mode.
            mirrored.push((format!("image_{id}"), mirror_image(&global, 1, 1)));
            mirrored.push((format!("global_{global}"), string(&id)));
            named.push((format!("name_forged-{number}"), string(&id)));
            named.push((format!("id_{id}"), string(&format!("forged-{number}"))));
        }
        for (object, entries) in [("rbd_mirroring", mirrored), ("rbd_directory", named)] {
            let entries: Vec<(&str, &[u8])> =
                entries.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
            pool.set_object_entries(object, &entries)?;
        }
    }
    let (found, cost) = cost(&site, || count(&pool))?;
    assert_eq!(found, COUNT);
    assert!(cost.ops <= 40, "{cost:?}");
    Ok(())
}
