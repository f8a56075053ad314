//! The examples of our library, as programs that a reader of the documentation would run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};

static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// Runs an example to its end, which has to be a good one, and answers what it printed.
///
/// # Errors
/// If it cannot be built or started, or ends with an error: its words are in the message.
pub fn run<A: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = A>) -> Result<String> {
    let folder = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    let folder = folder.as_ref().map_err(|words| anyhow!("{words}"))?;
    let done = Command::new(folder.join(name)).args(arguments).output()?;
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "the example {name} ended with {}:\n{out}{err}", done.status);
    Ok(out.into_owned())
}

/// Builds the examples with the cargo that runs us, and answers where they are: beside the tests' own folder.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    let built = build.args(["build", "--quiet", "--package", "rbd-mirror", "--examples"]).output()?;
    ensure!(built.status.success(), "the examples do not build: {}", String::from_utf8_lossy(&built.stderr));
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(Path::parent).context("this program lies in no folder of cargo's")?;
    Ok(profile.join("examples"))
}
