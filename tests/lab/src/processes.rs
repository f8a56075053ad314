//! The daemons as plain processes: starting them, and the five things that can happen to them.
//!
//! In containers they are processes of this machine as well: all that differs is how one is launched.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use crate::between;
use crate::containers::Containers;
use crate::directory::{Directory, absent_is_fine};
use crate::error::{At, Error, Result};
use crate::keys::mirror_user;
use crate::process::{Life, Process};
use crate::record::Record;
use crate::site::{Daemon, SiteId};
use crate::tool::FOREIGN_VARIABLES;
use crate::wait::{Seen, until};

/// How long a daemon may take over ending in good order before it is killed. An rbd-mirror whose peer is frozen took
/// 6 s; one whose peer is gone does not end.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How long the kernel may take over ending a killed process: it may be in the middle of a write.
const KILL_MAX: Duration = Duration::from_secs(20);
/// How long a program may take from its start to its own pid file.
const LAUNCH_MAX: Duration = Duration::from_secs(10);

/// Writes the pid and start time of the shell, then becomes the daemon, which keeps both. So no daemon ever runs that
/// is not on record, however suddenly the process that started it ends. Field 22 is the start time, see proc(5).
const LAUNCHER: &str = r#"
pid_file=$1; shift
read -r stat < /proc/$$/stat || exit 1
pid=$$; daemon=$#
set -- ${stat##*) } "$@"
echo "$pid ${20}" > "$pid_file.new" && mv "$pid_file.new" "$pid_file" || exit 1
shift $(($# - daemon))
exec "$@"
"#;

/// What a daemon does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It exists and does nothing: frozen.
    Frozen,
    /// It was started and is gone, without having been stopped.
    Dead,
    /// It was not started, or was stopped.
    Stopped,
}

/// One line of a lab's status.
#[derive(Clone, Debug)]
pub struct DaemonStatus {
    /// Its site.
    pub site: SiteId,
    /// Which daemon.
    pub daemon: Daemon,
    /// What it does.
    pub state: State,
    /// Its process, if there is one.
    pub pid: Option<i32>,
    /// The memory it occupies, in bytes.
    pub resident_bytes: Option<u64>,
}

/// The daemons of a lab.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    directory: Directory,
    containers: Option<Containers>,
    /// Under which group each site's `rbd-mirror` runs, for the packet filter to know it by.
    groups: [Option<u32>; 2],
}

impl Processes {
    /// The daemons of the lab with this record. Without one they can be ended, by their pid files.
    pub(crate) fn new(directory: &Directory, record: Option<&Record>) -> Result<Self> {
        let containers = record.map_or(Ok(None), |record| Containers::of(directory, record))?;
        let groups = SiteId::ALL.map(|site| record.and_then(|record| between::group(record, site)));
        Ok(Self { directory: directory.clone(), containers, groups })
    }

    pub(crate) fn containers(&self) -> Option<&Containers> {
        self.containers.as_ref()
    }

    fn process(&self, site: SiteId, daemon: Daemon) -> Option<Process> {
        Process::read(&self.directory.pid_file(site, daemon))
    }

    pub(crate) fn state(&self, site: SiteId, daemon: Daemon) -> State {
        match self.process(site, daemon).map(Process::life) {
            None => State::Stopped,
            Some(None) => State::Dead,
            Some(Some(Life::Running)) => State::Running,
            Some(Some(Life::Frozen)) => State::Frozen,
        }
    }

    pub(crate) fn status(&self, site: SiteId, daemon: Daemon) -> DaemonStatus {
        let state = self.state(site, daemon);
        let process = self.process(site, daemon).filter(|process| process.life().is_some());
        DaemonStatus {
            site,
            daemon,
            state,
            pid: process.map(Process::pid),
            resident_bytes: process.and_then(Process::resident_bytes),
        }
    }

    /// Fails if the daemon has ended.
    pub(crate) fn expect_alive(&self, site: SiteId, daemon: Daemon) -> Result<()> {
        if matches!(self.state(site, daemon), State::Running | State::Frozen) {
            return Ok(());
        }
        let log = self.directory.output(site, daemon);
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        Err(Error::Died { site, daemon, log, tail })
    }

    /// Starts a daemon, unless it exists.
    pub(crate) fn start(&self, site: SiteId, daemon: Daemon) -> Result<()> {
        if matches!(self.state(site, daemon), State::Running | State::Frozen) {
            return Ok(());
        }
        self.forget(site, daemon)?;
        // A killed daemon leaves its socket, and nobody is to find it before the new one has its own.
        let socket = self.directory.socket(site, daemon);
        absent_is_fine(fs::remove_file(&socket)).at("remove", &socket)?;
        if let Some(containers) = &self.containers {
            let (command, env) = (self.launcher(site, daemon), self.environment(daemon).unwrap_or_default());
            containers.launch(site, daemon, &self.folder(site, daemon), command, &env)?;
            return self.await_launch(site, daemon, || Ok(true));
        }
        let output = self.directory.output(site, daemon);
        let out = fs::OpenOptions::new().create(true).append(true).open(&output).at("open", &output)?;
        let errors = out.try_clone().at("open", &output)?;
        let mut command = self.command(site, daemon);
        command.stdin(Stdio::null()).stdout(out).stderr(errors);
        let mut child = command.spawn().at("start a shell for", &output)?;
        // From here the daemon is known by its pid file; dropping `child` does not end it.
        self.await_launch(site, daemon, || Ok(child.try_wait().at("wait for", &output)?.is_none()))
    }

    /// Waits for a daemon's own pid file, as long as whoever is to become the daemon `lives`.
    fn await_launch(
        &self,
        site: SiteId,
        daemon: Daemon,
        mut lives: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let what = format!("{daemon} of {site} to be launched");
        until(&what, LAUNCH_MAX, &self.directory.log(), || {
            if self.process(site, daemon).is_some() {
                return Ok(Seen::Done(()));
            }
            match lives()? {
                false => self.expect_alive(site, daemon).map(Seen::Done),
                true => Ok(Seen::NotYet("no pid file".to_owned())),
            }
        })
    }

    /// The command line that becomes a daemon.
    fn launcher(&self, site: SiteId, daemon: Daemon) -> Vec<OsString> {
        let user = mirror_user(site);
        let (program, id) = match daemon {
            Daemon::Mon => ("ceph-mon", "a"),
            Daemon::Mgr => ("ceph-mgr", "x"),
            Daemon::Osd => ("ceph-osd", "0"),
            Daemon::RbdMirror => ("rbd-mirror", user.as_str()),
        };
        let mut line: Vec<OsString> = ["sh", "-c", LAUNCHER, "sh"].map(Into::into).into();
        line.push(self.directory.pid_file(site, daemon).into());
        line.extend([program, "-f", "--cluster", site.name(), "--id", id, "--conf"].map(Into::into));
        line.push(self.directory.conf(site).into());
        line
    }

    /// A daemon's current folder.
    fn folder(&self, site: SiteId, daemon: Daemon) -> PathBuf {
        match daemon {
            // It looks for the files of both sites by their names, here after /etc/ceph.
            Daemon::RbdMirror => self.directory.seen_by(site),
            // Reef as Debian packages it looks for its object classes under a relative path, as seen from here.
            _ => PathBuf::from("/"),
        }
    }

    /// What a daemon needs in its environment, as `NAME=VALUE`.
    fn environment(&self, daemon: Daemon) -> Option<String> {
        // Its connection to a peer that has no file would put a socket into the machine's own /run/ceph.
        let run = self.directory.run();
        (daemon == Daemon::RbdMirror).then(|| format!("CEPH_ARGS=--run-dir={}", run.display()))
    }

    /// The launcher as a process of this machine.
    fn command(&self, site: SiteId, daemon: Daemon) -> Command {
        let line = self.launcher(site, daemon);
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]);
        for variable in FOREIGN_VARIABLES {
            command.env_remove(variable);
        }
        command.current_dir(self.folder(site, daemon));
        if let Some((name, value)) = self.environment(daemon).as_deref().and_then(|pair| pair.split_once('='))
        {
            command.env(name, value);
        }
        if let Some(group) = self.groups[site as usize].filter(|_| daemon == Daemon::RbdMirror) {
            command.gid(group);
        }
        // Out of the terminal's process group: Ctrl-C at a test is not an accident at a site.
        command.process_group(0);
        command
    }

    /// Ends daemons in good order, all at once, and by force those that take too long.
    pub(crate) fn stop_all(&self, daemons: &[(SiteId, Daemon)]) -> Result<()> {
        for (site, daemon) in daemons {
            self.signal(*site, *daemon, Signal::TERM)?;
            // A frozen process acts on nothing but SIGKILL until it is thawed.
            self.signal(*site, *daemon, Signal::CONT)?;
        }
        let start = Instant::now();
        for (site, daemon) in daemons {
            match self.await_gone(*site, *daemon, STOP_MAX.saturating_sub(start.elapsed())) {
                Err(Error::TimedOut { .. }) => self.kill_all(&[(*site, *daemon)])?,
                other => other?,
            }
            self.forget(*site, *daemon)?;
        }
        Ok(())
    }

    /// Ends daemons at once. Their pid files stay: the daemons count as dead, not as stopped.
    pub(crate) fn kill_all(&self, daemons: &[(SiteId, Daemon)]) -> Result<()> {
        for (site, daemon) in daemons {
            self.signal(*site, *daemon, Signal::KILL)?;
        }
        daemons.iter().try_for_each(|(site, daemon)| self.await_gone(*site, *daemon, KILL_MAX))
    }

    /// Stops a daemon's execution, so that it neither answers nor refuses.
    pub(crate) fn freeze(&self, site: SiteId, daemon: Daemon) -> Result<()> {
        if self.state(site, daemon) != State::Running {
            return Ok(());
        }
        let marker = self.directory.frozen(site, daemon);
        fs::write(&marker, "").at("write", &marker)?;
        self.signal(site, daemon, Signal::STOP)?;
        let what = format!("{daemon} of {site} to stand still");
        until(&what, KILL_MAX, &self.directory.log(), || {
            let state = self.state(site, daemon);
            Ok(Seen::when(state == State::Frozen, || format!("{state:?}")))
        })
    }

    /// Lets a frozen daemon go on. Returns how long it was frozen, if it was.
    pub(crate) fn thaw(&self, site: SiteId, daemon: Daemon) -> Result<Option<Duration>> {
        let marker = self.directory.frozen(site, daemon);
        let since = fs::metadata(&marker).and_then(|metadata| metadata.modified()).ok();
        let was_frozen = self.state(site, daemon) == State::Frozen;
        self.signal(site, daemon, Signal::CONT)?;
        absent_is_fine(fs::remove_file(&marker)).at("remove", &marker)?;
        let frozen_for =
            since.and_then(|since| SystemTime::now().duration_since(since).ok()).unwrap_or(Duration::MAX);
        Ok(was_frozen.then_some(frozen_for))
    }

    fn signal(&self, site: SiteId, daemon: Daemon, signal: Signal) -> Result<()> {
        self.process(site, daemon).map_or(Ok(()), |process| process.signal(signal).map(drop))
    }

    fn await_gone(&self, site: SiteId, daemon: Daemon, within: Duration) -> Result<()> {
        let what = format!("{daemon} of {site} to end");
        until(&what, within, &self.directory.log(), || {
            let state = self.state(site, daemon);
            Ok(Seen::when(matches!(state, State::Dead | State::Stopped), || format!("{state:?}")))
        })
    }

    fn forget(&self, site: SiteId, daemon: Daemon) -> Result<()> {
        for file in [self.directory.pid_file(site, daemon), self.directory.frozen(site, daemon)] {
            absent_is_fine(fs::remove_file(&file)).at("remove", &file)?;
        }
        Ok(())
    }
}
