//! `status`: every protected VM at a glance.

use std::thread;
use std::time::{Duration, Instant};

use one_dr::Side;
use one_dr::overview::{Overview, VmLine, overview};
use one_dr::select::select;

use crate::cli::args::VmArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Table, print};
use crate::cli::view::{age, clock};
use crate::cli::world::World;

const EVERY: Duration = Duration::from_secs(5);

pub(crate) fn run(world: &World, vms: &VmArgs, watch: bool, check: bool) -> Result<Exit, Failure> {
    let scope = if vms.is_empty() { None } else { Some(select(&world.sites.pair, &vms.selection())?) };
    loop {
        let (home, recovery) = world.reports();
        let mut seen = overview(&world.sites.pair, &home, &recovery);
        if let Some(scope) = &scope {
            seen.vms.retain(|vm| scope.vms.contains(&vm.vm));
        }
        print(world.format, &table(&seen), &seen)?;
        foot(world, &seen);
        let until = Instant::now() + EVERY;
        while watch && !world.is_asked_to_stop() && Instant::now() < until {
            thread::sleep(Duration::from_millis(100));
        }
        if !watch || world.is_asked_to_stop() {
            return Ok(exit(world, &seen, check));
        }
    }
}

fn exit(world: &World, seen: &Overview, check: bool) -> Exit {
    let recovery = world.sites.pair.recovery.name.as_str();
    if seen.is_split() && check {
        Exit::SplitBrain
    } else if seen.silent.contains_key(recovery) {
        Exit::Unreachable
    } else if check && !seen.is_well(&world.sites.pair.settings) {
        Exit::CheckFailed
    } else {
        Exit::Done
    }
}

fn table(seen: &Overview) -> Table {
    let site = |side: Side| if side == Side::Home { &seen.sites.0 } else { &seen.sites.1 };
    let row = |vm: &VmLine| {
        vec![
            vm.vm.to_string(),
            vm.name.clone(),
            format!("{}/{}", vm.disks.0, vm.disks.1),
            seen.sites.0.clone(),
            vm.active.map_or_else(|| "-".to_owned(), |side| site(side).clone()),
            vm.state.to_string(),
            vm.rpo_seconds.map_or_else(|| "-".to_owned(), |rpo| format!("<={}", age(rpo))),
            age(vm.metadata_age_seconds),
            vm.next.clone().unwrap_or_default(),
            vm.notes.join("; "),
        ]
    };
    Table {
        head: vec!["VM", "NAME", "DISKS", "HOME", "ACTIVE", "STATE", "RPO", "META", "NEXT", "NOTE"],
        rows: seen.vms.iter().map(row).collect(),
    }
}

fn foot(world: &World, seen: &Overview) {
    let counts: Vec<String> =
        seen.counts().into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    let worst = seen.vms.iter().filter_map(|vm| vm.rpo_seconds).max();
    let worst = worst.map_or_else(|| "unknown".to_owned(), age);
    let target = world.sites.pair.settings.targets.rpo_seconds;
    let oldest = seen.oldest_seconds.map_or_else(|| "-".to_owned(), age);
    say!(
        "{} VMs: {} | worst RPO {worst} (target {target}s) | observed {}, oldest status {oldest}",
        seen.vms.len(),
        counts.join(", "),
        clock(seen.at)
    );
    for (site, why) in &seen.silent {
        let said = why.starts_with(&format!("site {site} does not answer"));
        if said { say!("{why}") } else { say!("site {site} does not answer: {why}") }
    }
    if let Some(why) = &seen.catalog {
        say!("no catalog: {why}");
    }
}
