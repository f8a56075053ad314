//! What our libraries cost, beside every peer on the same work, in one run: `cargo xtask bench`.
//!
//! Each group of works runs in a process of its own, so that one that hangs or dies costs its own rows and no others. It measures
//! in paired runs ([`measure`]) and hands a [`record`] over; [`results`] and [`plot`] write what people read.

mod groups;
mod measure;
mod part;
mod peers;
mod plot;
mod record;
mod results;
mod sites;
mod synthetic;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;

use groups::{ALL, Group, Size};
use record::Record;

/// What our libraries cost, beside every peer on the same work.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Only the groups of these names; nothing else of the results changes
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Fewer and smaller: to see that it works. Writes to the folder for temporary files unless --out is given
    #[arg(long)]
    quick: bool,
    /// Where RESULTS.md and plots/ are written [default: benches/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One group, in this process, to this file
    #[arg(long, hide = true, num_args = 2, value_names = ["NAME", "FILE"])]
    group: Option<Vec<String>>,
    /// A part of a group that needs a process of its own
    #[arg(long, hide = true, num_args = 1..)]
    part: Option<Vec<String>>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let size = Size { quick: arguments.quick };
    if let Some(words) = &arguments.part {
        return part::run(words).map(|()| ExitCode::SUCCESS);
    }
    if let Some([name, file]) = arguments.group.as_deref() {
        return one(name, Path::new(file), size);
    }
    let chosen =
        |group: &&Group| arguments.only.is_empty() || arguments.only.iter().any(|name| name == group.name);
    for name in &arguments.only {
        if !ALL.iter().any(|group| group.name == name) {
            let names: Vec<&str> = ALL.iter().map(|group| group.name).collect();
            bail!("no group {name:?}; the groups are {}", names.join(", "));
        }
    }
    let out = arguments.out.clone().unwrap_or_else(|| {
        if arguments.quick {
            env::temp_dir().join("bench-quick")
        } else {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        }
    });
    let records = out.join("records");
    fs::create_dir_all(&records)?;
    let mut failed = false;
    // Asked for once: a group that calls cargo may have this very file built anew, and the system would call it deleted.
    let own = env::current_exe()?;
    for group in ALL.iter().filter(chosen) {
        eprintln!("bench: == {}: {}", group.name, group.what);
        let file = records.join(format!("{}.json", group.name));
        let start = Instant::now();
        let mut child = Command::new(&own);
        child.arg("--group").arg(group.name).arg(&file);
        if arguments.quick {
            child.arg("--quick");
        }
        let ended = apart(&mut child, group)?;
        let mut record = read(&file).unwrap_or_default();
        record.group = group.name.to_owned();
        record.seconds = start.elapsed().as_secs_f64();
        if let Some(why) = ended {
            eprintln!("bench: {}: {why}", group.name);
            record.failed.get_or_insert(why);
        }
        failed |= record.failed.is_some();
        fs::write(&file, serde_json::to_string_pretty(&record)?)?;
    }
    let all: Vec<Record> =
        ALL.iter().filter_map(|group| read(&records.join(format!("{}.json", group.name))).ok()).collect();
    results::write(&out, &all, arguments.quick)?;
    println!("bench: {}", out.join("RESULTS.md").display());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Waits for a group's process, for its limit at the most; why it did not end well.
fn apart(command: &mut Command, group: &Group) -> Result<Option<String>> {
    let mut child = command.spawn().context("cannot start a process for a group")?;
    let (sender, ended) = mpsc::channel();
    let id = child.id();
    thread::spawn(move || drop(sender.send(child.wait())));
    match ended.recv_timeout(group.limit) {
        Ok(status) => {
            let status = status?;
            Ok((!status.success()).then(|| format!("its process ended with {status}")))
        }
        Err(_) => {
            // The lab goes down with the process that owns it.
            Command::new("kill").arg("-9").arg(id.to_string()).status()?;
            Ok(Some(format!("not done within {:?}", group.limit)))
        }
    }
}

/// Runs a group here. What it has found until it failed is kept.
fn one(name: &str, file: &Path, size: Size) -> Result<ExitCode> {
    let group = ALL.iter().find(|group| group.name == name).context("no such group")?;
    let mut record = Record { group: name.to_owned(), file: Some(file.to_owned()), ..Record::default() };
    // What an earlier run has left is no part of this one.
    record.save();
    let outcome = (group.run)(size, &mut record);
    record.failed = outcome.err().map(|error| format!("{error:#}"));
    record.save();
    Ok(if record.failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(file: &Path) -> Result<Record> {
    Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
}
