//! `VM/STATE`.

/// The state of a VM; the numbers are those of `include/VirtualMachine.h` (read at 6.10.3; 1 to 6, 8 and 9 observed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VmState {
    /// 0
    Init,
    /// 1
    Pending,
    /// 2
    Hold,
    /// 3: on a host; `LCM_STATE` says what it does there
    Active,
    /// 4: memory in a checkpoint, off its host
    Stopped,
    /// 5: memory in a checkpoint, on its host
    Suspended,
    /// 6
    Done,
    /// 8. No proof that nobody writes: a hung client may (observed).
    Poweroff,
    /// 9
    Undeployed,
    /// 10
    Cloning,
    /// 11
    CloningFailure,
    /// A number that this crate has no name for.
    Other(u32),
}

impl VmState {
    pub(super) fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Init,
            1 => Self::Pending,
            2 => Self::Hold,
            3 => Self::Active,
            4 => Self::Stopped,
            5 => Self::Suspended,
            6 => Self::Done,
            8 => Self::Poweroff,
            9 => Self::Undeployed,
            10 => Self::Cloning,
            11 => Self::CloningFailure,
            other => Self::Other(other),
        }
    }

    /// Whether the VM's memory lies in a checkpoint.
    #[must_use]
    pub fn has_checkpoint(self) -> bool {
        matches!(self, Self::Stopped | Self::Suspended)
    }
}
