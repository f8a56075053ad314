//! `cargo xtask matrix`: which librbd works with which clusters, and which releases mirror to each other.
//!
//! Everything is built once, here, against the oldest release. Each release's image then serves twice: as the place of a
//! client, which runs those same binaries with the librbd of that release, and as the place of a site. A client in a
//! container uses the network and the pids of this machine, and the engine's socket: its lab is like any other.

mod report;

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::slice;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab::{Backend, engine, has_image};
use serde_json::Value;

use crate::cargo::cargo;
use crate::images::{self, RELEASES};
use crate::root::root;
use crate::setup;
use crate::test::tee::{Counts, tee};
use report::Report;

/// What has to hold between sites of two releases: peering by a token, protection and a move there and home, and failback by
/// a resync after both sites were primary.
const CORE: [&str; 3] = ["bootstrap::", "promote::an_image_moves", "diverged::a_diverged_copy"];

/// How long one run of tests may take. The longest takes a few minutes.
const RUN_MAX: Duration = Duration::from_secs(1200);

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these releases; may be given several times [default: all that there is an image of, or a Debian suite]
    #[arg(long = "release", value_name = "RELEASE")]
    releases: Vec<String>,
    /// Only this part; may be given several times
    #[arg(long = "part", value_enum)]
    parts: Vec<Part>,
    /// Every release's librbd at every pair of sites, instead of that of site A's
    #[arg(long)]
    full: bool,
}

/// A part of the matrix, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Build against each release's headers, and run the unit tests with its libraries
    Headers,
    /// Each librbd at a cluster of each release: all tests of one site
    OneSite,
    /// Mirroring between each two releases, both ways: the core of the tests of two sites
    TwoSites,
}

/// What came of one cell.
#[derive(Clone, Debug)]
struct Cell {
    /// The release of the librbd.
    client: String,
    /// The releases of the sites: none, one, or A and B.
    sites: Vec<String>,
    passed: bool,
    counts: Counts,
    /// The tests that failed, or the words of what did.
    failures: Vec<String>,
    took: Duration,
}

/// Runs the matrix, prints it, and writes `tests/MATRIX.md`.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::ensure(setup::Purpose::Sites)?;
    let releases = releases(arguments)?;
    images::ensure(&releases)?;
    let parts = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let mut report = Report::new(versions(&releases)?, arguments.full);
    if parts(Part::Headers) {
        for release in &releases {
            report.add(Part::Headers, cell(release, &[], || against_headers(release))?)?;
        }
    }
    let binaries = Binaries::build()?;
    if parts(Part::OneSite) {
        one_site(&mut report, &binaries, pairs(&releases).filter(|(client, site)| client == site))?;
    }
    if parts(Part::TwoSites) {
        // The mixed ones first: a run that is broken off has shown what nothing else shows.
        let (same, mixed): (Vec<_>, Vec<_>) = pairs(&releases).partition(|(a, b)| a == b);
        for (a, b) in mixed.into_iter().chain(same) {
            let sites = format!("{a},{b}");
            for client in if arguments.full { releases.as_slice() } else { slice::from_ref(a) } {
                let run = || binaries.run(&binaries.two_site, client, &sites, &CORE);
                report.add(Part::TwoSites, cell(client, &[a, b], run)?)?;
            }
        }
    }
    if parts(Part::OneSite) {
        one_site(&mut report, &binaries, pairs(&releases).filter(|(client, site)| client != site))?;
    }
    println!("\n{}", report.text());
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All tests of one site, with the librbd of the first of each pair at a cluster of the second.
fn one_site<'a>(
    report: &mut Report,
    binaries: &Binaries,
    pairs: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<()> {
    for (client, site) in pairs {
        let run = || binaries.run(&binaries.one_site, client, site, &["--skip", "examples::"]);
        report.add(Part::OneSite, cell(client, &[site], run)?)?;
    }
    Ok(())
}

/// The releases to run: those asked for, else every one of Debian's and whatever official image was fetched.
fn releases(arguments: &Arguments) -> Result<Vec<String>> {
    if !arguments.releases.is_empty() {
        return Ok(arguments.releases.clone());
    }
    let mut releases: Vec<String> = RELEASES.iter().map(|(release, _)| (*release).to_owned()).collect();
    if has_image(&Backend::image(report::SQUID))? {
        releases.push(report::SQUID.to_owned());
    }
    Ok(releases)
}

/// What each release's image holds, as `ceph --version` says it.
fn versions(releases: &[String]) -> Result<Vec<(String, String)>> {
    let version = |release: &String| {
        let (engine, image) = (engine()?, Backend::image(release));
        let output = Command::new(engine)
            .args(["run", "--rm", "--entrypoint", "ceph", &image, "--version"])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let number = text.split_ascii_whitespace().nth(2).unwrap_or("unknown").to_owned();
        Ok((release.clone(), number))
    };
    releases.iter().map(version).collect()
}

fn pairs(releases: &[String]) -> impl Iterator<Item = (&String, &String)> {
    releases.iter().flat_map(move |one| releases.iter().map(move |other| (one, other)))
}

