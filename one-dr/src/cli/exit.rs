//! The exit codes, and what each failure is.

use std::fmt;
use std::process::ExitCode;

use one_dr::catalog::CaptureError;
use one_dr::plan::Error as PlanError;
use one_dr::run::Error as RunError;
use one_dr::{Guard, Plan, frontend, observe, storage};

/// How the command ends. Stable: scripts rest on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Error = 1,
    Changes = 2,
    CheckFailed = 3,
    Refused = 4,
    Stopped = 5,
    Unreachable = 6,
    SplitBrain = 7,
    Usage = 64,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    words: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, words: impl fmt::Display) -> Self {
        Self { exit, words: words.to_string() }
    }

    /// A guard's words. Nothing was changed by this command.
    pub(crate) fn refused(exit: Exit, words: impl fmt::Display) -> Self {
        Self { exit, words: format!("{words}\nNothing was changed.") }
    }

    /// The same after something was changed: what that is, and that it can be resumed or planned anew.
    pub(crate) fn part_way(self, changed: &str) -> Self {
        let words = self.words.trim_end_matches("\nNothing was changed.");
        let exit = if self.exit == Exit::Refused { Exit::Stopped } else { self.exit };
        Self { exit, words: format!("{words}\n{changed}") }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.words.starts_with("REFUSED");
        if said { f.write_str(&self.words) } else { write!(f, "one-dr: {}", self.words) }
    }
}

/// What a refused plan ends with.
pub(crate) fn refused(plan: &Plan) -> Exit {
    let refuses = |guard: Guard| plan.findings.iter().any(|found| found.guard == guard && found.refuses());
    if refuses(Guard::BothPrimary) { Exit::SplitBrain } else { Exit::Refused }
}

fn of_storage(error: &storage::Error) -> Exit {
    if error.is_unreachable() { Exit::Unreachable } else { Exit::Error }
}

fn of_frontend(error: &frontend::Error) -> Exit {
    if error.is_unreachable() { Exit::Unreachable } else { Exit::Error }
}

fn of_observe(error: &observe::Error) -> Exit {
    match error {
        observe::Error::Storage(error) => of_storage(error),
        observe::Error::FrontEnd(error) => of_frontend(error),
        _ => Exit::Error,
    }
}

fn of_plan(error: &PlanError) -> Exit {
    match error {
        PlanError::Refused(plan) => refused(plan),
        PlanError::Unreachable { .. } => Exit::Unreachable,
        PlanError::File(_) => Exit::Usage,
        _ => Exit::Error,
    }
}

fn of_run(error: &RunError) -> Exit {
    match error {
        RunError::LeaseHeld { .. } | RunError::Stale { .. } => Exit::Refused,
        RunError::Plan(error) => of_plan(error),
        RunError::Observe(error) => of_observe(error),
        RunError::Storage(error) => of_storage(error),
        _ => Exit::Error,
    }
}

fn of_capture(error: &CaptureError) -> Exit {
    if error.is_unreachable() { Exit::Unreachable } else { Exit::Error }
}

macro_rules! failures {
    ($($error:ty = $of:expr),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let of: fn(&$error) -> Exit = $of;
                Self::new(of(&error), error)
            }
        }
    )+};
}

failures! {
    storage::Error = of_storage,
    observe::Error = of_observe,
    PlanError = of_plan,
    RunError = of_run,
    CaptureError = of_capture,
    one_dr::config::Error = |_| Exit::Error,
    one_dr::select::Error = |_| Exit::Usage,
    one_dr::journal::Error = |_| Exit::Error,
    std::io::Error = |_| Exit::Error,
    serde_json::Error = |_| Exit::Error,
}
