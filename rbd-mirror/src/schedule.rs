//! Schedules of mirror snapshots: the manager takes them by itself, for a cluster, a pool, a namespace or an image.
//!
//! The narrowest level that has a schedule counts: an image's own replaces its pool's. The manager's module needs some time after
//! the manager has started; until then each call is refused with [`Refusal::ManagerNotReady`], and [`ready`] waits for it.
//!
//! ```no_run
//! use rbd_mirror::schedule::{Interval, Level, Schedule};
//! # fn main() -> Result<(), rbd_mirror::Error> {
//! # let cluster = rbd_mirror::Cluster::connect(rbd_mirror::Connect::default_conf())?;
//! let pool = cluster.pool("one")?;
//! cluster.add_snapshot_schedule(&Level::pool(&pool), Schedule::every(Interval::minutes(15)?))?;
//! for scheduled in cluster.snapshot_schedules(&Level::Cluster)? {
//!     println!("{}: {}", scheduled.level, scheduled.schedules.len());
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::call::refused;
use crate::cluster::Cluster;
use crate::command::CommandReply;
use crate::deadline::Deadline;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::json::{self, Tree, Value};
use crate::name::Subject;
use crate::op::Op;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::wait::{self, Seen};

/// What a schedule is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Level {
    /// All pools.
    Cluster,
    /// A pool with all its namespaces.
    Pool {
        /// Its name.
        pool: String,
    },
    /// A namespace of a pool.
    Namespace {
        /// The pool's name.
        pool: String,
        /// The namespace's name, empty for the default one.
        namespace: String,
    },
    /// An image.
    Image {
        /// The pool's name.
        pool: String,
        /// The namespace's name, empty for the default one.
        namespace: String,
        /// The image's name.
        image: String,
    },
}

impl Level {
    /// The pool, or the namespace that it was opened in.
    #[must_use]
    #[inline]
    pub fn pool(pool: &Pool) -> Self {
        let (name, namespace) = (pool.spec().pool.to_string(), pool.spec().namespace.to_string());
        if namespace.is_empty() {
            Self::Pool { pool: name }
        } else {
            Self::Namespace { pool: name, namespace }
        }
    }

    /// An image of the pool.
    #[must_use]
    #[inline]
    pub fn image(pool: &Pool, image: &str) -> Self {
        let (pool, namespace) = (pool.spec().pool.to_string(), pool.spec().namespace.to_string());
        Self::Image { pool, namespace, image: image.to_owned() }
    }

    /// As the manager writes it: `one/`, `one/blue/`, `one/disk`.
    fn from_text(text: &str) -> Self {
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        match parts.as_slice() {
            [pool, last] if last.is_empty() => Self::Pool { pool: pool.clone() },
            [pool, image] => {
                Self::Image { pool: pool.clone(), namespace: String::new(), image: image.clone() }
            }
            [pool, namespace, last] if last.is_empty() => {
                Self::Namespace { pool: pool.clone(), namespace: namespace.clone() }
            }
            [pool, namespace, image] => {
                Self::Image { pool: pool.clone(), namespace: namespace.clone(), image: image.clone() }
            }
            _ => Self::Cluster,
        }
    }
}

impl fmt::Display for Level {
    /// As the manager reads it; nothing for the cluster.
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => Ok(()),
            Self::Pool { pool } => write!(f, "{pool}/"),
            Self::Namespace { pool, namespace } => write!(f, "{pool}/{namespace}/"),
            Self::Image { pool, namespace, image } if namespace.is_empty() => write!(f, "{pool}/{image}"),
            Self::Image { pool, namespace, image } => write!(f, "{pool}/{namespace}/{image}"),
        }
    }
}

/// The time between two snapshots, in whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Interval(u32);

impl Interval {
    /// So many minutes.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for none.
    #[inline]
    pub fn minutes(minutes: u32) -> Result<Self> {
        if minutes == 0 {
            let what = "the interval of a schedule is a minute or more";
            return Err(Error::InvalidInput { op: Op::Schedule, on: Subject::Cluster("".into()), what });
        }
        Ok(Self(minutes))
    }

    /// The time between two snapshots.
    #[must_use]
    #[inline]
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0) * 60)
    }
}

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

impl fmt::Display for Interval {
    /// In the largest unit that divides it, as the manager writes it: `90m`, `1h`, `2d`.
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            minutes if minutes % DAY == 0 => write!(f, "{}d", minutes / DAY),
            minutes if minutes % HOUR == 0 => write!(f, "{}h", minutes / HOUR),
            minutes => write!(f, "{minutes}m"),
        }
    }
}

impl FromStr for Interval {
    type Err = Unknown;

