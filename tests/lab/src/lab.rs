//! A lab: up, down, and the disasters.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::backend::Backend;
use crate::between::{self, Fault};
use crate::bring_up;
use crate::containers::Containers;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::guardian::Guardian;
use crate::lock::Lock;
use crate::options::{Options, Owner};
use crate::processes::{DaemonStatus, Processes, State};
use crate::record::Record;
use crate::registry;
use crate::site::{Daemon, SiteId};
use crate::tool::{Group, Tool, require_client, require_installed};
use crate::witness::Site;

/// How long another `up` or `down` of the same lab is waited for.
const LOCK_MAX: Duration = Duration::from_secs(180);
/// How long sites may take to get healthy: 20 s suffice on two cores, a busy machine gets more.
const HEALTHY_MAX: Duration = Duration::from_secs(120);
/// An OSD frozen for longer may stay laggy after the thaw: seen from 16 s on, with operations stuck for 500 s.
const FROZEN_LONG: Duration = Duration::from_secs(8);

/// What a teardown leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teardown {
    /// Nothing.
    Everything,
    /// The logs, to see why.
    KeepLogs,
    /// All but the processes: [`Lab::up`] goes on with the data.
    KeepData,
}

/// Two sites. One that this process owns goes down when dropped, and when the process ends.
#[derive(Debug)]
pub struct Lab {
    directory: Directory,
    record: Record,
    processes: Processes,
    /// Present as long as the lab is this process's own.
    guardian: Mutex<Option<Guardian>>,
    tools: Group,
}

impl Lab {
    /// Brings a lab up: from nothing, from kept data, or from whatever a crashed run has left. Up already, it stays.
    ///
    /// Returns when both sites are healthy and, under [`Peering::Full`](crate::Peering::Full), peered.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] without Ceph; [`Error::InUse`] if another living process owns the lab;
    /// [`Error::OtherOptions`] if it was made otherwise; [`Error::NotALab`] if the directory is somebody else's.
    pub fn up(options: Options) -> Result<Self> {
        match options.backend {
            Backend::Processes => require_installed()?,
            Backend::Containers { .. } => require_client()?,
        }
        registry::reap()?;
        let directory = Directory::new(&options.dir)?;
        let lock = Lock::acquire(&directory.lock(), LOCK_MAX)?;
        directory.check_ours()?;
        let kept = Self::kept(&directory, &lock, &options)?;
        let is_new = kept.is_none();
        let record = match kept {
            Some(record) => record,
            None => registry::claim(&directory, |port| Record::new(options, port))?,
        };
        let lab = Self::with(directory, record)?;
        let result = if is_new { bring_up::make(&lab) } else { bring_up::resume(&lab) };
        match result {
            Ok(()) => Ok(lab),
            Err(error) => {
                // Whoever wants to know why needs the logs; `lab` being dropped would take them away.
                lab.dismiss_guardian();
                if is_new {
                    take_down(&lab.directory, &lock, Teardown::KeepLogs)?;
                }
                Err(error)
            }
        }
    }

    /// The record of a lab that `up` can go on with. What a crashed run has left is cleared away.
    fn kept(directory: &Directory, lock: &Lock, options: &Options) -> Result<Option<Record>> {
        let record = Record::read(directory);
        if let Some(record) = &record {
            let owner = record.owner().filter(|owner| owner.life().is_some());
            if let Some(owner) = owner {
                return Err(Error::InUse { dir: directory.path().to_owned(), pid: owner.pid() });
            }
            if directory.made().exists() && !record.is_orphan() {
                if record.options != (Options { dir: record.options.dir.clone(), ..options.clone() }) {
                    return Err(Error::OtherOptions { dir: directory.path().to_owned() });
                }
                return Ok(Some(record.clone()));
            }
        }
        take_down_contents(directory, lock, Teardown::Everything)?;
        Ok(None)
    }

    /// The lab in a directory, as it is.
    ///
    /// # Errors
    /// [`Error::NoLab`] if there is none.
    pub fn open(dir: &Path) -> Result<Self> {
        let directory = Directory::new(dir)?;
        let mut record =
            Record::read(&directory).ok_or_else(|| Error::NoLab { dir: directory.path().to_owned() })?;
        // Opening is not owning: dropping this handle leaves the lab alone.
        record.disown();
        Self::with(directory, record)
    }

