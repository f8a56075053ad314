//! `capture`: what OpenNebula knows, kept at the recovery site and in a directory here.

use std::thread;
use std::time::{Duration, Instant};

use one_dr::catalog::{self, CaptureError, Directory, Refreshed};
use one_dr::{Side, select::select};
use opennebula_meta::drift::Drift;
use opennebula_meta::id::VmId;
use opennebula_meta::lint::Severity;
use serde_json::json;

use crate::cli::args::VmArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Table, plain, print};
use crate::cli::view::clock;
use crate::cli::world::World;

pub(crate) fn run(
    world: &World,
    vms: &VmArgs,
    check: bool,
    every: Option<Duration>,
) -> Result<Exit, Failure> {
    let pair = &world.sites.pair;
    let more = if vms.is_empty() { Vec::new() } else { select(pair, &vms.selection())?.vms };
    loop {
        let captured = once(world, &more);
        let Some(every) = every else {
            let is_well = captured?;
            return Ok(if check && !is_well { Exit::CheckFailed } else { Exit::Done });
        };
        // A service goes on: the site comes back, and the age of the metadata is watched by `status --check`.
        if let Err(failure) = captured {
            say!("{failure}");
        }
        let until = Instant::now() + every;
        while Instant::now() < until {
            if world.is_asked_to_stop() {
                return Ok(Exit::Done);
            }
            thread::sleep(Duration::from_millis(100).min(every));
        }
    }
}

/// Answers whether everything captured could be moved.
fn once(world: &World, more: &[VmId]) -> Result<bool, Failure> {
    let pair = &world.sites.pair;
    let shelf = pair.storage(Side::Recovery);
    let Refreshed { version, record, drift, lint } = catalog::refresh(pair, &shelf, more, pair.clock.now())?;
    catalog::publish(&Directory::new(world.config.catalog.clone()), &record, version.captured_at)
        .map_err(CaptureError::from)?;
    for change in &drift {
        say!("changed:  {}", plain(&change.to_string()));
    }
    for (vm, found) in &lint {
        say!("{:<9} VM {vm}: {}", severity(found.severity), plain(&found.to_string()));
    }
    let vms = record.capture().vms.len();
    let table = Table {
        head: vec!["VERSION", "CAPTURED", "VMS", "CHANGES", "FINDINGS"],
        rows: vec![vec![
            version.address.clone(),
            clock(version.captured_at),
            vms.to_string(),
            drift.len().to_string(),
            lint.len().to_string(),
        ]],
    };
    let findings: Vec<_> = lint.iter().map(|(vm, found)| json!({"vm": vm, "finding": found})).collect();
    let data = json!({
        "version": version.address,
        "captured_at": version.captured_at,
        "vms": vms,
        "drift": drift,
        "lint": findings,
    });
    print(world.format, &table, &data)?;
    let fails = lint.iter().any(|(_, found)| found.severity <= Severity::Fails);
    Ok(!fails && !drift.iter().any(Drift::is_dangerous))
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Destroys => "DESTROYS:",
        Severity::Fails => "fails:",
        Severity::Loses => "loses:",
        Severity::Differs => "differs:",
    }
}