    #[inline]
    fn from_str(text: &str) -> Result<Self, Unknown> {
        let digits = text.trim_end_matches(['d', 'h', 'm']);
        let unit = match text.get(digits.len()..) {
            Some("d") => DAY,
            Some("h") => HOUR,
            Some("m" | "") => 1,
            _ => return Err(Unknown),
        };
        let count: u32 = digits.parse().map_err(|_| Unknown)?;
        count.checked_mul(unit).filter(|minutes| *minutes > 0).map(Self).ok_or(Unknown)
    }
}

/// A text that is no interval or time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl fmt::Display for Unknown {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an interval or a time of day as the manager writes them")
    }
}

impl std::error::Error for Unknown {}

/// The time of day from which intervals are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StartTime {
    hour: u8,
    minute: u8,
    /// East of Greenwich; `None` where the manager was not told, and takes its own.
    offset_minutes: Option<i16>,
}

impl StartTime {
    /// A time of day in UTC; `None` if there is no such time.
    #[must_use]
    #[inline]
    pub fn utc(hour: u8, minute: u8) -> Option<Self> {
        (hour < 24 && minute < 60).then_some(Self { hour, minute, offset_minutes: Some(0) })
    }
}

impl fmt::Display for StartTime {
    /// As the manager writes it: `14:00:00+02:00`.
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:00", self.hour, self.minute)?;
        match self.offset_minutes {
            None => Ok(()),
            Some(offset) => {
                let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
                write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
            }
        }
    }
}

impl FromStr for StartTime {
    type Err = Unknown;

    #[inline]
    fn from_str(text: &str) -> Result<Self, Unknown> {
        let at = text.find(['+', '-', 'Z']).unwrap_or(text.len());
        let (time, zone) = text.split_at(at);
        let mut parts = time.split(':').map(|part| part.parse::<u8>().map_err(|_| Unknown));
        let (hour, minute) = (parts.next().ok_or(Unknown)??, parts.next().ok_or(Unknown)??);
        let offset_minutes = match zone.chars().next() {
            None => None,
            Some('Z') => Some(0),
            Some(sign) => {
                let (hours, minutes) = zone.get(1..).and_then(|zone| zone.split_once(':')).ok_or(Unknown)?;
                let number = |text: &str| text.parse::<i16>().map_err(|_| Unknown);
                let offset = number(hours)?.checked_mul(60).ok_or(Unknown)?.checked_add(number(minutes)?);
                let offset = offset.filter(|offset| (0..DAY_MINUTES).contains(offset)).ok_or(Unknown)?;
                Some(if sign == '-' { -offset } else { offset })
            }
        };
        let start = Self::utc(hour, minute).ok_or(Unknown)?;
        Ok(Self { offset_minutes, ..start })
    }
}

const DAY_MINUTES: i16 = 24 * 60;

/// When snapshots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Schedule {
    /// How often.
    pub interval: Interval,
    /// Counted from when; from midnight where it is `None`.
    pub start: Option<StartTime>,
}

impl Schedule {
    /// Each interval, counted from midnight.
    #[must_use]
    #[inline]
    pub const fn every(interval: Interval) -> Self {
        Self { interval, start: None }
    }
}

impl fmt::Display for Schedule {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "every {}", self.interval)?;
        self.start.map_or(Ok(()), |start| write!(f, " starting at {start}"))
    }
}

/// The schedules of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Scheduled {
    /// What they are for.
    pub level: Level,
    /// When: a level may have several.
    pub schedules: Vec<Schedule>,
}

/// The next snapshot of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NextSnapshot {
    /// The image, as `pool/image` or `pool/namespace/image`.
    pub image: String,
    /// When, by the manager's clock in UTC: `2026-03-01 12:15:00`.
    pub at: String,
}

impl Cluster {
    /// Has the manager take mirror snapshots of the images of a level that are primary in snapshot mode. Adding a schedule that is there
    /// changes nothing.
    ///
    /// # Errors
    /// [`Refusal::ManagerNotReady`] (`EAGAIN`, `EOPNOTSUPP`); [`Error::NotFound`] if there is no such pool, namespace or image;
    /// [`Error::NotPermitted`] without the manager capability `profile rbd` for the level.
    ///
    /// Similar to: `rbd mirror snapshot schedule add [--pool <pool>] [--image <image>] <interval> [<start-time>]`
    #[inline]
    pub fn add_snapshot_schedule(&self, level: &Level, schedule: Schedule) -> Result<()> {
        self.schedule_command("add", level, Some(schedule)).map(drop)
    }

