//! The tiers as data, and how a step of one is run.

use std::env;
use std::process::Command;

use anyhow::Result;
use lab::{Backend, engine};

use super::tee::{Counts, tee};
use crate::cargo::cargo;
use crate::root::root;
use crate::{images, tidy};

/// A kind of check.
#[derive(Debug)]
pub(super) struct Tier {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) steps: &'static [Step],
    /// Most of its time it waits for what sites do, and it does not mind others beside it.
    pub(super) waits: bool,
}

/// A part of a tier.
#[derive(Debug)]
pub(super) enum Step {
    /// A run of cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// A run of a program that a step before has built, where we are.
    Program(&'static str, &'static [&'static str]),
    /// A run of cargo that starts sites, on the backend that was asked for.
    Sites(&'static [&'static str]),
    /// A run of cargo that starts sites in containers of this release, where an engine answers.
    Containers(&'static str, &'static [&'static str]),
    /// The same with warnings of rustdoc as errors.
    StrictDocs(&'static [&'static str]),
    /// The rules of the house.
    Tidy,
}

/// What came of a step.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) failure: Option<String>,
    /// Why the step was not run, if it was not. That is said, and is no failure.
    pub(super) not_run: Option<String>,
    pub(super) counts: Counts,
}

const fn tier(name: &'static str, about: &'static str, steps: &'static [Step]) -> Tier {
    Tier { name, about, steps, waits: false }
}

const fn waiting(name: &'static str, about: &'static str, steps: &'static [Step]) -> Tier {
    Tier { name, about, steps, waits: true }
}

/// Tiers that wait for sites come last, the longest first: they run beside each other.
///
/// What a crate is built with depends on which packages are asked for, so all steps ask for the whole workspace, or for so much of
/// it that the crates come out the same: after `build`, nothing but the wrapper of libclang is built.
pub(super) const TIERS: &[Tier] = &[
    tier("fmt", "every file is formatted", &[Step::Cargo(&["fmt", "--all", "--check"])]),
    tier("tidy", "the rules of the house", &[Step::Tidy]),
    tier(
        "clippy",
        "no lint has anything to say",
        &[Step::Cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])],
    ),
    tier(
        "docs",
        "the documentation builds without a warning",
        &[Step::StrictDocs(&["doc", "--workspace", "--no-deps"])],
    ),
    tier(
        "build",
        "all programs, tests, examples and benches build",
        &[Step::Cargo(&["build", "--workspace", "--all-targets"])],
    ),
    tier(
        "bindings",
        "the bindings are what the installed headers give",
        &[
            Step::Cargo(&["test", "--workspace", "--features", "xtask/bindgen", "--bin", "xtask", "bindgen"]),
            // With the examples, because these bring the features that the tests above were built with.
            Step::Cargo(&[
                "build",
                "--workspace",
                "--features",
                "xtask/bindgen",
                "--bin",
                "xtask",
                "--examples",
            ]),
            Step::Program("xtask", &["bindgen", "--check"]),
        ],
    ),
    tier(
        "unit",
        "what needs no Ceph running, and the examples in the documentation",
        &[
            Step::Cargo(&["test", "--no-fail-fast", "--workspace", "--lib", "--bins"]),
            Step::Cargo(&[
                "test",
                "--no-fail-fast",
                "--workspace",
                "--exclude",
                "lab",
                "--exclude",
                "tests",
                "--features",
                "one-dr/model,rbd-mirror/async",
                "--test",
                "*",
            ]),
            Step::Cargo(&["test", "--no-fail-fast", "--workspace", "--doc"]),
            Step::Cargo(&[
                "test",
                "--no-fail-fast",
                "--package",
                "tests",
                "--package",
                "one-dr",
                "--test",
                "front_end",
            ]),
        ],
    ),
    // It waits as well, but it measures how long things take: nothing is to run beside it.
    tier(
        "drill",
        "a whole disaster recovery",
        &[Step::Sites(&["run", "--quiet", "--package", "tests", "--bin", "drill"])],
    ),
    waiting(
        "two_sites",
        "our library against two real sites that mirror each other",
        // Half of the tests have a lab of their own, one at a time: the other half is not to stand behind them.
        &[Step::Sites(&[
            "test",
            "--no-fail-fast",
            "--workspace",
            "--test",
            "two_site",
            "--",
            "--test-threads=6",
        ])],
    ),
    waiting(
        "one_dr",
        "the operator's command on two whole sites: every exit code, kills, lost answers; its storage beside the model",
        &[Step::Cargo(&["test", "--no-fail-fast", "--workspace", "--test", "one_dr"])],
    ),
    waiting(
        "containers",
        "sites in containers, of a newer release: protect, move there and home",
        &[Step::Containers(
            "reef",
            &["test", "--workspace", "--test", "two_site", "--", "promote::an_image_moves"],
        )],
    ),
    waiting(
        "lab",
        "the lab keeps its own promises",
        &[Step::Sites(&["test", "--package", "lab", "--package", "xtask", "--test", "*"])],
    ),
    waiting(
        "one_site",
        "our library against one real site",
        &[Step::Sites(&["test", "--no-fail-fast", "--workspace", "--test", "one_site"])],
    ),
    waiting(
        "cost",
        "what our calls cost the cluster, by its own count",
        &[Step::Cargo(&["test", "--no-fail-fast", "--workspace", "--test", "cost"])],
    ),
];

