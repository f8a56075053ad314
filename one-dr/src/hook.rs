//! Programs of the operator's, before and after a run: move a name, tell a phone, stop a load balancer.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Verb};

/// A program around a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Before or after.
    pub when: When,
    /// Of which verbs; of all without.
    #[serde(default)]
    pub verbs: Vec<Verb>,
    /// The program and its arguments; no shell.
    pub command: Vec<String>,
    /// It is ended after that, with all that it has started.
    #[serde(default = "timeout")]
    pub timeout_seconds: u64,
    /// What its failure means.
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn timeout() -> u64 {
    60
}

/// When a hook is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before anything is changed.
    Before,
    /// After the run, however it ended.
    After,
}

/// What a hook's failure means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The run does not begin.
    #[default]
    Stop,
    /// It is said, and no more.
    GoOn,
}

/// How a hook ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be started.
    #[error("the hook {program} cannot be started: {source}")]
    Start {
        /// Its program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It failed.
    #[error("the hook {program} ended with {status}")]
    Failed {
        /// Its program.
        program: String,
        /// How.
        status: ExitStatus,
    },
    /// It was ended.
    #[error("the hook {program} was ended after {seconds} s")]
    TimedOut {
        /// Its program.
        program: String,
        /// Its limit.
        seconds: u64,
    },
}

/// Runs the hooks of a moment, in their order; the first failure that is to stop the run ends it.
///
/// # Errors
/// The failures, each with whether it stops the run.
pub fn run(
    hooks: &[Hook],
    when: When,
    plan: &Plan,
    run: Option<&str>,
    exit: Option<u8>,
) -> Result<(), Vec<(Error, OnFailure)>> {
    let mut failures = Vec::new();
    for hook in hooks {
        let verb = plan.intent.verb;
        if hook.when != when || !(hook.verbs.is_empty() || hook.verbs.contains(&verb)) {
            continue;
        }
        if let Err(error) = one(hook, plan, run, exit) {
            failures.push((error, hook.on_failure));
            if hook.on_failure == OnFailure::Stop {
                break;
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

fn one(hook: &Hook, plan: &Plan, run: Option<&str>, exit: Option<u8>) -> Result<(), Error> {
    let program = hook.command.first().cloned().unwrap_or_default();
    let vms: Vec<String> = plan.scope.vms.iter().map(ToString::to_string).collect();
    let mut command = Command::new(&program);
    command
        .args(hook.command.iter().skip(1))
        .env("ONE_DR_VERB", plan.intent.verb.word())
        .env("ONE_DR_RUN", run.unwrap_or_default())
        .env("ONE_DR_VMS", vms.join(","))
        .env("ONE_DR_FROM", plan.site(plan.intent.from))
        .env("ONE_DR_TO", plan.site(plan.intent.to))
        .env("ONE_DR_EXIT", exit.map(|exit| exit.to_string()).unwrap_or_default())
        .stdin(Stdio::null())
        // A group of its own: what it starts is ended with it, and Ctrl-C is for the run.
        .process_group(0)
        // Standard output is the command's own data.
        .stdout(io::stderr());
    let failed = |source| Error::Start { program: program.clone(), source };
    let mut child = command.spawn().map_err(failed)?;
    match ended(&mut child, Duration::from_secs(hook.timeout_seconds)).map_err(failed)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Error::Failed { program, status }),
        None => Err(Error::TimedOut { program, seconds: hook.timeout_seconds }),
    }
}

/// Waits for a program; ends it, and what it started, at its limit.
fn ended(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= limit {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                kill_process_group(group, Signal::KILL)?;
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests;
