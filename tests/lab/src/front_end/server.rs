//! The server: connections, faults, and what goes on after an answer.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::hook::Work;
use super::http::{self, Request};
use super::machine::{self, Job};
use super::methods::dispatch;
use super::setup::Setup;
use super::stored;
use super::tree::Node;
use super::trouble::{self, Rule, Trouble};
use super::world::{World, now};
use super::xmlrpc::{Call, Fault, response};
use crate::error::{At, Error, Result};

/// A client that says nothing for this long is left.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running stand-in. Dropped, it is gone: connections end, the port is free.
#[derive(Debug)]
pub struct FrontEnd {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    setup: Setup,
    world: Mutex<World>,
    run: Mutex<Run>,
    changed: Condvar,
}

/// What tests and drills change while it runs.
#[derive(Debug, Default)]
struct Run {
    rules: Vec<Rule>,
    log: Vec<String>,
    frozen: bool,
    /// Counts openings and closings: a listener of an older count ends.
    listening: u64,
    stopped: bool,
    broken: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FrontEnd {
    /// Starts one, with the state of its file if there is one.
    ///
    /// # Errors
    /// If it cannot listen, or a document or the file cannot be read.
    pub fn start(setup: Setup) -> Result<Self> {
        let mut world =
            setup.world().map_err(|why| Error::Answer { command: "set up a front-end".to_owned(), why })?;
        let jobs = match &setup.state {
            Some(path) => stored::load(&mut world, path)?,
            None => Vec::new(),
        };
        let listener = listen(setup.listen)?;
        let address = listener.local_addr().at("listen on", Path::new("loopback"))?;
        let shared = Arc::new(Shared {
            setup,
            world: Mutex::new(world),
            run: Mutex::default(),
            changed: Condvar::new(),
        });
        let thread = accept(&shared, listener, 0);
        shared.clone().carry_on(jobs);
        Ok(Self { shared, address, listener: Mutex::new(Some(thread)) })
    }

    /// Where it is reached: the value of `ONE_XMLRPC`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/RPC2", self.address)
    }

    /// `user:password` of the administrator, as set up.
    #[must_use]
    pub fn session(&self) -> String {
        self.shared
            .setup
            .users
            .first()
            .map(|(name, password)| format!("{name}:{password}"))
            .unwrap_or_default()
    }

    /// Makes calls fail.
    pub fn inject(&self, rule: Rule) {
        lock(&self.shared.run).rules.push(rule);
    }

    /// No call fails any more.
    pub fn heal(&self) {
        lock(&self.shared.run).rules.clear();
    }

    /// The methods called since the start, in order; also those that met with trouble.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        lock(&self.shared.run).log.clone()
    }

    /// How often a method was called.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        lock(&self.shared.run).log.iter().filter(|each| *each == method).count()
    }

    /// Connections are taken and nothing is answered, until [`Self::thaw`].
    pub fn freeze(&self) {
        lock(&self.shared.run).frozen = true;
    }

    /// Answers what was held back.
    pub fn thaw(&self) {
        lock(&self.shared.run).frozen = false;
        self.shared.changed.notify_all();
    }

    /// Connections are refused, until [`Self::open`]. The state stays.
    pub fn close(&self) {
        self.end_listener(|run| run.listening += 1);
    }

    /// Listens again, at the same address.
    ///
    /// # Errors
    /// If somebody else took the port.
    pub fn open(&self) -> Result<()> {
        let mut thread = lock(&self.listener);
        if thread.is_none() {
            let listening = lock(&self.shared.run).listening;
            *thread = Some(accept(&self.shared, listen(self.address)?, listening));
        }
        Ok(())
    }

    /// A document, as it is kept: `one.X.info` without a caller. The kind is that of the method, `vm`.
    #[must_use]
    pub fn document(&self, kind: &str, id: i32) -> Option<String> {
        let world = lock(&self.shared.world);
        let pool = match kind {
            "image" => &world.images,
            "template" => &world.templates,
            "vm" => &world.vms,
            "vn" => &world.networks,
            "datastore" => &world.datastores,
            "host" => &world.hosts,
            "user" => &world.users,
            _ => &world.groups,
        };
        pool.objects.get(&id).map(Node::to_xml)
    }

    /// Puts an object in, as oned prints it, in the place of the one of its number.
    ///
    /// # Errors
    /// If it is none.
    pub fn put(&self, document: &str) -> Result<()> {
        let bad = |why| Error::Answer { command: "put a document".to_owned(), why };
        let node = Node::parse(document).map_err(bad)?;
        if lock(&self.shared.world).add(node) {
            Ok(())
        } else {
            Err(bad("no object of OpenNebula".to_owned()))
        }
    }

    /// The number that the next VM gets.
    pub fn count_vms_from(&self, next: i32) {
        lock(&self.shared.world).vms.next = next;
    }

    /// Sleeps until the stand-in is stopped: for a process that is nothing else.
    pub fn serve(&self) {
        let mut run = lock(&self.shared.run);
        while !run.stopped {
            run = self.shared.changed.wait(run).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end_listener(&self, change: impl FnOnce(&mut Run)) {
        change(&mut lock(&self.shared.run));
        self.shared.changed.notify_all();
        if let Some(thread) = lock(&self.listener).take() {
            // Wakes the thread up; it looks at the count, and goes.
            drop(TcpStream::connect_timeout(&self.address, Duration::from_secs(1)));
            drop(thread.join());
        }
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        self.end_listener(|run| {
            run.listening += 1;
            run.stopped = true;
            run.frozen = false;
        });
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).at("listen on", Path::new(&address.to_string()))
}

fn accept(shared: &Arc<Shared>, listener: TcpListener, listening: u64) -> JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            if lock(&shared.run).listening != listening {
                return;
            }
            let (Ok(stream), shared) = (stream, shared.clone()) else { continue };
            thread::spawn(move || drop(shared.converse(stream)));
        }
    })
}

