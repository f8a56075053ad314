//! One call of ours on an open image beside the C function that it wraps.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Proposals, SiteId};
use rbd_mirror::{Image, MirrorImageMode};

use crate::groups::Size;
use crate::measure::{Spread, paired, side};
use crate::part::{CALLGRIND_CALLS, MARKED};
use crate::peers;
use crate::record::Record;
use crate::sites;
use crate::synthetic;
use ceph_plain as c;

const POOL: &str = "one";
const IMAGE: &str = "one-00000";
const CONNECTIONS: usize = 4;
/// How often each function is counted, at full size, each time in a process of its own: malloc's part of it differs from one to the next.
const CALLGRIND_RUNS: usize = 5;
const C: &str = "C";
const AIO: &str = "C, the asynchronous call";

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let lab = sites::one("bench-wrapper", &[POOL], Proposals::Quick)?;
    record.settings = sites::settings(&lab);
    let site = lab.site(SiteId::A);
    let pool = sites::pool(&site, POOL)?;
    sites::mirrored(&pool, &sites::names("one", 1), MirrorImageMode::Snapshot, 1)?;
    let cluster = c::Cluster::connect(&site.conf())?;
    let c_pool = cluster.pool(POOL)?;
    let ids = pool.mirrored_ids()?;
    synthetic::write_statuses(&c_pool, ids.iter().map(|(_, global)| global.as_str()), synthetic::FOLLOWS)?;
    // Which threads of the OSD and of librados serve a connection is by chance, and is some per cent: each side has several.
    let ours: Vec<Image> =
        (0..CONNECTIONS).map(|_| Ok(sites::pool(&site, POOL)?.open(IMAGE)?)).collect::<Result<_>>()?;
    let clusters: Vec<c::Cluster> =
        (0..CONNECTIONS).map(|_| c::Cluster::connect(&site.conf())).collect::<Result<_>>()?;
    let c_pools: Vec<c::Pool<'_>> =
        clusters.iter().map(|cluster| cluster.pool(POOL)).collect::<Result<_>>()?;
    let limit: Vec<c::Image<'_>> = c_pools.iter().map(|pool| pool.open(IMAGE)).collect::<Result<_>>()?;

    // Short rounds, and many: a machine drifts by more within a second than what is looked for, and 41 rounds left 3 % to chance.
    let (rounds, calls) = (size.pick(601, 7), size.pick(10, 20));
    let timed = |call: &dyn Fn(usize) -> Result<()>| -> Result<f64> {
        let start = Instant::now();
        for connection in 0..CONNECTIONS {
            for _ in 0..calls {
                call(connection)?;
            }
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls) / CONNECTIONS as f64)
    };
    let bars = [(C, 1.0 / 1.05)];
    let runs = paired(
        rounds,
        vec![
            side("ours", || timed(&|at| Ok(ours[at].role().map(drop)?))),
            side(C, || timed(&|at| limit[at].info().map(drop))),
            side(AIO, || timed(&|at| limit[at].info_aio().map(drop))),
        ],
    )?;
    record.compare("role (get_info), a call", "µs", &runs, &bars);
    let runs = paired(
        rounds,
        vec![
            side("ours", || timed(&|at| Ok(ours[at].status().map(drop)?))),
            side(C, || timed(&|at| limit[at].status().map(drop))),
            side(AIO, || timed(&|at| limit[at].status_aio().map(drop))),
        ],
    )?;
    record.compare("status (get_global_status), a call", "µs", &runs, &bars);
    record.remark(
        "Ours begins librbd's asynchronous call with a callback, and waits with a limit. Neither row of C can be given up: the blocking \
         call, and the asynchronous one without a callback.",
    );

    let ours = &ours[0];
    let mut allocated = |what: &str, call: &dyn Fn() -> Result<()>| -> Result<()> {
        call()?;
        let before = c::alloc::so_far();
        for _ in 0..100 {
            call()?;
        }
        let after = c::alloc::so_far();
        let each = |before: u64, after: u64| (after - before) as f64 / 100.0;
        record.figure(format!("{what}: allocations of ours, a call"), each(before.0, after.0), "", None);
        record.figure(format!("{what}: bytes allocated by us, a call"), each(before.1, after.1), "B", None);
        Ok(())
    };
    allocated("role", &|| Ok(ours.role().map(drop)?))?;
    allocated("status", &|| Ok(ours.status().map(drop)?))?;
    record.remark(
        "Allocations are Rust's. What each is: the value that librbd's completion writes to and that outlives a caller who gives up \
         (one), the global id; of a status also its name, and for each site its text and uuid.",
    );

    let counts = instructions(&site.conf(), size.pick(CALLGRIND_RUNS, 1))?;
    for (what, ours, c) in [("role", "ours_role", "c_info"), ("status", "ours_status", "c_status")] {
        let (Some(ours), Some(c)) = (counts.get(ours), counts.get(c)) else { continue };
        let calls = f64::from(CALLGRIND_CALLS);
        record.figure(
            format!("{what}: instructions of C, a call, on the caller's thread"),
            c / calls,
            "",
            None,
        );
        record.figure(
            format!("{what}: instructions of ours beyond those"),
            (ours - c) / calls,
            "",
            Some(3_000.0),
        );
    }
    if let Some(texts) = counts.get("ours_texts") {
        let each = texts / f64::from(CALLGRIND_CALLS);
        record.figure(
            "status: instructions that read the numbers in its text, where they are asked for",
            each,
            "",
            None,
        );
    }
    Ok(())
}

/// Instructions within each of the marked functions, by callgrind: those of the thread that calls.
fn instructions(conf: &Path, runs: usize) -> Result<BTreeMap<&'static str, f64>> {
    let file = env::temp_dir().join(format!("bench-callgrind-{}", process::id()));
    let mut counts = BTreeMap::new();
    for name in MARKED {
        let once = || {
            let mut valgrind = Command::new("valgrind");
            valgrind.arg("--tool=callgrind").arg(format!("--toggle-collect=*part::{name}*"));
            valgrind.arg(format!("--callgrind-out-file={}", file.display()));
            valgrind.arg(env::current_exe()?).args(["--part", "calls", name]).arg(conf).args([POOL, IMAGE]);
            peers::run(&mut valgrind, Duration::from_secs(60))?;
            let text = fs::read_to_string(&file)?;
            fs::remove_file(&file)?;
            let total = text.lines().find_map(|line| line.strip_prefix("totals:"));
            let total: f64 = total.context("no total of callgrind")?.trim().parse()?;
            ensure!(total > 0.0, "callgrind did not see {name}");
            Ok(total)
        };
        let totals: Vec<f64> = (0..runs).map(|_| once()).collect::<Result<_>>()?;
        counts.insert(name, Spread::of(&totals).median);
    }
    Ok(counts)
}