    fn with(directory: Directory, record: Record) -> Result<Self> {
        let guardian = match (record.options.owner, record.owner()) {
            (Owner::Process, Some(owner)) => Some(Guardian::post(&directory, &record, owner)?),
            _ => None,
        };
        let (processes, tools) = (Processes::new(&directory, Some(&record))?, Group::default());
        tools.set(guardian.as_ref().map(Guardian::group));
        Ok(Self { directory, record, processes, guardian: Mutex::new(guardian), tools })
    }

    /// A site, to be asked and worked on.
    #[must_use]
    pub fn site(&self, site: SiteId) -> Site {
        Site::new(&self.directory, site, &self.tools)
    }

    /// Where everything of the lab lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// Where the daemons' logs are.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.directory.log()
    }

    /// What the lab is made of.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.record.options
    }

    /// What each daemon does.
    #[must_use]
    pub fn status(&self) -> Vec<DaemonStatus> {
        let of = |site| Daemon::ALL.map(|daemon| self.processes.status(site, daemon));
        SiteId::ALL.into_iter().flat_map(of).collect()
    }

    /// Starts daemons of a site that do not run. Returns when they answer.
    pub fn start(&self, site: SiteId, daemons: &[Daemon]) -> Result<()> {
        for daemon in in_order(daemons) {
            self.start_only(site, daemon)?;
        }
        in_order(daemons).try_for_each(|daemon| self.await_answer(site, daemon, HEALTHY_MAX))
    }

    /// Ends daemons of a site in good order.
    pub fn stop(&self, site: SiteId, daemons: &[Daemon]) -> Result<()> {
        in_order(daemons).rev().try_for_each(|daemon| self.processes.stop_all(&[(site, daemon)]))
    }

    /// Ends daemons of a site at once: a power cut.
    pub fn kill(&self, site: SiteId, daemons: &[Daemon]) -> Result<()> {
        let daemons: Vec<_> = in_order(daemons).rev().map(|daemon| (site, daemon)).collect();
        self.processes.kill_all(&daemons)
    }

    /// Makes daemons of a site stand still: connections stay, nothing answers.
    pub fn freeze(&self, site: SiteId, daemons: &[Daemon]) -> Result<()> {
        in_order(daemons).rev().try_for_each(|daemon| self.processes.freeze(site, daemon))
    }

    /// Lets frozen daemons go on. An OSD that was frozen for long is marked down once, so that it rejoins in order;
    /// this returns when it has.
    pub fn thaw(&self, site: SiteId, daemons: &[Daemon]) -> Result<()> {
        let mut rejoin = false;
        for daemon in in_order(daemons) {
            let frozen_for = self.processes.thaw(site, daemon)?;
            rejoin |= daemon == Daemon::Osd && frozen_for.is_some_and(|time| time >= FROZEN_LONG);
        }
        if rejoin && self.state(site, Daemon::Mon) == State::Running {
            self.site(site).ceph_text(["osd", "down", "0"])?;
            self.wait_osd_up(site, HEALTHY_MAX)?;
        }
        Ok(())
    }

    /// Cuts the sites from each other: what one sends to the other vanishes. Clients of this machine reach both.
    ///
    /// # Errors
    /// [`Error::NoCut`] where the sites are plain processes and this process may not filter packets.
    pub fn cut(&self) -> Result<()> {
        self.between(Some(Fault::Cut))
    }

    /// Lets so many of a hundred packets between the sites get lost, in each direction.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn lose(&self, percent: u8) -> Result<()> {
        self.between(Some(Fault::Loss(percent)))
    }

    /// Mends the way between the sites. What was whole stays so.
    pub fn heal(&self) -> Result<()> {
        if self.directory.between().exists() { self.between(None) } else { Ok(()) }
    }

    fn between(&self, fault: Option<Fault>) -> Result<()> {
        between::set(&self.directory, &self.record, self.containers(), fault)
    }

    /// What a daemon does.
    #[must_use]
    pub fn state(&self, site: SiteId, daemon: Daemon) -> State {
        self.processes.state(site, daemon)
    }

    /// Waits until a site's OSD is up by its own account and by the monitor's.
    pub fn wait_osd_up(&self, site: SiteId, within: Duration) -> Result<()> {
        bring_up::await_osd(self, site, within)
    }

    /// Waits until both sites are healthy with all the daemons that belong up, and peered if the lab is to be.
    pub fn wait_healthy(&self, within: Duration) -> Result<()> {
        bring_up::await_healthy(self, within)
    }

    /// Takes the lab down.
    pub fn down(self, teardown: Teardown) -> Result<()> {
        let lock = Lock::acquire(&self.directory.lock(), LOCK_MAX)?;
        let result = take_down(&self.directory, &lock, teardown);
        self.dismiss_guardian();
        result
    }

    /// Leaves the lab up when this process ends, for somebody to look at. Returns its directory.
    pub fn keep(mut self) -> Result<PathBuf> {
        self.record.disown();
        self.record.write(&self.directory)?;
        self.dismiss_guardian();
        Ok(self.directory.path().to_owned())
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Starts a daemon without waiting for its answer.
    pub(crate) fn start_only(&self, site: SiteId, daemon: Daemon) -> Result<()> {
        self.processes.start(site, daemon)
    }

    pub(crate) fn await_answer(&self, site: SiteId, daemon: Daemon, within: Duration) -> Result<()> {
        bring_up::await_answer(self, site, daemon, within)
    }

    pub(crate) fn containers(&self) -> Option<&Containers> {
        self.processes.containers()
    }

    /// A tool of a site's own release that ends when the lab's owner does.
    pub(crate) fn site_tool(&self, site: SiteId, program: &'static str) -> Tool {
        let tool = match self.containers() {
            Some(containers) => containers.tool(site, program),
            None => Tool::new(program),
        };
        tool.group(&self.tools)
    }

    fn dismiss_guardian(&self) {
        self.tools.set(None);
        let guardian = self.guardian.lock().map(|mut guardian| guardian.take());
        if let Ok(Some(guardian)) = guardian {
            guardian.dismiss();
        }
    }

    fn is_guarded(&self) -> bool {
        self.guardian.lock().is_ok_and(|guardian| guardian.is_some())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.is_guarded() {
            return;
        }
        let teardown = if thread::panicking() { Teardown::KeepLogs } else { Teardown::Everything };
        let down = Lock::acquire(&self.directory.lock(), LOCK_MAX)
            .and_then(|lock| take_down(&self.directory, &lock, teardown));
        match (down, teardown) {
            (Err(error), _) => eprintln!("lab in {}: {error}", self.directory.path().display()),
            (Ok(()), Teardown::KeepLogs) => {
                eprintln!("the lab's logs are in {}", self.directory.log().display());
            }
            (Ok(()), _) => {}
        }
        self.dismiss_guardian();
    }
}

