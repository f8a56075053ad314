//! `plan`, `apply`, and the verbs, which are plan + confirm + apply.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use one_dr::hook::{self, OnFailure, When};
use one_dr::plan::Error as PlanError;
use one_dr::run::{End, Report};
use one_dr::select::select;
use one_dr::step::Step;
use one_dr::{Intent, Plan, Run, Scope, Verb, observe};
use serde_json::json;

use crate::cli::args::{ChangeArgs, MoveArgs};
use crate::cli::exit::{Exit, Failure, refused};
use crate::cli::output::{Format, Table, out, plain, print};
use crate::cli::view::{self, View};
use crate::cli::world::{World, confirm};

fn intent(world: &World, verb: Verb, args: &MoveArgs) -> Intent {
    let mut intent = Intent::new(verb, &world.sites.pair.settings);
    intent.hard = args.hard;
    intent.stop_at_first = args.stop_at_first;
    intent.overrides = args.overrides.iter().cloned().collect();
    if args.reversed { intent.reversed() } else { intent }
}

/// The system's words, with the file that they are about.
fn named(file: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Error, format!("{}: {error}", file.display()))
}

/// Observes and plans. A plan that is refused is shown, and is the failure.
pub(crate) fn planned(world: &World, scope: &Scope, intent: Intent) -> Result<Plan, Failure> {
    let (home, recovery) = (&world.config.home, &world.config.recovery);
    say!(
        "looking at sites {} and {}; one that does not answer costs about {} s, once",
        home.name,
        recovery.name,
        home.silence_costs_seconds().max(recovery.silence_costs_seconds())
    );
    let seen = observe(&world.sites.pair, scope)?;
    match one_dr::plan(&seen, intent, &world.sites.pair.settings) {
        Err(PlanError::Refused(plan)) => {
            let words: Vec<String> = plan.findings.iter().map(ToString::to_string).collect();
            Err(Failure::refused(refused(&plan), words.join("\n")))
        }
        other => Ok(other?),
    }
}

fn scope(world: &World, verb: Verb, args: &MoveArgs) -> Result<Scope, Failure> {
    // The set-up concerns the sites, not VMs.
    if verb == Verb::Configure {
        return Ok(Scope::of(&[]));
    }
    Ok(select(&world.sites.pair, &args.vms.selection())?)
}

