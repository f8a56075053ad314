//! The disaster-recovery drill: everything the guide asks of Ceph, in the right order, on two real sites, through our library.
//!
//! Each step is verified by an independent witness, Ceph's own tools. A check that fails ends the drill, keeps the lab and its
//! logs, and says where. The stages, one file each:
//!
//! ```text
//!   set_up ─> protect ─> relocate (A to B, and home) ─> disaster (A killed) ─> failback ─> disaster (A frozen) ─> failback
//!                            guards are tried on the way, where they must hold
//! ```

mod disaster;
mod disk;
mod failback;
mod guards;
mod protect;
mod relocate;
mod report;
mod run;
mod set_up;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use lab::{Lab, Options, Peering, Pool, SiteId};

use report::Report;
use run::Run;

/// A complete disaster recovery on two real Ceph sites that this command starts and ends.
#[derive(Debug, Parser)]
#[command(name = "drill", bin_name = "cargo xtask drill")]
struct Arguments {
    /// Write the report as JSON to this file, or to standard output with `-`
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Keep the two sites running afterwards
    #[arg(long)]
    keep: bool,
    /// Wait for Enter before each stage, to look around or to break something by hand
    #[arg(long)]
    pause: bool,
    /// Where the sites' files go, instead of a place of this run's own
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const POOL: &str = "one";

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
    // Pools exist and daemons run; peering the sites is the library's work.
    options.peering = Peering::None;
    options.pools = vec![Pool::plain(POOL)];

    let report = Report::new(arguments.pause);
    report.stage("sites");
    let lab = report.step("start two Ceph sites", || {
        let lab = Lab::up(options)?;
        let detail = format!("mon, mgr, osd, rbd-mirror each; files in {}", lab.dir().display());
        Ok((lab, detail))
    })?;

    let outcome = stages(&lab, &report);
    let passed = outcome.is_ok() && report.passed();
    if let Err(error) = &outcome {
        report.failed(error);
    }
    // Who reads JSON from standard output reads nothing else there.
    let to_stdout = arguments.json.as_deref() == Some("-".as_ref());
    if to_stdout {
        println!("{}", report.to_json()?);
    } else {
        println!("{}", report.to_table());
    }
    if let Some(path) = arguments.json.as_ref().filter(|_| !to_stdout) {
        std::fs::write(path, report.to_json()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if arguments.keep || !passed {
        let dir = lab.keep()?;
        eprintln!(
            "The sites are left as they are, with their logs in {0}/log.\n  Look:  cargo xtask lab status --dir {0}\n  \
             End:   cargo xtask lab down --dir {0}",
            dir.display()
        );
    }
    Ok(passed)
}

fn stages(lab: &Lab, report: &Report) -> Result<()> {
    let run = Run::connect(lab, report, POOL)?;
    set_up::stage(&run)?;
    let mut disks = protect::stage(&run)?;

    run.stage("planned move")?;
    relocate::there_and_back(&run, &mut disks)?;
    relocate::right_after_enable(&run, &mut disks)?;

    run.stage("disaster: site A killed")?;
    disaster::killed(&run, &mut disks)?;
    run.stage("return and failback")?;
    failback::stage(&run, &mut disks)?;

    run.stage("disaster: site A frozen")?;
    disaster::frozen(&run, &mut disks)?;
    run.stage("return and failback, again")?;
    failback::stage(&run, &mut disks)?;

    run.stage("at the end")?;
    run.step("all is where it was", || {
        run.verify(&disks, SiteId::A)?;
        run.all_daemons_run()?;
        rbd_mirror::wait::daemon_healthy(&run.b.pool, Duration::from_secs(120))?;
        Ok((
            (),
            format!("{} disks primary at A, equal at both sites, every write accounted for", disks.len()),
        ))
    })
}
