//! How fast a pool of extended VMs becomes templates, beside two Python peers that do the same: one with lxml
//! (`benches/pool.py`), one with pyone, OpenNebula's own binding (`benches/pool_pyone.py`).
//!
//! ```sh
//! python3 -m venv /tmp/peers && /tmp/peers/bin/pip install lxml pyone
//! PYTHON=/tmp/peers/bin/python cargo bench -p opennebula-meta --bench pool
//! ```
//!
//! builds a pool of 10,000 VMs from the real ones in `testdata`, converts it in one pass with this crate and with each
//! peer, and checks that all wrote the same bytes (but for `BACKUP_CONFIG`, which pyone never sees). lxml alone may
//! also come from the system (`apt install python3-lxml`, without `PYTHON`). A peer that is not there is reported as
//! absent, and without lxml the run fails unless `PEER=absent` allows it. `VMS=50000` changes the number.
//!
//! Both peers do all that this crate does; the one with lxml reads a VM at a time, as here, and is the faster of the two.
//!
//! Of each side, processor time counts, and of several runs the fastest.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
    time::{Duration, Instant},
};

use opennebula_meta::{Images, SiteMap, Vm, reregister, vm::Secrets};
use sha2::{Digest, Sha256};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Of each side the fastest run counts: what slows a run down is other load on the machine.
const RUNS: usize = 7;
const PEER_RUNS: usize = 3;
/// pyone takes longest by far.
const PYONE_RUNS: usize = 2;

#[derive(Debug, PartialEq, Eq)]
struct Work {
    vms: usize,
    images: usize,
    changes: usize,
    digest: String,
}

fn crate_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Writes a pool of `count` VMs: the real ones again and again, each with its own number.
fn write_pool(path: &Path, count: usize) -> Outcome<u64> {
    let real = fs::read_to_string(crate_path("testdata/documents/6.10.3/vmpool-extended.xml"))?;
    let vms: Vec<&str> =
        real.split("<VM><ID>").skip(1).filter_map(|vm| vm.split_once("</ID>")).map(|(_, vm)| vm).collect();
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(b"<VM_POOL>")?;
    for (id, vm) in (0..count).zip(vms.iter().cycle()) {
        let vm = vm.trim_end_matches("</VM_POOL>");
        write!(out, "<VM><ID>{id}</ID>{vm}")?;
    }
    out.write_all(b"</VM_POOL>")?;
    out.flush()?;
    Ok(fs::metadata(path)?.len())
}

/// What the caller of this crate would do: one VM at a time, templates out.
fn convert(path: &Path, map: &SiteMap) -> Outcome<Work> {
    let images = Images::default();
    let mut digest = Sha256::new();
    let mut work = Work { vms: 0, images: 0, changes: 0, digest: String::new() };
    for vm in Vm::stream(BufReader::with_capacity(1 << 16, File::open(path)?)) {
        let vm = vm?.with_secrets(Secrets::Encrypted);
        let there = reregister::vm(&vm, &images, map)?;
        digest.update(there.template.to_xml()?);
        for image in &there.images {
            digest.update(image.template.to_xml()?);
        }
        work.vms += 1;
        work.images += there.images.len();
        work.changes += there.changes.len();
    }
    work.digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(work)
}

/// Processor time of this thread, which other load on the machine does not change; wall time where it is not known.
fn clock() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split_whitespace().next().and_then(|first| first.parse().ok()));
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// The largest resident set of this process so far, in KiB, as Linux counts it.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// A Python that has this module, if there is one.
fn python_with(module: &str) -> Option<String> {
    let named = env::var("PYTHON").ok();
    let candidates = named.as_deref().map_or(vec!["python3", "/usr/bin/python3"], |python| vec![python]);
    let import = format!("import {module}");
    let has = |python: &&str| {
        Command::new(python).args(["-c", &import]).output().is_ok_and(|out| out.status.success())
    };
    candidates.into_iter().find(has).map(str::to_owned)
}

