//! The peers as processes, each with a deadline.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

/// Where the peers' scripts are.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// Runs a command to its good end for its output, for `within` at the most.
pub(crate) fn run(command: &mut Command, within: Duration) -> Result<String> {
    let words = format!("{command:?}");
    let words: String = words.chars().take(160).collect();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.with_context(|| format!("cannot start {words}"))?;
    let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let deadline = Instant::now() + within;
    let left = || deadline.saturating_duration_since(Instant::now());
    let text = out.recv_timeout(left());
    let Ok(text) = text else {
        end(&mut child);
        bail!("not done within {within:?}: {words}");
    };
    let complaints = err.recv_timeout(left()).unwrap_or_default();
    // Its output has ended, so it has, or will in a moment.
    let status = child.wait()?;
    if !status.success() {
        bail!("{words} ended with {status}: {}", complaints.trim());
    }
    Ok(text)
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, text) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    text
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// `rbd` as a site's administrator.
pub(crate) fn rbd<A: AsRef<OsStr>>(conf: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut rbd = Command::new("rbd");
    rbd.arg("--conf").arg(conf).args(["--id", "admin"]).args(arguments);
    rbd
}

/// A script of one shell, with the names as its input's words.
pub(crate) fn shell(text: &str, arguments: &[&OsStr]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", text, "sh"]).args(arguments);
    shell
}

/// A Python that has python3-rbd, at work on one site.
pub(crate) struct Python {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Python {
    pub(crate) fn start(conf: &Path) -> Result<Self> {
        // Debian's own Python has Debian's bindings, whichever other comes first on the path.
        let mut python = Command::new("/usr/bin/python3");
        python.arg("-B").arg(script("librbd.py")).arg(conf).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().context("cannot start python3")?;
        let input = child.stdin.take().context("no pipe to python3")?;
        let output = child.stdout.take().context("no pipe from python3")?;
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, answers })
    }

    /// Has it do something, and answers its own seconds and how many it did.
    pub(crate) fn ask(&mut self, words: &str, within: Duration) -> Result<(f64, u64)> {
        writeln!(self.input, "{words}")?;
        let line = self.answers.recv_timeout(within).map_err(|why| anyhow!("python3-rbd: {why}"))?;
        let answer: Value = serde_json::from_str(&line)?;
        match (answer["seconds"].as_f64(), answer["count"].as_u64()) {
            (Some(seconds), Some(count)) => Ok((seconds, count)),
            _ => bail!("python3-rbd: {line}"),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
