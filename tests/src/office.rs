//! Two whole sites: real Ceph, a front-end, machines that write; and the `one-dr` command between them, run as a user runs it.
//!
//! ```no_run
//! use lab::SiteId;
//! use tests::office::Office;
//!
//! let office = Office::up("example")?;                        // two sites, not peered; front-ends; nothing in OpenNebula
//! let machines = office.make_machines()?;                     // at A: `erp-app` (3 disks) and `ledger` (1), running, writing
//! office.init()?;                                             // `one-dr init --yes`, and its effect awaited
//! office.one_dr(&["protect", "--yes", "erp-app", "ledger"])?.expect(0)?;
//! let status: serde_json::Value = office.one_dr(&["status", "-o", "json"])?.expect(0)?.json()?;
//!
//! let mut run = office.spawn(&["relocate", "--yes", "--events", "jsonl", "ledger"])?;
//! run.wait_for("\"demote\"", std::time::Duration::from_secs(60))?;  // any words of its standard output
//! let killed = run.kill()?;                                   // SIGKILL; `killed.run()?` is what `resume` takes
//!
//! office.front(SiteId::B).inject(lab::front_end::Rule::new(lab::front_end::Trouble::ReplyLost).method("one.image.allocate"));
//! office.kill(SiteId::A)?;                                    // Ceph, front-end and guests at once
//! office.bring_back(SiteId::A)?;                              // Ceph and front-end; the guests are down, OpenNebula thinks not
//! println!("{:?}", office.guests().boots());                  // what each guest found on its disks when it started
//! # Ok::<(), anyhow::Error>(())
//! ```
//! - **Ceph**: [`Office::lab`] and, as the independent witness, [`Office::site`]. Pool [`HOME_POOL`] is the mirrored one, and at B for
//!   replicas alone; [`LOCAL_POOL`] is B's own, with its system datastore and the clones of a test.
//! - **Front-ends**: [`Office::front`] (stop, start again, freeze, lose answers) and [`Office::one`], our client of one. What the drivers
//!   would do is done on real Ceph (`drivers.rs`); VM numbers at B begin with 40.
//! - **Guests**: [`Office::guests`]. One is a process that writes stamped blocks to every disk and notes each acknowledgement; started
//!   on a disk that cannot be written, it fails, and so does the VM. [`Office::losses`] compares what a guest found with what was
//!   acknowledged to the one before it.
//! - **The command**: [`Office::one_dr`] and [`Office::spawn`]; all that were run, in order: [`Office::commands`]. It is given the
//!   configuration and nothing of the environment. A change needs `--yes`: there is no terminal.
//!
//! Everything lies below the lab's directory, in [`Office::folder`]; with a test that fails it stays, as the daemons' logs do.

mod attendant;
mod command;
mod configuration;
mod drivers;
mod front;
mod guests;
mod losses;
mod machines;
pub mod notes;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Daemon, Lab, Peering, Pool, Site, SiteId};
use one_dr::frontend::Oned;
use rbd_mirror::wait;

pub use command::{Output, Spawned};
pub use front::{Front, OWNER, Real};
pub use guests::{Boot, Guests, Mounted};
pub use losses::{Loss, Losses};
pub use machines::Machine;

use crate::{connect, programs};

/// The mirrored pool.
pub const HOME_POOL: &str = "one";

/// Site B's own pool.
pub const LOCAL_POOL: &str = "local";

/// How long a command may take: the longest is a first copy on a busy machine.
const COMMAND_WITHIN: Duration = Duration::from_secs(300);

/// A site's daemons after a power cut: 13 s with short timers.
const BACK_WITHIN: Duration = Duration::from_secs(180);

/// An rbd-mirror reports every two seconds here.
const HEARD_WITHIN: Duration = Duration::from_secs(30);

/// Between two writes of a guest to a disk: enough for a load, and a processor is left for Ceph.
const PACE: Duration = Duration::from_millis(5);

