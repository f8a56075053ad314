//! The drill under way: both sites, what is expected of their daemons, and the checks that come after every change.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use lab::{Daemon, Lab, Site, SiteId, State};
use rbd_mirror::pair::Pair;
use rbd_mirror::{Pool, Role};
use tests::connect;
use tests::stamped::Found;

use crate::disk::Disk;
use crate::report::Report;

/// One site as the drill has it: our library's view, and the witness's.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) id: SiteId,
    pub(crate) pool: Pool,
    pub(crate) witness: Site,
}

impl Party {
    fn verify(&self, disk: &Disk, primary: SiteId) -> Result<()> {
        let (site, path) = (self.id, disk.path());
        let mirroring = self.witness.image_info(&path)?.mirroring;
        let mirroring = mirroring.with_context(|| format!("{path} at {site} is not mirrored"))?;
        let is = if mirroring.primary { "" } else { " not" };
        ensure!(mirroring.primary == (site == primary), "{path} at {site} is{is} primary, by `rbd info`");
        let same = mirroring.global_id.as_deref() == Some(disk.id.as_str());
        ensure!(same, "{path} at {site} has another global id than at the start");
        if self.witness.sha256_of_export(&path)? != disk.stamps.sha256(disk.bytes, disk.written) {
            let (found, written) = (self.read(disk)?, disk.written);
            bail!("{path} at {site} holds {found}, and {written} were acknowledged (`rbd export` differs)");
        }
        Ok(())
    }

    /// What this site's copy of a disk holds.
    pub(crate) fn read(&self, disk: &Disk) -> Result<Found> {
        let image = self.pool.open_by_global_id_read_only(&disk.id)?;
        Ok(disk.stamps.read(&image)?)
    }
}

/// The drill under way.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) report: &'a Report,
    pub(crate) a: Party,
    pub(crate) b: Party,
    /// Sites that the drill itself has put out of action.
    down: RefCell<BTreeSet<SiteId>>,
}

impl<'a> Run<'a> {
    /// Connects our library to both sites.
    pub(crate) fn connect(lab: &'a Lab, report: &'a Report, pool: &str) -> Result<Self> {
        let party = |id| -> Result<Party> {
            let witness = lab.site(id);
            Ok(Party { id, pool: connect::pool(&witness, pool)?, witness })
        };
        let (a, b) = report.step("connect to both", || {
            let (a, b) = (party(SiteId::A)?, party(SiteId::B)?);
            let detail = format!("A is {}, B is {}", a.pool.cluster().fsid(), b.pool.cluster().fsid());
            Ok(((a, b), detail))
        })?;
        Ok(Self { lab, report, a, b, down: RefCell::default() })
    }

    pub(crate) fn party(&self, site: SiteId) -> &Party {
        match site {
            SiteId::A => &self.a,
            SiteId::B => &self.b,
        }
    }

    /// Both sites, seen from `site`.
    pub(crate) fn pair(&self, site: SiteId) -> Pair {
        Pair::new(&self.party(site).pool, &self.party(site.other()).pool)
    }

    /// Begins a stage, if all daemons that should run do.
    pub(crate) fn stage(&self, name: &str) -> Result<()> {
        self.report.stage(name);
        self.all_daemons_run()
    }

    /// Does a step, if all daemons that should run do.
    pub(crate) fn step<T>(&self, step: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        self.report.step(step, || {
            self.all_daemons_run()?;
            work()
        })
    }

    /// The drill is about to put a site out of action, or has brought it back.
    pub(crate) fn expect_down(&self, site: SiteId, down: bool) {
        let mut sites = self.down.borrow_mut();
        if down {
            sites.insert(site);
        } else {
            sites.remove(&site);
        }
    }

    /// Fails if a daemon does not run that the drill has not ended itself.
    pub(crate) fn all_daemons_run(&self) -> Result<()> {
        for site in SiteId::ALL {
            if self.down.borrow().contains(&site) {
                continue;
            }
            for daemon in Daemon::ALL {
                let state = self.lab.state(site, daemon);
                ensure!(
                    state == State::Running,
                    "{daemon} of {site} is {state:?}, and this drill has not ended it: see its log in {}",
                    self.lab.logs().display()
                );
            }
        }
        Ok(())
    }

    /// Checks all disks: primary at `primary` and there alone, the same data at both sites, and exactly the writes that were
    /// acknowledged. Roles and checksums come from the witness, what they should be from our own count.
    pub(crate) fn verify(&self, disks: &[Disk], primary: SiteId) -> Result<()> {
        let parties = [&self.a, &self.b];
        thread::scope(|scope| {
            let check =
                |disk| scope.spawn(move || parties.iter().try_for_each(|party| party.verify(disk, primary)));
            let checks: Vec<_> = disks.iter().map(check).collect();
            checks.into_iter().try_for_each(|check| match check.join() {
                Ok(checked) => checked,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Fails unless the disk's role at a site is as expected, by our library.
    pub(crate) fn expect_primary(&self, disk: &Disk, site: SiteId, primary: bool) -> Result<()> {
        let role = self.party(site).pool.open_by_global_id_read_only(&disk.id)?.role()?;
        let fits = matches!((&role, primary), (Role::Primary(_), true) | (Role::NonPrimary(_), false));
        ensure!(fits, "{} at {site} is {role}", disk.name);
        Ok(())
    }
}
