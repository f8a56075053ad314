//! `capture`: what OpenNebula knows, kept at the recovery site and in a directory here.

use std::thread;
use std::time::{Duration, Instant};

use one_dr::catalog::{self, CaptureError, Directory};
use one_dr::{Side, select::select};
use serde_json::json;

use crate::cli::args::VmArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Table, print};
use crate::cli::view::clock;
use crate::cli::world::World;

pub(crate) fn run(world: &World, vms: &VmArgs, every: Option<Duration>) -> Result<Exit, Failure> {
    let pair = &world.sites.pair;
    let more = if vms.is_empty() { Vec::new() } else { select(pair, &vms.selection())?.vms };
    loop {
        let captured = once(world, &more);
        let Some(every) = every else { return captured.map(|()| Exit::Done) };
        // A service goes on: the site comes back, and the age of the metadata is watched by `status --check`.
        if let Err(failure) = captured {
            eprintln!("{failure}");
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

fn once(world: &World, more: &[opennebula_meta::id::VmId]) -> Result<(), Failure> {
    let pair = &world.sites.pair;
    let shelf = pair.storage(Side::Recovery);
    let version = catalog::refresh(pair, &shelf, more, pair.clock.now())?;
    let record = catalog::read(&shelf, &version.address).map_err(CaptureError::from)?;
    catalog::publish(&Directory::new(world.config.catalog.clone()), &record, version.captured_at)
        .map_err(CaptureError::from)?;
    let vms = record.capture().vms.len();
    let table = Table {
        head: vec!["VERSION", "CAPTURED", "VMS"],
        rows: vec![vec![version.address.clone(), clock(version.captured_at), vms.to_string()]],
    };
    print(
        world.format,
        &table,
        &json!({"version": version.address, "captured_at": version.captured_at, "vms": vms}),
    )
}