impl Shared {
    fn converse(self: Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let date = date(now());
        let answer = match http::read(&mut stream)? {
            None => return Ok(()),
            Some(Request::NotPost) => {
                let text = "POST is the only HTTP method this server understands";
                http::error(405, "Method Not Allowed", text, &date)
            }
            Some(Request::Empty) => {
                let text =
                    "According to your content-length HTTP header, your request is empty (zero length)";
                http::error(400, "Bad Request", text, &date)
            }
            Some(Request::Post(body)) => match self.answer(&body, &date) {
                Some(answer) => answer,
                None => return stream.shutdown(Shutdown::Both),
            },
        };
        stream.write_all(answer.as_bytes())?;
        stream.shutdown(Shutdown::Both)
    }

    /// The answer to a call, in whole or what its trouble leaves of it.
    fn answer(self: &Arc<Self>, body: &[u8], date: &str) -> Option<String> {
        let call = Call::parse(body);
        let method = call.as_ref().map(|call| call.method.clone()).unwrap_or_default();
        let trouble = {
            let mut run = lock(&self.run);
            run.log.push(method.clone());
            while run.frozen {
                run = self.changed.wait(run).unwrap_or_else(PoisonError::into_inner);
            }
            if run.stopped {
                return None;
            }
            trouble::next(&mut run.rules, &method)
        };
        let failed = || http::error(500, "Internal Server Error", "The server has failed", date);
        match trouble {
            Some(Trouble::HangUp) => return None,
            Some(Trouble::ServerError) => return Some(failed()),
            _ => {}
        }
        let answer = self.carry_out(call);
        match trouble {
            Some(Trouble::ReplyLost) => None,
            Some(Trouble::ServerErrorAfter) => Some(failed()),
            Some(Trouble::CutOff) => {
                let whole = http::xml(&answer, date);
                whole.get(..whole.len() - answer.len() / 2).map(ToOwned::to_owned)
            }
            Some(Trouble::Truncated) => answer.get(..answer.len() / 2).map(|half| http::xml(half, date)),
            Some(Trouble::Garbage) => Some(http::xml("<html>\u{fffd}</body>", date)),
            Some(Trouble::Slow(time)) => {
                self.pause(time);
                Some(http::xml(&answer, date))
            }
            _ => Some(http::xml(&answer, date)),
        }
    }

    fn carry_out(self: &Arc<Self>, call: std::result::Result<Call, Fault>) -> String {
        let call = match call {
            Ok(call) => call,
            Err(fault) => return response(&Err(fault)),
        };
        let mut world = lock(&self.world);
        let (answer, jobs) = dispatch(&mut world, &call);
        let reads = call.method.ends_with(".info") || call.method.ends_with(".infoextended");
        let jobs = if self.is_immediate() {
            settle_all(&mut world, jobs);
            Vec::new()
        } else {
            jobs
        };
        if !reads {
            self.save(&world);
        }
        drop(world);
        self.clone().carry_on(jobs);
        response(&answer)
    }

    fn is_immediate(&self) -> bool {
        self.setup.pace_ms == 0 && self.setup.hook.is_none() && self.setup.hook_program.is_none()
    }

    /// Does jobs and what follows from them, each chain in a thread of its own.
    fn carry_on(self: Arc<Self>, jobs: Vec<Job>) {
        for job in jobs {
            let shared = self.clone();
            thread::spawn(move || {
                let mut jobs = vec![job];
                while let Some(job) = jobs.pop() {
                    shared.pause(shared.setup.pace());
                    if lock(&shared.run).stopped {
                        return;
                    }
                    let work = machine::work(&lock(&shared.world), job);
                    let result = work.map_or(Ok(()), |work| shared.drive(&work));
                    if lock(&shared.run).stopped {
                        return;
                    }
                    let mut world = lock(&shared.world);
                    jobs.extend(machine::settle(&mut world, job, result));
                    shared.save(&world);
                }
            });
        }
    }

    fn drive(&self, work: &Work) -> std::result::Result<(), String> {
        match (&self.setup.hook, &self.setup.hook_program) {
            (Some(hook), _) => hook.run(work),
            (None, Some(program)) => run_program(program, work),
            (None, None) => Ok(()),
        }
    }

    fn save(&self, world: &World) {
        if let Some(path) = &self.setup.state
            && let Err(error) = stored::save(world, path)
        {
            lock(&self.run).broken = Some(error.to_string());
        }
    }

    /// Lets time pass, but no longer than the stand-in lives.
    fn pause(&self, time: Duration) {
        let run = lock(&self.run);
        drop(self.changed.wait_timeout_while(run, time, |run| !run.stopped));
    }
}

fn settle_all(world: &mut World, mut jobs: Vec<Job>) {
    while let Some(job) = jobs.pop() {
        jobs.extend(machine::settle(world, job, Ok(())));
    }
}

fn run_program(program: &Path, work: &Work) -> std::result::Result<(), String> {
    let text = serde_json::to_vec(work).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args([work.kind.word(), &work.id.to_string(), &work.name]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input is not at fault.
        drop(stdin.write_all(&text));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

/// `Sun, 22 Nov 2026 11:46:49 UTC`
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from(days % 7).unwrap_or(0)];
    // From days to a date: Howard Hinnant's `civil_from_days`.
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = names[usize::try_from(month - 1).unwrap_or(0)];
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {day:02} {name} {year} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn a_date_is_written_as_in_the_recordings() {
        assert_eq!(date(1_795_348_009), "Sun, 22 Nov 2026 11:46:49 UTC");
    }
}
