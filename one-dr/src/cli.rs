//! Arguments, tables, progress, exit codes. Human words go to standard error, data to standard output.

/// Words for people, a line on standard error.
macro_rules! say {
    ($($words:tt)*) => {{
        use crate::cli::output::to_stderr;
        to_stderr(format_args!($($words)*));
    }};
}

mod args;
mod commands;
mod exit;
mod output;
mod view;
mod world;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::{Exit, Failure};
use world::World;

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not mistakes.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say!("{failure}");
            failure.exit().into()
        }
    }
}

fn run(cli: &Cli) -> Result<Exit, Failure> {
    if let Command::Completions { shell } = &cli.command {
        return commands::documents::completions(*shell);
    }
    if let Command::Man { directory } = &cli.command {
        return commands::documents::man(directory.as_deref());
    }
    if let Command::Init { example: true, .. } = &cli.command {
        return commands::init::example();
    }
    if let Some(words) = cli.misplaced() {
        return Err(Failure::new(Exit::Usage, words));
    }
    let world = World::open(cli)?;
    match &cli.command {
        Command::Init { files, change, .. } => commands::init::run(&world, files.as_deref(), change),
        Command::Doctor { vms } => commands::doctor::run(&world, vms, cli.place()),
        Command::Status { watch, check, vms } => commands::status::run(&world, vms, *watch, *check),
        Command::Capture { check, every, vms } => commands::capture::run(&world, vms, *check, *every),
        Command::Plan { verb, detailed_exitcode, move_args } => {
            commands::change::plan(&world, (*verb).into(), move_args, cli.place(), *detailed_exitcode)
        }
        Command::Apply { file, change } => commands::change::apply(&world, file, change),
        Command::Resume { run, change } => commands::runs::resume(&world, run, change),
        Command::Abort { run, change } => commands::runs::abort(&world, run, change),
        Command::History { run } => commands::runs::history(&world, run.as_deref()),
        Command::Protect(args) => commands::change::run(&world, one_dr::Verb::Protect, args),
        Command::Unprotect(args) => commands::change::run(&world, one_dr::Verb::Unprotect, args),
        Command::Relocate(args) => commands::change::run(&world, one_dr::Verb::Relocate, args),
        Command::Failover(args) => commands::change::run(&world, one_dr::Verb::Failover, args),
        Command::Failback(args) => commands::change::run(&world, one_dr::Verb::Failback, args),
        Command::Reprotect(args) => commands::change::run(&world, one_dr::Verb::Reprotect, args),
        Command::Drill(args) => commands::change::run(&world, one_dr::Verb::Drill, args),
        Command::Completions { .. } | Command::Man { .. } => Ok(Exit::Done),
    }
}

/// Who acts: in leases and journals.
fn operator() -> String {
    let user =
        env::var("SUDO_USER").or_else(|_| env::var("USER")).unwrap_or_else(|_| "uid ".to_owned() + &uid());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}

fn uid() -> String {
    rustix::process::getuid().as_raw().to_string()
}
