//! The drill under way: both sites, the machines, what is expected of the daemons, and the command that does everything.

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use lab::{Daemon, SiteId, State};
use rbd_mirror::{GlobalImageId, Pool};
use tests::connect;
use tests::office::{HOME_POOL, Machine, Office, Output};

use crate::report::Report;

/// A mirrored disk, from its protection on.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// `pool/image`
    pub(crate) rbd: String,
    pub(crate) id: GlobalImageId,
}

/// The drill under way.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) office: &'a Office,
    pub(crate) report: &'a Report,
    pub(crate) machines: Vec<Machine>,
    /// Our library's view of the mirrored pool of each site.
    pools: [Pool; 2],
    /// Sites that the drill itself has put out of action.
    down: RefCell<BTreeSet<SiteId>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(office: &'a Office, report: &'a Report, machines: Vec<Machine>) -> Result<Self> {
        let pool = |site| connect::pool(&office.site(site), HOME_POOL);
        let pools = [pool(SiteId::A)?, pool(SiteId::B)?];
        Ok(Self { office, report, machines, pools, down: RefCell::default() })
    }

    /// The mirrored pool of a site.
    pub(crate) fn pool(&self, site: SiteId) -> &Pool {
        match site {
            SiteId::A => &self.pools[0],
            SiteId::B => &self.pools[1],
        }
    }

    /// The names of the machines, as the command takes them.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.machines.iter().map(|machine| machine.name.as_str()).collect()
    }

    /// All disks, with their global ids; by the witness at a site that answers.
    pub(crate) fn disks(&self, site: SiteId) -> Result<Vec<Disk>> {
        let disk = |rbd: &String| -> Result<Disk> {
            let mirroring = self.office.site(site).image_info(rbd)?.mirroring;
            let id = mirroring.and_then(|mirroring| mirroring.global_id);
            let id = id.with_context(|| format!("{rbd} at {site} is not mirrored"))?;
            Ok(Disk { rbd: rbd.clone(), id: GlobalImageId::new(id) })
        };
        self.machines.iter().flat_map(|machine| &machine.disks).map(disk).collect()
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

    /// A step that is a verdict: what must hold, and what was seen of it.
    pub(crate) fn check(&self, step: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
        self.report.check(step, || {
            self.all_daemons_run()?;
            work()
        })
    }

    /// Runs `one-dr` with these arguments; it must end with this exit code. Where nothing else is said, what is shown is its last word.
    pub(crate) fn one_dr(&self, arguments: &[&str], code: i32) -> Result<Output> {
        let step = format!("one-dr {}", shown(arguments));
        self.step(&step, || {
            let output = self.office.one_dr(arguments)?;
            self.report.command(&output, code);
            let output = output.expect(code)?;
            let word = word(&output);
            Ok((output, word))
        })
    }

    /// [`one_dr`](Self::one_dr) with the names of all machines behind.
    pub(crate) fn one_dr_all(&self, arguments: &[&str], code: i32) -> Result<Output> {
        let all: Vec<&str> = arguments.iter().copied().chain(self.names()).collect();
        self.one_dr(&all, code)
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
    fn all_daemons_run(&self) -> Result<()> {
        let lab = self.office.lab();
        for site in SiteId::ALL {
            if self.down.borrow().contains(&site) {
                continue;
            }
            for daemon in Daemon::ALL {
                let state = lab.state(site, daemon);
                ensure!(
                    state == State::Running,
                    "{daemon} of {site} is {state:?}, and this drill has not ended it: see its log in {}",
                    lab.logs().display()
                );
            }
        }
        Ok(())
    }
}

/// A command line without what only a program needs.
pub(crate) fn shown(arguments: &[&str]) -> String {
    let words: Vec<&str> = arguments.iter().copied().filter(|word| *word != "--yes").collect();
    words.join(" ")
}

/// What a command said that matters: a refusal, or its last line.
fn word(output: &Output) -> String {
    let mut lines = output.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let refusal = output.stderr.lines().find(|line| line.starts_with("REFUSED"));
    let word = refusal.or_else(|| lines.next_back()).unwrap_or_default();
    format!("exit code {}: {}", output.code.unwrap_or(-1), word.trim())
}
