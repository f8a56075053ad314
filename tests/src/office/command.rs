//! The `one-dr` command, run as a user runs it; and killed as fate does it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Seen, until};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

use super::notes;

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its arguments, without those that name the configuration.
    pub arguments: Vec<String>,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Words.
    pub stderr: String,
    /// When it began, since 1970.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
}

impl Output {
    /// The same, if it ended with this exit code.
    ///
    /// # Errors
    /// If it ended otherwise; its words are in the message.
    pub fn expect(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == Some(code),
            "one-dr {} ended with {}, not {code}:\n{}{}",
            self.arguments.join(" "),
            self.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string()),
            self.stdout,
            self.stderr
        );
        Ok(self)
    }

    /// Its data, of a command that was given `-o json`.
    ///
    /// # Errors
    /// If that is not what it printed.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("one-dr {} printed {:?}", self.arguments.join(" "), self.stdout))
    }

    /// The name of the run: the first thing on standard output of a verb.
    ///
    /// # Errors
    /// If nothing was printed.
    pub fn run(&self) -> Result<String> {
        let line = self.stdout.lines().next().context("no run was begun")?;
        let event: Option<serde_json::Value> = serde_json::from_str(line).ok();
        let named = event.and_then(|event| event["run"].as_str().map(ToOwned::to_owned));
        Ok(named.unwrap_or_else(|| line.trim().to_owned()))
    }
}

/// What a stream has said so far.
#[derive(Debug, Default)]
struct Heard {
    text: Mutex<String>,
    more: Condvar,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(stream: impl Read + Send + 'static, heard: &Arc<Heard>) -> JoinHandle<()> {
    let heard = Arc::clone(heard);
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            heard.lock().push_str(&String::from_utf8_lossy(&line));
            heard.more.notify_all();
            line.clear();
        }
    })
}

/// A command under way. Dropped, it is killed.
#[derive(Debug)]
pub struct Spawned {
    arguments: Vec<String>,
    child: Child,
    began: Duration,
    started: Instant,
    out: Arc<Heard>,
    err: Arc<Heard>,
    listeners: Vec<JoinHandle<()>>,
}

impl Spawned {
    pub(super) fn new(mut command: Command, arguments: &[&str]) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (began, started) = (notes::now(), Instant::now());
        let mut child = command.spawn().context("one-dr cannot be started")?;
        let (out, err) = (Arc::<Heard>::default(), Arc::<Heard>::default());
        let mut listeners = Vec::new();
        if let Some(stream) = child.stdout.take() {
            listeners.push(listen(stream, &out));
        }
        if let Some(stream) = child.stderr.take() {
            listeners.push(listen(stream, &err));
        }
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Ok(Self { arguments, child, began, started, out, err, listeners })
    }

    /// Waits until it has said something on standard output that contains `words`: with `--events jsonl` that is the moment of a
    /// step.
    ///
    /// # Errors
    /// If it ends without having said so, or takes longer.
    pub fn wait_for(&mut self, words: &str, within: Duration) -> Result<()> {
        let until = Instant::now() + within;
        loop {
            // Before the last look: what it says at its very end is heard.
            let ended = self.child.try_wait()?;
            if ended.is_some() {
                self.listeners.drain(..).for_each(|listener| drop(listener.join()));
            }
            let heard = self.out.lock();
            if heard.contains(words) {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            ensure!(
                ended.is_none() && !left.is_zero(),
                "one-dr never said {words:?}: {heard}{}",
                self.err.lock()
            );
            drop(self.out.more.wait_timeout(heard, left.min(Duration::from_millis(100))));
        }
    }

    /// Waits until it has printed so many lines on standard output, or ends; answers whether it has ended.
    ///
    /// # Errors
    /// If it takes longer.
    pub fn wait_for_lines(&mut self, count: usize, within: Duration) -> Result<bool> {
        let until = Instant::now() + within;
        loop {
            let ended = self.child.try_wait()?.is_some();
            let heard = self.out.lock();
            if ended || heard.lines().count() >= count {
                return Ok(ended);
            }
            let left = until.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "one-dr never printed {count} lines: {heard}{}", self.err.lock());
            drop(self.out.more.wait_timeout(heard, left.min(Duration::from_millis(100))));
        }
    }

    /// SIGKILL, now.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn kill(mut self) -> Result<Output> {
        // It may have ended by itself, and then its exit code says so.
        drop(self.child.kill());
        let status = self.child.wait()?;
        Ok(self.output(status))
    }

    /// Ctrl-C.
    ///
    /// # Errors
    /// If it has ended.
    pub fn interrupt(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "it has ended already");
        Ok(kill_process(Pid::from_child(&self.child), Signal::INT)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it takes longer; it is killed then, and its words are in the message.
    pub fn end(mut self, within: Duration) -> Result<Output> {
        let ended = until("one-dr ends", within, std::path::Path::new("its own words"), || {
            Ok(match self.child.try_wait() {
                Ok(Some(status)) => Seen::Done(status),
                other => Seen::NotYet(format!("{other:?}")),
            })
        });
        match ended {
            Ok(status) => Ok(self.output(status)),
            Err(error) => {
                let killed = self.kill()?;
                let words =
                    format!("one-dr {}:\n{}{}", killed.arguments.join(" "), killed.stdout, killed.stderr);
                Err(anyhow::Error::new(error).context(words))
            }
        }
    }

    fn output(&mut self, status: ExitStatus) -> Output {
        let took = self.started.elapsed();
        self.listeners.drain(..).for_each(|listener| drop(listener.join()));
        Output {
            arguments: std::mem::take(&mut self.arguments),
            code: status.code(),
            stdout: self.out.lock().clone(),
            stderr: self.err.lock().clone(),
            began: self.began,
            took,
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
