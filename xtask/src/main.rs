//! The project's own commands: `cargo xtask <command>`. One file a command; nothing here links Ceph.

mod bindgen;
#[cfg_attr(
    feature = "bindgen",
    expect(dead_code, reason = "only the build without the feature starts cargo")
)]
mod cargo;
mod lab;
mod root;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Regenerate the checked-in bindings of ceph-sys from the installed headers
    Bindgen(bindgen::Arguments),
    /// Two real Ceph sites on this machine
    Lab(lab::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Bindgen(arguments) => bindgen::run(arguments),
        Command::Lab(arguments) => lab::run(arguments),
    }
}
