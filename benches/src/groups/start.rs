//! What it is to depend on us: how long a program takes to start, to build, and what it brings along.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::groups::Size;
use crate::measure::{paired, seconds, side};
use crate::peers;
use crate::record::Record;

const WITHIN: Duration = Duration::from_secs(240);
const PEER: &str = "async-ceph";
/// In a second: `USER_HZ` of Linux, on every processor that Ceph runs on.
const TICKS: f64 = 100.0;

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    record.settings = "no lab".to_owned();
    let own = env::current_exe()?;
    let ours = || {
        seconds(|| {
            let printed = peers::run(Command::new(&own).args(["--part", "version"]), WITHIN)?;
            ensure!(printed.starts_with("1."), "librbd {printed}");
            Ok(())
        })
    };
    let runs = paired(
        size.pick(21, 5),
        vec![
            side("ours", ours),
            side("`rbd --version`", || seconds(|| peers::run(Command::new("rbd").arg("--version"), WITHIN))),
        ],
    )?;
    record.compare("start a program that links librbd, and end it", "s", &runs, &[]);
    record.remark(
        "The start is the dynamic linking of librbd and librados; nothing of ours runs before `main`.",
    );

    let library = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../rbd-mirror")).canonicalize()?;
    let library = library.display().to_string();
    let ours = Minimal {
        dependency: format!("rbd-mirror = {{ path = {library:?} }}"),
        version: "rbd_mirror::Version::loaded()",
        flags: "",
        lock: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")),
    };
    // Its bindings that come with it, so that nothing has to be made from headers: it knows no librbd before 1.17.
    let theirs = Minimal {
        dependency: "async-ceph = { version = \"0.1\", features = [\"rbd\"] }".to_owned(),
        version: "async_ceph::rbd::version().major",
        flags: "--cfg ceph_sys_bundled -lrbd -lrados",
        lock: None,
    };
    let crates = paired(1, vec![side("ours", || ours.crates()), side(PEER, || theirs.crates())])?;
    record.compare(
        "a minimal program: crates that it brings along, those of the build included",
        "crates",
        &crates,
        &[(PEER, 1.0)],
    );
    for profile in Profile::ALL {
        let built = paired(
            size.pick(3, 1),
            vec![side("ours", || ours.build(profile)), side(PEER, || theirs.build(profile))],
        )?;
        let work = format!("a minimal program: building it from nothing, `{}`", profile.command());
        record.compare(&work, "s of processor time", &built, &[(PEER, 1.0)]);
    }
    record.remark(
        "async-ceph has no mirroring. No other Rust crate that has builds today, so this is the nearest peer; it is built with the bindings \
         that it brings along.",
    );
    Ok(())
}

/// How it is built.
#[derive(Clone, Copy, Debug)]
enum Profile {
    Dev,
    Release,
}

impl Profile {
    const ALL: [Self; 2] = [Self::Dev, Self::Release];

    fn command(self) -> &'static str {
        match self {
            Self::Dev => "cargo build",
            Self::Release => "cargo build --release",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// A program that links a library and says its version.
struct Minimal {
    dependency: String,
    version: &'static str,
    flags: &'static str,
    lock: Option<&'static str>,
}

impl Minimal {
    /// How many crates it stands on.
    fn crates(&self) -> Result<f64> {
        let folder = self.write()?;
        let mut tree = self.cargo(&folder);
        tree.args(["tree", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"]);
        let printed = peers::run(&mut tree, WITHIN)?;
        let mut names: Vec<&str> =
            printed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        names.sort_unstable();
        names.dedup();
        Ok(f64::from(u32::try_from(names.len())?) - 1.0)
    }

    /// Processor time of everything that is started to build it; what has to be fetched is fetched before.
    fn build(&self, profile: Profile) -> Result<f64> {
        let folder = self.write()?;
        peers::run(self.cargo(&folder).args(["fetch", "--quiet"]), WITHIN)?;
        let before = children()?;
        let mut build = self.cargo(&folder);
        build.args(profile.command().split(' ').skip(1)).args(["--quiet", "--offline"]);
        peers::run(&mut build, WITHIN)?;
        let took = children()? - before;
        let printed = peers::run(
            &mut Command::new(folder.path().join("target").join(profile.folder()).join("minimal")),
            WITHIN,
        )?;
        ensure!(printed.starts_with('1'), "librbd {printed}");
        Ok(took)
    }

    fn write(&self) -> Result<TempDir> {
        let folder = tempfile::tempdir()?;
        fs::create_dir_all(folder.path().join("src"))?;
        let manifest = format!(
            "[package]\nname = \"minimal\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{}\n",
            self.dependency
        );
        fs::write(folder.path().join("Cargo.toml"), manifest)?;
        let program = format!("fn main() {{\n    println!(\"{{}}\", {});\n}}\n", self.version);
        fs::write(folder.path().join("src/main.rs"), program)?;
        if let Some(lock) = self.lock {
            fs::copy(lock, folder.path().join("Cargo.lock"))?;
        }
        Ok(folder)
    }

    fn cargo(&self, folder: &TempDir) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(folder.path()).env("CARGO_TARGET_DIR", folder.path().join("target"));
        cargo.env("RUSTFLAGS", self.flags);
        cargo
    }
}

/// Processor time of all children of this process that have ended, and of theirs.
fn children() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which ends with the last parenthesis, field 3 comes first; 16 and 17 are those of children.
    let (_, fields) = stat.rsplit_once(')').context("no name in /proc/self/stat")?;
    let ticks: f64 =
        fields.split_whitespace().skip(13).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}
