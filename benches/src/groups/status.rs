//! The statuses of a whole pool: real images, then entries alone up to ten thousand; and a pool in which nothing changes.

use std::cell::RefCell;
use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::{Proposals, Site, SiteId};
use rbd_mirror::{MirrorImageMode, Pool, PoolMode};

use crate::groups::Size;
use crate::measure::{Spread, line, paired, seconds, side};
use crate::peers::{self, Python};
use crate::record::{Record, Series};
use crate::sites;
use crate::synthetic::{self, FOLLOWS};
use ceph_plain as c;

const WITHIN: Duration = Duration::from_secs(60);

/// go-ceph's page.
const SMALL_PAGE: usize = 64;
/// The largest page of [`Pool::statuses`], and the least that librbd's list costs.
const LARGE_PAGE: usize = 4096;

const CLI: &str = "`rbd mirror pool status --verbose`";
const PYTHON: &str = "python3-rbd (page 1024)";
const SMALL: &str = "C calls, go-ceph's page (64)";
const LIMIT: &str = "C calls, page 4096";

struct Sides<'a> {
    site: &'a Site,
    cluster: &'a c::Cluster,
    python: &'a RefCell<Result<Python, String>>,
}

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let real = size.pick([200, 2_000], [20, 100]);
    let entries = size.pick([2_500, 5_000, 7_500, 10_000], [250, 500, 750, 1_000]);
    // So large that what is kept of each status would show in the peak resident set.
    let large = size.pick([20_000, 40_000], [2_000, 4_000]);
    let names: Vec<String> = real
        .iter()
        .map(|count| format!("r{count}"))
        .chain(entries.iter().chain(&large).map(|count| format!("e{count}")))
        .collect();
    let lab =
        sites::one("bench-status", &names.iter().map(String::as_str).collect::<Vec<_>>(), Proposals::Quick)?;
    record.settings = sites::settings(&lab);
    record.remark(
        "Pools of up to 2,000 hold real images. Larger ones hold entries alone, written through the object class as rbd-mirror writes \
         them; nothing that opens an image can be measured on those.",
    );
    let site = lab.site(SiteId::A);
    let cluster = c::Cluster::connect(&site.conf())?;
    let python = RefCell::new(Python::start(&site.conf()).map_err(|error| format!("{error:#}")));
    let sides = Sides { site: &site, cluster: &cluster, python: &python };
    for (count, name) in real.into_iter().zip(&names) {
        let pool = sites::pool(&site, name)?;
        sites::mirrored(&pool, &sites::names("one", count), MirrorImageMode::Snapshot, 16)?;
        let ids = pool.mirrored_ids()?;
        let globals = ids.iter().map(|(_, global)| global.as_str());
        synthetic::write_statuses(&cluster.pool(name)?, globals, FOLLOWS)?;
        sides.compare(record, &pool, count, size, true)?;
        if count == real[0] {
            sides.idle(record, &pool, count, true)?;
        }
    }
    for (count, name) in entries.into_iter().zip(&names[real.len()..]) {
        let pool = sites::pool(&site, name)?;
        fill(&cluster, &pool, count)?;
        sides.compare(record, &pool, count, size, false)?;
    }
    let largest = entries[entries.len() - 1];
    let pool = sites::pool(&site, &format!("e{largest}"))?;
    sides.idle(record, &pool, largest, false)?;
    fit(record);
    for count in large {
        fill(&cluster, &sites::pool(&site, &format!("e{count}"))?, count)?;
    }
    let mut peaks = Vec::new();
    for count in [entries[1], largest, large[0], large[1]] {
        let runs = (0..PEAKS).map(|_| peak(&site, count)).collect::<Result<Vec<_>>>()?;
        let kib = Spread::of(&runs).median;
        let what =
            format!("{count} statuses read one by one: peak resident set beyond that of the connection");
        record.figure(what, kib / 1024.0, "MiB", None);
        peaks.push((count as f64, kib));
    }
    // A status takes about 900 bytes: if they were kept, each would show ten times over. The allocator's luck is some hundred KiB.
    let (_, slope, _) = line(&peaks[1..]);
    let what = format!("the same, from {largest} statuses on: for each further one");
    // A quick run has no more than a page or two.
    record.figure(what, slope * 1024.0, "B", size.pick(Some(90.0), None));
    Ok(())
}

/// How often the peak resident set is looked at: it is a little different each time.
const PEAKS: usize = 5;

/// What the peak resident set of a process grows by as it reads that many statuses, in KiB.
fn peak(site: &Site, count: usize) -> Result<f64> {
    let mut peak = Command::new(env::current_exe()?);
    peak.args(["--part", "peak"]).arg(site.conf()).arg(format!("e{count}"));
    let printed = peers::run(&mut peak, WITHIN)?;
    let words: Vec<f64> = printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [before, after, read] = words.as_slice() else { bail!("no three numbers: {printed}") };
    ensure!(*read == count as f64, "{read} statuses of {count} images");
    Ok(after - before)
}

/// So many entries, each with a word of this site's daemon.
fn fill(cluster: &c::Cluster, pool: &Pool, count: usize) -> Result<()> {
    pool.set_mirror_mode(PoolMode::Image)?;
    let named: Vec<String> = (0..count).map(|number| format!("one-{number}-{}-0", number % 7)).collect();
    synthetic::fill(&cluster.pool(&pool.spec().pool)?, &named, &[FOLLOWS])
}

fn count(pool: &Pool) -> Result<usize> {
    let mut count = 0;
    for status in pool.statuses() {
        status?;
        count += 1;
    }
    Ok(count)
}