/// A peer's own time and what it wrote; `None` where there is no Python with the module that it needs.
fn peer(module: &str, script: &str, runs: usize, pool: &Path) -> Outcome<Option<(Duration, Work)>> {
    let Some(python) = python_with(module) else { return Ok(None) };
    let mut best: Option<(Duration, Work)> = None;
    for _ in 0..runs {
        // -B: no compiled files beside the script.
        let output = Command::new(&python).arg("-B").arg(crate_path(script)).arg(pool).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let printed = String::from_utf8(output.stdout)?;
        let words: Vec<&str> = printed.split_whitespace().collect();
        let [seconds, vms, images, changes, digest] = words.as_slice() else { return Err(printed.into()) };
        let (vms, images, changes) = (vms.parse()?, images.parse()?, changes.parse()?);
        let took = Duration::from_secs_f64(seconds.parse()?);
        if best.as_ref().is_none_or(|(other, _)| took < *other) {
            best = Some((took, Work { vms, images, changes, digest: (*digest).to_owned() }));
        }
    }
    Ok(best)
}

/// Prints how a peer did; whether it was there.
fn compare(name: &str, ours: Duration, work: &Work, peer: Option<(Duration, Work)>) -> Outcome<bool> {
    let Some((theirs, mut their_work)) = peer else {
        println!("{name}_cpu_ms_min absent");
        return Ok(false);
    };
    println!("{name}_cpu_ms_min {}", theirs.as_millis());
    println!("{name}_over_ours {:.1}", theirs.as_secs_f64() / ours.as_secs_f64());
    println!("{name}_changes_listed {} of {}", their_work.changes, work.changes);
    if name == "pyone" {
        // Its classes lack some fields of a VM, which it therefore cannot list.
        their_work.changes = work.changes;
    }
    if *work != their_work {
        return Err(format!("{name} did other work: ours {work:?}, theirs {their_work:?}").into());
    }
    println!("{name}_same_output yes");
    Ok(true)
}

fn main() -> Outcome<()> {
    let map = SiteMap { name_suffix: "-rep".to_owned(), ..SiteMap::default() };
    let count = env::var("VMS").ok().map_or(Ok(10_000), |count| count.parse())?;
    let path = env::temp_dir().join(format!("opennebula-meta-pool-{}.xml", process::id()));
    let small = write_pool(&path, count / 10)?;
    convert(&path, &map)?;
    let peak_small = peak_kib();
    let bytes = write_pool(&path, count)?;
    let mut times = Vec::new();
    let mut work = convert(&path, &map)?;
    for _ in 0..RUNS {
        let start = clock();
        work = convert(&path, &map)?;
        times.push(clock().saturating_sub(start));
    }
    let peak_large = peak_kib();
    times.sort();
    let (Some(ours), Some(slowest)) = (times.first().copied(), times.last().copied()) else { return Ok(()) };
    let mib = |bytes: u64| bytes >> 20;
    println!("pool_vms {count}");
    println!("pool_mib {}", mib(bytes));
    println!("ours_cpu_ms_min {}", ours.as_millis());
    println!("ours_cpu_ms_max {}", slowest.as_millis());
    println!("ours_mib_per_cpu_s {:.0}", f64::from(u32::try_from(mib(bytes))?) / ours.as_secs_f64());
    if let (Some(small_kib), Some(large_kib)) = (peak_small, peak_large) {
        println!("ours_peak_rss_kib_after_{}_mib {small_kib}", mib(small));
        println!("ours_peak_rss_kib_after_{}_mib {large_kib}", mib(bytes));
    }
    let lxml = peer("lxml.etree", "benches/pool.py", PEER_RUNS, &path);
    let pyone = peer("pyone", "benches/pool_pyone.py", PYONE_RUNS, &path);
    // pyone's VMs of a pool have no BACKUPS, so its templates have no BACKUP_CONFIG; all else must be the same.
    let mut without_backups = map.clone();
    without_backups.vm.drop.insert("BACKUP_CONFIG".parse()?);
    let seen_by_pyone = convert(&path, &without_backups);
    fs::remove_file(&path)?;
    compare("pyone", ours, &Work { changes: work.changes, ..seen_by_pyone? }, pyone?)?;
    if !compare("lxml", ours, &work, lxml?)? && env::var("PEER").as_deref() != Ok("absent") {
        return Err("no Python with lxml: install it, or set PEER=absent".into());
    }
    Ok(())
}
