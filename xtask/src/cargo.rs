//! Starting cargo again, in the workspace.

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::root::root;

/// The cargo that runs us, in the root of the workspace.
///
/// What it told us of our own package it does not hear again. There are build scripts that look at it, and cargo would run them anew
/// and build all that stands on them, each time that another package of ours is who calls.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let word = name.to_string_lossy();
        if word.starts_with("CARGO_PKG_") || word.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs `command` with our own output and hands its exit code on.
pub(crate) fn exit_code(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
