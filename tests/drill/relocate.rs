//! Stage: a planned move by a plan that was kept, the way home, and a test beside production.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Seen, SiteId, until};
use one_dr::FrontEnd;
use one_dr::frontend::{Power, VmAction};
use opennebula_meta::id::VmId;
use tests::office::{LOCAL_POOL, notes};

use crate::run::Run;
use crate::verify;

/// OpenNebula's own time for a VM, on a busy machine.
const POWER_WITHIN: Duration = Duration::from_secs(60);

/// Writes of every guest before something is done to it.
const WRITES: u64 = 40;

const WRITES_WITHIN: Duration = Duration::from_secs(90);

pub(crate) fn stage(run: &Run<'_>) -> Result<()> {
    run.stage("planned move")?;
    run.one_dr_all(&["plan", "relocate", "-o", "stale.plan"], 0)?;
    let ledger = run.machines.last().map_or(VmId(1), |machine| machine.vm);
    run.step("somebody powers a VM off", || {
        power(run, SiteId::A, ledger, VmAction::Poweroff, Power::Off)?;
        Ok(((), "so the plan is of a world that is no more".to_owned()))
    })?;
    let refused = run.one_dr(&["apply", "--yes", "stale.plan"], 4)?;
    run.check("a stale plan is not carried out", || {
        let refusal = refused.stderr.lines().find(|line| line.starts_with("REFUSED [plan-stale]"));
        Ok(refusal.with_context(|| format!("not refused by it:\n{}", refused.stderr))?.to_owned())
    })?;
    verify::primary_alone(run, SiteId::A)?;
    run.step("and on again", || {
        power(run, SiteId::A, ledger, VmAction::Resume, Power::Running)?;
        Ok(((), "its guest found every write that was acknowledged".to_owned()))
    })?;
    under_load(run)?;
    run.one_dr_all(&["plan", "relocate", "-o", "move.plan"], 0)?;
    run.one_dr(&["apply", "--yes", "move.plan"], 0)?;
    arrived(run, SiteId::B)?;

    run.stage("home again")?;
    home(run)
}

/// Everything from B to A by `failback`, with proof.
pub(crate) fn home(run: &Run<'_>) -> Result<()> {
    under_load(run)?;
    run.one_dr_all(&["failback", "--yes"], 0)?;
    arrived(run, SiteId::A)?;
    verify::quiet(run, SiteId::A, "A is primary alone, B holds the same")
}

/// Every guest has written since it was started.
pub(crate) fn under_load(run: &Run<'_>) -> Result<()> {
    run.step("every guest writes", || {
        for machine in &run.machines {
            run.office.guests().await_writes(&machine.name, WRITES, WRITES_WITHIN)?;
        }
        Ok(((), format!("{WRITES} writes and more on each disk since its start")))
    })
}

/// The guests run at a site, and what they found there is all that was acknowledged before.
fn arrived(run: &Run<'_>, site: SiteId) -> Result<()> {
    verify::primary_alone(run, site)?;
    run.check(&format!("the VMs run at {site}, and no write is lost"), || {
        let mut held = 0;
        for machine in &run.machines {
            let boot = run.office.guests().last_boot(&machine.name)?;
            ensure!(boot.site == site, "{} was started last at {}", machine.name, boot.site);
            let losses = run.office.losses(&machine.name, notes::now())?;
            ensure!(losses.missing() == 0, "lost by a planned move: {losses:?}");
            held += losses.disks.len();
        }
        let other = run.office.guests().running(site.other());
        ensure!(other.is_empty(), "guests still run at {}: VMs {other:?}", site.other());
        Ok(format!("{held} disks, each with every write that its guest at {} had acknowledged", site.other()))
    })
}

/// Sends a VM somewhere, as somebody at the front-end would, and waits until it is there.
pub(crate) fn power(run: &Run<'_>, site: SiteId, vm: VmId, action: VmAction, wanted: Power) -> Result<()> {
    let one = run.office.one(site)?;
    one.act(vm, action)?;
    until("the VM is where it was sent", POWER_WITHIN, &run.office.folder(), || {
        let power = one.vm(vm).ok().flatten().as_ref().map(Power::of);
        Ok(Seen::when(power == Some(wanted), || format!("VM {vm} is {power:?}")))
    })?;
    Ok(())
}

/// `one-dr drill`: clones of the replicas, apart, and nothing left of them.
pub(crate) fn test_beside_production(run: &Run<'_>) -> Result<()> {
    run.stage("test beside production")?;
    under_load(run)?;
    let before: Vec<_> =
        run.machines.iter().map(|machine| written(run, &machine.name)).collect::<Result<_>>()?;
    let erp = run.names().first().copied().unwrap_or_default().to_owned();
    let boots = run.office.guests().boots().len();
    run.one_dr(&["drill", "--yes", &erp], 0)?;
    run.check("the test VM ran on clones at B", || {
        let boots = run.office.guests().boots().split_off(boots);
        let [boot] = boots.as_slice() else { anyhow::bail!("{} guests were started", boots.len()) };
        ensure!(boot.site == SiteId::B, "it ran at {}", boot.site);
        let apart = boot.disks.iter().all(|disk| disk.rbd.starts_with(&format!("{LOCAL_POOL}/")));
        ensure!(apart, "it ran on {:?}", boot.disks);
        Ok(format!("{} disks of {}, in pool {LOCAL_POOL}, written to", boot.disks.len(), boot.name))
    })?;
    run.check("production went on, and nothing is left of the test", || {
        for (machine, before) in run.machines.iter().zip(before) {
            let now = written(run, &machine.name)?;
            ensure!(now > before, "{} wrote nothing during the test", machine.name);
        }
        verify::no_leftovers(run)
    })?;
    verify::primary_alone(run, SiteId::A)
}

fn written(run: &Run<'_>, machine: &str) -> Result<u64> {
    let boot = run.office.guests().last_boot(machine)?;
    boot.disks.iter().map(|disk| boot.acknowledged(&disk.rbd, notes::now())).sum()
}
