//! The report as data: what JSON shows, and what the page and the table are made of. Times are seconds since the drill began.

use serde::Serialize;
use tests::office::Losses;

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Document {
    /// When the drill began, in UTC.
    pub(crate) began: String,
    pub(crate) verdict: Verdict,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Why it ended early.
    pub(crate) error: Option<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) disasters: Vec<Disaster>,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: Vec<Command>,
    pub(crate) lag: Vec<Lag>,
}

/// How a step ended, or the drill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Passed,
    #[default]
    Failed,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Something is done, or waited for.
    Step,
    /// A run of `one-dr`.
    Command,
    /// A verdict: something must hold.
    Check,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) stage: String,
    pub(crate) step: String,
    pub(crate) kind: Kind,
    pub(crate) verdict: Verdict,
    pub(crate) began: f64,
    pub(crate) seconds: f64,
    pub(crate) detail: String,
}

/// A run of `one-dr`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Command {
    pub(crate) began: f64,
    pub(crate) seconds: f64,
    pub(crate) arguments: String,
    pub(crate) exit_code: Option<i32>,
    pub(crate) expected: i32,
}

/// Something that happened to site A.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Event {
    pub(crate) at: f64,
    pub(crate) what: String,
}

/// What a disaster cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Disaster {
    /// What happened to site A.
    pub(crate) site_a: String,
    pub(crate) struck: f64,
    pub(crate) machines: Vec<Losses>,
}

/// How far a replica was behind its primary.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lag {
    pub(crate) at: f64,
    /// `pool/image`
    pub(crate) disk: String,
    /// At most so many seconds; nothing where nothing can be told.
    pub(crate) seconds: Option<f64>,
}

impl Document {
    /// The steps that are verdicts.
    pub(crate) fn checks(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.kind == Kind::Check)
    }

    /// The worst of all disasters: seconds until a machine wrote again.
    pub(crate) fn worst_rto(&self) -> Option<f64> {
        let machines = self.disasters.iter().flat_map(|disaster| &disaster.machines);
        machines.map(|machine| machine.seconds_until_writing).reduce(f64::max)
    }

    /// The worst of all disasters: seconds of acknowledged writes that one disk lost.
    pub(crate) fn worst_rpo(&self) -> Option<f64> {
        let machines = self.disasters.iter().flat_map(|disaster| &disaster.machines);
        machines.flat_map(|machine| &machine.disks).map(|disk| disk.seconds).reduce(f64::max)
    }
}
