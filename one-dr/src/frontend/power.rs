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
    /// On its host or off, and something is done to it that ends by itself: a migration, a hot plug, a snapshot, a resize, a backup.
    /// OpenNebula takes no other action meanwhile.
    Busy,
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
            3 => Self::Running,
            // PROLOG, BOOT and their kinds. LCM_INIT is seen for a moment between the scheduler's word and PROLOG.
            0..=2 | 8 | 9 | 19..=22 | 31 | 32 | 35 => Self::Starting,
            // SAVE, EPILOG, SHUTDOWN, CLEANUP and their kinds.
            5..=7 | 10..=12 | 15 | 18 | 23 | 29 | 30 => Self::Stopping,
            16 | 60 => Self::Unknown,
            // MIGRATE, HOTPLUG, DISK_SNAPSHOT, DISK_RESIZE, BACKUP, RESTORE and their kinds.
            4 | 17 | 24..=28 | 33 | 34 | 43 | 45 | 51..=54 | 56 | 57 | 59 | 62..=71 => Self::Busy,
            _ => Self::Failed,
        }
    }

    /// Whether it runs, may run, or something that is done to it may write.
    #[must_use]
    pub fn may_run(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Running | Self::Unknown | Self::Stopping | Self::Busy | Self::Failed
        )
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
            Self::Busy => "busy (a migration, a hot plug, a snapshot, a resize or a backup)",
            Self::Off => "powered off",
            Self::Suspended => "suspended",
            Self::Done => "terminated",
            Self::Failed => "in a failure state",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(lcm: u32) -> Power {
        let text = format!(
            "<VM><ID>7</ID><NAME>x</NAME><STATE>3</STATE><LCM_STATE>{lcm}</LCM_STATE><TEMPLATE/></VM>"
        );
        Power::of(&Vm::parse(&text).expect("a VM"))
    }

    #[test]
    fn no_state_that_passes_by_itself_is_a_failure() {
        // All that `include/VirtualMachine.h` of 6.10.3 and 7.4.0 names, by what `onevm show` prints of them.
        let failures = [36, 37, 38, 39, 40, 41, 42, 44, 46, 47, 48, 49, 50, 61];
        let unused = [13, 14, 55, 58];
        for lcm in (0..=71).filter(|lcm| !unused.contains(lcm)) {
            assert_eq!(active(lcm) == Power::Failed, failures.contains(&lcm), "LCM_STATE {lcm}");
        }
        // BACKUP of one that runs, and of one that is off.
        assert_eq!((active(69), active(70)), (Power::Busy, Power::Busy));
        assert_eq!(active(72), Power::Failed, "one without a name here");
    }
}