impl Sides<'_> {
    fn python(&self, pool: &str) -> Result<f64> {
        let mut python = self.python.borrow_mut();
        let python = python.as_mut().map_err(|why| anyhow::anyhow!("{why}"))?;
        Ok(python.ask(&format!("statuses {pool}"), WITHIN)?.0)
    }

    fn cli(&self, pool: &str) -> Result<()> {
        let mut rbd = peers::rbd(
            &self.site.conf(),
            ["mirror", "pool", "status", pool, "--verbose", "--format", "json"],
        );
        peers::run(&mut rbd, WITHIN).map(drop)
    }

    /// Times and counts of operations of all sides on one pool.
    fn compare(&self, record: &mut Record, pool: &Pool, images: usize, size: Size, real: bool) -> Result<()> {
        let name = pool.spec().pool.clone();
        let c_pool = self.cluster.pool(&name)?;
        let expect = |found: usize| {
            ensure!(found == images, "{found} statuses of {images} images");
            Ok(())
        };
        let ours = || side("ours", || seconds(|| expect(count(pool)?)));
        // A few milliseconds are a matter of luck: many rounds. What takes seconds has a round for its own sake.
        let near = vec![
            ours(),
            side(PYTHON, || self.python(&name)),
            side(LIMIT, || seconds(|| expect(c_pool.statuses(LARGE_PAGE)?))),
        ];
        let near = paired(if images > 1_000 { size.pick(15, 5) } else { size.pick(41, 11) }, near)?;
        let mut far = vec![ours(), side(SMALL, || seconds(|| expect(c_pool.statuses(SMALL_PAGE)?)))];
        if real {
            far.push(side(CLI, || seconds(|| self.cli(&name))));
        }
        let far = paired(size.pick(3, 1), far)?;
        for runs in near.iter().chain(&far[1..]) {
            let Ok(costs) = &runs.costs else { continue };
            let point = (images as f64, Spread::of(costs).median);
            match record.series.iter_mut().find(|series| series.name == runs.name) {
                Some(series) => series.points.push(point),
                None => record.series.push(Series {
                    plot: "status".to_owned(),
                    name: runs.name.to_owned(),
                    points: vec![point],
                }),
            }
        }
        let bars: &[(&str, f64)] = match images {
            2_000 => &[(CLI, 50.0), (PYTHON, 1.0)],
            10_000 => &[(PYTHON, 1.0), (SMALL, 10.0)],
            _ => &[(PYTHON, 1.0)],
        };
        for runs in [near, far] {
            record.compare(&format!("statuses of {images} images"), "s", &runs, bars);
        }
        let ours = sites::cost(self.site, || count(pool))?;
        let (most, bytes) = if images == 10_000 { (Some(40.0), Some(5.0)) } else { (None, None) };
        record.figure(
            format!("statuses of {images} images: operations of the OSD"),
            ours.ops as f64,
            "",
            most,
        );
        let out = ours.bytes_out as f64 / 1e6;
        record.figure(format!("statuses of {images} images: read from the OSD"), out, "MB", bytes);
        let ops = |what: &dyn Fn() -> Result<()>| Ok(sites::cost(self.site, what)?.ops as f64);
        let mut all = vec![
            side("ours", || ops(&|| count(pool).map(drop))),
            side(PYTHON, || ops(&|| self.python(&name).map(drop))),
            side(SMALL, || ops(&|| c_pool.statuses(SMALL_PAGE).map(drop))),
        ];
        if real {
            all.push(side(CLI, || ops(&|| self.cli(&name))));
        }
        let runs = paired(1, all)?;
        record.compare(
            &format!("statuses of {images} images, operations of the OSD"),
            "operations",
            &runs,
            &[],
        );
        Ok(())
    }

    /// A pool in which nothing changes, looked at again and again.
    fn idle(&self, record: &mut Record, pool: &Pool, images: usize, real: bool) -> Result<()> {
        const TICKS: u32 = 10;
        let name = pool.spec().pool.clone();
        let c_pool = self.cluster.pool(&name)?;
        let mut watch = pool.watch();
        watch.look()?;
        let each = |what: &mut dyn FnMut() -> Result<()>, ticks: u32| {
            let cost = sites::cost(self.site, || (0..ticks).try_for_each(|_| what()))?;
            Ok(cost.ops as f64 / f64::from(ticks))
        };
        let mut all = vec![
            side("ours (`Watch::look`)", || each(&mut || Ok(watch.look().map(drop)?), TICKS)),
            side(PYTHON, || each(&mut || self.python(&name).map(drop), 1)),
            side(SMALL, || each(&mut || c_pool.statuses(SMALL_PAGE).map(drop), 1)),
        ];
        if real {
            all.push(side(CLI, || each(&mut || self.cli(&name), 1)));
        }
        let runs = paired(1, all)?;
        if let Ok([ours]) = runs[0].costs.as_deref() {
            let what =
                format!("a look at {images} images in which nothing has changed: operations of the OSD");
            record.figure(what, *ours, "", Some(2.0));
        }
        record.compare(&format!("a look at {images} unchanged images"), "operations", &runs, &[]);
        Ok(())
    }
}

/// Whether ours is linear, by a straight line through the medians of the pools of entries.
fn fit(record: &mut Record) {
    let Some(series) = record.series.iter().find(|series| series.name == "ours") else { return };
    let points: Vec<(f64, f64)> = series.points.iter().rev().take(4).copied().collect();
    let (start, slope, fit) = line(&points);
    record.figure("statuses, straight line through four sizes: each image", slope * 1e6, "µs", None);
    record.figure("statuses, straight line through four sizes: none", start * 1e3, "ms", None);
    record.figure("statuses, straight line through four sizes: R²", fit, "", None);
}
