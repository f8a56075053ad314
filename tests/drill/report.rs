//! What the drill did, step by step: shown as it happens, and at the end as a table, as JSON, or as a page.

mod bars;
mod curves;
mod document;
mod page;
mod svg;
mod terminal;

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use anyhow::Result;
use tests::office::{Losses, Output, notes};

use crate::lag::Sample;
use crate::run::shown;
use document::{Command, Disaster, Document, Event, Kind, Lag, Step, Verdict};
pub(crate) use page::html;

/// The report of a drill under way.
#[derive(Debug)]
pub(crate) struct Report {
    started: Instant,
    /// The same, since 1970.
    began: Duration,
    stage: RefCell<String>,
    seen: RefCell<Document>,
    pause: bool,
}

impl Report {
    /// With `pause`, each stage waits for Enter.
    pub(crate) fn new(pause: bool) -> Self {
        let seen = Document {
            began: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            ..Document::default()
        };
        Self {
            started: Instant::now(),
            began: notes::now(),
            stage: RefCell::default(),
            seen: RefCell::new(seen),
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
        let kind = if step.starts_with("one-dr ") { Kind::Command } else { Kind::Step };
        self.timed(step, kind, work)
    }

    /// Does a step that is a verdict.
    pub(crate) fn check(&self, step: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
        self.timed(step, Kind::Check, || work().map(|seen| ((), seen)))
    }

    fn timed<T>(&self, step: &str, kind: Kind, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        let began = rounded(self.started.elapsed());
        let started = Instant::now();
        let outcome = work();
        let took = started.elapsed();
        let (verdict, detail) = match &outcome {
            Ok((_, detail)) => (Verdict::Passed, detail.clone()),
            Err(error) => (Verdict::Failed, format!("{error:#}")),
        };
        let sign = if verdict == Verdict::Passed { "ok    " } else { "FAILED" };
        eprintln!("  {sign} {step:<56} {:>6.1} s  {detail}", took.as_secs_f64());
        let stage = self.stage.borrow().clone();
        let step =
            Step { stage, step: step.to_owned(), kind, verdict, began, seconds: rounded(took), detail };
        self.seen.borrow_mut().steps.push(step);
        outcome.map(|(value, _)| value)
    }

    /// Notes a command that was run, and the exit code that was expected of it.
    pub(crate) fn command(&self, output: &Output, expected: i32) {
        let arguments: Vec<&str> = output.arguments.iter().map(String::as_str).collect();
        let command = Command {
            began: self.offset(output.began),
            seconds: rounded(output.took),
            arguments: shown(&arguments),
            exit_code: output.code,
            expected,
        };
        self.seen.borrow_mut().commands.push(command);
    }

    /// Notes something that happened to a site.
    pub(crate) fn event(&self, what: &str, at: Duration) {
        let event = Event { at: self.offset(at), what: what.to_owned() };
        self.seen.borrow_mut().events.push(event);
    }

    /// Notes what a disaster cost.
    pub(crate) fn disaster(&self, site_a: &str, struck: Duration, machines: Vec<Losses>) {
        let disaster = Disaster { site_a: site_a.to_owned(), struck: self.offset(struck), machines };
        self.seen.borrow_mut().disasters.push(disaster);
    }

    /// Notes how far the replicas were behind.
    pub(crate) fn samples(&self, samples: Vec<Sample>) {
        let lag = samples.into_iter().map(|sample| Lag {
            at: self.offset(sample.at),
            disk: sample.disk,
            seconds: sample.seconds.map(|seconds| (seconds * 100.0).round() / 100.0),
        });
        self.seen.borrow_mut().lag.extend(lag);
    }

    /// A moment since 1970 as seconds since the drill began.
    fn offset(&self, at: Duration) -> f64 {
        rounded(at.saturating_sub(self.began))
    }

    /// Notes why the drill ended early.
    pub(crate) fn failed(&self, error: &anyhow::Error) {
        self.seen.borrow_mut().error = Some(format!("{error:#}"));
    }

    /// Whether every step passed.
    pub(crate) fn passed(&self) -> bool {
        self.document().verdict == Verdict::Passed
    }

    /// The report as data, as it is now.
    pub(crate) fn document(&self) -> Document {
        let mut document = self.seen.borrow().clone();
        document.seconds = rounded(self.started.elapsed());
        let passed = document.error.is_none()
            && !document.steps.is_empty()
            && document.steps.iter().all(|step| step.verdict == Verdict::Passed);
        document.verdict = if passed { Verdict::Passed } else { Verdict::Failed };
        document
    }

    /// The report for a person at a terminal.
    pub(crate) fn to_table(&self) -> String {
        terminal::table(&self.document())
    }
}

/// Seconds with a tenth: more would be noise.
pub(crate) fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}
