//! The machines of both sites: a process each, the program `guest`, that writes to real disks until it is told to go down, is
//! killed, or loses its disks. They die with their site.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use lab::{Seen, Site, SiteId, until};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::notes::{self, Note};
use crate::programs;
use crate::stamped::Stamps;

/// A guest that goes down finishes its writes first.
const DOWN_WITHIN: Duration = Duration::from_secs(30);

/// A disk as a guest found it when it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// `pool/image`
    pub rbd: String,
    /// The mark of its data.
    pub mark: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// It held the writes 1 to this one.
    pub held: u64,
}

impl Mounted {
    /// The layout of its data.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        Stamps::new(self.mark, self.bytes)
    }
}

/// A start of a guest that succeeded: it wrote to all its disks.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Where.
    pub site: SiteId,
    /// The VM's number there.
    pub vm: i32,
    /// Its name.
    pub name: String,
    /// When all its disks had taken a write, since 1970.
    pub up: Duration,
    /// Its disks, in the order of their numbers.
    pub disks: Vec<Mounted>,
    folder: PathBuf,
}

impl Boot {
    /// The writes to a disk that were acknowledged since this start, in order.
    ///
    /// # Errors
    /// If the guest's notes cannot be read.
    pub fn notes(&self, rbd: &str) -> Result<Vec<Note>> {
        notes::read(&notes::file(&self.folder, rbd))
    }

    /// The last write to a disk that is known to be acknowledged, by this time.
    ///
    /// # Errors
    /// As [`notes`](Self::notes); and if the guest has no such disk.
    pub fn acknowledged(&self, rbd: &str, by: Duration) -> Result<u64> {
        let mounted = self.disks.iter().find(|disk| disk.rbd == rbd);
        let mounted = mounted.with_context(|| format!("{} has no disk {rbd}", self.name))?;
        let last = self.notes(rbd)?.into_iter().take_while(|note| note.at <= by).last();
        Ok(last.map_or(mounted.held, |note| note.number))
    }
}

/// The guests of both sites.
#[derive(Debug)]
pub struct Guests {
    folder: PathBuf,
    alive: Mutex<BTreeMap<(SiteId, i32), Guest>>,
    boots: Mutex<Vec<Boot>>,
    pace: Duration,
}

