//! What OpenNebula's Ceph drivers do, on a real site: `tm/ceph` makes and removes disks, and the "hypervisor" is a
//! [guest](super::guests) on them. They do it as the real ones do, adopting what is there already among it.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lab::Site;
use lab::front_end::{Disk, Hook, Work, WorkKind};

use super::guests::Guests;

/// The drivers of a site.
#[derive(Clone, Debug)]
pub(super) struct Drivers {
    site: Site,
    guests: Arc<Guests>,
}

impl Drivers {
    /// Of a site, with its guests.
    pub(super) fn new(site: Site, guests: Arc<Guests>) -> Self {
        Self { site, guests }
    }

    /// As a hook for the stand-in.
    pub(super) fn hook(self) -> Hook {
        Hook::new(move |work| self.work(work).map_err(|error| format!("{error:#}")))
    }

    fn work(&self, work: &Work) -> Result<()> {
        match work.kind {
            WorkKind::Prolog => work.disks.iter().try_for_each(|disk| self.make(disk)),
            WorkKind::Deploy | WorkKind::Restore => {
                let disks: Vec<_> = work.disks.iter().map(|disk| disk.rbd.clone()).collect();
                self.guests.boot(&self.site, work.id, &work.name, &disks)
            }
            WorkKind::Shutdown | WorkKind::Save => self.guests.shut_down(self.site.id(), work.id),
            WorkKind::Cancel => {
                self.guests.kill(self.site.id(), work.id);
                Ok(())
            }
            WorkKind::Epilog => work.disks.iter().try_for_each(|disk| self.remove(disk)),
            WorkKind::Delete => {
                self.guests.kill(self.site.id(), work.id);
                work.disks.iter().try_for_each(|disk| self.remove(disk))
            }
            WorkKind::RemoveImage => work.disks.iter().try_for_each(|disk| self.remove_all_of(&disk.rbd)),
            other => bail!("no driver for {}", other.word()),
        }
    }

    /// `tm/ceph/clone`, `mkimage` and `ln`.
    fn make(&self, disk: &Disk) -> Result<()> {
        let there = self.site.image_exists(&disk.rbd)?;
        match (&disk.cloned_from, is_volatile(disk)) {
            // As the driver does: what is there is adopted, whatever it is.
            (Some(_), _) | (None, true) if there => {}
            (Some(base), _) => {
                let snapshot = format!("{base}@snap");
                if self.site.rbd(["snap", "ls", base])?.as_array().is_none_or(Vec::is_empty) {
                    self.site.rbd_text(["snap", "create", &snapshot])?;
                    self.site.rbd_text(["snap", "protect", &snapshot])?;
                }
                self.site.rbd_text(["clone", &snapshot, &disk.rbd])?;
            }
            (None, true) => {
                let size = disk.size_mib.context("a volatile disk without SIZE")?;
                self.site.rbd_text(["create", &disk.rbd, "--size", &format!("{size}M")])?;
            }
            (None, false) if !there => bail!("{} is not in the pool", disk.rbd),
            (None, false) => {}
        }
        Ok(())
    }

    /// `tm/ceph/delete`: what was made for the machine goes; a persistent image stays.
    fn remove(&self, disk: &Disk) -> Result<()> {
        if (disk.cloned_from.is_some() || is_volatile(disk)) && self.site.image_exists(&disk.rbd)? {
            self.remove_all_of(&disk.rbd)?;
        }
        Ok(())
    }

    /// `rbd_rm_r`: with its snapshots.
    fn remove_all_of(&self, rbd: &str) -> Result<()> {
        for snapshot in self.site.rbd(["snap", "ls", rbd])?.as_array().into_iter().flatten() {
            let name = format!("{rbd}@{}", snapshot["name"].as_str().unwrap_or_default());
            if snapshot["protected"] == "true" {
                self.site.rbd_text(["snap", "unprotect", &name])?;
            }
            self.site.rbd_text(["snap", "rm", &name])?;
        }
        self.site.rbd_text(["rm", rbd, "--no-progress"])?;
        Ok(())
    }
}

fn is_volatile(disk: &Disk) -> bool {
    disk.rbd.split_once('/').is_some_and(|(_, name)| name.starts_with("one-sys-"))
}
