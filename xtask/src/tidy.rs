//! `cargo xtask tidy`: the rules of the house that no compiler checks. All violations are reported.
//!
//! Each rule is a function from text to violations, so that its tests can feed it text that breaks it.

mod documents;
mod edges;
mod lexer;
mod prototypes;
mod source;

pub(crate) use lexer::{code_of, is_word};

use std::fmt;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;
use crate::coverage;
use crate::root::root;

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    /// Counted from 1; none where the whole file, or its absence, is at fault.
    line: Option<usize>,
    what: String,
}

impl Violation {
    pub(crate) fn of(path: &str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, what: what.into() }
    }

    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.path, self.what),
            None => write!(out, "{}: {}", self.path, self.what),
        }
    }
}

/// A file of ours.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root of the workspace, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Checks all rules and prints what is broken.
pub(crate) fn run() -> Result<ExitCode> {
    let violations = check()?;
    violations.iter().for_each(|violation| println!("{violation}"));
    println!("tidy: {} violations", violations.len());
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that is broken.
pub(crate) fn check() -> Result<Vec<Violation>> {
    let files = files()?;
    let crates = edges::read(&metadata()?)?;
    let mut violations = edges::check(&crates);
    violations.extend(files.iter().flat_map(source::check));
    violations.extend(documents::check(&crates, &files));
    violations.extend(prototypes::check(&files));
    violations.extend(coverage::check(&files));
    Ok(violations)
}

fn metadata() -> Result<String> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The text files that git has, or would have: new ones count before they are added.
pub(crate) fn files() -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().context("cannot start git, by which tidy knows our files")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let paths = String::from_utf8(output.stdout)?;
    let read = |path: &str| {
        let text = fs::read_to_string(root().join(path)).ok()?;
        Some(File { path: path.to_owned(), text })
    };
    Ok(paths.split_terminator('\0').filter_map(read).collect())
}
