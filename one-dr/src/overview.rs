//! Every protected VM at a glance, from what the daemons report of whole pools: a few reads for thousands of disks.
//!
//! It shows; it decides nothing. A report is up to 40 s old, and says "replaying, 0 behind" of a site that is dead: what a plan rests on
//! is [`observe`](crate::observe()). Two primaries are seen here all the same, because both sites are read: Ceph's own health is OK
//! with them.

mod judge;
mod record;

use std::collections::BTreeMap;
use std::fmt;

use opennebula_meta::id::VmId;
use opennebula_meta::site_map::Volatile;
use opennebula_meta::source::{self, Backing};
use opennebula_meta::vm::DiskKind;
use opennebula_meta::{Capture, Vm};
use serde::Serialize;

use crate::catalog;
use crate::clock::Moment;
use crate::convert::global_id;
use crate::settings::Settings;
use crate::site::{Side, SitePair};
use crate::storage::Result as StorageResult;
use crate::storage::ceph::Report;

pub use judge::{Disk, State};

/// What a pool's daemons report, or why nothing.
pub type Reported = StorageResult<Vec<Report>>;

/// One VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VmLine {
    /// Its number at home.
    pub vm: VmId,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// Its disks that are mirrored as they should be, of how many.
    pub disks: (usize, usize),
    /// The site where its disks are primary; none where that is not one.
    pub active: Option<Side>,
    /// The age of the last confirmed contact between the sites, of its worst disk: what is lost at most, if the active site dies now.
    pub rpo_seconds: Option<u64>,
    /// The age of its metadata.
    pub metadata_age_seconds: u64,
    /// What is wrong, disk by disk.
    pub notes: Vec<String>,
    /// The command that mends it.
    pub next: Option<String>,
}

/// Every protected VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// When it was read.
    pub at: Moment,
    /// The names of home and recovery.
    pub sites: (String, String),
    /// Why a site's pool could not be read.
    pub silent: BTreeMap<String, String>,
    /// The oldest report among them, in seconds.
    pub oldest_seconds: Option<u64>,
    /// Why the catalog could not be read.
    pub catalog: Option<String>,
    /// The VMs.
    pub vms: Vec<VmLine>,
}

/// Both sites' reports by global id.
pub(crate) struct Reports<'a> {
    pub(crate) at: Moment,
    pub(crate) sides: [Option<BTreeMap<&'a str, &'a Report>>; 2],
}

impl Reports<'_> {
    pub(crate) fn of(&self, side: Side, id: &str) -> Option<&Report> {
        let reports = &self.sides[usize::from(side == Side::Recovery)];
        reports.as_ref().and_then(|reports| reports.get(id).copied())
    }

    pub(crate) fn answers(&self, side: Side) -> bool {
        self.sides[usize::from(side == Side::Recovery)].is_some()
    }
}

impl Overview {
    /// Whether everything is protected, and within its targets.
    #[must_use]
    pub fn is_well(&self, settings: &Settings) -> bool {
        self.silent.is_empty()
            && self.catalog.is_none()
            && self.vms.iter().all(|vm| {
                vm.state == State::Protected
                    && vm.rpo_seconds.is_some_and(|rpo| rpo <= settings.targets.rpo_seconds)
                    && vm.metadata_age_seconds <= settings.targets.metadata_age_seconds
            })
    }

    /// Whether a disk is primary at both sites, or has diverged.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.vms.iter().any(|vm| matches!(vm.state, State::TwoPrimaries | State::SplitBrain))
    }

    /// How many VMs are in which state.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<State, usize> {
        let mut counts = BTreeMap::new();
        for vm in &self.vms {
            *counts.entry(vm.state).or_insert(0) += 1;
        }
        counts
    }
}

/// Reads the catalog, and judges it by the reports of both pools.
#[must_use]
pub fn overview(pair: &SitePair, home: &Reported, recovery: &Reported) -> Overview {
    let at = pair.clock.now();
    let mut silent = BTreeMap::new();
    for (site, reported) in [(&pair.home, home), (&pair.recovery, recovery)] {
        if let Err(error) = reported {
            silent.insert(site.name.clone(), error.to_string());
        }
    }
    // Of a recovery site that is silent the home site may be asked instead, once the catalog lies there too.
    let newest = match recovery {
        Ok(_) => catalog::newest(&pair.storage(Side::Recovery)).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let listed = [home, recovery].map(|reported| reported.as_ref().ok().map(Vec::as_slice));
    let reports = Reports {
        at,
        sides: listed.map(|list| {
            list.map(|list| list.iter().map(|report| (report.global_id.as_str(), report)).collect())
        }),
    };
    let oldest = listed.into_iter().flatten().flatten().filter_map(|report| report.at).min();
    let oldest_seconds = oldest.map(|oldest| at.since(oldest).as_secs());
    let (vms, catalog) = match newest {
        Err(why) => (Vec::new(), Some(why)),
        Ok(newest) => {
            let age = at.since(newest.version.captured_at).as_secs();
            let capture = newest.record.capture();
            let lines = capture.vms.iter().map(|vm| line(pair, capture, vm, &reports, age));
            (lines.collect(), None)
        }
    };
    let sites = (pair.home.name.clone(), pair.recovery.name.clone());
    Overview { at, sites, silent, oldest_seconds, catalog, vms }
}

fn line(pair: &SitePair, capture: &Capture, vm: &Vm, reports: &Reports<'_>, age: u64) -> VmLine {
    let (mut disks, mut notes, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    match source::disks(vm) {
        Err(error) => notes.push(error.to_string()),
        Ok(sources) => {
            for source in &sources {
                let needed = match source.kind {
                    DiskKind::Volatile => pair.settings.site_map.volatile == Volatile::Register,
                    DiskKind::Swap | DiskKind::Context => false,
                    _ => true,
                };
                if let (true, Backing::Rbd(rbd)) = (needed, &source.backing) {
                    let id = global_id(capture, rbd);
                    disks.push(judge::disk(rbd.name(), id.as_deref(), reports));
                    ids.push(id);
                }
            }
        }
    }
    let ids: Vec<String> = ids.into_iter().flatten().collect();
    record::weigh(pair, judge::vm(pair, vm, disks, notes, age), &ids, reports)
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
