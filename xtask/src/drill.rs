//! `cargo xtask drill`: the disaster-recovery drill on two real sites, from a machine that has nothing of Ceph.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use lab::Backend;

use crate::cargo::{cargo, exit_code};
use crate::{setup, sites};

/// What the drill is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    sites: sites::Arguments,
    /// Arguments of the drill itself, such as --json PATH or --keep, after all of the above; -- --help shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    drill: Vec<OsString>,
}

/// Sets the system up, then runs the drill. Its exit code is ours.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    setup::ensure(setup::Purpose::Sites)?;
    let backend = arguments.sites.ready()?;
    exit_code(
        cargo()
            .env(Backend::VARIABLE, backend.to_variable())
            .args(["run", "--quiet", "--package", "tests", "--bin", "drill", "--"])
            .args(arguments.drill),
    )
}
