//! Completions and manual pages, from the same description as the arguments.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::out;

pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "one-dr", &mut text);
    out(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

pub(crate) fn man(directory: Option<&Path>) -> Result<Exit, Failure> {
    match directory {
        None => {
            let mut text = Vec::new();
            Man::new(Cli::command()).render(&mut text)?;
            out(&String::from_utf8_lossy(&text))?;
        }
        Some(directory) => {
            fs::create_dir_all(directory)?;
            clap_mangen::generate_to(Cli::command(), directory)?;
            say!("written to {}", directory.display());
        }
    }
    Ok(Exit::Done)
}
