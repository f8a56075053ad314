//! `one-dr`: the operator's command. Thin over the library of the same name: nothing is decided here.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
