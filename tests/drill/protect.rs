//! Stage: the machines are protected while they write, and the proof is at the other site.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Seen, SiteId, until};
use serde_json::Value;

use crate::guards;
use crate::run::Run;

/// A status text is written every 30 s.
const REPORTED_WITHIN: Duration = Duration::from_secs(120);

pub(crate) fn stage(run: &Run<'_>) -> Result<()> {
    run.stage("protect")?;
    run.one_dr_all(&["plan", "--detailed-exitcode", "protect"], 2)?;
    run.one_dr_all(&["protect", "--yes"], 0)?;
    run.check("B has every disk, and A's have no parent left", || {
        let mut count = 0;
        for disk in run.machines.iter().flat_map(|machine| &machine.disks) {
            let (here, there) =
                (run.office.site(SiteId::A).image_info(disk)?, run.office.site(SiteId::B).image_info(disk)?);
            ensure!(here.parent.is_none(), "{disk} still has the parent {:?}", here.parent);
            ensure!(here.mirroring.is_some_and(|it| it.primary), "{disk} is not primary at A");
            ensure!(there.mirroring.is_some_and(|it| !it.primary), "{disk} is no replica at B");
            count += 1;
        }
        Ok(format!("{count} disks, by `rbd info` at both sites"))
    })?;
    run.one_dr(&["capture"], 0)?;
    await_status(run, 0)?;
    run.one_dr(&["doctor"], 0)?;
    guards::failover_while_alive(run)
}

/// Waits until `status --check` ends with this exit code: what it reads is up to 40 s old. Then it is run once more, for the record.
pub(crate) fn await_status(run: &Run<'_>, code: i32) -> Result<()> {
    run.step(&format!("until status --check says {code}"), || {
        let output = until("status --check settles", REPORTED_WITHIN, &run.office.folder(), || {
            let spawned = run.office.spawn(&["status", "--check", "-o", "json"]);
            Ok(match spawned.and_then(|spawned| spawned.end(REPORTED_WITHIN)) {
                Ok(output) if output.code == Some(code) => Seen::Done(output),
                Ok(output) => Seen::NotYet(format!("{:?}: {}", output.code, output.stdout)),
                Err(error) => Seen::NotYet(format!("{error:#}")),
            })
        })?;
        let seen: Value = output.json()?;
        let vms = seen["vms"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let word = |vm: &Value| format!("{}: {}", text(&vm["name"]), text(&vm["state"]));
        Ok(((), vms.iter().map(word).collect::<Vec<_>>().join(", ")))
    })?;
    run.one_dr(&["status", "--check"], code).map(drop)
}
