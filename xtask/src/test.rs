//! `cargo xtask test`: everything that must hold, in tiers, from the quickest to the slowest.
//!
//! Every tier runs, whatever came of the one before. A tier that cannot run has failed: nothing is skipped. The one
//! exception is said in the report: sites in containers take an engine, and not every machine has one.
//!
//! Most tiers that start sites wait for these most of the time: two run at once, and each line of theirs says whose it is.

pub(crate) mod tee;
mod tiers;

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use lab::Backend;

use crate::{setup, sites};
use tee::Counts;
use tiers::{TIERS, Tier};

/// How many tiers that wait run at once. Each has one to three labs up, and beside more of them Ceph on two processors was too slow.
const AT_ONCE: usize = 2;

/// Which tiers to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this tier; may be given several times
    #[arg(long = "tier", value_name = "NAME")]
    tiers: Vec<String>,
    #[command(flatten)]
    sites: sites::Arguments,
    /// Say what the tiers are
    #[arg(long)]
    list: bool,
}

/// What came of a tier.
struct Verdict {
    tier: &'static Tier,
    failure: Option<String>,
    not_run: Option<String>,
    counts: Counts,
    took: Duration,
}

/// Runs the tiers and reports all of them.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.list {
        TIERS.iter().for_each(|tier| println!("{:10} {}", tier.name, tier.about));
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&arguments.tiers)?;
    setup::ensure(setup::Purpose::Tests)?;
    let backend = arguments.sites.ready()?;
    let start = Instant::now();
    let (waiting, busy): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|tier| tier.waits);
    let mut verdicts: Vec<Verdict> = busy.into_iter().map(|tier| run_tier(tier, &backend, "")).collect();
    verdicts.extend(run_at_once(&waiting, &backend));
    println!("\n{}", table(&verdicts, start.elapsed()));
    let failed = verdicts.iter().any(|verdict| verdict.failure.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn choose(names: &[String]) -> Result<Vec<&'static Tier>> {
    if let Some(unknown) = names.iter().find(|name| TIERS.iter().all(|tier| tier.name != **name)) {
        let known: Vec<&str> = TIERS.iter().map(|tier| tier.name).collect();
        bail!("no tier {unknown}; the tiers are {}", known.join(", "));
    }
    Ok(TIERS.iter().filter(|tier| names.is_empty() || names.iter().any(|name| name == tier.name)).collect())
}

/// Runs tiers beside each other, begun in their order. Answers in that order as well.
fn run_at_once(tiers: &[&'static Tier], backend: &Backend) -> Vec<Verdict> {
    let (next, verdicts) = (Mutex::new(tiers.iter().enumerate()), Mutex::new(Vec::new()));
    let lane = || {
        loop {
            let tier = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((at, tier)) = tier else { return };
            let mark = if tiers.len() > 1 { format!("{:10} | ", tier.name) } else { String::new() };
            let verdict = run_tier(tier, backend, &mark);
            verdicts.lock().unwrap_or_else(PoisonError::into_inner).push((at, verdict));
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(lane))));
    let mut verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    verdicts.sort_by_key(|(at, _)| *at);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

fn run_tier(tier: &'static Tier, backend: &Backend, mark: &str) -> Verdict {
    let gap = if mark.is_empty() { "\n" } else { "" };
    println!("{gap}{mark}== {}: {}", tier.name, tier.about);
    let (start, mut counts, mut failures) = (Instant::now(), Counts::default(), Vec::new());
    let mut not_run = None;
    for step in tier.steps {
        match step.run(backend, mark) {
            Ok(outcome) => {
                counts += outcome.counts;
                failures.extend(outcome.failure);
                not_run = not_run.or(outcome.not_run);
            }
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    let failure = (!failures.is_empty()).then(|| failures.join("; "));
    let verdict = Verdict { tier, failure, not_run, counts, took: start.elapsed() };
    println!("{mark}== {} {} in {:.1} s", tier.name, verdict.word(), verdict.took.as_secs_f64());
    verdict
}

impl Verdict {
    fn word(&self) -> &'static str {
        match (&self.failure, &self.not_run) {
            (Some(_), _) => "FAILED",
            (None, Some(_)) => "not run",
            (None, None) => "passed",
        }
    }
}

/// The report: a line a tier, the reasons of failures, and the sums as the last lines.
///
/// The seconds of tiers that ran beside each other are more in sum than all of it took.
fn table(verdicts: &[Verdict], took: Duration) -> String {
    let mut text = format!("{:10} {:8} {:>14} {:>10}\n", "tier", "verdict", "tests passed", "seconds");
    let mut tests = Counts::default();
    for verdict in verdicts {
        tests += verdict.counts;
        let passed = if verdict.counts.total() == 0 { "-".to_owned() } else { verdict.counts.to_string() };
        let seconds = verdict.took.as_secs_f64();
        text += &format!("{:10} {:8} {passed:>14} {seconds:>10.1}\n", verdict.tier.name, verdict.word());
    }
    text += &format!("{:34} {:>10.1}\n", "all of it", took.as_secs_f64());
    for verdict in verdicts {
        if let Some(failure) = &verdict.failure {
            text += &format!("{}: {failure}\n", verdict.tier.name);
        }
        if let Some(why) = &verdict.not_run {
            text += &format!("{}: not run: {why}\n", verdict.tier.name);
        }
    }
    let failed = verdicts.iter().filter(|verdict| verdict.failure.is_some()).count();
    let passed = verdicts.iter().filter(|verdict| verdict.word() == "passed").count();
    let not_run = match verdicts.len() - failed - passed {
        0 => String::new(),
        tiers => format!(", {tiers} not run"),
    };
    text + &format!(
        "tests: {} passed, {} failed\ntiers: {passed} passed, {failed} failed{not_run}",
        tests.passed, tests.failed
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{TIERS, Verdict, choose, table};
    use crate::test::tee::Counts;

    #[test]
    fn an_unknown_tier_is_refused_with_the_known_ones() {
        let error = choose(&["unti".to_owned()]).expect_err("there is no such tier").to_string();
        assert!(error.contains("unti") && error.contains("unit"), "{error}");
        assert!(choose(&[]).is_ok_and(|all| all.len() == TIERS.len()));
        assert!(choose(&["tidy".to_owned()]).is_ok_and(|one| one.len() == 1));
    }

    #[test]
    fn the_report_names_every_failure_and_ends_with_the_sums() {
        let verdict = |tier, failure: Option<&str>| Verdict {
            tier: &TIERS[tier],
            failure: failure.map(str::to_owned),
            not_run: (tier == 3).then(|| "no engine".to_owned()),
            counts: Counts { passed: 2, failed: 1 },
            took: Duration::ZERO,
        };
        let text =
            table(&[verdict(0, Some("first")), verdict(1, None), verdict(2, Some("second"))], Duration::ZERO);
        assert!(text.contains("first") && text.contains("second"), "{text}");
        assert!(text.ends_with("tests: 6 passed, 3 failed\ntiers: 1 passed, 2 failed"), "{text}");
        let text = table(&[verdict(1, None), verdict(3, None)], Duration::ZERO);
        assert!(
            text.contains("not run: no engine") && text.ends_with("1 passed, 0 failed, 1 not run"),
            "{text}"
        );
    }
}
