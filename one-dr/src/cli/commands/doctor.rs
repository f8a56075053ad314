//! `doctor`: what is wrong, and what to do about it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use one_dr::doctor::{self, Examination, Finding, Level};
use one_dr::overview::overview;
use one_dr::run;
use one_dr::select::select;
use one_dr::{Scope, observe};
use serde_json::{Value, json};

use crate::cli::args::VmArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Table, print};
use crate::cli::world::World;

/// How many VMs are looked at one by one, unless they are named.
const VMS_MAX: usize = 50;

pub(crate) fn run(world: &World, vms: &VmArgs, directory: Option<&Path>) -> Result<Exit, Failure> {
    let pair = &world.sites.pair;
    let scope =
        if vms.is_empty() { doctor::captured(pair, VMS_MAX) } else { select(pair, &vms.selection())? };
    let (home, recovery) = world.reports();
    let found = doctor::examine(pair, &scope, &home, &recovery)?;
    if let Some(directory) = directory {
        bundle(world, directory, &scope, &found)?;
    }
    print(world.format, &table(&found), &found)?;
    let count = |level| found.count(level);
    let ok = found.checks.saturating_sub(found.findings.len());
    say!(
        "{ok} ok, {} notes, {} warnings, {} problems",
        count(Level::Note),
        count(Level::Warning),
        count(Level::Problem)
    );
    let split = found.findings.iter().any(|one| one.id == "two-primaries" || one.id == "split-brain");
    Ok(match (split, found.is_well()) {
        (true, _) => Exit::SplitBrain,
        (_, false) => Exit::CheckFailed,
        _ => Exit::Done,
    })
}

fn table(found: &Examination) -> Table {
    let row = |one: &Finding| {
        let level = match one.level {
            Level::Note => "note",
            Level::Warning => "WARNING",
            Level::Problem => "PROBLEM",
        };
        let site = one.site.clone().unwrap_or_default();
        vec![
            level.to_owned(),
            one.id.to_owned(),
            site,
            one.evidence.clone(),
            one.consequence.clone(),
            one.cure.clone(),
        ]
    };
    Table {
        head: vec!["LEVEL", "ID", "SITE", "WHAT IS", "WHAT COMES OF IT", "WHAT TO DO"],
        rows: found.findings.iter().map(row).collect(),
    }
}

/// Everything that helps somebody else to look: no key, no password, no context, no token.
fn bundle(world: &World, directory: &Path, scope: &Scope, found: &Examination) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let write = |name: &str, value: &Value| -> Result<(), Failure> {
        let mut open = fs::OpenOptions::new();
        let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(directory.join(name))?;
        file.write_all(serde_json::to_string_pretty(value)?.as_bytes())?;
        Ok(())
    };
    let (home, recovery) = world.reports();
    write("findings.json", &json!(found))?;
    write("overview.json", &json!(overview(&world.sites.pair, &home, &recovery)))?;
    write("reports.json", &json!({"home": home.ok(), "recovery": recovery.ok()}))?;
    // The observation has no document of OpenNebula in it; the configuration names files of secrets, and holds none but what a hook's
    // arguments may be.
    write("observation.json", &json!(observe(&world.sites.pair, scope)?))?;
    let mut config = json!(world.config);
    for hook in config.get_mut("hooks").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(command) = hook.get_mut("command").and_then(Value::as_array_mut) {
            command.truncate(1);
        }
    }
    write("config.json", &config)?;
    let runs = run::history(&world.store).unwrap_or_default();
    let runs: Vec<Value> = runs
        .iter()
        .map(|run| json!({"run": run.id, "verb": run.plan.intent.verb, "over": run.is_over(), "entries": run.entries.len()}))
        .collect();
    write("runs.json", &json!(runs))?;
    say!("written to {}", directory.display());
    Ok(())
}
