//! What OpenNebula's Ceph drivers do, on a real site: `tm/ceph` makes and removes disks, and the "hypervisor" is a
//! [guest](super::guests) on them. They do it as the real ones do, adopting what is there already among it.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lab::Site;
use lab::front_end::{Hook, Work, WorkKind};

use super::guests::Guests;

/// A disk to be made or removed.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    /// `pool/image`
    pub(super) rbd: String,
    /// The image that it is a clone of.
    pub(super) cloned_from: Option<String>,
    /// What a volatile disk is made of.
    pub(super) size_mib: Option<i64>,
}

impl From<&lab::front_end::Disk> for Disk {
    fn from(disk: &lab::front_end::Disk) -> Self {
        Self { rbd: disk.rbd.clone(), cloned_from: disk.cloned_from.clone(), size_mib: disk.size_mib }
    }
}

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

    /// Makes what is missing of a machine's disks, and starts it.
    pub(super) fn run(&self, vm: i32, name: &str, disks: &[Disk]) -> Result<()> {
        disks.iter().try_for_each(|disk| self.make(disk))?;
        let names: Vec<_> = disks.iter().map(|disk| disk.rbd.clone()).collect();
        self.guests.boot(&self.site, vm, name, &names)
    }

    /// The guests that the drivers start.
    pub(super) fn guests(&self) -> &Guests {
        &self.guests
    }

    /// The drivers' site.
    pub(super) fn site(&self) -> lab::SiteId {
        self.site.id()
    }

    fn work(&self, work: &Work) -> Result<()> {
        let disks: Vec<Disk> = work.disks.iter().map(Into::into).collect();
        match work.kind {
            WorkKind::Prolog => disks.iter().try_for_each(|disk| self.make(disk)),
            WorkKind::Deploy | WorkKind::Restore => {
                let names: Vec<_> = disks.iter().map(|disk| disk.rbd.clone()).collect();
                self.guests.boot(&self.site, work.id, &work.name, &names)
            }
            WorkKind::Shutdown | WorkKind::Save => self.guests.shut_down(self.site.id(), work.id),
            WorkKind::Cancel => {
                self.guests.kill(self.site.id(), work.id);
                Ok(())
            }
            WorkKind::Epilog => disks.iter().try_for_each(|disk| self.remove(disk)),
            WorkKind::Delete => {
                self.guests.kill(self.site.id(), work.id);
                disks.iter().try_for_each(|disk| self.remove(disk))
            }
            WorkKind::RemoveImage => disks.iter().try_for_each(|disk| self.remove_all_of(&disk.rbd)),
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
