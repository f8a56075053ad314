//! Running Ceph's tools: with a deadline, without hanging on full pipes, and with errors that say what was run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read, Write};
use std::iter;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{At, Error, Result};
use crate::wait::{Seen, until_every};

/// The packages of Ceph that a lab needs, as Debian and Ubuntu name them.
pub const PACKAGES: [&str; 5] = ["ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "rbd-mirror"];

/// The programs of [`PACKAGES`] that we start.
const PROGRAMS: [&str; 9] =
    ["ceph-mon", "ceph-mgr", "ceph-osd", "rbd-mirror", "ceph", "rbd", "rados", "monmaptool", "ceph-authtool"];

/// Variables by which Ceph's programs would read somebody else's configuration.
pub(crate) const FOREIGN_VARIABLES: [&str; 3] = ["CEPH_ARGS", "CEPH_CONF", "CEPH_KEYRING"];

/// Checks that Ceph is installed.
///
/// # Errors
/// [`Error::NotInstalled`], naming what is missing and the packages.
pub fn require_installed() -> Result<()> {
    require(&PROGRAMS, &PACKAGES)
}

/// Checks that what a client needs is installed, where the daemons are in containers.
pub(crate) fn require_client() -> Result<()> {
    require(&["ceph", "rbd", "rados", "ceph-authtool"], &["ceph-common"])
}

fn require(programs: &[&str], packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| find(program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::NotInstalled { programs: missing.join(", "), packages: packages.join(" ") })
}

/// The file of a program that is on the path, or of one that is named with its folder.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The process group of a lab's tools: that of its guardian, while there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group(Arc<AtomicI32>);

impl Group {
    pub(crate) fn set(&self, group: Option<i32>) {
        self.0.store(group.unwrap_or_default(), Ordering::SeqCst);
    }

    fn get(&self) -> Option<i32> {
        Some(self.0.load(Ordering::SeqCst)).filter(|group| *group > 0)
    }
}

/// What feeds a tool's standard input.
pub(crate) type Source = Box<dyn Read + Send>;

/// What takes a tool's standard output, piece by piece.
type Sink = Box<dyn FnMut(&[u8]) + Send>;

/// A tool about to be run.
pub(crate) struct Tool {
    program: &'static str,
    /// What runs the program elsewhere, as in `docker exec NAME`.
    inside: Vec<OsString>,
    arguments: Vec<OsString>,
    within: Duration,
    input: Option<Source>,
    group: Group,
}

impl fmt::Debug for Tool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tool({})", self.command())
    }
}