fn cell(
    client: &str,
    sites: &[&String],
    work: impl FnOnce() -> Result<(bool, Counts, Vec<String>)>,
) -> Result<Cell> {
    let sites: Vec<String> = sites.iter().map(|site| (*site).clone()).collect();
    println!("\n== librbd of {client}, sites {sites:?}");
    let start = Instant::now();
    let (passed, counts, failures) = work()?;
    // A container that ends takes its guardians with it: what a test left behind is ours to clear away.
    lab::reap()?;
    Ok(Cell { client: client.to_owned(), sites, passed, counts, failures, took: start.elapsed() })
}

/// Builds ceph-sys and rbd-mirror in a release's container against its headers, and runs their unit tests there.
///
/// The toolchain is this machine's: what it makes runs on every release, as all are at least as new as this system.
fn against_headers(release: &str) -> Result<(bool, Counts, Vec<String>)> {
    succeed(cargo().args(["fetch", "--locked", "--quiet"]))?;
    let home = |variable: &str, folder: &str| {
        let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        env::var_os(variable).map_or_else(|| home.join(folder), PathBuf::from)
    };
    let (rustup, cargo_home) = (home("RUSTUP_HOME", ".rustup"), home("CARGO_HOME", ".cargo"));
    let target = target()?.join("matrix").join(release);
    std::fs::create_dir_all(&target)?;
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).output()?;
    let tools = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim()).join("bin");
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display());
    let mut run = Command::new(engine()?);
    run.args(["run", "--rm", "--network", "none"]);
    for (place, mode) in [(&root(), "ro"), (&rustup, "ro"), (&cargo_home, "rw"), (&target, "rw")] {
        run.arg("--volume").arg(format!("{0}:{0}:{mode}", place.display()));
    }
    for (name, value) in [
        ("CARGO_HOME", cargo_home.display().to_string()),
        ("RUSTUP_HOME", rustup.display().to_string()),
        ("CARGO_TARGET_DIR", target.display().to_string()),
        ("PATH", path),
    ] {
        run.arg("--env").arg(format!("{name}={value}"));
    }
    run.arg("--workdir").arg(root()).args(["--entrypoint", "cargo"]).arg(Backend::image(release));
    run.args([
        "test",
        "--locked",
        "--offline",
        "--quiet",
        "--lib",
        "--package",
        "ceph-sys",
        "--package",
        "rbd-mirror",
    ]);
    tests(&mut run)
}

/// The test programs, as they were built here.
struct Binaries {
    one_site: PathBuf,
    two_site: PathBuf,
    target: PathBuf,
}

impl Binaries {
    fn build() -> Result<Self> {
        let mut build = cargo();
        build.args(["test", "--no-run", "--message-format", "json-render-diagnostics"]);
        build.args(["--package", "tests", "--test", "one_site", "--test", "two_site"]);
        let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        if !output.status.success() {
            bail!("the tests do not build: {}", output.status);
        }
        let messages: Vec<Value> =
            output.stdout.split(|byte| *byte == b'\n').flat_map(serde_json::from_slice).collect();
        let find = |name: &str| {
            let message = messages.iter().find(|message| message["target"]["name"] == name);
            let path = message.and_then(|message| message["executable"].as_str()).map(PathBuf::from);
            path.with_context(|| format!("cargo names no program of {name}"))
        };
        Ok(Self { one_site: find("one_site")?, two_site: find("two_site")?, target: target()? })
    }

    /// Runs a test program with the librbd of `client`, on sites in containers.
    fn run(
        &self,
        program: &Path,
        client: &str,
        sites: &str,
        filters: &[&str],
    ) -> Result<(bool, Counts, Vec<String>)> {
        let engine = engine()?;
        let temporary = env::temp_dir();
        let mut run = Command::new("timeout");
        run.args(["--kill-after=20", &RUN_MAX.as_secs().to_string(), engine, "run", "--rm"]);
        run.args(["--network", "host", "--pid", "host"]);
        run.arg("--volume").arg(format!("{0}:{0}", temporary.display()));
        run.arg("--volume").arg(format!("{0}:{0}:ro", self.target.display()));
        run.arg("--volume").arg(format!("{}:/usr/local/bin/{engine}:ro", which(engine)?.display()));
        run.arg("--volume").arg(format!("{SOCKET}:{SOCKET}"));
        run.arg("--env").arg(format!("{}={sites}", Backend::VARIABLE));
        run.arg("--env").arg(format!("TMPDIR={}", temporary.display()));
        run.args(["--env", "RUST_BACKTRACE=0", "--workdir", "/", "--entrypoint"]).arg(program);
        run.arg(Backend::image(client)).args(filters);
        tests(&mut run)
    }
}

/// Where the engine listens.
const SOCKET: &str = "/var/run/docker.sock";

/// The file of a program on the path. It must run anywhere: Docker's client is linked statically.
fn which(program: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.with_context(|| format!("{program} is not on the path"))
}

/// Where cargo puts what it builds.
fn target() -> Result<PathBuf> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(io::Error::from)?;
    Ok(metadata["target_directory"].as_str().context("no target_directory in cargo metadata")?.into())
}

/// Runs tests to their end: whether all passed, how many, and the names of those that did not.
fn tests(command: &mut Command) -> Result<(bool, Counts, Vec<String>)> {
    let mut failures = Vec::new();
    let (status, counts) = tee(command, "", |line| {
        let failed = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED"));
        failures.extend(failed.map(str::to_owned));
    })?;
    if !status.success() && failures.is_empty() {
        failures.push(format!("ended with {status}"));
    }
    // A program that ran nothing has proved nothing.
    Ok((status.success() && counts.total() > 0, counts, failures))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
