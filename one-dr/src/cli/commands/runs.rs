//! `resume`, `abort`, `history`.

use one_dr::Run;
use one_dr::journal::Entry;
use one_dr::run::{self, Back, History};
use serde_json::{Value, json};

use super::change;
use crate::cli::args::ChangeArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Table, print};
use crate::cli::view::clock;
use crate::cli::world::{World, confirm};

pub(crate) fn resume(world: &World, id: &str, args: &ChangeArgs) -> Result<Exit, Failure> {
    confirm(args.yes, &format!("Go on with run {id}?"))?;
    change::going_on(world, Run::resume(&world.sites.pair, &world.store, id)?)
}

pub(crate) fn abort(world: &World, id: &str, args: &ChangeArgs) -> Result<Exit, Failure> {
    confirm(args.yes, &format!("Give run {id} up? What was done stays done"))?;
    let vms = run::history(&world.store)?.into_iter().find(|run| run.id == id).map(|run| run.plan.scope);
    let back = Run::abort(&world.sites.pair, &world.store, id)?;
    say!("run {id} is given up");
    match (back, vms) {
        (Back::Intent(intent), Some(scope)) => {
            say!("its VMs are led back to where they were:");
            let plan = change::planned(world, &scope, intent).map_err(|failure| {
                failure.part_way(&format!(
                    "Run {id} is given up, and its VMs are where it left them. When what refuses is mended:  one-dr status     and \
                     the command that it names"
                ))
            })?;
            change::carry_out(world, plan, args)
        }
        (Back::Plan(plan), _) => {
            say!("what it made is removed:");
            change::carry_out(world, *plan, args)
        }
        _ => Ok(Exit::Done),
    }
}

pub(crate) fn history(world: &World, id: Option<&str>) -> Result<Exit, Failure> {
    let runs = run::history(&world.store)?;
    match id {
        None => {
            let values: Vec<Value> = runs.iter().map(value).collect();
            let table = Table {
                head: vec!["RUN", "VERB", "VMS", "BEGAN", "END", "BY"],
                rows: runs.iter().map(row).collect(),
            };
            print(world.format, &table, &values)?;
        }
        Some(id) => {
            let found = runs.iter().find(|run| run.id == id);
            let found =
                found.ok_or_else(|| Failure::new(Exit::Error, format!("there is no run {id} here")))?;
            let table = Table {
                head: vec!["TIME", "STEP", "PHASE", "WHAT"],
                rows: found.entries.iter().map(entry).collect(),
            };
            print(world.format, &table, &found.entries)?;
        }
    }
    Ok(Exit::Done)
}

fn end(run: &History) -> String {
    let last = run.entries.last();
    if run.is_over() { last.map(word).unwrap_or_default() } else { format!("one-dr resume {}", run.id) }
}

fn word(entry: &Entry) -> String {
    json!(entry.phase).as_str().unwrap_or_default().to_owned()
}

fn began(run: &History) -> String {
    run.entries.first().map(|entry| clock(entry.at)).unwrap_or_default()
}

fn vms(run: &History) -> Vec<String> {
    run.vms().iter().map(ToString::to_string).collect()
}

fn row(run: &History) -> Vec<String> {
    let verb = run.plan.intent.verb.word().to_owned();
    // `protect by alice@vm`: the verb has a column of its own.
    let by = run.entries.first().map_or("", |entry| entry.text.as_str());
    let by = by.split_once(" by ").map_or(by, |(_, who)| who).to_owned();
    vec![run.id.clone(), verb, vms(run).join(","), began(run), end(run), by]
}

fn value(run: &History) -> Value {
    json!({
        "run": run.id,
        "verb": run.plan.intent.verb,
        "vms": vms(run),
        "began": began(run),
        "over": run.is_over(),
        "overrides": run.plan.intent.overrides,
    })
}

fn entry(entry: &Entry) -> Vec<String> {
    let step = entry.step.map(|step| (step + 1).to_string()).unwrap_or_default();
    vec![clock(entry.at), step, word(entry), entry.text.clone()]
}
