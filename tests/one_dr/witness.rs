//! What must hold after every command, by witnesses that are none of ours.

use anyhow::{Context, Result, ensure};
use lab::SiteId;
use one_dr::FrontEnd;
use one_dr::frontend::Power;
use tests::office::{Machine, Office};

/// Where each disk of the machines is primary, by `rbd info` at both sites: `one/one-2 a`.
pub(crate) fn roles(office: &Office, machines: &[Machine]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for disk in machines.iter().flat_map(|machine| &machine.disks) {
        let mut primary = Vec::new();
        for site in SiteId::ALL {
            let mirroring = office.site(site).image_info(disk)?.mirroring;
            if mirroring.with_context(|| format!("{disk} at {site} is not mirrored"))?.primary {
                primary.push(site.letter());
            }
        }
        lines.push(format!("{disk} {}", primary.join("+")));
    }
    Ok(lines)
}

/// Every disk is primary at `site` and there alone; every machine runs there, once, and nowhere else.
pub(crate) fn lives_at(office: &Office, machines: &[Machine], site: SiteId) -> Result<()> {
    for line in roles(office, machines)? {
        ensure!(line.ends_with(&format!(" {}", site.letter())), "{line}, and not {site} alone");
    }
    for machine in machines {
        let mut running = Vec::new();
        for at in SiteId::ALL {
            for vm in office.one(at)?.vms()?.iter().filter(|vm| vm.name() == machine.name) {
                if Power::of(vm).may_run() {
                    running.push(format!("{at} {}", Power::of(vm)));
                }
            }
        }
        ensure!(running == [format!("{site} {}", Power::Running)], "{}: {running:?}", machine.name);
    }
    Ok(())
}

/// OpenNebula at B has one image for each disk and one VM for each machine, and nothing else.
pub(crate) fn nothing_twice_at_b(office: &Office, machines: &[Machine]) -> Result<()> {
    let one = office.one(SiteId::B)?;
    let mut sources = Vec::new();
    for image in one.images()? {
        sources.push(image.source()?.to_owned());
    }
    sources.sort();
    let mut disks: Vec<String> = machines.iter().flat_map(|machine| machine.disks.clone()).collect();
    disks.sort();
    ensure!(sources == disks, "images at B: {sources:?}, disks: {disks:?}");
    let names: Vec<String> = one.vms()?.iter().map(|vm| vm.name().to_owned()).collect();
    for machine in machines {
        let count = names.iter().filter(|name| **name == machine.name).count();
        ensure!(count <= 1, "{count} VMs {:?} at B", machine.name);
    }
    Ok(())
}

/// At each start of a machine all was there that had been acknowledged to it since the start before.
pub(crate) fn nothing_lost(office: &Office, machines: &[Machine]) -> Result<()> {
    let boots = office.guests().boots();
    for machine in machines {
        let of: Vec<_> = boots.iter().filter(|boot| boot.name == machine.name).collect();
        for pair in of.windows(2) {
            for disk in &pair[1].disks {
                let wanted = pair[0].acknowledged(&disk.rbd, pair[1].up)?;
                ensure!(
                    disk.held >= wanted,
                    "{}: {} held {} writes at {}, and {wanted} were acknowledged at {}",
                    machine.name,
                    disk.rbd,
                    disk.held,
                    pair[1].site,
                    pair[0].site
                );
            }
        }
    }
    Ok(())
}
