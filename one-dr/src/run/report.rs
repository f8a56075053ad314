//! What a run came to.

use std::time::Duration;

use opennebula_meta::id::VmId;
use serde::Serialize;

use crate::clock::Moment;

/// Why a VM's steps stopped. All can be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Stop {
    /// A wait has lasted as long as it may.
    Wait {
        /// What for.
        awaited: String,
        /// Since when.
        since: Moment,
        /// How long it may last.
        limit: Duration,
    },
    /// It will not become so by itself.
    Blocked {
        /// What is, and what to do.
        reason: String,
    },
    /// A change was refused, or failed.
    Failed {
        /// In words.
        reason: String,
    },
    /// A change may have been made, and its effect is not seen.
    InDoubt {
        /// In words.
        reason: String,
    },
    /// Another VM failed, and the run was to stop at the first.
    Others,
    /// The operator asked for it.
    Asked,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wait { awaited, since, limit } => {
                write!(f, "waited since {since} ({} s are allowed): {awaited}", limit.as_secs())
            }
            Self::Blocked { reason } | Self::Failed { reason } => f.write_str(reason),
            Self::InDoubt { reason } => write!(f, "{reason}; it is not seen yet, so nothing was repeated"),
            Self::Asked => f.write_str("stopped by the operator"),
            Self::Others => f.write_str("stopped because another VM did"),
        }
    }
}

/// What a VM came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VmReport {
    /// Its number at home.
    pub vm: VmId,
    /// Where it stopped, and why; none if all its steps came to their end.
    pub stopped: Option<(usize, Stop)>,
    /// Optional steps that did not come to their end.
    pub passed_over: Vec<(usize, Stop)>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Everything is done.
    Done,
    /// Part-way; it can be resumed.
    Stopped,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run.
    pub run: String,
    /// How it ended.
    pub end: End,
    /// Each VM.
    pub vms: Vec<VmReport>,
    /// Where steps of no VM stopped, and why.
    pub stopped: Option<(usize, Stop)>,
    /// When this process began it.
    pub began: Moment,
    /// When it ended.
    pub ended: Moment,
    /// What is to be known besides: addresses that were locked out, and the like.
    pub notes: Vec<String>,
}
