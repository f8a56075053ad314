//! One process, known by its pid and the kernel's start time of it: a reused pid is somebody else.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};

use crate::error::{At, Result};

/// A process that we started. It may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: Pid,
    /// Clock ticks between the boot of the machine and the start of the process.
    started: u64,
}

/// What a living process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    Frozen,
}

impl Process {
    /// The process with this pid, as it is now.
    pub(crate) fn with_pid(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(pid.try_into().ok()?)?;
        Some(Self { pid, started: Stat::of(pid)?.started })
    }

    /// What [`Process::to_text`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: Pid::from_raw(pid.parse().ok()?)?, started: started.parse().ok()? })
    }

    /// The process that a file names, if the file is there and whole.
    pub(crate) fn read(file: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(file).ok()?)
    }

    /// The process in a line: `PID START`.
    pub(crate) fn to_text(self) -> String {
        format!("{} {}", self.pid.as_raw_nonzero(), self.started)
    }

    /// The process's number.
    pub(crate) fn pid(self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// What the process does; none when it has ended, even if nobody has collected it yet.
    pub(crate) fn life(self) -> Option<Life> {
        let stat = Stat::of(self.pid).filter(|stat| stat.started == self.started)?;
        match stat.state {
            'Z' | 'X' => {
                // If it was our own child its remains are ours to collect. If not, this is refused, and no matter.
                let _ = waitpid(Some(self.pid), WaitOptions::NOHANG);
                None
            }
            'T' | 't' => Some(Life::Frozen),
            _ => Some(Life::Running),
        }
    }

    /// Sends a signal, unless the process has ended. Says whether it was sent.
    pub(crate) fn signal(self, signal: Signal) -> Result<bool> {
        let proc = Path::new("/proc").join(self.pid().to_string());
        let handle = match pidfd_open(self.pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(false),
            other => other.at("open", &proc)?,
        };
        // The handle keeps meaning the process that had the pid when it was opened; the start time says which that is.
        if self.life().is_none() {
            return Ok(false);
        }
        match pidfd_send_signal(&handle, signal) {
            Err(Errno::SRCH) => Ok(false),
            other => other.at("signal", &proc).map(|()| true),
        }
    }

    /// The memory that the process occupies, in bytes.
    pub(crate) fn resident_bytes(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    }
}

/// The two fields of `/proc/PID/stat` that we use.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    started: u64,
}

impl Stat {
    fn of(pid: Pid) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?)
    }

    /// Field 2 is the program's name in parentheses and may hold anything, so fields are counted after its end.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        // proc(5): the state is field 3, the start time field 22.
        Some(Self { state, started: fields.nth(18)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use rustix::process::Signal;

    use super::{Life, Process, Stat};

    #[test]
    fn a_program_named_like_the_fields_behind_it_is_read_all_the_same() {
        let text = "12 (a) T 1 (b) S 1 12 12 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 1 0 4711 5 6";
        assert_eq!(Stat::parse(text), Some(Stat { state: 'S', started: 4711 }));
        assert_eq!(Stat::parse("12 (a) S 1"), None);
    }

    #[test]
    fn the_same_pid_with_another_start_is_somebody_else() {
        let me = Process::with_pid(process::id()).expect("this process exists");
        assert_eq!(me.life(), Some(Life::Running));
        assert_eq!(Process::parse(&me.to_text()), Some(me));
        let other = Process { started: me.started + 1, ..me };
        assert_eq!(other.life(), None);
        assert!(matches!(other.signal(Signal::KILL), Ok(false)));
    }
}
