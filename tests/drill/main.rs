//! The disaster-recovery drill: the whole guide, through the `one-dr` command as an operator runs it, on two real Ceph sites with
//! front-ends and machines that write.
//!
//! Each step is verified by an independent witness: Ceph's own tools, checksums of exports, and the guests' own count of what was
//! acknowledged to them. A check that fails ends the drill, keeps the sites and their logs, and says where. The stages:
//!
//! ```text
//!   set_up ─> protect ─> relocate (there, home, test) ─> disaster (A killed) ─> returned ─> disaster (A frozen) ─> returned ─> verify
//!                              guards are tried on the way, where they must hold
//! ```

mod disaster;
mod guards;
mod lag;
mod protect;
mod relocate;
mod report;
mod returned;
mod run;
mod set_up;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use lab::{Options, SiteId};
use tests::office::{Office, Real};

use report::Report;
use run::Run;

/// A complete disaster recovery of OpenNebula on two real Ceph sites that this command starts and ends.
///
/// Everything is done by the `one-dr` command: init, doctor, protect, capture, status, plan, apply, failover, reprotect, failback, drill.
/// Without more it needs nothing but Ceph: a stand-in takes the place of OpenNebula's oned at both sites.
#[derive(Debug, Parser)]
#[command(name = "drill", bin_name = "cargo xtask drill", after_help = REAL)]
struct Arguments {
    /// Write the report as JSON to this file, or to standard output with `-`; and as HTML beside a file
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Write the report as one HTML file that needs nothing else
    #[arg(long, value_name = "PATH")]
    html: Option<PathBuf>,
    /// Keep the two sites running afterwards
    #[arg(long)]
    keep: bool,
    /// Wait for Enter before each stage, to look around or to break something by hand
    #[arg(long)]
    pause: bool,
    /// Where the sites' files go, instead of a place of this run's own
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A real front-end for site A, such as http://127.0.0.1:2633/RPC2
    #[arg(long, value_name = "URL", requires = "auth_a")]
    frontend_a: Option<String>,
    /// The file with its `oneadmin:password`, mode 0600
    #[arg(long, value_name = "FILE", requires = "frontend_a")]
    auth_a: Option<PathBuf>,
    /// A real front-end for site B
    #[arg(long, value_name = "URL", requires = "auth_b")]
    frontend_b: Option<String>,
    /// The file with its `oneadmin:password`, mode 0600
    #[arg(long, value_name = "FILE", requires = "frontend_b")]
    auth_b: Option<PathBuf>,
}

const REAL: &str = "\
A real front-end (--frontend-a, --frontend-b) must have:
  - drivers that touch nothing (dummy): the drill makes the RBD images and starts the guests itself, by what the front-end says is
    RUNNING; one usable host that takes everything
  - users oneadmin and alice, a network `service`; at B also a network `isolated`
  - datastores with TM_MAD ceph: at A image datastore 1 `default` and the system datastore with POOL_NAME one; at B image datastore
    `default` and the system datastore with POOL_NAME local, and image datastore `replicas` with POOL_NAME one
  - no images or VMs but those of an earlier drill: VMs `erp-app` and `ledger` are made where they are missing
In a disaster a real front-end stays up, as one whose hosts are gone: only a stand-in dies with its site.";

fn main() -> ExitCode {
    match drill(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("drill: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn drill(arguments: &Arguments) -> Result<bool> {
    let mut options = Options::temporary("drill");
    if let Some(dir) = &arguments.dir {
        options.dir.clone_from(dir);
    }
    let report = Report::new(arguments.pause);
    report.stage("sites");
    let office = report.step("start two sites", || {
        let office = Office::on(options, real(arguments))?;
        let detail = format!("Ceph and a front-end each; files in {}", office.lab().dir().display());
        Ok((office, detail))
    })?;

    let outcome = stages(&office, &report);
    if let Err(error) = &outcome {
        report.failed(error);
    }
    let passed = outcome.is_ok() && report.passed();
    deliver(arguments, &report)?;
    if arguments.keep || !passed {
        let dir = office.keep()?;
        eprintln!(
            "The sites are left as they are, with their logs in {0}/log.\n  Look:  cargo xtask lab status --dir {0}\n  \
             End:   cargo xtask lab down --dir {0}",
            dir.display()
        );
    }
    Ok(passed)
}

fn real(arguments: &Arguments) -> [Option<Real>; 2] {
    let one = |url: &Option<String>, auth: &Option<PathBuf>| {
        Some(Real { url: url.clone()?, auth_file: auth.clone()? })
    };
    [one(&arguments.frontend_a, &arguments.auth_a), one(&arguments.frontend_b, &arguments.auth_b)]
}

/// The report to where it was asked for.
fn deliver(arguments: &Arguments, report: &Report) -> Result<()> {
    let document = report.document();
    let json = serde_json::to_string_pretty(&document)?;
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    // Who reads JSON from standard output reads nothing else there.
    match arguments.json.as_deref() {
        Some(path) if path == Path::new("-") => println!("{json}"),
        Some(path) => {
            write(path, &json)?;
            println!("{}", report.to_table());
        }
        None => println!("{}", report.to_table()),
    }
    let beside = arguments.json.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = arguments.html.clone().or_else(|| beside.map(|path| path.with_extension("html"))) {
        write(&path, &report::html(&document))?;
        eprintln!("The report is in {}", path.display());
    }
    Ok(())
}

fn stages(office: &Office, report: &Report) -> Result<()> {
    let run = set_up::stage(office, report)?;
    let sampler = lag::Sampler::start(&run)?;
    let outcome = from_protection_on(&run);
    report.samples(sampler.end());
    outcome
}

fn from_protection_on(run: &Run<'_>) -> Result<()> {
    protect::stage(run)?;
    relocate::stage(run)?;
    relocate::test_beside_production(run)?;

    disaster::stage(run, disaster::Blow::Killed)?;
    returned::stage(run)?;

    disaster::stage(run, disaster::Blow::Frozen)?;
    returned::stage(run)?;

    run.stage("at the end")?;
    verify::quiet(run, SiteId::A, "all is where it was")?;
    verify::front_ends(run)?;
    run.check("every command ended as it must", || {
        let commands = run.office.commands();
        ensure!(!commands.is_empty(), "no command was run");
        Ok(format!("{} commands of one-dr, each with the exit code that was expected of it", commands.len()))
    })
}
