//! Runs a command, hands its output on as it comes, and counts the tests that it reports.

use std::fmt;
use std::io::{BufRead, BufReader, Write, stdout};
use std::ops::AddAssign;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Counts {
    pub(crate) fn total(self) -> u32 {
        self.passed + self.failed
    }

    /// The counts of a line of libtest: `test result: ok. 12 passed; 0 failed; 0 ignored; ...`.
    fn of_line(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut parts = counts.split("; ");
        let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
        let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
        Some(Self { passed, failed })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}", self.passed, self.total())
    }
}

/// Runs `command` to its end, and lets `look` see each line of its output. Its errors go straight to ours.
pub(crate) fn tee(command: &mut Command, mut look: impl FnMut(&str)) -> Result<(ExitStatus, Counts)> {
    let program = format!("{:?}", command.get_program());
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {program}"))?;
    let mut counts = Counts::default();
    let mut output = BufReader::new(child.stdout.take().context("the pipe we asked for")?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        stdout().write_all(&line)?;
        stdout().flush()?;
        let text = String::from_utf8_lossy(&line);
        counts += Counts::of_line(&text).unwrap_or_default();
        look(text.trim_end());
        line.clear();
    }
    Ok((child.wait()?, counts))
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn only_a_result_line_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Counts::of_line(line), Some(Counts { passed: 12, failed: 3 }));
        assert_eq!(Counts::of_line("test a_result ... ok"), None);
        assert_eq!(Counts::of_line("test result: torn"), None);
    }
}
