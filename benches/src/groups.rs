//! The groups of benchmarks. Each runs in a process of its own, on labs of its own, with a limit.

pub(crate) mod flatten;
pub(crate) mod functions;
pub(crate) mod metadata;
pub(crate) mod one_dr;
pub(crate) mod parse;
pub(crate) mod protect;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod verbs;
pub(crate) mod wrapper;

use std::time::Duration;

use anyhow::Result;

use crate::record::Record;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) quick: bool,
}

impl Size {
    pub(crate) fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// A group of benchmarks.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(Size, &mut Record) -> Result<()>,
    /// How long it may take.
    pub(crate) limit: Duration,
}

const fn group(
    name: &'static str,
    what: &'static str,
    limit: u64,
    run: fn(Size, &mut Record) -> Result<()>,
) -> Group {
    Group { name, what, run, limit: Duration::from_secs(limit) }
}

/// All groups, in the order in which they run. A work of a new crate is one more line and file here.
pub(crate) const ALL: [Group; 10] = [
    group("wrapper", "one call on an open image", 180, wrapper::run),
    group("status", "statuses of a whole pool, and polling one in which nothing changes", 420, status::run),
    group("one-dr", "the operator's command over a thousand VMs", 300, one_dr::run),
    group("verbs", "promotion and demotion of many images", 600, verbs::run),
    group("flatten", "flattening one clone and many", 300, flatten::run),
    group("protect", "protection and failover of many images, end to end", 400, protect::run),
    group("parse", "reading the texts of statuses", 60, parse::run),
    group("metadata", "OpenNebula's metadata to templates", 240, metadata::run),
    group("functions", "functions of microseconds, by Criterion", 540, functions::run),
    group("start", "starting, building, depending", 700, start::run),
];
