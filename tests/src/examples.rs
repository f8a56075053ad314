//! The examples of our library, as programs that a reader of the documentation would run.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Result, anyhow, ensure};

use crate::programs;

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
    // Of the whole workspace, with its features: nothing is built twice.
    Ok(programs::build(&["--workspace", "--examples"])?.join("examples"))
}
