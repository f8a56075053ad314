//! The programs of this workspace, run as a user runs them: built once, by the cargo that runs us.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};

static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// A program of `one-dr` or of these tests.
///
/// # Errors
/// If it does not build, with the compiler's words.
pub fn path(name: &str) -> Result<PathBuf> {
    // Both packages at once, with the features that this very program was built with: nothing is built twice.
    let both = ["--package", "one-dr", "--package", "tests", "--bin", "one-dr", "--bin", "guest"];
    let folder = BUILT.get_or_init(|| build(&both).map_err(|error| format!("{error:#}")));
    let folder = folder.as_ref().map_err(|words| anyhow!("{words}"))?;
    Ok(folder.join(name))
}

/// Builds with the cargo that runs us, in the profile and the folder that we were built in. Answers the profile's folder.
///
/// # Errors
/// If it does not build.
pub fn build(what: &[&str]) -> Result<PathBuf> {
    let folder = own_folder()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet"]).args(what);
    // What cargo told us of our package. There are build scripts that look at it, and would run again, and all be built again.
    for (name, _) in std::env::vars_os() {
        let word = name.to_string_lossy();
        if word.starts_with("CARGO_PKG_") || word.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    if let Some(target) = folder.parent() {
        build.arg("--target-dir").arg(target);
    }
    if let Some(profile) = folder.file_name().filter(|name| *name != "debug") {
        build.arg("--profile").arg(profile);
    }
    let built = build.output().context("cargo cannot be started")?;
    ensure!(
        built.status.success(),
        "{} does not build: {}",
        what.join(" "),
        String::from_utf8_lossy(&built.stderr)
    );
    Ok(folder)
}

/// The folder of our profile: tests lie in its `deps`, programs in itself.
fn own_folder() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program lies in no folder")?;
    let inner = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    let profile = if inner { folder.parent().map(Path::to_owned) } else { Some(folder.to_owned()) };
    profile.context("this program lies in no folder of cargo's")
}
