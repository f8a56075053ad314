//! Stage: machines at A, and both directions of mirroring, set up by the command.

use anyhow::{Result, ensure};
use lab::SiteId;
use tests::office::{HOME_POOL, Office};

use crate::report::Report;
use crate::run::Run;

pub(crate) fn stage<'a>(office: &'a Office, report: &'a Report) -> Result<Run<'a>> {
    let machines = report.step("make two VMs at A", || {
        let machines = office.make_machines()?;
        let disks: usize = machines.iter().map(|machine| machine.disks.len()).sum();
        let detail = format!(
            "through OpenNebula: erp-app on a clone, a persistent and a volatile disk, ledger on a persistent image; {disks} real disks, \
             being written"
        );
        Ok((machines, detail))
    })?;
    let run = Run::new(office, report, machines)?;
    run.stage("set-up")?;
    run.one_dr(&["init", "--yes"], 0)?;
    run.step("both daemons have noticed", || {
        office.await_daemons()?;
        Ok(((), "rbd-mirror of A and of B well by its own account".to_owned()))
    })?;
    run.check("one peer each, both ways", || {
        for site in SiteId::ALL {
            let peers = office.site(site).pool_info(HOME_POOL)?["peers"].clone();
            let one = peers.as_array().filter(|peers| peers.len() == 1).and_then(|peers| peers.first());
            ensure!(
                one.is_some_and(|peer| peer["direction"] == "rx-tx"),
                "`rbd mirror pool info` at {site} shows {peers}"
            );
        }
        Ok("by `rbd mirror pool info` at both sites".to_owned())
    })?;
    let again = run.one_dr(&["init", "--yes"], 0)?;
    run.check("init changes nothing the second time", || {
        let skipped = again.stderr.matches("already").count();
        for site in SiteId::ALL {
            let peers = office.site(site).pool_info(HOME_POOL)?["peers"].as_array().map_or(0, Vec::len);
            ensure!(peers == 1, "{site} has {peers} peers now:\n{}", again.stderr);
        }
        Ok(format!("still one peer each; {skipped} steps were so already"))
    })?;
    Ok(run)
}
