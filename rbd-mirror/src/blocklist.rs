//! Clients that a cluster shuts out: [`Cluster::blocklist`] adds one; here they are listed and let in again.

use std::time::{Duration, SystemTime};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::json::{self, Tree, Value};
use crate::op::Op;

/// A client that the cluster shuts out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Blocklisted {
    /// Its address and nonce, `10.0.0.5:0/3714567890`. A nonce of 0 is every client of that address.
    pub address: String,
    /// Until when, as the monitor writes it: `2026-03-01T12:00:00.000000+0000`.
    pub until: String,
}

impl Blocklisted {
    fn read(entry: &Value<'_>) -> Option<Self> {
        let text = |name| entry.get(name).and_then(Value::text).map(str::to_owned);
        Some(Self { address: text("addr")?, until: text("until")? })
    }

    /// Whether it is shut out for so long from now, by this machine's clock; not where its time cannot be read.
    pub(crate) fn lasts(&self, at_least: Duration) -> bool {
        let end = seconds(&self.until).map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        end.is_some_and(|end| end >= SystemTime::now() + at_least)
    }
}

/// The seconds since 1970 of `2026-03-01T12:00:00.000000+0000`.
fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u32>().ok().map(i64::from));
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, zone) = time.split_at_checked(time.rfind(['+', '-'])?)?;
    let mut time = time
        .split_once('.')
        .map_or(time, |(whole, _)| whole)
        .splitn(3, ':')
        .map(|part| part.parse::<u32>().ok().map(i64::from));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let (hours, minutes) = zone.get(1..)?.split_at_checked(2)?;
    let east = i64::from(hours.parse::<u32>().ok()?) * 3600 + i64::from(minutes.parse::<u32>().ok()?) * 60;
    let ahead = if zone.starts_with('-') { -east } else { east };
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days of the Gregorian calendar, in years that begin with March: a leap day is then the last of its year.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second - ahead).ok()
}

impl Cluster {
    /// The clients that the cluster shuts out: those that somebody fenced, and those whose locks were broken.
    ///
    /// # Errors
    /// [`Error::Command`] if the monitor refuses; [`Error::Unreadable`] if its answer is no list.
    ///
    /// Similar to: `ceph osd blocklist ls`
    #[inline]
    pub fn blocklisted(&self) -> Result<Vec<Blocklisted>> {
        let reply =
            self.mon_command(&json::command(&[("prefix", "osd blocklist ls"), ("format", "json")]))?;
        // Text may follow the list: the first value is all that is read.
        let first = json::first(&reply.output);
        let listed = first.as_ref().and_then(Value::items);
        let listed = listed.and_then(|listed| listed.iter().map(Blocklisted::read).collect());
        let what = "the list of blocklisted clients";
        listed.ok_or_else(|| Error::Unreadable { op: Op::Blocklist, on: self.subject(), what })
    }

    /// Lets a client in again. Only after what it still had in flight can do no harm: a fenced writer that comes back writes.
    ///
    /// # Errors
    /// [`Error::Command`] if the monitor refuses. A client that is not shut out is no error.
    ///
    /// Similar to: `ceph osd blocklist rm <address>`
    #[inline]
    pub fn unblocklist(&self, address: &str) -> Result<()> {
        let command = [("prefix", "osd blocklist"), ("blocklistop", "rm"), ("addr", address)];
        self.mon_command(&json::command(&command)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, proptest};

    use super::{Blocklisted, seconds};

    #[test]
    fn the_monitors_times_are_read_in_every_zone() {
        let table = [
            ("1970-01-01T00:00:00.000000+0000", 0),
            ("2000-02-29T23:59:59.999999+0000", 951_868_799),
            ("2026-03-01T12:00:00.000000+0000", 1_772_366_400),
            ("2026-03-01T14:00:00.000000+0200", 1_772_366_400),
            ("2026-03-01T06:30:00.000000-0530", 1_772_366_400),
            ("2026-12-31T23:59:59+0000", 1_798_761_599),
        ];
        for (text, expected) in table {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_of_theirs_lasts_for_no_time_at_all() {
        for text in
            ["", "soon", "2026-03-01 12:00:00.000000", "2026-13-01T12:00:00+0000", "2020-03-01T12:00:00+0000"]
        {
            let listed = Blocklisted { address: "10.0.0.5:0/7".to_owned(), until: text.to_owned() };
            assert!(!listed.lasts(Duration::ZERO), "{text}");
        }
        let listed =
            Blocklisted { address: String::new(), until: "2999-03-01T12:00:00.000000+0000".to_owned() };
        assert!(listed.lasts(Duration::from_secs(3600)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), date in "[0-9]{1,18}-[0-9]{1,18}-[0-9]{1,18}T[0-9]{1,18}:[0-9]{1,18}:[0-9]{1,18}[+-][0-9]{4,18}") {
            let _ = seconds(&text);
            let _ = seconds(&date);
        }
    }
}