impl Step {
    /// Runs the step. Its output goes where ours goes, as it comes, each line marked with `mark`.
    pub(super) fn run(&self, backend: &Backend, mark: &str) -> Result<Outcome> {
        match self {
            Self::Cargo(arguments) => run(cargo().args(*arguments), "cargo", arguments, mark),
            Self::Program(name, arguments) => {
                let program = env::current_exe()?.with_file_name(name);
                run(Command::new(program).args(*arguments).current_dir(root()), name, arguments, mark)
            }
            Self::Sites(arguments) => {
                let mut cargo = cargo();
                cargo.env(Backend::VARIABLE, backend.to_variable()).args(*arguments);
                run(&mut cargo, "cargo", arguments, mark)
            }
            Self::Containers(release, arguments) => {
                if let Err(error) = engine() {
                    println!("{mark}NOT RUN: {error}");
                    return Ok(Outcome { not_run: Some(error.to_string()), ..Outcome::default() });
                }
                images::ensure(&[(*release).to_owned()])?;
                run(cargo().env(Backend::VARIABLE, release).args(*arguments), "cargo", arguments, mark)
            }
            Self::StrictDocs(arguments) => {
                let mut cargo = cargo();
                cargo.env("RUSTDOCFLAGS", "--deny warnings").args(*arguments);
                run(&mut cargo, "cargo", arguments, mark)
            }
            Self::Tidy => {
                let violations = tidy::check()?;
                violations.iter().for_each(|violation| println!("{violation}"));
                let failure =
                    (!violations.is_empty()).then(|| format!("{} rules are broken", violations.len()));
                Ok(Outcome { failure, ..Outcome::default() })
            }
        }
    }
}

fn run(command: &mut Command, name: &str, arguments: &[&str], mark: &str) -> Result<Outcome> {
    let line = format!("{name} {}", arguments.join(" "));
    println!("{mark}$ {line}");
    let (status, counts) = tee(command, mark, |_| ())?;
    let failure = (!status.success()).then(|| format!("`{line}` ended with {status}"));
    Ok(Outcome { failure, counts, not_run: None })
}

#[cfg(test)]
mod tests {
    use lab::Backend;

    use super::{Step, TIERS};

    #[test]
    fn a_step_that_fails_is_reported_with_its_command() {
        let outcome =
            Step::Cargo(&["no-such-command"]).run(&Backend::Processes, "").expect("cargo itself starts");
        assert!(outcome.failure.is_some_and(|failure| failure.contains("cargo no-such-command")));
    }

    #[test]
    fn what_waits_comes_behind_what_keeps_the_processors_busy() {
        assert!(TIERS.is_sorted_by_key(|tier| tier.waits));
    }

    #[test]
    fn no_two_tiers_have_the_same_name() {
        for (at, tier) in TIERS.iter().enumerate() {
            assert!(TIERS[..at].iter().all(|other| other.name != tier.name), "{}", tier.name);
        }
    }
}
