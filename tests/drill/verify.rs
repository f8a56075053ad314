//! What must hold, by witnesses that are none of ours: `rbd info`, checksums of `rbd export`, the guests' own count, the front-ends.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab::{Seen, SiteId, until};
use one_dr::FrontEnd;
use one_dr::frontend::{Power, VmAction};
use opennebula_meta::Vm;
use rbd_mirror::wait;
use tests::office::{LOCAL_POOL, notes};

use crate::relocate::power;
use crate::run::Run;

/// What was written last arrives within seconds.
const ARRIVED_WITHIN: Duration = Duration::from_secs(90);

/// A VM of OpenNebula's that we made carries this.
const STAMP: &str = "ONE_DR_VM";

/// Every disk is primary at a site, and there alone.
pub(crate) fn primary_alone(run: &Run<'_>, site: SiteId) -> Result<()> {
    run.check(&format!("every disk is primary at {site} alone"), || {
        let mut count = 0;
        for disk in run.machines.iter().flat_map(|machine| &machine.disks) {
            for at in SiteId::ALL {
                let mirroring = run.office.site(at).image_info(disk)?.mirroring;
                let mirroring = mirroring.with_context(|| format!("{disk} at {at} is not mirrored"))?;
                ensure!(
                    mirroring.primary == (at == site),
                    "{disk} at {at}: primary is {}",
                    mirroring.primary
                );
            }
            count += 1;
        }
        Ok(format!("{count} disks, by `rbd info` at both sites"))
    })
}

/// Powers the VMs off at `site`, as somebody at the front-end would, compares both sites to the last byte, and powers them on.
pub(crate) fn quiet(run: &Run<'_>, site: SiteId, what: &str) -> Result<()> {
    let vms = run.step("power off, for a comparison", || {
        let vms = vms_at(run, site)?;
        for vm in &vms {
            power(run, site, vm.id(), VmAction::Poweroff, Power::Off)?;
        }
        for disk in run.disks(site)? {
            wait::caught_up(run.pool(site), run.pool(site.other()), &disk.id, ARRIVED_WITHIN)?;
        }
        Ok((vms, "and the last writes have arrived at the other site".to_owned()))
    })?;
    run.check(what, || {
        let mut expected = Vec::new();
        for machine in &run.machines {
            let boot = run.office.guests().last_boot(&machine.name)?;
            for disk in &boot.disks {
                let last = boot.acknowledged(&disk.rbd, notes::now())?;
                expected.push((disk.rbd.clone(), last, disk.stamps().sha256(disk.bytes, last)));
            }
        }
        let writes: u64 = expected.iter().map(|(_, last, _)| last).sum();
        let compare = |at: SiteId| -> Result<()> {
            for (rbd, last, sum) in &expected {
                let found = run.office.site(at).sha256_of_export(rbd)?;
                ensure!(found == *sum, "`rbd export` of {rbd} at {at} is not the writes 1 to {last}");
            }
            Ok(())
        };
        thread::scope(|scope| {
            let sites = SiteId::ALL.map(|at| scope.spawn(move || compare(at)));
            sites.into_iter().try_for_each(|site| match site.join() {
                Ok(compared) => compared,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(format!(
            "{} disks equal at both sites by sha256 of `rbd export`: {writes} writes, none missing, none too many",
            expected.len()
        ))
    })?;
    run.step("power on", || {
        for vm in &vms {
            power(run, site, vm.id(), VmAction::Resume, Power::Running)?;
        }
        Ok(((), "their guests write".to_owned()))
    })
}

/// The VMs of the machines at a site: by name at A, by our stamp at B.
fn vms_at(run: &Run<'_>, site: SiteId) -> Result<Vec<Vm>> {
    let all = run.office.one(site)?.vms()?;
    let mut found = Vec::new();
    for machine in &run.machines {
        let of_machine = |vm: &&Vm| match site {
            SiteId::A => vm.id() == machine.vm,
            SiteId::B => vm.name() == machine.name && stamp(vm).is_some(),
        };
        let mut vms = all.iter().filter(of_machine);
        match (vms.next(), vms.next()) {
            (Some(vm), None) => found.push(vm.clone()),
            (first, second) => bail!("{} at {site}: {first:?} and {second:?}", machine.name),
        }
    }
    Ok(found)
}

fn stamp(vm: &Vm) -> Option<&str> {
    vm.user_template().and_then(|user| user.value(STAMP))
}

/// Nothing of a test: no snapshot, no clone, no VM, no image.
pub(crate) fn no_leftovers(run: &Run<'_>) -> Result<String> {
    for disk in run.machines.iter().flat_map(|machine| &machine.disks) {
        for site in SiteId::ALL {
            // What was removed at the primary is removed at the replica when its journal gets there.
            until("no snapshot is left", ARRIVED_WITHIN, &run.office.folder(), || {
                let snapshots = run.office.site(site).rbd(["snap", "ls", disk])?;
                let none = snapshots.as_array().is_none_or(Vec::is_empty);
                Ok(Seen::when(none, || format!("{disk} at {site} has snapshots {snapshots}")))
            })?;
        }
    }
    let clones = run.office.site(SiteId::B).rbd(["ls", LOCAL_POOL])?;
    ensure!(clones.as_array().is_none_or(Vec::is_empty), "pool {LOCAL_POOL} at B holds {clones}");
    let one = run.office.one(SiteId::B)?;
    let images: Vec<_> = one.images()?.iter().map(|image| image.name().to_owned()).collect();
    let test = |name: &String| name.starts_with("one-dr-drill");
    ensure!(!images.iter().any(test), "OpenNebula at B has images {images:?}");
    let vms: Vec<_> = one.vms()?.iter().map(|vm| vm.name().to_owned()).collect();
    ensure!(!vms.iter().any(test), "OpenNebula at B has VMs {vms:?}");
    Ok("no snapshot, no clone, no image, no VM of it at either site".to_owned())
}

/// Exactly one image for each RBD image at B, one VM for each machine at both sites, nothing else.
pub(crate) fn front_ends(run: &Run<'_>) -> Result<()> {
    run.check("one image per RBD image, one VM per machine, no leftovers", || {
        let mut of_rbd: BTreeMap<String, usize> = BTreeMap::new();
        for image in run.office.one(SiteId::B)?.images()? {
            *of_rbd.entry(image.source()?.to_owned()).or_default() += 1;
        }
        let disks: Vec<_> = run.machines.iter().flat_map(|machine| &machine.disks).collect();
        for disk in &disks {
            let count = of_rbd.get(*disk).copied().unwrap_or(0);
            ensure!(count == 1, "{count} images of OpenNebula at B have the source {disk}");
        }
        ensure!(of_rbd.len() == disks.len(), "images at B: {of_rbd:?}");
        for site in SiteId::ALL {
            let count = run.office.one(site)?.vms()?.len();
            ensure!(count == run.machines.len(), "{count} VMs at {site}");
            vms_at(run, site)?;
        }
        no_leftovers(run)?;
        Ok(format!("{} images and {} VMs at B, the same VMs at A", disks.len(), run.machines.len()))
    })
}
