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
//! All have the pool in memory, as OpenNebula's API answers it, and give the templates away when they are made. What they
//! wrote is compared apart from that, and so is the memory that this crate takes, which reads a file then.
//!
//! Of each side processor time counts, in rounds: this crate, then each peer.

use std::{
    env,
    error::Error,
    fs::{self, File},
    hint::black_box,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{self, Command},
    time::Duration,
};

use opennebula_meta::{Images, SiteMap, Vm, reregister, vm::Secrets};
use rustix::time::{ClockId, Timespec, clock_gettime};
use sha2::{Digest, Sha256};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 3;
/// Ours are short: the median of so many counts as one.
const RUNS: usize = 5;

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

/// What the caller of this crate would do: one VM at a time, templates out to whoever takes them.
fn convert(pool: impl BufRead, map: &SiteMap, mut take: impl FnMut(&str)) -> Outcome<Work> {
    let images = Images::default();
    let mut work = Work { vms: 0, images: 0, changes: 0, digest: String::new() };
    for vm in Vm::stream(pool) {
        let vm = vm?.with_secrets(Secrets::Encrypted);
        let there = reregister::vm(&vm, &images, map)?;
        take(&there.template.to_xml()?);
        for image in &there.images {
            take(&image.template.to_xml()?);
        }
        work.vms += 1;
        work.images += there.images.len();
        work.changes += there.changes.len();
    }
    Ok(work)
}

/// The work with what came out of it.
fn checked(pool: impl BufRead, map: &SiteMap) -> Outcome<Work> {
    let mut digest = Sha256::new();
    let work = convert(pool, map, |template| digest.update(template))?;
    Ok(Work { digest: digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), ..work })
}

fn give_away(template: &str) {
    black_box(template.len());
}

/// From a file, read as it is needed: what is counted is the memory that it takes.
fn streamed(path: &Path, map: &SiteMap) -> Outcome<Work> {
    convert(BufReader::with_capacity(1 << 16, File::open(path)?), map, give_away)
}

/// Processor time of this thread, which other load on the machine does not change.
fn clock() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    let whole = |part: i64| u64::try_from(part).unwrap_or_default();
    Duration::from_secs(whole(tv_sec)) + Duration::from_nanos(whole(tv_nsec))
}

/// The largest resident set of this process so far, in KiB, as Linux counts it.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// The same work in Python.
struct Peer {
    name: &'static str,
    /// Where its module is, if it is anywhere.
    python: Option<String>,
    script: &'static str,
}

impl Peer {
    fn new(name: &'static str, module: &str, script: &'static str) -> Self {
        let named = env::var("PYTHON").ok();
        let candidates = named.as_deref().map_or(vec!["python3", "/usr/bin/python3"], |python| vec![python]);
        let import = format!("import {module}");
        let has = |python: &&str| {
            Command::new(python).args(["-c", &import]).output().is_ok_and(|out| out.status.success())
        };
        let python = candidates.into_iter().find(has).map(str::to_owned);
        Self { name, python, script }
    }

    /// Words that the script prints; `None` where there is no Python with its module.
    fn run(&self, what: &str, pool: &Path) -> Outcome<Option<Vec<String>>> {
        let Some(python) = &self.python else { return Ok(None) };
        // -B: no compiled files beside the script.
        let output =
            Command::new(python).arg("-B").arg(crate_path(self.script)).arg(what).arg(pool).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let printed = String::from_utf8(output.stdout)?;
        Ok(Some(printed.split_whitespace().map(str::to_owned).collect()))
    }

    fn seconds(&self, pool: &Path) -> Outcome<Option<f64>> {
        let words = self.run("time", pool)?;
        Ok(words.and_then(|words| words.first()?.parse().ok()))
    }

    /// Compares what it wrote; whether it was there.
    fn check(&self, work: &Work, pool: &Path) -> Outcome<bool> {
        let Some(words) = self.run("check", pool)? else { return Ok(false) };
        let [vms, images, changes, digest] = words.as_slice() else { return Err(words.join(" ").into()) };
        let listed: usize = changes.parse()?;
        println!("{}_changes_listed {listed} of {}", self.name, work.changes);
        // The classes of pyone lack some fields of a VM, which it therefore cannot list.
        let changes = if self.name == "pyone" { work.changes } else { listed };
        let theirs = Work { vms: vms.parse()?, images: images.parse()?, changes, digest: digest.clone() };
        if *work != theirs {
            return Err(format!("{} did other work: ours {work:?}, theirs {theirs:?}", self.name).into());
        }
        println!("{}_same_output yes", self.name);
        Ok(true)
    }
}

/// The median of some runs, in seconds of processor time.
fn ours(pool: &[u8], map: &SiteMap) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = clock();
        convert(pool, map, give_away)?;
        times.push(clock().saturating_sub(start));
    }
    times.sort();
    Ok(times.get(RUNS / 2).map_or(f64::NAN, Duration::as_secs_f64))
}

fn main() -> Outcome<()> {
    let map = SiteMap { name_suffix: "-rep".to_owned(), ..SiteMap::default() };
    let count = env::var("VMS").ok().map_or(Ok(10_000), |count| count.parse())?;
    let path = env::temp_dir().join(format!("opennebula-meta-pool-{}.xml", process::id()));
    let done = measure(&path, &map, count);
    fs::remove_file(&path)?;
    done
}

fn measure(path: &Path, map: &SiteMap, count: usize) -> Outcome<()> {
    let small = write_pool(path, count / 10)?;
    streamed(path, map)?;
    let peak_small = peak_kib();
    let bytes = write_pool(path, count)?;
    streamed(path, map)?;
    let peak_large = peak_kib();
    let mib = |bytes: u64| bytes >> 20;
    println!("pool_vms {count}");
    println!("pool_mib {}", mib(bytes));
    if let (Some(small_kib), Some(large_kib)) = (peak_small, peak_large) {
        println!("ours_peak_rss_kib_after_{}_mib {small_kib}", mib(small));
        println!("ours_peak_rss_kib_after_{}_mib {large_kib}", mib(bytes));
    }

    let pool = fs::read(path)?;
    let lxml = Peer::new("lxml", "lxml.etree", "benches/pool.py");
    let pyone = Peer::new("pyone", "pyone", "benches/pool_pyone.py");
    let work = checked(pool.as_slice(), map)?;
    if !lxml.check(&work, path)? && env::var("PEER").as_deref() != Ok("absent") {
        return Err("no Python with lxml: install it, or set PEER=absent".into());
    }
    // pyone's VMs of a pool have no BACKUPS, so its templates have no BACKUP_CONFIG; all else must be the same.
    let mut without_backups = map.clone();
    without_backups.vm.drop.insert("BACKUP_CONFIG".parse()?);
    let seen_by_pyone = checked(pool.as_slice(), &without_backups)?;
    pyone.check(&Work { changes: work.changes, ..seen_by_pyone }, path)?;
    for _ in 0..ROUNDS {
        let ours = ours(&pool, map)?;
        println!("round ours {ours:.4}");
        for peer in [&lxml, &pyone] {
            match peer.seconds(path)? {
                Some(theirs) => println!("round {} {theirs:.4} ratio {:.1}", peer.name, theirs / ours),
                None => println!("round {} absent", peer.name),
            }
        }
    }
    Ok(())
}
