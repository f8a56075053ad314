//! The project's own commands: `cargo xtask <command>`. One file a command; nothing here links Ceph.

mod bench;
mod bindgen;
mod cargo;
mod coverage;
mod drill;
mod images;
mod lab;
mod matrix;
mod root;
mod setup;
mod sites;
mod test;
mod tidy;
mod valgrind;

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
    /// Find what the project needs of the system, and install it
    Setup,
    /// The disaster-recovery drill on two real Ceph sites
    Drill(drill::Arguments),
    /// Everything that must hold, in tiers
    Test(test::Arguments),
    /// Two real Ceph sites on this machine, by hand
    Lab(lab::Arguments),
    /// Images of Ceph releases, for sites in containers
    Images(images::Arguments),
    /// Which librbd works with which clusters, and which releases mirror to each other
    Matrix(matrix::Arguments),
    /// The rules of the house that no compiler checks
    Tidy,
    /// Every function of our library once under valgrind, on two real sites
    Valgrind(valgrind::Arguments),
    /// Which C function is which function of ours, and which test exercises it
    Coverage,
    /// What our libraries cost, beside every peer on the same work
    Bench(bench::Arguments),
    /// Regenerate the checked-in bindings of ceph-sys from the installed headers
    Bindgen(bindgen::Arguments),
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
        Command::Setup => setup::run(),
        Command::Drill(arguments) => drill::run(arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Lab(arguments) => lab::run(arguments),
        Command::Images(arguments) => images::run(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Valgrind(arguments) => valgrind::run(&arguments),
        Command::Coverage => coverage::run(),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Bindgen(arguments) => bindgen::run(arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn no_two_options_of_a_command_meet() {
        Arguments::command().debug_assert();
    }
}
