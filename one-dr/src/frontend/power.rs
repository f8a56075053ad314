//! What a VM is doing, in the words of disaster recovery: `STATE` and `LCM_STATE` together.

use std::fmt;

use opennebula_meta::Vm;
use opennebula_meta::vm::VmState;
use serde::{Deserialize, Serialize};

/// What a VM is doing, by OpenNebula's word. A word, no proof: POWEROFF was seen with a client still writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// HOLD.
    Held,
    /// PENDING, or on its way to a host.
    Starting,
    /// RUNNING.
    Running,
    /// UNKNOWN: OpenNebula lost sight of it. It may well run.
    Unknown,
    /// Going down.
    Stopping,
    /// POWEROFF or UNDEPLOYED: it does not run, and can be resumed.
    Off,
    /// SUSPENDED or STOPPED: it does not run, and its memory waits in a checkpoint.
    Suspended,
    /// DONE.
    Done,
    /// A failure state, or one without a name here.
    Failed,
}

impl Power {
    /// Of a VM; a state that cannot be read is [`Failed`](Self::Failed).
    #[must_use]
    pub fn of(vm: &Vm) -> Self {
        let lcm = vm.root().value("LCM_STATE").and_then(|text| text.trim().parse::<u32>().ok());
        match vm.state() {
            Ok(VmState::Hold) => Self::Held,
            Ok(VmState::Init | VmState::Pending | VmState::Cloning) => Self::Starting,
            Ok(VmState::Active) => Self::on_host(lcm.unwrap_or(0)),
            Ok(VmState::Poweroff | VmState::Undeployed) => Self::Off,
            Ok(VmState::Stopped | VmState::Suspended) => Self::Suspended,
            Ok(VmState::Done) => Self::Done,
            _ => Self::Failed,
        }
    }

    /// `LCM_STATE` of an active VM, as `include/VirtualMachine.h` numbers them.
    fn on_host(lcm: u32) -> Self {
        match lcm {
            // RUNNING, MIGRATE, and what is hot-plugged, saved or snapshot while it runs.
            3 | 4 | 17 | 24..=26 => Self::Running,
            // PROLOG, BOOT and their kinds.
            1 | 2 | 8 | 9 | 19..=22 | 31 | 32 | 35 => Self::Starting,
            // SAVE, EPILOG, SHUTDOWN, CLEANUP and their kinds.
            5..=7 | 10..=12 | 15 | 18 | 23 | 29 | 30 => Self::Stopping,
            16 => Self::Unknown,
            _ => Self::Failed,
        }
    }

    /// Whether it runs, or may run.
    #[must_use]
    pub fn may_run(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Unknown | Self::Stopping | Self::Failed)
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "on hold",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Unknown => "UNKNOWN (it may run)",
            Self::Stopping => "going down",
            Self::Off => "powered off",
            Self::Suspended => "suspended",
            Self::Done => "terminated",
            Self::Failed => "in a failure state",
        })
    }
}
