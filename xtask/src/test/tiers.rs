//! The tiers as data, and how a step of one is run.

use std::process::Command;

use anyhow::Result;
use lab::{Backend, engine};

use super::tee::{Counts, tee};
use crate::cargo::cargo;
use crate::{images, tidy};

/// A kind of check.
#[derive(Debug)]
pub(super) struct Tier {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) steps: &'static [Step],
}

/// A part of a tier.
#[derive(Debug)]
pub(super) enum Step {
    /// A run of cargo with these arguments.
    Cargo(&'static [&'static str]),
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
    Tier { name, about, steps }
}

/// Tiers that start sites come last and run one test at a time where a test needs both cores.
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
        "bindings",
        "the bindings are what the installed headers give",
        &[
            Step::Cargo(&["test", "--package", "xtask", "--features", "bindgen", "bindgen"]),
            Step::Cargo(&[
                "run",
                "--quiet",
                "--package",
                "xtask",
                "--features",
                "bindgen",
                "--",
                "bindgen",
                "--check",
            ]),
        ],
    ),
    tier(
        "unit",
        "what needs no Ceph running, and the examples in the documentation",
        &[
            Step::Cargo(&["test", "--no-fail-fast", "--workspace", "--exclude", "lab", "--exclude", "tests"]),
            Step::Cargo(&[
                "test",
                "--no-fail-fast",
                "--package",
                "lab",
                "--package",
                "tests",
                "--lib",
                "--bins",
            ]),
            Step::Cargo(&["test", "--no-fail-fast", "--package", "lab", "--package", "tests", "--doc"]),
            Step::Cargo(&["test", "--no-fail-fast", "--package", "tests", "--test", "front_end"]),
        ],
    ),
    tier(
        "lab",
        "the lab keeps its own promises",
        &[Step::Sites(&["test", "--package", "lab", "--test", "*"])],
    ),
    tier(
        "one_site",
        "our library against one real site",
        &[Step::Sites(&["test", "--no-fail-fast", "--package", "tests", "--test", "one_site"])],
    ),
    tier(
        "cost",
        "what our calls cost the cluster, by its own count",
        &[Step::Cargo(&["test", "--no-fail-fast", "--package", "tests", "--test", "cost"])],
    ),
    tier(
        "one_dr",
        "the operator's command on two whole sites: every exit code, kills, lost answers; its storage beside the model",
        &[Step::Cargo(&["test", "--no-fail-fast", "--package", "tests", "--test", "one_dr"])],
    ),
    tier(
        "two_sites",
        "our library against two real sites that mirror each other",
        &[Step::Sites(&["test", "--no-fail-fast", "--package", "tests", "--test", "two_site"])],
    ),
    tier(
        "drill",
        "a whole disaster recovery",
        &[Step::Sites(&["run", "--quiet", "--package", "tests", "--bin", "drill"])],
    ),
    tier(
        "containers",
        "sites in containers, of a newer release: protect, move there and home",
        &[Step::Containers(
            "reef",
            &["test", "--package", "tests", "--test", "two_site", "--", "promote::an_image_moves"],
        )],
    ),
];

impl Step {
    /// Runs the step. Its output goes where ours goes, as it comes.
    pub(super) fn run(&self, backend: &Backend) -> Result<Outcome> {
        match self {
            Self::Cargo(arguments) => run(cargo().args(*arguments), arguments),
            Self::Sites(arguments) => {
                run(cargo().env(Backend::VARIABLE, backend.to_variable()).args(*arguments), arguments)
            }
            Self::Containers(release, arguments) => {
                if let Err(error) = engine() {
                    println!("NOT RUN: {error}");
                    return Ok(Outcome { not_run: Some(error.to_string()), ..Outcome::default() });
                }
                images::ensure(&[(*release).to_owned()])?;
                run(cargo().env(Backend::VARIABLE, release).args(*arguments), arguments)
            }
            Self::StrictDocs(arguments) => {
                run(cargo().env("RUSTDOCFLAGS", "--deny warnings").args(*arguments), arguments)
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

fn run(command: &mut Command, arguments: &[&str]) -> Result<Outcome> {
    let line = format!("cargo {}", arguments.join(" "));
    println!("$ {line}");
    let (status, counts) = tee(command, |_| ())?;
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
            Step::Cargo(&["no-such-command"]).run(&Backend::Processes).expect("cargo itself starts");
        assert!(outcome.failure.is_some_and(|failure| failure.contains("cargo no-such-command")));
    }

    #[test]
    fn no_two_tiers_have_the_same_name() {
        for (at, tier) in TIERS.iter().enumerate() {
            assert!(TIERS[..at].iter().all(|other| other.name != tier.name), "{}", tier.name);
        }
    }
}
