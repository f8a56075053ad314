//! `cargo xtask bench`: what our libraries cost beside every peer, from a machine that has none of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;

use crate::cargo::{cargo, exit_code};
use crate::root::root;
use crate::setup::{self, SYSTEM_PYTHON};

/// What the benchmarks are told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this group; may be given again
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Fewer and smaller, to see that it works; the checked-in results stay
    #[arg(long)]
    quick: bool,
    /// Where RESULTS.md and plots/ go, instead of benches/
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Installs the peers, builds, runs. The exit code says whether every group of benchmarks came to its end.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    setup::ensure(setup::Purpose::Benches)?;
    // The operator's command is measured as it is, beside the benchmarks.
    let mut build = cargo();
    setup::succeed(build.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "one-dr",
        "--package",
        "benches",
    ]))?;
    let mut command = cargo();
    match python() {
        Ok(python) => drop(command.env("PYTHON", python)),
        // The results name it as absent.
        Err(error) => eprintln!("bench: no pyone: {error:#}"),
    }
    command.args(["run", "--quiet", "--release", "--package", "benches", "--bin", "bench", "--"]);
    let only = arguments.only.into_iter().flat_map(|name| ["--only".to_owned(), name]);
    command.args(only);
    if arguments.quick {
        command.arg("--quick");
    }
    if let Some(out) = arguments.out {
        command.args([OsString::from("--out"), out.into_os_string()]);
    }
    exit_code(&mut command)
}

/// A Python that has pyone beside the system's own modules. Debian has no package of it, so it comes by pip, into a folder of ours.
fn python() -> Result<PathBuf> {
    let folder = root().join("target/bench-peers");
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        let mut import = Command::new(python);
        import.args(["-c", "import pyone, lxml"]).stdout(Stdio::null()).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    };
    if !has(&python) {
        println!("bench: installing pyone into {}", folder.display());
        // Without pip inside: Debian keeps that in a package of its own. Any pip can install into it.
        let mut make = Command::new(SYSTEM_PYTHON);
        make.args(["-m", "venv", "--system-site-packages", "--without-pip"]).arg(&folder);
        setup::succeed(&mut make)?;
        let mut pip = Command::new("pip");
        pip.arg("--python").arg(&python).args(["install", "--quiet", "--disable-pip-version-check", "pyone"]);
        setup::succeed(&mut pip)?;
    }
    Ok(python)
}
