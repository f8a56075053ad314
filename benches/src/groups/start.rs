//! What it is to depend on us: how long a program takes to start, to build, and what it brings along.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::groups::Size;
use crate::measure::{paired, seconds, side};
use crate::peers;
use crate::record::Record;

const WITHIN: Duration = Duration::from_secs(240);

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

    let cargo = || Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut tree = cargo();
    tree.current_dir(root).args([
        "tree",
        "--package",
        "rbd-mirror",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    let printed = peers::run(tree.args(["--no-dedupe", "--offline"]), WITHIN)?;
    let mut names: Vec<&str> = printed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    names.dedup();
    let crates = f64::from(u32::try_from(names.len())?) - 1.0;
    record.figure("crates that `rbd-mirror` brings along, those of the build included", crates, "", None);

    let folder = env::temp_dir().join(format!("bench-minimal-{}", std::process::id()));
    fs::create_dir_all(folder.join("src"))?;
    let library = root.canonicalize()?.join("rbd-mirror");
    fs::write(
        folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"minimal\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             rbd-mirror = {{ path = {:?} }}\n",
            library.display().to_string()
        ),
    )?;
    fs::write(
        folder.join("src/main.rs"),
        "fn main() {\n    println!(\"{}\", rbd_mirror::Version::loaded());\n}\n",
    )?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let mut build = cargo();
    build.current_dir(&folder).env("CARGO_TARGET_DIR", folder.join("target"));
    build.args(["build", "--quiet", "--release", "--offline"]);
    let took = seconds(|| peers::run(&mut build, WITHIN));
    fs::remove_dir_all(&folder)?;
    record.figure(
        "building a minimal program that links `rbd-mirror`, from nothing, optimized",
        took?,
        "s",
        None,
    );
    record.remark(
        "No other Rust crate that has RBD mirroring builds today, so there is no peer to build beside.",
    );
    Ok(())
}
