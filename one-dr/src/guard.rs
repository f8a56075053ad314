//! The guards: named refusals. Each says what is, what is at risk, and the safe command.
//!
//! A guard is a function of what was observed and what is intended. It can be overridden by its name, with a reason that is
//! kept in the plan and in the journal; there is no force for all. Some cannot be overridden: nothing good lies behind them.

mod data;
mod metadata;
mod roles;
mod site;

use std::collections::BTreeMap;
use std::fmt;

use opennebula_meta::id::VmId;
use serde::{Deserialize, Serialize};

use crate::observe::Observation;
use crate::plan::Intent;

macro_rules! guards {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// A guard, by its stable name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Guard {$(
            $(#[$doc])*
            #[serde(rename = $text)]
            $name,
        )+}

        impl Guard {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {$(Self::$name => $text,)+}
            }
        }
    };
}

guards! {
    /// A promotion while the other site is primary, unforced ones included: Ceph lets a stale copy be promoted.
    PeerIsPrimary = "peer-is-primary",
    /// A forced promotion while the other site answers and is primary.
    PeerStillPrimaryAndAlive = "peer-still-primary-and-alive",
    /// Somebody has the image open although its VM is off.
    WritersPresent = "writers-present",
    /// The replica does not have everything, or never had.
    NotSynced = "not-synced",
    /// The last confirmed contact is older than the target.
    RpoExceeded = "rpo-exceeded",
    /// The captured metadata is old, missing, damaged, or not what the VM is now.
    MetadataStale = "metadata-stale",
    /// Both sites are primary.
    BothPrimary = "both-primary",
    /// A resync while the other site is not primary: it would destroy the last good copy.
    ResyncPeerNotPrimary = "resync-peer-not-primary",
    /// The name of a disk is taken at site B by something that is not its replica.
    NameCollisionAtB = "name-collision-at-b",
    /// An image of OpenNebula at B that we did not make registers the disk, or several do: two VMs could write to it.
    SourceAlreadyRegistered = "source-already-registered",
    /// A network, datastore, owner or value has no counterpart at B.
    Unmapped = "unmapped",
    /// The pool has no room, or is nearly full.
    InsufficientCapacity = "insufficient-capacity",
    /// No rbd-mirror runs at the site that goes on.
    MirrorDaemonDownAtSurvivor = "mirror-daemon-down-at-survivor",
    /// What is now is not what the plan was made from.
    PlanStale = "plan-stale",
    /// Another run has the lease.
    AnotherRunActive = "another-run-active",
    /// The site was left behind by a switch that it has not heard of.
    EpochOld = "epoch-old",
    /// An image still has a parent.
    UnflattenedClone = "unflattened-clone",
    /// A disk of the VM is not protected.
    ReplicaMissingDisk = "replica-missing-disk",
    /// The sites' versions do not fit.
    VersionSkew = "version-skew",
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Guard {
    /// The guard of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|guard| guard.name() == name)
    }

    /// Whether a reason is enough to pass it. Behind the others lies only loss.
    #[must_use]
    pub fn can_be_overridden(self) -> bool {
        !matches!(
            self,
            Self::PlanStale
                | Self::AnotherRunActive
                | Self::ResyncPeerNotPrimary
                | Self::PeerIsPrimary
                | Self::NameCollisionAtB
        )
    }
}

/// The guards that the operator passes, each with a reason.
pub type Overrides = BTreeMap<Guard, String>;

/// What a guard found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which guard.
    pub guard: Guard,
    /// Of which VM; none if of the site or the pool.
    pub vm: Option<VmId>,
    /// What is: the evidence.
    pub evidence: String,
    /// What is at risk.
    pub at_risk: String,
    /// What to do instead, one command or sentence each.
    pub safe: Vec<String>,
    /// Why it was passed, if it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub overridden: Option<String>,
}

impl Finding {
    /// Whether it stands in the way.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.overridden.is_none()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&[self]))
    }
}

/// Findings for a tired reader: what has one cause, one risk and one remedy is said once, with all its evidence.
#[must_use]
pub fn shown(findings: &[&Finding]) -> String {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let same = |group: &&mut Vec<&Finding>| {
            group.iter().all(|one| {
                (one.guard, &one.at_risk, &one.safe, &one.overridden)
                    == (finding.guard, &finding.at_risk, &finding.safe, &finding.overridden)
            })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    let text: Vec<String> = groups.iter().map(|group| shown_once(group)).collect();
    text.join("\n")
}

fn shown_once(group: &[&Finding]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let word = if first.refuses() { "REFUSED" } else { "overridden" };
    let evidence: Vec<&str> = group.iter().map(|finding| finding.evidence.as_str()).collect();
    let mut text = format!("{word} [{}]  {}", first.guard, evidence.join("\n         "));
    text += &format!("\n  at risk: {}", first.at_risk);
    for safe in &first.safe {
        text += &format!("\n  safe:    {safe}");
    }
    if let Some(reason) = &first.overridden {
        text += &format!("\n  passed, because: {reason}");
    } else if first.guard.can_be_overridden() {
        text += &format!(
            "\n  if you know better, and why:  --override {}=\"who decided it, and why\"",
            first.guard
        );
    }
    text
}

/// What every check gets.
pub(crate) struct Check<'a> {
    pub(crate) seen: &'a Observation,
    pub(crate) intent: &'a Intent,
    found: Vec<Finding>,
}

impl Check<'_> {
    pub(crate) fn find(
        &mut self,
        guard: Guard,
        vm: Option<VmId>,
        evidence: impl Into<String>,
        at_risk: impl Into<String>,
        safe: &[&str],
    ) {
        let safe = safe.iter().map(|text| (*text).to_owned()).collect();
        let (evidence, at_risk) = (evidence.into(), at_risk.into());
        self.found.push(Finding { guard, vm, evidence, at_risk, safe, overridden: None });
    }
}

/// Every guard on what was observed; overridden ones are among them, marked.
#[must_use]
pub fn check(seen: &Observation, intent: &Intent) -> Vec<Finding> {
    let mut check = Check { seen, intent, found: Vec::new() };
    site::check(&mut check);
    roles::check(&mut check);
    data::check(&mut check);
    metadata::check(&mut check);
    let mut found = check.found;
    for finding in &mut found {
        if finding.guard.can_be_overridden() {
            finding.overridden = intent.overrides.get(&finding.guard).cloned();
        }
    }
    found
}

#[cfg(test)]
mod tests;