impl Tool {
    pub(crate) fn new(program: &'static str) -> Self {
        Self {
            program,
            inside: Vec::new(),
            arguments: Vec::new(),
            within: Duration::from_secs(60),
            input: None,
            group: Group::default(),
        }
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Lets another command run the tool: its words come first.
    pub(crate) fn inside(mut self, words: Vec<OsString>) -> Self {
        self.inside = words;
        self
    }

    pub(crate) fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    pub(crate) fn input(mut self, input: Source) -> Self {
        self.input = Some(input);
        self
    }

    /// Runs the tool in a process group.
    pub(crate) fn group(mut self, group: &Group) -> Self {
        self.group = group.clone();
        self
    }

    /// The program, and before it what runs it elsewhere.
    fn words(&self) -> impl Iterator<Item = &OsStr> {
        self.inside.iter().map(OsString::as_os_str).chain(iter::once(OsStr::new(self.program)))
    }

    /// The command line, for errors. No key is ever an argument.
    pub(crate) fn command(&self) -> String {
        let words = self.words().chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }

    /// Runs the tool for its output.
    pub(crate) fn text(self) -> Result<String> {
        let (sender, receiver) = mpsc::channel();
        self.run(Box::new(move |piece| drop(sender.send(piece.to_vec()))))?;
        Ok(String::from_utf8_lossy(&receiver.into_iter().flatten().collect::<Vec<u8>>()).into_owned())
    }

    /// Runs the tool for its output in JSON. No output is `null`.
    pub(crate) fn json(self) -> Result<Value> {
        let command = self.command();
        let text = self.text()?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        // Some commands append a line for people: `osd blocklist ls` says how many entries it has listed.
        let first = serde_json::Deserializer::from_str(&text).into_iter().next();
        first.unwrap_or(Ok(Value::Null)).map_err(|error| Error::Answer { command, why: error.to_string() })
    }

    /// Runs the tool and hands its output to `sink` as it comes. When this returns, `sink` has seen everything.
    pub(crate) fn run(mut self, mut sink: Sink) -> Result<()> {
        let (command, program) = (self.command(), Path::new(self.program));
        let mut words = self.words();
        let mut process = Command::new(words.next().unwrap_or_default());
        process.args(words).args(&self.arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        process.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        for variable in FOREIGN_VARIABLES {
            process.env_remove(variable);
        }
        if let Some(group) = self.group.get() {
            process.process_group(group);
        }
        let mut child = Running { child: process.spawn().at("start", program)?, ended: false };
        if let (Some(mut input), Some(mut pipe)) = (self.input.take(), child.child.stdin.take()) {
            // A tool that ends early closes the pipe; its exit code says why.
            thread::spawn(move || drop(io::copy(&mut input, &mut pipe).and_then(|_| pipe.flush())));
        }
        let output = pump(child.child.stdout.take(), move |piece| sink(piece));
        let (sender, complaints) = mpsc::channel();
        let errors = pump(child.child.stderr.take(), move |piece| drop(sender.send(piece.to_vec())));
        let deadline = Instant::now() + self.within;
        let too_late = || Error::ToolTimedOut { command: command.clone(), within: self.within };
        for pipe in [output, errors] {
            let left = deadline.saturating_duration_since(Instant::now());
            pipe.recv_timeout(left).map_err(|_| too_late())?.at("read the output of", program)?;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        // It closes its pipes by ending, as a rule: what is left takes microseconds.
        let pause = Duration::from_millis(1);
        let status = until_every(pause, "a tool's end", left, program, || {
            Ok(match child.child.try_wait().at("wait for", program)? {
                Some(status) => Seen::Done(status),
                None => Seen::NotYet("output closed, still running".to_owned()),
            })
        });
        let status = match status {
            Err(Error::TimedOut { .. }) => return Err(too_late()),
            other => other?,
        };
        child.ended = true;
        if status.success() {
            return Ok(());
        }
        let stderr = complaints.into_iter().flatten().collect::<Vec<u8>>();
        Err(Error::Tool {
            command,
            code: status.code(),
            stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
        })
    }
}

/// Reads a pipe to its end on a thread of its own, and says there when it is done.
fn pump(
    pipe: Option<impl Read + Send + 'static>,
    mut take: impl FnMut(&[u8]) + Send + 'static,
) -> Receiver<io::Result<()>> {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || {
        let read = || {
            let Some(mut pipe) = pipe else { return Ok(()) };
            let mut piece = vec![0; 1 << 16];
            loop {
                match pipe.read(&mut piece) {
                    Ok(0) => return Ok(()),
                    Ok(length) => take(&piece[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        };
        let result = read();
        drop(take);
        drop(sender.send(result));
    });
    done
}

/// A child that does not outlive our interest in it.
struct Running {
    child: Child,
    ended: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::time::Duration;

    use super::Tool;
    use crate::error::Error;

    #[test]
    fn a_failing_tool_is_named_with_its_code_and_its_words() {
        let tool = Tool::new("sh").args(["-c", "echo wrong >&2; exit 3"]);
        let Err(Error::Tool { command, code, stderr }) = tool.text() else { panic!("it fails") };
        assert_eq!((command.starts_with("sh -c"), code, stderr.as_str()), (true, Some(3), "wrong"));
    }

    #[test]
    fn a_tool_that_hangs_is_ended_at_its_deadline() {
        let tool = Tool::new("sleep").args(["60"]).within(Duration::from_millis(50));
        assert!(matches!(tool.text(), Err(Error::ToolTimedOut { .. })));
    }

    #[test]
    fn input_larger_than_a_pipe_comes_back_whole() {
        let text = "0123456789".repeat(100_000);
        let echoed = Tool::new("cat").input(Box::new(Cursor::new(text.clone()))).text();
        assert_eq!(echoed.ok(), Some(text));
    }
}
