//! Plans: what would be done, why it may be done, and what it costs. Pure functions of an observation.
//!
//! ```text
//!   Observation + Intent ──> guards ──> steps ──> Plan { fingerprint }   ──> file ──> apply, if nothing has changed since
//!                              └──> Error::Refused(plan)
//! ```

mod abort;
mod build;
mod configure;
mod drill;
mod failover;
mod protect;
mod relocate;
mod reprotect;
mod unprotect;

use std::collections::BTreeMap;

use opennebula_meta::id::VmId;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::guard::{self, Finding, Guard, Overrides};
use crate::observe::{Fingerprint, Observation, Scope};
use crate::settings::{Settings, Targets};
use crate::site::Side;
use crate::step::{Disk, Step};

/// What is to be brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Make the two pools peers that mirror single images, both ways.
    Configure,
    /// Mirror all disks of the VMs, and capture them.
    Protect,
    /// The opposite.
    Unprotect,
    /// Planned: to the recovery site, without loss.
    Relocate,
    /// Unplanned: to the recovery site, without the home site.
    Failover,
    /// Planned: home, without loss.
    Failback,
    /// After a failover: the other site follows again.
    Reprotect,
    /// A test beside production.
    Drill,
    /// Back from a switch that was stopped part-way.
    Abort,
}

impl Verb {
    /// The command's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Configure => "init",
            Self::Protect => "protect",
            Self::Unprotect => "unprotect",
            Self::Relocate => "relocate",
            Self::Failover => "failover",
            Self::Failback => "failback",
            Self::Reprotect => "reprotect",
            Self::Drill => "drill",
            Self::Abort => "abort",
        }
    }
}

/// What the operator wants, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What.
    pub verb: Verb,
    /// The site that is left; of a reprotection, the one whose copies are given up.
    pub from: Side,
    /// The site that goes on.
    pub to: Side,
    /// The guards that are passed.
    pub overrides: Overrides,
    /// What is warned of or refused.
    pub targets: Targets,
    /// Pull the plug of guests instead of asking them.
    pub hard: bool,
    /// Stop all VMs when one fails.
    pub stop_at_first: bool,
}

impl Intent {
    /// The usual direction of a verb.
    #[must_use]
    pub fn new(verb: Verb, settings: &Settings) -> Self {
        let (from, to) = match verb {
            Verb::Failback | Verb::Abort => (Side::Recovery, Side::Home),
            _ => (Side::Home, Side::Recovery),
        };
        Self {
            verb,
            from,
            to,
            overrides: Overrides::new(),
            targets: settings.targets.clone(),
            hard: false,
            stop_at_first: false,
        }
    }

    /// The other way round: a failover home after the recovery site died, a reprotection of what was moved home by force.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        (self.from, self.to) = (self.to, self.from);
        self
    }

    /// Passes a guard, for a reason.
    #[must_use]
    pub fn passing(mut self, guard: Guard, reason: &str) -> Self {
        self.overrides.insert(guard, reason.to_owned());
        self
    }
}

/// The version of the plan file. Others are refused.
pub const VERSION: u32 = 1;

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this format.
    pub version: u32,
    /// What is wanted.
    pub intent: Intent,
    /// When what it was made from was observed.
    pub at: Moment,
    /// The home site's name.
    pub home: String,
    /// The recovery site's name.
    pub recovery: String,
    /// The site that keeps the journal's copy: the one that it cannot do without.
    pub keeper: Side,
    /// The sites whose pools answered, and whose leases are taken.
    pub leases: Vec<Side>,
    /// The VMs.
    pub scope: Scope,
    /// How they are called.
    pub names: BTreeMap<VmId, String>,
    /// Their mirrored disks.
    pub disks: BTreeMap<VmId, Vec<Disk>>,
    /// The captured metadata that it rests on.
    pub record: Option<String>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What the guards found, overridden or not.
    pub findings: Vec<Finding>,
    /// What may be lost, in words; empty means nothing.
    pub data_at_risk: Vec<String>,
    /// How long the VMs are expected to be away, from and to; none if they are not.
    pub pause_seconds: Option<(u64, u64)>,
    /// What it was made from.
    pub fingerprint: Fingerprint,
}

impl Plan {
    /// The mirrored disks of a VM.
    #[must_use]
    pub fn disks(&self, vm: VmId) -> &[Disk] {
        self.disks.get(&vm).map_or(&[], Vec::as_slice)
    }

    /// The name of a side.
    #[must_use]
    pub fn site(&self, side: Side) -> &str {
        match side {
            Side::Home => &self.home,
            Side::Recovery => &self.recovery,
        }
    }

    /// Of a drill: only what removes what it made.
    #[must_use]
    pub(crate) fn clean_up(mut self) -> Self {
        self.steps.retain(|step| step.action.cleans_up());
        self
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// As a file.
    ///
    /// # Errors
    /// Never, for a plan that was made here.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// From a file.
    ///
    /// # Errors
    /// [`Error::File`]
    pub fn parse(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let bad = |error: serde_json::Error| Error::File(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(bad)?;
        if head.version != VERSION {
            return Err(Error::File(format!("format version {}, and {VERSION} is understood", head.version)));
        }
        serde_json::from_str(text).map_err(bad)
    }
}

/// Why there is no plan to apply.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Guards refuse. The plan is there to be shown, not to be applied.
    #[error("{}", refusals(.0))]
    Refused(Box<Plan>),
    /// A site that is needed does not answer.
    #[error("{verb} needs site {site}, and it does not answer: {why}\n  safe:    {instead}", verb = .verb.word())]
    Unreachable {
        /// What was wanted.
        verb: Verb,
        /// The site.
        site: String,
        /// Why, in words.
        why: String,
        /// What can be done without it.
        instead: String,
    },
    /// It makes no sense as things are; what is, and what to do.
    #[error("{0}")]
    Unfit(String),
    /// The file is no plan.
    #[error("this is no plan that can be read: {0}")]
    File(String),
}

fn refusals(plan: &Plan) -> String {
    let refused: Vec<&Finding> = plan.findings.iter().filter(|finding| finding.refuses()).collect();
    guard::shown(&refused)
}

/// Makes a plan.
///
/// # Errors
/// [`Error`]; of [`Error::Refused`] the plan can be shown.
pub fn plan(seen: &Observation, intent: Intent, settings: &Settings) -> Result<Plan, Error> {
    if let Some((guard, _)) = intent.overrides.iter().find(|(guard, _)| !guard.can_be_overridden()) {
        return Err(Error::Unfit(format!("[{guard}] cannot be overridden: behind it lies only loss")));
    }
    if let Some((guard, _)) = intent.overrides.iter().find(|(_, reason)| reason.trim().is_empty()) {
        return Err(Error::Unfit(format!("[{guard}]: an override needs its reason, which is kept")));
    }
    build::needed(seen, &intent)?;
    let findings = guard::check(seen, &intent);
    let mut build = build::Build::new(seen, &intent, settings);
    match intent.verb {
        Verb::Configure => configure::steps(&mut build)?,
        Verb::Protect => protect::steps(&mut build)?,
        Verb::Unprotect => unprotect::steps(&mut build),
        Verb::Relocate | Verb::Failback => relocate::steps(&mut build)?,
        Verb::Failover => failover::steps(&mut build),
        Verb::Reprotect => reprotect::steps(&mut build),
        Verb::Drill => drill::steps(&mut build),
        Verb::Abort => abort::steps(&mut build),
    }
    let plan = build.finish(findings);
    if plan.findings.iter().any(Finding::refuses) {
        return Err(Error::Refused(Box::new(plan)));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;