    /// Takes a schedule of a level back, or all of them. One that is not there is no error to the manager.
    ///
    /// # Errors
    /// As [`add_snapshot_schedule`](Self::add_snapshot_schedule).
    ///
    /// Similar to: `rbd mirror snapshot schedule remove [--pool <pool>] [--image <image>] [<interval>] [<start-time>]`
    #[inline]
    pub fn remove_snapshot_schedule(&self, level: &Level, schedule: Option<Schedule>) -> Result<()> {
        self.schedule_command("remove", level, schedule).map(drop)
    }

    /// The schedules of a level and of all levels within it.
    ///
    /// # Errors
    /// As [`add_snapshot_schedule`](Self::add_snapshot_schedule); [`Error::Unreadable`] if the manager's answer is none.
    ///
    /// Similar to: `rbd mirror snapshot schedule list --recursive`
    #[inline]
    pub fn snapshot_schedules(&self, level: &Level) -> Result<Vec<Scheduled>> {
        let reply = self.schedule_command("list", level, None)?;
        let answer = json::parse(&reply.output).filter(|answer| matches!(answer, Value::Object(_)));
        let levels = answer
            .and_then(|levels| levels.members().iter().map(|(_, level)| Scheduled::read(level)).collect());
        levels.ok_or_else(|| self.unreadable_schedule())
    }

    /// When the next snapshot of each image of a level is due. An image that has just got its schedule may be missing for a minute.
    ///
    /// # Errors
    /// As [`snapshot_schedules`](Self::snapshot_schedules).
    ///
    /// Similar to: `rbd mirror snapshot schedule status`
    #[inline]
    pub fn snapshot_schedule_status(&self, level: &Level) -> Result<Vec<NextSnapshot>> {
        let reply = self.schedule_command("status", level, None)?;
        let answer = json::parse(&reply.output);
        let images = answer.as_ref().and_then(|answer| answer.get("scheduled_images")?.items());
        let next = images.and_then(|images| images.iter().map(NextSnapshot::read).collect());
        next.ok_or_else(|| self.unreadable_schedule())
    }

    fn schedule_command(
        &self,
        verb: &str,
        level: &Level,
        schedule: Option<Schedule>,
    ) -> Result<CommandReply> {
        let interval = schedule.map(|schedule| schedule.interval.to_string());
        let start = schedule.and_then(|schedule| schedule.start).map(|start| start.to_string());
        let (prefix, level) = (format!("rbd mirror snapshot schedule {verb}"), level.to_string());
        let mut command = vec![("prefix", prefix.as_str()), ("level_spec", &level)];
        command.extend(interval.as_deref().map(|interval| ("interval", interval)));
        command.extend(start.as_deref().map(|start| ("start_time", start)));
        self.mgr_command(&json::command(&command)).map_err(|error| explain(Op::Schedule, error))
    }

    fn unreadable_schedule(&self) -> Error {
        Error::Unreadable { op: Op::Schedule, on: self.subject(), what: "the manager's schedules" }
    }
}

/// Waits until the manager's module for schedules is ready, as after a start or a change of the active manager.
///
/// # Errors
/// [`Error::TimedOut`]; whatever else [`Cluster::snapshot_schedules`] answers.
#[inline]
pub fn ready(cluster: &Cluster, deadline: impl Into<Deadline>) -> Result<()> {
    let deadline = deadline.into();
    wait::until("ready to schedule", &cluster.subject(), deadline, || {
        match cluster.snapshot_schedules(&Level::Cluster) {
            Ok(_) => Ok(Seen::Done(())),
            Err(error @ Error::Refused { reason: Refusal::ManagerNotReady, .. }) => {
                Ok(Seen::NotYet(error.to_string()))
            }
            Err(error) => Err(error),
        }
    })
}

/// As a manager of Pacific says it, between its start and that of its modules.
const NOT_LOADED: &str = "Module 'rbd_support' is not enabled/loaded";

/// What the manager's errno means here.
fn explain(op: Op, error: Error) -> Error {
    match error {
        Error::Command { on, errno: errno @ Errno::EAGAIN, .. } => {
            refused(op, on, Refusal::ManagerNotReady, errno)
        }
        // A manager that has just begun has not loaded its modules; this one is always on, so it comes.
        Error::Command { on, errno: errno @ Errno::EOPNOTSUPP, words, .. } if words.contains(NOT_LOADED) => {
            refused(op, on, Refusal::ManagerNotReady, errno)
        }
        Error::Command { on, errno: Errno::ENOENT, .. } => Error::NotFound { op, on },
        // The manager says EINVAL for a level of which there is none; only its words tell that from a wrong interval.
        Error::Command { on, errno: Errno::EINVAL, words, .. } if words.ends_with("does not exist") => {
            Error::NotFound { op, on }
        }
        Error::Command { on, errno: errno @ (Errno::EACCES | Errno::EPERM), .. } => {
            Error::NotPermitted { op, on, errno }
        }
        other => other,
    }
}