/// The daemons that are asked for, each once, in the order in which daemons start.
fn in_order(daemons: &[Daemon]) -> impl DoubleEndedIterator<Item = Daemon> {
    Daemon::ALL.into_iter().filter(|daemon| daemons.contains(daemon))
}

/// Takes the lab in `directory` down, whose lock the caller holds.
pub(crate) fn take_down(directory: &Directory, lock: &Lock, teardown: Teardown) -> Result<()> {
    take_down_contents(directory, lock, teardown)?;
    if teardown != Teardown::KeepData {
        directory.remove()?;
        registry::release(directory)?;
    }
    Ok(())
}

/// Ends the daemons and removes their files; the lock stays.
fn take_down_contents(directory: &Directory, _held: &Lock, teardown: Teardown) -> Result<()> {
    let record = Record::read(directory);
    let processes = match Processes::new(directory, record.as_ref()) {
        // Its containers are gone with the engine, or come back with it, to no harm: the next lab of their name clears them away.
        Err(Error::NoEngine { .. }) => Processes::new(directory, None)?,
        other => other?,
    };
    // Rules in a container go with it.
    let is_here = |record: &Record| record.options.backend == Backend::Processes;
    if let Some(record) = record.filter(|record| is_here(record) && directory.between().exists()) {
        between::set(directory, &record, None, None)?;
    }
    let pairs = |daemon| SiteId::ALL.map(|site| (site, daemon));
    match teardown {
        // In good order and rbd-mirror first, so that it gives its locks back while there is an OSD to take them.
        Teardown::KeepData => {
            let mut order = Daemon::ALL.into_iter().rev();
            order.try_for_each(|daemon| processes.stop_all(&pairs(daemon)))?;
            processes.containers().map_or(Ok(()), Containers::remove)
        }
        // Nothing of theirs is going to be read again.
        Teardown::Everything | Teardown::KeepLogs => {
            processes.kill_all(&Daemon::ALL.map(pairs).concat())?;
            processes.containers().map_or(Ok(()), Containers::remove)?;
            directory.wipe(teardown == Teardown::KeepLogs)
        }
    }
}