/// `plan VERB VM...`
pub(crate) fn plan(
    world: &World,
    verb: Verb,
    args: &MoveArgs,
    file: Option<&Path>,
    detailed: bool,
) -> Result<Exit, Failure> {
    let plan = planned(world, &scope(world, verb, args)?, intent(world, verb, args))?;
    show(&plan);
    if let Some(file) = file {
        // It names VMs, images and reasons: not for everybody.
        let mut open = fs::OpenOptions::new();
        let open = open.write(true).create(true).truncate(true).mode(0o600).open(file);
        let mut to = open.map_err(|error| named(file, &error))?;
        to.write_all(plan.to_json()?.as_bytes())?;
        to.sync_all()?;
        say!(
            "Plan {}  fingerprint {}  valid while what was observed is unchanged:  one-dr apply {}",
            file.display(),
            plan.fingerprint,
            file.display()
        );
    }
    if file.is_none() || world.format != Format::Table {
        print(world.format, &table(&plan), &plan)?;
    }
    Ok(if detailed && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}

/// `apply FILE`
pub(crate) fn apply(world: &World, file: &Path, change: &ChangeArgs) -> Result<Exit, Failure> {
    let text = fs::read_to_string(file).map_err(|error| named(file, &error))?;
    let plan = Plan::parse(&text)?;
    show(&plan);
    carry_out(world, plan, change)
}

/// A verb.
pub(crate) fn run(world: &World, verb: Verb, args: &MoveArgs) -> Result<Exit, Failure> {
    let plan = planned(world, &scope(world, verb, args)?, intent(world, verb, args))?;
    show(&plan);
    carry_out(world, plan, &args.change)
}

/// Confirms and carries out.
pub(crate) fn carry_out(world: &World, plan: Plan, change: &ChangeArgs) -> Result<Exit, Failure> {
    if plan.is_empty() {
        say!("Nothing to do.");
        return Ok(Exit::Done);
    }
    let question = match plan.data_at_risk.is_empty() {
        true => format!("Carry out {} steps?", plan.steps.len()),
        false => format!("Carry out {} steps, with the data at risk that is named above?", plan.steps.len()),
    };
    confirm(change.yes, &question)?;
    hooks(world, When::Before, &plan, None, None)?;
    let run = Run::start(&world.sites.pair, &world.store, plan)?;
    going_on(world, run)
}

/// Carries a run on, and says what it came to. The run's name is the first thing on standard output.
pub(crate) fn going_on(world: &World, run: Run<'_>) -> Result<Exit, Failure> {
    let plan = run.plan.clone();
    let id = run.id.clone();
    if world.events.is_some() {
        out(&(json!({"event": "run", "run": id, "verb": plan.intent.verb}).to_string() + "\n"))?;
    } else if world.format == Format::Table {
        out(&format!("{id}\n"))?;
    }
    say!("run {id}  {}  (Ctrl-C stops after the current step)", plan.intent.verb.word());
    let mut view = View::new(&plan, world.events);
    let ended = run.stopped_by(std::sync::Arc::clone(&world.stop)).to_end(|event| view.event(event));
    view.end();
    let exit = match &ended {
        Ok(report) => {
            view::report(report, &plan);
            finished(world, &plan, report)?
        }
        // The run itself could not go on: its lease, its journal or its keeper is gone. What was done is in the journal.
        Err(error) => {
            say!("one-dr: run {id}: {error}\n  continue:  one-dr resume {id}");
            Exit::Stopped
        }
    };
    hooks(world, When::After, &plan, Some(&id), Some(exit.code()))?;
    Ok(exit)
}

fn finished(world: &World, plan: &Plan, report: &Report) -> Result<Exit, Failure> {
    if world.events.is_some() {
        out(&(json!({"event": "report", "report": report}).to_string() + "\n"))?;
    } else if world.format != Format::Table {
        let table = Table {
            head: vec!["VM", "NAME", "END", "WHY"],
            rows: report
                .vms
                .iter()
                .map(|vm| {
                    let name = plan.names.get(&vm.vm).cloned().unwrap_or_default();
                    let stop = vm.stopped.as_ref().map(|(_, stop)| stop.to_string());
                    let end = match (&stop, &report.stopped) {
                        (Some(_), _) => "stopped",
                        // What stopped concerned all of them.
                        (None, Some(_)) => "unfinished",
                        (None, None) => "done",
                    };
                    vec![vm.vm.to_string(), name, end.to_owned(), stop.unwrap_or_default()]
                })
                .collect(),
        };
        print(world.format, &table, report)?;
    }
    Ok(match report.end {
        End::Stopped => Exit::Stopped,
        // A drill that was cleaned up, and whose VM did not run, has told what it was asked.
        End::Done
            if plan.intent.verb == Verb::Drill && report.vms.iter().any(|vm| !vm.passed_over.is_empty()) =>
        {
            Exit::CheckFailed
        }
        End::Done => Exit::Done,
    })
}

fn hooks(world: &World, when: When, plan: &Plan, run: Option<&str>, exit: Option<u8>) -> Result<(), Failure> {
    let Err(failures) = hook::run(&world.config.hooks, when, plan, run, exit) else { return Ok(()) };
    for (error, on_failure) in failures {
        if when == When::Before && on_failure == OnFailure::Stop {
            return Err(Failure::new(Exit::Refused, format!("{error}: nothing was changed")));
        }
        say!("one-dr: {error}");
    }
    Ok(())
}

/// The head of a plan, on standard error.
fn show(plan: &Plan) {
    let vms: Vec<String> = plan.names.iter().map(|(vm, name)| format!("{} (VM {vm})", plain(name))).collect();
    let (from, to) = (plan.site(plan.intent.from), plan.site(plan.intent.to));
    let way = match plan.intent.verb {
        Verb::Relocate | Verb::Failover | Verb::Failback | Verb::Abort => format!("  {from} -> {to}"),
        _ => String::new(),
    };
    say!("{} {}{way}", plan.intent.verb.word(), vms.join(", "));
    let risk = if plan.data_at_risk.is_empty() { vec!["none".to_owned()] } else { plan.data_at_risk.clone() };
    say!("  data at risk:     {}", risk.join("\n                    "));
    match plan.pause_seconds {
        Some((least, most)) => say!("  estimated pause:  {least}-{most} s"),
        None => say!("  estimated pause:  none"),
    }
    for (at, step) in plan.steps.iter().enumerate() {
        say!("  {:>3} {}", at + 1, line(plan, step));
    }
    let guards = one_dr::Guard::ALL.len();
    let passed = plan.findings.len();
    say!("Guards: {} ok, {passed} overridden", guards.saturating_sub(passed));
    for finding in &plan.findings {
        say!("{finding}");
    }
}

fn line(plan: &Plan, step: &Step) -> String {
    let vm = step.vm.map(|vm| format!("VM {vm}: ")).unwrap_or_default();
    format!("{:<10} {vm}{}", plan.site(step.action.side()), plain(&step.action.to_string()))
}

fn table(plan: &Plan) -> Table {
    let row = |(at, step): (usize, &Step)| {
        let vm = step.vm.map(|vm| vm.to_string()).unwrap_or_default();
        let site = plan.site(step.action.side()).to_owned();
        vec![(at + 1).to_string(), site, vm, step.action.to_string(), step.limit_seconds.to_string()]
    };
    Table {
        head: vec!["STEP", "SITE", "VM", "ACTION", "LIMIT_S"],
        rows: plan.steps.iter().enumerate().map(row).collect(),
    }
}
