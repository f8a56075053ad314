//! How fast a pool of extended VMs becomes templates, beside a Python peer that does the same with lxml.
//!
//! `cargo bench -p opennebula-meta --bench pool` builds a pool of 10,000 VMs from the real ones in `testdata`, converts
//! it in one pass with this crate and with `benches/pool.py`, and checks that both wrote the same bytes. Without a
//! Python that has lxml the peer is reported as absent, and the run fails unless `PEER=absent` allows it.
//!
//! Where that Python has pyone too, the time that pyone takes only to read the pool is told beside it.
//!
//! `VMS=50000` changes the number, `PYTHON=/usr/bin/python3` the interpreter.

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
fn convert(path: &Path) -> Outcome<Work> {
    let map = SiteMap { name_suffix: "-rep".to_owned(), ..SiteMap::default() };
    let images = Images::default();
    let mut digest = Sha256::new();
    let mut work = Work { vms: 0, images: 0, changes: 0, digest: String::new() };
    for vm in Vm::stream(BufReader::with_capacity(1 << 16, File::open(path)?)) {
        let vm = vm?.with_secrets(Secrets::Encrypted);
        let there = reregister::vm(&vm, &images, &map)?;
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

/// What the peer prints.
fn run_peer(python: &str, path: &Path, more: &[&str]) -> Outcome<Vec<String>> {
    let output = Command::new(python).arg(crate_path("benches/pool.py")).arg(path).args(more).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.split_whitespace().map(str::to_owned).collect())
}

/// The peer's own time and what it wrote; `None` where there is no Python with lxml.
fn peer(path: &Path) -> Outcome<Option<(Duration, Work)>> {
    let Some(python) = python_with("lxml.etree") else { return Ok(None) };
    let mut best: Option<(Duration, Work)> = None;
    for _ in 0..PEER_RUNS {
        let words = run_peer(&python, path, &[])?;
        let [seconds, vms, images, changes, digest] = words.as_slice() else {
            return Err(words.join(" ").into());
        };
        let (vms, images, changes) = (vms.parse()?, images.parse()?, changes.parse()?);
        let took = Duration::from_secs_f64(seconds.parse()?);
        if best.as_ref().is_none_or(|(other, _)| took < *other) {
            best = Some((took, Work { vms, images, changes, digest: digest.clone() }));
        }
    }
    Ok(best)
}

/// The time that pyone takes to read the pool; `None` where there is no Python with it.
fn pyone(path: &Path) -> Outcome<Option<Duration>> {
    let Some(python) = python_with("pyone") else { return Ok(None) };
    let words = run_peer(&python, path, &["pyone"])?;
    let [seconds, _] = words.as_slice() else { return Err(words.join(" ").into()) };
    Ok(Some(Duration::from_secs_f64(seconds.parse()?)))
}

fn main() -> Outcome<()> {
    let count = env::var("VMS").ok().map_or(Ok(10_000), |count| count.parse())?;
    let path = env::temp_dir().join(format!("opennebula-meta-pool-{}.xml", process::id()));
    let small = write_pool(&path, count / 10)?;
    convert(&path)?;
    let peak_small = peak_kib();
    let bytes = write_pool(&path, count)?;
    let mut times = Vec::new();
    let mut work = convert(&path)?;
    for _ in 0..RUNS {
        let start = clock();
        work = convert(&path)?;
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
    let (peer, pyone) = (peer(&path), pyone(&path));
    fs::remove_file(&path)?;
    match pyone? {
        Some(theirs) => {
            println!("pyone_read_only_cpu_ms {}", theirs.as_millis());
            println!("pyone_read_only_over_ours {:.1}", theirs.as_secs_f64() / ours.as_secs_f64());
        }
        None => println!("pyone_read_only_cpu_ms absent"),
    }
    match peer? {
        Some((theirs, their_work)) => {
            println!("lxml_cpu_ms_min {}", theirs.as_millis());
            println!("lxml_over_ours {:.1}", theirs.as_secs_f64() / ours.as_secs_f64());
            if work != their_work {
                return Err(format!("the peer did other work: ours {work:?}, theirs {their_work:?}").into());
            }
            println!("same_output yes");
        }
        None if env::var("PEER").is_ok_and(|peer| peer == "absent") => println!("lxml_cpu_ms_min absent"),
        None => return Err("no Python with lxml: apt install python3-lxml, or set PEER=absent".into()),
    }
    Ok(())
}