/// Two sites with front-ends, and guests. Dropped, all of it is gone.
#[derive(Debug)]
pub struct Office {
    // Dropped in this order: front-ends, guests, sites.
    fronts: [Front; 2],
    guests: Arc<Guests>,
    commands: Mutex<Vec<Output>>,
    lab: Lab,
}

impl Office {
    /// Two sites for one test.
    ///
    /// # Errors
    /// If Ceph is not installed, or a site does not come up.
    pub fn up(name: &str) -> Result<Self> {
        Self::on(lab::Options::temporary(name), [None, None])
    }

    /// Two sites, where and how `options` say. Their pools and peering are given: connecting the sites is the command's work. A real
    /// front-end takes the place of the stand-in of its site.
    ///
    /// # Errors
    /// As [`up`](Self::up).
    pub fn on(options: lab::Options, real: [Option<Real>; 2]) -> Result<Self> {
        let pools = vec![Pool::plain(HOME_POOL), Pool::plain(LOCAL_POOL)];
        let lab = Lab::up(lab::Options { peering: Peering::None, pools, ..options })?;
        let folder = folder(&lab);
        fs::create_dir_all(&folder)?;
        let guests = Arc::new(Guests::new(folder.join("guests"), PACE));
        let front = |site, real: &Option<Real>| match real {
            Some(real) => Front::real(&lab, site, real, &guests),
            None => Front::start(&lab, site, &folder, &guests),
        };
        let fronts = [front(SiteId::A, &real[0])?, front(SiteId::B, &real[1])?];
        configuration::write(&lab, &folder, &fronts)?;
        Ok(Self { fronts, guests, commands: Mutex::default(), lab })
    }

    /// The two sites of Ceph.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// A site, to be asked through Ceph's own tools.
    #[must_use]
    pub fn site(&self, site: SiteId) -> Site {
        self.lab.site(site)
    }

    /// The front-end of a site.
    #[must_use]
    pub fn front(&self, site: SiteId) -> &Front {
        match site {
            SiteId::A => &self.fronts[0],
            SiteId::B => &self.fronts[1],
        }
    }

    /// Our client of a site's front-end, as its administrator.
    ///
    /// # Errors
    /// If the address is none.
    pub fn one(&self, site: SiteId) -> Result<Oned> {
        self.front(site).client()
    }

    /// The guests of both sites.
    #[must_use]
    pub fn guests(&self) -> &Guests {
        &self.guests
    }

