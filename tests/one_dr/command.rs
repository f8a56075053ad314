//! The command on two whole sites, from nothing to protected machines.

use anyhow::{Result, ensure};
use lab::SiteId;
use serde_json::Value;
use tests::office::Office;

/// Goal: what README shows first works as it is written there. Method: the binary, real sites, machines that write all the while.
#[test]
fn two_sites_are_set_up_and_machines_protected_while_they_write() -> Result<()> {
    let office = Office::up("command")?;
    let machines = office.make_machines()?;
    let begun = office.init()?;
    ensure!(begun.run()?.starts_with("20"), "the run's name comes first: {}", begun.stdout);
    office.one_dr(&["protect", "--yes", "erp-app", "ledger"])?.expect(0)?;
    let status: Value = office.one_dr(&["status", "-o", "json"])?.expect(0)?.json()?;
    let vms = status["vms"].as_array().map_or(&[][..], Vec::as_slice);
    ensure!(vms.len() == machines.len(), "{status:#}");
    for disk in machines.iter().flat_map(|machine| &machine.disks) {
        for (site, primary) in [(SiteId::A, true), (SiteId::B, false)] {
            let mirroring = office.site(site).image_info(disk)?.mirroring;
            ensure!(
                mirroring.as_ref().is_some_and(|it| it.primary == primary),
                "{disk} at {site}: {mirroring:?}"
            );
        }
    }
    for machine in &machines {
        office.guests().await_writes(&machine.name, 10, std::time::Duration::from_secs(30))?;
    }
    Ok(())
}
