//! `cargo xtask valgrind`: every function of our library called once under valgrind, on two real sites.
//!
//! The lab is this process's, not the checked program's: valgrind knows no `pidfd_open`, by which the lab keeps its daemons.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use lab::{Lab, Options, SiteId};

use crate::cargo::{cargo, exit_code};
use crate::root::root;
use crate::setup;

/// What is not ours, each with its reason.
const SUPPRESSIONS: &str = "tests/every/valgrind.supp";

/// Deep enough to show which call of ours led to it.
const CALLERS: &str = "--num-callers=40";

/// What valgrind is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write down each complaint as a suppression, to be looked at and given a reason
    #[arg(long)]
    generate: bool,
}

/// Builds, brings two sites up, runs, takes them down. Fails on invalid access, on values that were never set, and on lost memory.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::ensure(setup::Purpose::Memory)?;
    let build =
        ["build", "--package", "tests", "--bin", "every", "--message-format", "json-render-diagnostics"];
    let built = cargo().args(build).stderr(std::process::Stdio::inherit()).output()?;
    let program = executable(&String::from_utf8_lossy(&built.stdout)).context("`every` was not built")?;
    let lab = Lab::up(Options::temporary("valgrind"))?;
    let mut valgrind = Command::new("valgrind");
    valgrind.current_dir(root()).args(["--leak-check=full", "--show-leak-kinds=definite,indirect"]);
    valgrind.args(["--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9", CALLERS]);
    valgrind.arg(format!("--suppressions={SUPPRESSIONS}"));
    if arguments.generate {
        valgrind.arg("--gen-suppressions=all");
    }
    valgrind.arg(program);
    valgrind.args([lab.site(SiteId::A).conf(), lab.site(SiteId::B).conf()]).arg("one");
    let code = exit_code(&mut valgrind);
    drop(lab);
    code
}

/// The program that cargo says it has built.
fn executable(messages: &str) -> Option<String> {
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let path = message["executable"].as_str()?;
        Path::new(path).ends_with("every").then(|| path.to_owned())
    };
    messages.lines().find_map(executable)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{SUPPRESSIONS, executable};
    use crate::root::root;

    #[test]
    fn the_program_is_found_among_what_cargo_says() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\nnoise\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/debug/every\"}\n";
        assert_eq!(executable(messages).as_deref(), Some("/t/debug/every"));
        assert_eq!(executable("{}"), None);
    }

    #[test]
    fn every_suppression_has_its_reason_and_none_is_for_code_of_ours() {
        let text = fs::read_to_string(root().join(SUPPRESSIONS)).expect("it is checked in");
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "{") {
            assert!(at > 0 && lines[at - 1].starts_with("# "), "no reason before line {}", at + 1);
        }
        assert!(!text.contains("rbd_mirror::") && !text.contains("every::"), "ours is not to be suppressed");
    }
}
