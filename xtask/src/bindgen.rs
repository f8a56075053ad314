//! `cargo xtask bindgen [--check]`: the bindings of ceph-sys, generated from the installed headers.
//!
//! bindgen and its libclang stand behind the cargo feature `bindgen`, so that every other command
//! builds quickly and without them. Without the feature this command runs itself again with it.

#[cfg(feature = "bindgen")]
mod generate;

use std::process::ExitCode;

use anyhow::Result;

/// What to do with the generated text.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail and show the difference if the checked-in file is not what would be written
    #[arg(long)]
    check: bool,
}

/// Runs the command in this process, which was built with libclang's wrapper.
#[cfg(feature = "bindgen")]
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    generate::run(arguments.check)
}

/// Runs the command in a child that is built with the feature.
#[cfg(not(feature = "bindgen"))]
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    use crate::cargo::{cargo, exit_code};

    let mut again = cargo();
    again.args(["run", "--quiet", "--package", "xtask", "--features", "bindgen", "--", "bindgen"]);
    if arguments.check {
        again.arg("--check");
    }
    exit_code(&mut again)
}
