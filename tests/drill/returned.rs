//! Stage: A comes back as a second primary. It is recognised, quarantined and given up by `reprotect`, and the work goes home.

use anyhow::{Result, ensure};
use lab::SiteId;
use tests::office::HOME_POOL;

use crate::guards;
use crate::protect::await_status;
use crate::relocate::{home, under_load};
use crate::run::Run;
use crate::verify;

pub(crate) fn stage(run: &Run<'_>) -> Result<()> {
    run.stage("A returns")?;
    run.step("A comes back", || {
        run.office.bring_back(SiteId::A)?;
        run.expect_down(SiteId::A, false);
        run.office.await_daemons()?;
        Ok(((), "its daemons run and answer; its front-end remembers VMs that ran".to_owned()))
    })?;
    run.check("two primaries are recognised, which Ceph calls well", || {
        for site in SiteId::ALL {
            for disk in run.machines.iter().flat_map(|machine| &machine.disks) {
                let primary = run.office.site(site).image_info(disk)?.mirroring.is_some_and(|it| it.primary);
                ensure!(primary, "{disk} at {site} is not primary");
            }
        }
        let health = run.office.site(SiteId::B).pool_status(HOME_POOL)?["summary"]["image_health"].clone();
        Ok(format!(
            "each disk primary at both sites by `rbd info`; `rbd mirror pool status` at B says {health}"
        ))
    })?;
    await_status(run, 7)?;
    guards::failback_before_reprotect(run)?;
    run.one_dr_all(&["reprotect", "--yes"], 0)?;
    verify::primary_alone(run, SiteId::B)?;
    run.check("no machine runs at A, those at B went on", || {
        let at_a = run.office.guests().running(SiteId::A);
        ensure!(at_a.is_empty(), "guests of VMs {at_a:?} run at A");
        let at_b = run.office.guests().running(SiteId::B);
        ensure!(at_b.len() == run.machines.len(), "guests at B: VMs {at_b:?}");
        Ok(format!("{} guests, all at B", at_b.len()))
    })?;
    under_load(run)?;
    run.stage("failback")?;
    home(run)?;
    await_status(run, 0)
}