    /// Where the configuration, the journals, the catalog and the guests' notes are.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        folder(&self.lab)
    }

    /// The configuration, `one-dr.toml`.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.folder().join(configuration::NAME)
    }

    /// Makes two machines at site A, `erp-app` on a clone, a persistent and a volatile disk, and `ledger` on a persistent image. They
    /// run when this returns.
    ///
    /// # Errors
    /// If Ceph or the front-end refuses, or a guest does not start.
    pub fn make_machines(&self) -> Result<Vec<Machine>> {
        machines::make(&self.one(SiteId::A)?, &self.site(SiteId::A))
    }

    /// Runs `one-dr init --yes`, and waits until the daemons of both sites have noticed: until then a protection is refused.
    ///
    /// # Errors
    /// If the command fails, or a daemon is not well within three minutes.
    pub fn init(&self) -> Result<Output> {
        let output = self.one_dr(&["init", "--yes"])?.expect(0)?;
        self.await_daemons()?;
        Ok(output)
    }

    /// Waits until the `rbd-mirror` of both sites is well by its own account. One that its manager does not hear from is started again,
    /// as its administrator would: a manager that was frozen for longer than `mgr_service_beacon_grace` may have dropped it.
    ///
    /// # Errors
    /// If one is not within three minutes.
    pub fn await_daemons(&self) -> Result<()> {
        for site in SiteId::ALL {
            let pool = connect::pool(&self.site(site), HOME_POOL)?;
            let well = wait::daemon_healthy(&pool, HEARD_WITHIN);
            if well.is_ok() {
                continue;
            }
            if pool.daemons()?.iter().any(|daemon| daemon.images.is_none()) {
                eprintln!("the manager of {site} has no report of its rbd-mirror: it is started again");
                self.lab.stop(site, &[Daemon::RbdMirror])?;
                self.lab.start(site, &[Daemon::RbdMirror])?;
            }
            wait::daemon_healthy(&pool, BACK_WITHIN)?;
        }
        Ok(())
    }

    /// Runs `one-dr` to its end. An exit code other than 0 is an answer, not an error.
    ///
    /// # Errors
    /// If it cannot be started, or takes longer than 5 minutes.
    pub fn one_dr(&self, arguments: &[&str]) -> Result<Output> {
        let output = self.spawn(arguments)?.end(COMMAND_WITHIN)?;
        self.record(&output);
        Ok(output)
    }

    /// Starts `one-dr`, to be listened to, interrupted or killed.
    ///
    /// # Errors
    /// If it cannot be built or started.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Spawned> {
        let mut command = Command::new(programs::path("one-dr")?);
        command.env_clear().env("ONE_DR_CONFIG", self.configuration()).env("PATH", "/usr/bin:/bin");
        command.current_dir(self.folder()).args(arguments);
        Spawned::new(command, arguments)
    }

    /// Adds a command that was [spawned](Self::spawn) to the [list](Self::commands).
    pub fn record(&self, output: &Output) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(output.clone());
    }

    /// The commands that were run, in order.
    #[must_use]
    pub fn commands(&self) -> Vec<Output> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A power cut: every daemon of Ceph, the front-end and the guests of a site end at once. Answers when it struck, since 1970.
    ///
    /// # Errors
    /// If a daemon cannot be ended.
    pub fn kill(&self, site: SiteId) -> Result<Duration> {
        let struck = notes::now();
        // The guests first: none of their writes is acknowledged after the moment of the blow.
        self.guests.kill_all(site);
        self.front(site).stop();
        self.lab.kill(site, &Daemon::ALL)?;
        Ok(struck)
    }

    /// Everything of a site stands still: connections stay, and nothing answers. Answers when it struck, since 1970.
    ///
    /// # Errors
    /// If a process cannot be signalled.
    pub fn freeze(&self, site: SiteId) -> Result<Duration> {
        let struck = notes::now();
        self.guests.freeze(site)?;
        self.front(site).freeze();
        self.lab.freeze(site, &Daemon::ALL)?;
        Ok(struck)
    }

    /// A site is back: frozen daemons and guests go on, ended daemons and the front-end are started. Guests that were killed stay down,
    /// and the front-end takes them for running: it remembers what was, as oned does until it has polled its hosts.
    ///
    /// # Errors
    /// If a daemon does not start, or does not answer in three minutes.
    pub fn bring_back(&self, site: SiteId) -> Result<()> {
        self.lab.thaw(site, &Daemon::ALL)?;
        self.lab.start(site, &Daemon::ALL)?;
        self.lab.wait_osd_up(site, BACK_WITHIN)?;
        self.front(site).start_again()?;
        self.front(site).thaw();
        self.guests.thaw(site)
    }

    /// What each disk of a machine had lost when its guest last started: see [`Losses`].
    ///
    /// # Errors
    /// If it was not started twice, or its notes cannot be read.
    pub fn losses(&self, machine: &str, struck: Duration) -> Result<Losses> {
        losses::of(&self.guests.boots(), machine, struck)
    }

    /// Leaves the sites up when this process ends, without front-ends and guests. Answers their directory.
    ///
    /// # Errors
    /// If that cannot be written down.
    pub fn keep(self) -> Result<PathBuf> {
        let Self { fronts, guests, lab, .. } = self;
        drop(fronts);
        SiteId::ALL.into_iter().for_each(|site| guests.kill_all(site));
        lab.keep().context("the sites cannot be kept")
    }
}

/// With the logs: who wants to know why a test failed finds all of it together.
fn folder(lab: &Lab) -> PathBuf {
    lab.logs().join("office")
}

/// The mark of what is written to an image of this name: FNV-1a, so that it is the same in every process.
#[must_use]
pub fn mark(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
