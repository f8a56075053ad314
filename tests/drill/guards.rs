//! The guards, tried where they must hold: each refused with its exit code, and nothing changed by the attempt.

use anyhow::{Result, ensure};
use lab::SiteId;

use crate::run::{Run, shown};

/// Failover while A is alive and primary.
pub(crate) fn failover_while_alive(run: &Run<'_>) -> Result<()> {
    refused(run, &["failover", "--yes"], 4, "peer-still-primary-and-alive")
}

/// Home again before A's stale copies are given up: Ceph would promote them without force.
pub(crate) fn failback_before_reprotect(run: &Run<'_>) -> Result<()> {
    refused(run, &["failback", "--yes"], 7, "both-primary")
}

/// Runs what must be refused by this guard, and compares what the witness sees before and after.
fn refused(run: &Run<'_>, arguments: &[&str], code: i32, guard: &str) -> Result<()> {
    let before = look(run)?;
    let output = run.one_dr_all(arguments, code)?;
    run.check(&format!("guard {guard} holds"), || {
        let named = output.stderr.contains(&format!("[{guard}]"));
        ensure!(named, "`one-dr {}` was not refused by it:\n{}", shown(arguments), output.stderr);
        let after = look(run)?;
        ensure!(before == after, "refused, and yet changed: {before:?} became {after:?}");
        Ok(format!("`one-dr {}` refused with {code}; every role and image as before", shown(arguments)))
    })
}

/// Image id and role of every disk at both sites, by `rbd info`.
fn look(run: &Run<'_>) -> Result<Vec<(SiteId, String, bool)>> {
    let mut seen = Vec::new();
    for site in SiteId::ALL {
        for disk in run.machines.iter().flat_map(|machine| &machine.disks) {
            let info = run.office.site(site).image_info(disk)?;
            seen.push((site, info.id, info.mirroring.is_some_and(|mirroring| mirroring.primary)));
        }
    }
    Ok(seen)
}