/// A process. Its standard input is its power button.
#[derive(Debug)]
struct Guest {
    child: Child,
    button: Option<ChildStdin>,
    words: PathBuf,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guests {
    /// None yet. Their notes go into `folder`; each writes to each of its disks once in `pace`.
    #[must_use]
    pub fn new(folder: PathBuf, pace: Duration) -> Self {
        Self { folder, alive: Mutex::default(), boots: Mutex::default(), pace }
    }

    /// Starts a guest. Returns when every disk has taken a write. One that runs already runs on.
    ///
    /// # Errors
    /// What the guest says where a disk cannot be mounted or written: a read-only replica, a lock, torn data.
    pub fn boot(&self, site: &Site, vm: i32, name: &str, disks: &[String]) -> Result<()> {
        let key = (site.id(), vm);
        let (lines, folder) = {
            let mut alive = lock(&self.alive);
            if alive.get_mut(&key).is_some_and(|guest| matches!(guest.child.try_wait(), Ok(None))) {
                return Ok(());
            }
            let folder = self.folder.join(format!("{}-{}-vm-{vm}", notes::now().as_millis(), site.id()));
            fs::create_dir_all(&folder)?;
            let (guest, lines) = Guest::spawn(site, &folder, self.pace, disks)?;
            alive.insert(key, guest);
            (lines, folder)
        };
        let mut mounted = Vec::new();
        for line in lines {
            let line = line?;
            if line == "up" {
                let boot = Boot {
                    site: site.id(),
                    vm,
                    name: name.to_owned(),
                    up: notes::now(),
                    disks: mounted,
                    folder,
                };
                lock(&self.boots).push(boot);
                return Ok(());
            }
            mounted.push(serde_json::from_str(&line).context("a line of the guest")?);
        }
        let guest = lock(&self.alive).remove(&key);
        let words = guest.map(Guest::last_words).unwrap_or_default();
        Err(anyhow!("the guest of VM {vm} ({name}) did not start: {words}"))
    }

    /// Asks a guest to go down, and waits until it has. Nobody there is down.
    ///
    /// # Errors
    /// If it does not go down in 30 s, or ended with an error before.
    pub fn shut_down(&self, site: SiteId, vm: i32) -> Result<()> {
        let mut guests = lock(&self.alive);
        let Some(guest) = guests.get_mut(&(site, vm)) else { return Ok(()) };
        // A frozen guest does not hear the button, and is waited for in vain.
        guest.button.take();
        drop(guests);
        until("the guest is down", DOWN_WITHIN, &self.folder, || {
            let mut guests = lock(&self.alive);
            let state = guests.get_mut(&(site, vm)).map(|guest| guest.child.try_wait());
            Ok(Seen::when(!matches!(state, Some(Ok(None))), || format!("the guest of VM {vm} runs on")))
        })?;
        let Some(mut guest) = lock(&self.alive).remove(&(site, vm)) else { return Ok(()) };
        let status = guest.child.wait()?;
        let words = guest.last_words();
        if !status.success() {
            // It is down, which is what was asked for; its disks failed it before.
            eprintln!("the guest of VM {vm} at {site} had ended: {words}");
        }
        Ok(())
    }

    /// Pulls the plug of a guest.
    pub fn kill(&self, site: SiteId, vm: i32) {
        if let Some(guest) = lock(&self.alive).remove(&(site, vm)) {
            guest.kill();
        }
    }

    /// Pulls the plug of all guests of a site.
    pub fn kill_all(&self, site: SiteId) {
        let mut alive = lock(&self.alive);
        let here: Vec<_> = alive.keys().filter(|(at, _)| *at == site).copied().collect();
        here.into_iter().filter_map(|key| alive.remove(&key)).for_each(Guest::kill);
    }

    /// All guests of a site stand still.
    ///
    /// # Errors
    /// If one cannot be signalled.
    pub fn freeze(&self, site: SiteId) -> Result<()> {
        self.signal(site, Signal::STOP)
    }

    /// They go on.
    ///
    /// # Errors
    /// If one cannot be signalled.
    pub fn thaw(&self, site: SiteId) -> Result<()> {
        self.signal(site, Signal::CONT)
    }

    fn signal(&self, site: SiteId, signal: Signal) -> Result<()> {
        for (_, guest) in lock(&self.alive).iter_mut().filter(|((at, _), _)| *at == site) {
            if guest.child.try_wait()?.is_none() {
                // Not reaped yet, so the number is still its own.
                kill_process(Pid::from_child(&guest.child), signal)?;
            }
        }
        Ok(())
    }

    /// The numbers of the VMs of a site whose guests run.
    #[must_use]
    pub fn running(&self, site: SiteId) -> Vec<i32> {
        let mut alive = lock(&self.alive);
        let runs = |guest: &mut Guest| matches!(guest.child.try_wait(), Ok(None));
        alive
            .iter_mut()
            .filter(|((at, _), _)| *at == site)
            .filter_map(|((_, vm), guest)| runs(guest).then_some(*vm))
            .collect()
    }

    /// All starts so far, in order.
    #[must_use]
    pub fn boots(&self) -> Vec<Boot> {
        lock(&self.boots).clone()
    }

    /// The last start of a machine, anywhere.
    ///
    /// # Errors
    /// If it was never started.
    pub fn last_boot(&self, name: &str) -> Result<Boot> {
        let boots = lock(&self.boots);
        let found = boots.iter().rev().find(|boot| boot.name == name).cloned();
        found.with_context(|| format!("no guest of {name} was ever started"))
    }

    /// Waits until every disk of the last start of a machine has taken so many writes since then.
    ///
    /// # Errors
    /// If they take longer than `within`.
    pub fn await_writes(&self, name: &str, count: u64, within: Duration) -> Result<()> {
        let boot = self.last_boot(name)?;
        let count = usize::try_from(count)?;
        until("writes of the guest", within, &self.folder, || {
            let done = |disk: &Mounted| boot.notes(&disk.rbd).map_or(0, |notes| notes.len());
            let done: Vec<_> = boot.disks.iter().map(done).collect();
            Ok(Seen::when(done.iter().all(|done| *done >= count), || format!("writes done: {done:?}")))
        })?;
        Ok(())
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        SiteId::ALL.into_iter().for_each(|site| self.kill_all(site));
    }
}

impl Guest {
    fn spawn(
        site: &Site,
        folder: &Path,
        pace: Duration,
        disks: &[String],
    ) -> Result<(Self, Lines<BufReader<ChildStdout>>)> {
        ensure!(!disks.is_empty(), "a machine without disks");
        let words = folder.join("words");
        let mut command = Command::new(programs::path("guest")?);
        command.arg("--conf").arg(site.conf()).arg("--notes").arg(folder);
        command.arg("--pace-ms").arg(pace.as_millis().to_string()).args(disks);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&words)?);
        let mut child = command.spawn().context("the guest cannot be started")?;
        let lines = child.stdout.take().context("no standard output")?;
        let button = child.stdin.take();
        Ok((Self { child, button, words }, BufReader::new(lines).lines()))
    }

    fn kill(mut self) {
        // It may be gone already, and then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// What it said, of one that has ended or is ended by this.
    fn last_words(self) -> String {
        let words = self.words.clone();
        self.kill();
        fs::read_to_string(words).unwrap_or_default().trim().to_owned()
    }
}
