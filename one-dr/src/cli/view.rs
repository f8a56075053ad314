//! What a run tells, for people (progress with what is waited for) or for programs (JSON lines).

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use one_dr::run::{End, Event, Report};
use one_dr::{Moment, Plan};
use serde_json::{Value, json};

use super::args::Events;
use super::output::{out, plain};

/// Shows a run: a moving line for each step that is under way, since VMs wait side by side.
pub(crate) struct View {
    plan: Plan,
    events: Option<Events>,
    lines: MultiProgress,
    under_way: BTreeMap<usize, (ProgressBar, Instant)>,
}

impl View {
    pub(crate) fn new(plan: &Plan, events: Option<Events>) -> Self {
        // On a terminal they are moving lines; elsewhere every line is printed by itself.
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let lines = MultiProgress::with_draw_target(target);
        Self { plan: plan.clone(), events, lines, under_way: BTreeMap::new() }
    }

    fn say(&self, line: &str) {
        if self.lines.is_hidden() {
            say!("{line}");
        } else if let Err(error) = self.lines.println(line) {
            say!("{line}  ({error})");
        }
    }

    /// `12 erp-db: demote one-9`
    fn step(&self, at: usize) -> String {
        let Some(step) = self.plan.steps.get(at) else { return format!("step {at}") };
        let vm = step.vm.map(|vm| {
            let name = self.plan.names.get(&vm).map(|name| plain(name)).unwrap_or_default();
            format!("{vm} {name}: ")
        });
        let (site, action) = (self.plan.site(step.action.side()), plain(&step.action.to_string()));
        format!("{:>3}/{} {site:<8} {}{action}", at + 1, self.plan.steps.len(), vm.unwrap_or_default())
    }

    fn begin(&mut self, at: usize) {
        let line = self.lines.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
            line.set_style(style);
        }
        line.set_message(self.step(at));
        line.enable_steady_tick(Duration::from_millis(120));
        self.under_way.insert(at, (line, Instant::now()));
    }

    fn update(&self, at: usize, words: String) {
        if let Some((line, _)) = self.under_way.get(&at) {
            line.set_message(words);
        }
    }

    /// Its line goes. Answers for how long it was there.
    fn over(&mut self, at: usize) -> Duration {
        let Some((line, began)) = self.under_way.remove(&at) else { return Duration::ZERO };
        line.finish_and_clear();
        began.elapsed()
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if self.events.is_some() {
            let value = serde_json::to_value(event).unwrap_or_default();
            let _ = out(&(self.described(value).to_string() + "\n"));
        }
        match event {
            Event::Began { step } => self.begin(*step),
            Event::Waiting { step, awaited, limit_seconds, .. } => {
                let awaited = plain(awaited);
                let words = format!("{}: waiting: {awaited} (limit {limit_seconds} s)", self.step(*step));
                if self.lines.is_hidden() { say!("    {words}") } else { self.update(*step, words) }
            }
            Event::Progress { step, done, total } => {
                self.update(*step, format!("{}: {done} of {total} objects", self.step(*step)));
            }
            Event::Done { step, already } => {
                let took = self.over(*step);
                let took = if *already { "already so".to_owned() } else { seconds(took) };
                self.say(&format!("  ok  {}  {took}", self.step(*step)));
            }
            Event::Stopped { step, stop } => {
                self.over(*step);
                self.say(&format!("  --  {}: {}", self.step(*step), plain(&stop.to_string())));
            }
        }
    }

    /// For programs the step's words too.
    fn described(&self, mut value: Value) -> Value {
        let step = value.get("step").and_then(Value::as_u64).and_then(|step| usize::try_from(step).ok());
        if let (Some(step), Some(map)) =
            (step.and_then(|step| self.plan.steps.get(step)), value.as_object_mut())
        {
            map.insert("action".to_owned(), json!(step.action.to_string()));
            map.insert("site".to_owned(), json!(self.plan.site(step.action.side())));
            map.insert("vm".to_owned(), json!(step.vm));
        }
        value
    }

    pub(crate) fn end(&self) {
        for (line, _) in self.under_way.values() {
            line.finish_and_clear();
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

/// The last words of a run.
pub(crate) fn report(report: &Report, names: &Plan) {
    let took = report.ended.since(report.began);
    for vm in &report.vms {
        let name = names.names.get(&vm.vm).map(|name| plain(name)).unwrap_or_default();
        match &vm.stopped {
            None if report.stopped.is_none() => say!("VM {} {name}: done", vm.vm),
            None => {}
            Some((_, stop)) => say!("VM {} {name}: STOPPED: {stop}", vm.vm),
        }
        for (step, stop) in &vm.passed_over {
            let action = names.steps.get(*step).map(|step| step.action.to_string()).unwrap_or_default();
            say!("VM {} {name}: passed over: {action}: {stop}", vm.vm);
        }
    }
    if let Some((_, stop)) = &report.stopped {
        say!("stopped: {stop}");
    }
    for note in &report.notes {
        say!("note: {note}");
    }
    match report.end {
        End::Done => say!("run {} done in {}", report.run, HumanDuration(took)),
        End::Stopped => say!(
            "run {} stopped part-way. Nothing is lost: what was done is in its journal.\n  continue:  one-dr resume {}\n  \
             give up:   one-dr abort {}",
            report.run,
            report.run,
            report.run
        ),
    }
}

/// `2m`, `3h`, as a column.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The time of day, in UTC.
pub(crate) fn clock(at: Moment) -> String {
    at.to_string()
}