// As the manager writes them; `None` for what a newer one may write instead.

impl Scheduled {
    fn read(entry: &Value<'_>) -> Option<Self> {
        let schedules = entry.get("schedule")?.items()?.iter().map(Schedule::read).collect::<Option<_>>()?;
        Some(Self { level: Level::from_text(entry.get("name")?.text()?), schedules })
    }
}

impl Schedule {
    fn read(entry: &Value<'_>) -> Option<Self> {
        let start = match entry.get("start_time") {
            None | Some(Value::Null) => None,
            Some(start) => Some(start.text()?.parse().ok()?),
        };
        Some(Self { interval: entry.get("interval")?.text()?.parse().ok()?, start })
    }
}

impl NextSnapshot {
    fn read(entry: &Value<'_>) -> Option<Self> {
        let text = |name| entry.get(name).and_then(Value::text).map(str::to_owned);
        Some(Self { image: text("image")?, at: text("schedule_time")? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Interval, Level, Scheduled, StartTime, explain};
    use crate::errno::Errno;
    use crate::error::Error;
    use crate::json;
    use crate::name::Subject;
    use crate::op::Op;
    use crate::refusal::Refusal;

    #[test]
    fn an_interval_is_written_as_the_manager_writes_it_and_read_back() {
        for (minutes, text) in [(1, "1m"), (90, "90m"), (60, "1h"), (1440, "1d"), (2880, "2d")] {
            let interval = Interval::minutes(minutes).unwrap();
            assert_eq!(interval.to_string(), text);
            assert_eq!(text.parse(), Ok(interval));
        }
        assert!(Interval::minutes(0).is_err());
        for text in ["", "m", "0m", "-1h", "1w", "1hm", "99999999999d", "4294967295d", "1 h"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_written_as_the_manager_writes_it_and_read_back() {
        assert_eq!(StartTime::utc(14, 5).unwrap().to_string(), "14:05:00+00:00");
        for text in ["14:00:00", "00:30:00+05:30", "23:59:00-08:00", "14:00:00+00:00"] {
            assert_eq!(text.parse::<StartTime>().unwrap().to_string(), text);
        }
        assert_eq!(StartTime::utc(24, 0), None);
        for text in ["", "14", "25:00:00", "14:00:00+", "14:00:00+99:00", "14:00:00+1é", "noon"] {
            assert!(text.parse::<StartTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_level_is_read_back_as_it_was_written() {
        for text in ["", "one/", "one/blue/", "one/disk", "one/blue/disk"] {
            assert_eq!(Level::from_text(text).to_string(), text);
        }
        assert_eq!(Level::from_text(""), Level::Cluster);
    }

    #[test]
    fn what_a_newer_manager_writes_is_unreadable_and_not_wrong() {
        let level = |interval: &str, start: Value| {
            let schedule = json!([{"interval": interval, "start_time": start}]);
            let entry = json!({"name": "one/", "schedule": schedule}).to_string();
            Scheduled::read(&json::parse(entry.as_bytes()).unwrap())
        };
        assert!(level("1h", Value::Null).is_some());
        assert_eq!(
            level("1h", json!("14:00:00")).unwrap().schedules[0].to_string(),
            "every 1h starting at 14:00:00"
        );
        assert!(level("every full moon", Value::Null).is_none());
        assert!(level("1h", json!(14)).is_none());
        assert!(Scheduled::read(&json::parse(br#"{"name": "one/"}"#).unwrap()).is_none());
    }

    #[test]
    fn a_module_that_is_not_ready_is_told_from_every_other_failure() {
        let said = |errno, words: &str| {
            let on = Subject::Cluster("site-a".into());
            explain(Op::Schedule, Error::Command { op: Op::MgrCommand, on, words: words.into(), errno })
        };
        let answer = |errno| said(errno, "rbd_support module is not ready (try again)");
        let begun = "Warning: due to ceph-mgr restart, some PG states may not be up to date\n\
                     Module 'rbd_support' is not enabled/loaded (required by command 'rbd mirror snapshot schedule list'): \
                     use `ceph mgr module enable rbd_support` to enable it";
        assert_eq!(said(Errno::EOPNOTSUPP, begun).refusal(), Some(&Refusal::ManagerNotReady));
        assert!(matches!(answer(Errno::EOPNOTSUPP), Error::Command { .. }));
        assert_eq!(answer(Errno::EAGAIN).refusal(), Some(&Refusal::ManagerNotReady));
        assert!(matches!(answer(Errno::ENOENT), Error::NotFound { .. }));
        assert!(matches!(answer(Errno::EACCES), Error::NotPermitted { .. }));
        assert!(matches!(answer(Errno::EINVAL), Error::Command { .. }));
    }
}
