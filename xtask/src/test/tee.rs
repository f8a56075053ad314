//! Runs a command, hands its output on as it comes, and counts the tests that it reports.

use std::fmt;
use std::io::{BufRead, BufReader, Write, pipe, stdout};
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

/// Runs `command` to its end, hands its output on with `mark` before each line, and lets `look` see each.
///
/// Its errors go straight to ours, unless they are to be marked as well.
pub(crate) fn tee(
    command: &mut Command,
    mark: &str,
    mut look: impl FnMut(&str),
) -> Result<(ExitStatus, Counts)> {
    let program = format!("{:?}", command.get_program());
    let (output, ours) = pipe().context("cannot make a pipe")?;
    if !mark.is_empty() {
        command.stderr(ours.try_clone().context("cannot share a pipe")?);
    }
    let child = command.stdout(ours).spawn().with_context(|| format!("cannot start {program}"));
    // The command keeps our end of the pipe, which would never be at its end.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = child?;
    let mut counts = Counts::default();
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let mut out = stdout().lock();
        out.write_all(mark.as_bytes())?;
        out.write_all(&line)?;
        out.flush()?;
        drop(out);
        let text = String::from_utf8_lossy(&line);
        counts += Counts::of_line(&text).unwrap_or_default();
        look(text.trim_end());
        line.clear();
    }
    Ok((child.wait()?, counts))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Counts, tee};

    #[test]
    fn what_is_marked_is_counted_and_looked_at_without_its_mark_and_so_are_errors() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 2 passed; 1 failed; 0 ignored'; echo words >&2"]);
        let mut seen = Vec::new();
        let (status, counts) =
            tee(&mut command, "lane | ", |line| seen.push(line.to_owned())).expect("sh is there");
        assert!(status.success());
        assert_eq!(counts, Counts { passed: 2, failed: 1 });
        assert_eq!(seen.last().map(String::as_str), Some("words"));
    }

    #[test]
    fn only_a_result_line_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Counts::of_line(line), Some(Counts { passed: 12, failed: 3 }));
        assert_eq!(Counts::of_line("test a_result ... ok"), None);
        assert_eq!(Counts::of_line("test result: torn"), None);
    }
}
