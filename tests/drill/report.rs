//! What the drill did, step by step: shown as it happens, and as a table or as JSON at the end.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

/// The report of a drill under way.
#[derive(Debug)]
pub(crate) struct Report {
    started: Instant,
    began: jiff::Timestamp,
    stage: RefCell<String>,
    steps: RefCell<Vec<Step>>,
    disasters: RefCell<Vec<Disaster>>,
    error: RefCell<Option<String>>,
    pause: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Step {
    stage: String,
    step: String,
    verdict: Verdict,
    seconds: f64,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Passed,
    Failed,
}

/// What a disaster cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Disaster {
    /// What happened to site A.
    pub(crate) site_a: String,
    /// From the blow until the last disk accepted writes at site B.
    pub(crate) seconds_until_writable: f64,
    /// Disk by disk.
    pub(crate) disks: Vec<Loss>,
}

/// What a disaster cost one disk.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Loss {
    /// Which disk.
    pub(crate) disk: String,
    /// The last write that site A acknowledged.
    pub(crate) acknowledged: u64,
    /// The last write that site B holds; all before it are there.
    pub(crate) held: u64,
    /// Writes that were acknowledged and are missing.
    pub(crate) missing: u64,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    began: String,
    verdict: Verdict,
    seconds: f64,
    error: Option<String>,
    steps: &'a [Step],
    disasters: &'a [Disaster],
}

impl Report {
    pub(crate) fn new(pause: bool) -> Self {
        Self {
            started: Instant::now(),
            began: jiff::Timestamp::now(),
            stage: RefCell::default(),
            steps: RefCell::default(),
            disasters: RefCell::default(),
            error: RefCell::default(),
            pause,
        }
    }

    /// Begins a stage.
    pub(crate) fn stage(&self, name: &str) {
        self.stage.replace(name.to_owned());
        eprintln!("\n{name}");
        if self.pause && io::stdin().is_terminal() {
            eprint!("  Enter goes on ");
            let _ = io::stdin().read_line(&mut String::new());
        }
    }

    /// Does a step: `work` answers its value and a line on what was seen. An error ends the drill.
    pub(crate) fn step<T>(&self, step: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        let started = Instant::now();
        let outcome = work();
        let took = started.elapsed();
        let (verdict, detail) = match &outcome {
            Ok((_, detail)) => (Verdict::Passed, detail.clone()),
            Err(error) => (Verdict::Failed, format!("{error:#}")),
        };
        let sign = if verdict == Verdict::Passed { "ok    " } else { "FAILED" };
        eprintln!("  {sign} {step:<44} {:>7.1} s  {detail}", took.as_secs_f64());
        let stage = self.stage.borrow().clone();
        let step = Step { stage, step: step.to_owned(), verdict, seconds: rounded(took), detail };
        self.steps.borrow_mut().push(step);
        outcome.map(|(value, _)| value)
    }

    /// Notes what a disaster cost.
    pub(crate) fn disaster(&self, disaster: Disaster) {
        self.disasters.borrow_mut().push(disaster);
    }

    /// Notes why the drill ended early.
    pub(crate) fn failed(&self, error: &anyhow::Error) {
        self.error.replace(Some(format!("{error:#}")));
    }

    /// Whether every step passed.
    pub(crate) fn passed(&self) -> bool {
        self.error.borrow().is_none()
            && self.steps.borrow().iter().all(|step| step.verdict == Verdict::Passed)
    }

    /// The report as data.
    pub(crate) fn to_json(&self) -> Result<String> {
        let document = Document {
            began: self.began.to_string(),
            verdict: self.verdict(),
            seconds: rounded(self.started.elapsed()),
            error: self.error.borrow().clone(),
            steps: &self.steps.borrow(),
            disasters: &self.disasters.borrow(),
        };
        Ok(serde_json::to_string_pretty(&document)?)
    }

    /// The report for a person.
    pub(crate) fn to_table(&self) -> String {
        let mut table = new_table(&["stage", "step", "seconds", "verdict", "seen"]);
        let mut last = String::new();
        for step in self.steps.borrow().iter() {
            let stage = if step.stage == last { String::new() } else { step.stage.clone() };
            last.clone_from(&step.stage);
            let verdict = if step.verdict == Verdict::Passed { "ok" } else { "FAILED" };
            let seconds = format!("{:.1}", step.seconds);
            table.add_row([stage, step.step.clone(), seconds, verdict.to_owned(), step.detail.clone()]);
        }
        if let Some(column) = table.column_mut(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let count = self.steps.borrow().len();
        let sum = match (self.verdict(), self.error.borrow().as_ref()) {
            (Verdict::Passed, _) => "passed".to_owned(),
            (Verdict::Failed, Some(error)) => format!("FAILED in \"{}\": {error}", self.stage.borrow()),
            (Verdict::Failed, None) => "FAILED".to_owned(),
        };
        format!(
            "{table}\n\n{}\n\n{count} steps in {:.0} s: {sum}",
            self.losses(),
            self.started.elapsed().as_secs_f64()
        )
    }

    /// What the disasters cost, for a person.
    fn losses(&self) -> Table {
        let mut table =
            new_table(&["site A", "writable at B after", "disk", "acknowledged at A", "held by B", "lost"]);
        for disaster in self.disasters.borrow().iter() {
            let mut first = [disaster.site_a.clone(), format!("{:.1} s", disaster.seconds_until_writable)];
            for loss in &disaster.disks {
                let [site, after] = std::mem::take(&mut first);
                let numbers = [loss.acknowledged, loss.held, loss.missing].map(|number| number.to_string());
                table.add_row([site, after, loss.disk.clone()].into_iter().chain(numbers));
            }
        }
        table
    }

    fn verdict(&self) -> Verdict {
        if self.passed() { Verdict::Passed } else { Verdict::Failed }
    }
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        table.set_width(160);
    }
    table.set_header(header);
    table
}

/// Seconds with a tenth: more would be noise.
pub(crate) fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}
