//! Waiting, with a deadline, for what a site does by itself. Nothing else in this crate sleeps.
//!
//! Each wait looks at what is authoritative (roles, journals, mirror snapshots), not at status texts, and ends early where what
//! it sees will not turn into what it waits for. A status is consulted only for that: a split brain or an error has to be seen
//! in two different reports of the daemon before it is believed, since both are echoed for a moment during every switch-over.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::deadline::Deadline;
use crate::error::{Error, Hopeless, Result};
use crate::health::Health;
use crate::mode::MirrorImageMode;
use crate::name::{GlobalImageId, ImageId, Subject};
use crate::pool::Pool;
use crate::status::{ImageStatus, SiteState};
use crate::sync::{SyncState, demotion_has_arrived, sync_state};
use crate::watch::{Change, Watch as StatusWatch};

/// What one look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It has happened.
    Done(T),
    /// Not yet; what was seen instead, in words.
    NotYet(String),
}

/// The first pause between two looks; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(25);

/// rbd-mirror itself acts once a second at the fastest, so looking more often sees nothing more.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What a look is given at the end of a wait.
const LOOK_MIN: Duration = Duration::from_millis(250);

/// A demotion is written in two steps, moments apart: one that has only the first after so long was broken off.
const BROKEN_AFTER: Duration = Duration::from_secs(5);

/// Looks until `look` has seen it, or the deadline is over. A site that does not answer is looked at again; every other error
/// ends the wait.
///
/// # Errors
/// [`Error::TimedOut`] with what was seen last; whatever `look` answers.
#[inline]
pub fn until<T>(
    awaited: &'static str,
    on: &Subject,
    deadline: Deadline,
    mut look: impl FnMut() -> Result<Seen<T>>,
) -> Result<T> {
    let _span = tracing::debug_span!("wait", awaited, on = %on).entered();
    let mut pause = PAUSE_MIN;
    loop {
        let last = match look() {
            Ok(Seen::Done(value)) => return Ok(value),
            Ok(Seen::NotYet(last)) => last,
            Err(error) if error.is_unreachable() => error.to_string(),
            Err(error) => return Err(error),
        };
        if deadline.is_over() {
            let waited = deadline.waited();
            return Err(Error::TimedOut { awaited, on: on.clone(), waited, last: last.into() });
        }
        thread::sleep(pause.min(deadline.left()));
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A view of the pool whose operations end with the deadline, or little after it: a look that has begun may see its end.
fn within(pool: &Pool, deadline: Deadline) -> Pool {
    pool.bounded_by(deadline.left().max(LOOK_MIN).min(pool.bound()))
}

/// Waits until the replica has all that the primary has committed: the first copy is complete, and the replay is up to date.
///
/// This is what "protected" means. It is read from the primary's journal or the replica's newest mirror snapshot; the status's
/// "0 behind" would not do.
///
/// # Errors
/// [`Error::Hopeless`] on two primaries, if the image is not primary at `primary`, on a split brain, or an error of the replay that
/// persists; [`Error::TimedOut`] with the last [`SyncState`]; [`Error::NotFound`] if the primary has no such image.
#[inline]
pub fn caught_up(
    primary: &Pool,
    replica: &Pool,
    id: &GlobalImageId,
    deadline: impl Into<Deadline>,
) -> Result<()> {
    let deadline = deadline.into();
    let awaited = "caught up";
    let on = named(primary, id);
    let mut watch = Watch::new(awaited, &on);
    until(awaited, &on, deadline, || {
        let (primary, replica) = (within(primary, deadline), within(replica, deadline));
        match sync_state(&primary, &replica, id)? {
            SyncState::CaughtUp => Ok(Seen::Done(())),
            SyncState::TwoPrimaries => {
                Err(Error::Hopeless { awaited, on: on.clone(), seen: Hopeless::TwoPrimaries })
            }
            SyncState::NotPrimary => {
                Err(Error::Hopeless { awaited, on: on.clone(), seen: Hopeless::NotPrimary })
            }
            state => {
                watch.look(&replica, id)?;
                Ok(Seen::NotYet(state.to_string()))
            }
        }
    })
}

/// Waits until the site that follows has registered with the journal of the replica at `replica`, so that it will be able to
/// follow back after a switch-over.
///
/// A promotion before that ends in a split brain with identical data. It concerns images that have been mirrored for less than
/// about half a minute. In snapshot mode there is nothing to wait for.
///
/// # Errors
/// [`Error::TimedOut`]: is a daemon running at `primary`, and does it have `replica` as a peer that it receives from?
#[inline]
pub fn reverse_registered(
    primary: &Pool,
    replica: &Pool,
    id: &GlobalImageId,
    deadline: impl Into<Deadline>,
) -> Result<()> {
    let deadline = deadline.into();
    until("registered for the way back", &named(replica, id), deadline, || {
        let uuid = within(primary, deadline).mirror_uuid()?;
        let image = within(replica, deadline).open_by_global_id_read_only(id)?;
        if image.mirror_mode()? == Some(MirrorImageMode::Snapshot) || image.journal()?.peer(&uuid).is_some() {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet("the other site's daemon is not a client of this journal yet".to_owned()))
    })
}

/// Waits until a demotion at `demoted` has arrived at `here` with everything before it, so that a clean promotion at `here`
/// succeeds and loses nothing.
///
/// # Errors
/// [`Error::Hopeless`] if the image is still primary at `demoted`, if its demotion was broken off half-way (promote there
/// again, then demote again), or if the daemon at `here` reports a persistent error; [`Error::TimedOut`].
#[inline]
pub fn demotion_arrived(
    demoted: &Pool,
    here: &Pool,
    id: &GlobalImageId,
    deadline: impl Into<Deadline>,
) -> Result<()> {
    let deadline = deadline.into();
    let awaited = "promotable: the demotion has not arrived";
    let on = named(here, id);
    let hopeless = |seen| Err(Error::Hopeless { awaited, on: on.clone(), seen });
    let mut watch = Watch::new(awaited, &on);
    let mut broken_since = None;
    until(awaited, &on, deadline, || {
        let (demoted, here) = (within(demoted, deadline), within(here, deadline));
        if demotion_has_arrived(&demoted, &here, id)? {
            let image = here.open_by_global_id_read_only(id)?;
            // In snapshot mode a promotion takes the lock: rbd-mirror must have closed the image.
            let snapshots = image.mirror_mode()? == Some(MirrorImageMode::Snapshot);
            if snapshots && image.watchers()?.len() > image.users()?.len() {
                return Ok(Seen::NotYet("arrived, and rbd-mirror still has the image open".to_owned()));
            }
            return Ok(Seen::Done(()));
        }
        let source = demoted.open_by_global_id_read_only(id)?;
        if source.role()?.is_primary() {
            return hopeless(Hopeless::StillPrimary);
        }
        if here.open_by_global_id_read_only(id)?.role()?.is_primary() {
            return hopeless(Hopeless::PrimaryHere);
        }
        let broken = source.mirror_mode()? == Some(MirrorImageMode::Journal)
            && source.journal()?.has_broken_demotion();
        if broken && broken_since.get_or_insert_with(Instant::now).elapsed() > BROKEN_AFTER {
            return hopeless(Hopeless::BrokenDemotion);
        }
        let status = watch.look(&here, id)?;
        Ok(Seen::NotYet(status.map_or_else(|| "no status".to_owned(), |status| status.to_string())))
    })
}

/// Waits until `there` follows `here` with nothing behind, after a promotion at `here`.
///
/// # Errors
/// As [`caught_up`], with `here` as the primary.
#[inline]
pub fn settled(here: &Pool, there: &Pool, id: &GlobalImageId, deadline: impl Into<Deadline>) -> Result<()> {
    caught_up(here, there, id, deadline)
}

/// Waits until a resync that was asked for at `here` is through: the old image is gone, a new one is there under the same global
/// id, and it has caught up with `primary`. `old` is the id that the image had before.
///
/// In between there is no image at all for some seconds; that is progress, not an error.
///
/// # Errors
/// As [`caught_up`]; [`Error::TimedOut`].
#[inline]
pub fn resynced(
    primary: &Pool,
    here: &Pool,
    id: &GlobalImageId,
    old: &ImageId,
    deadline: impl Into<Deadline>,
) -> Result<ImageId> {
    let deadline = deadline.into();
    let new = until("fetched anew", &named(here, id), deadline, || match within(here, deadline).find(id) {
        Ok(found) if found != *old => Ok(Seen::Done(found)),
        Ok(_) => Ok(Seen::NotYet("the old copy is still there".to_owned())),
        Err(Error::NotFound { .. }) => {
            Ok(Seen::NotYet("the old copy is gone, the new one not there yet".to_owned()))
        }
        Err(error) => Err(error),
    })?;
    caught_up(primary, here, id, deadline)?;
    Ok(new)
}

/// Waits until the pool's rbd-mirror daemons are there and healthy.
///
/// # Errors
/// [`Error::TimedOut`] with the daemons' own words; [`Error::Command`] without the capability to ask the manager for them.
#[inline]
pub fn daemon_healthy(pool: &Pool, deadline: impl Into<Deadline>) -> Result<()> {
    let deadline = deadline.into();
    until("served by a healthy rbd-mirror daemon", &pool.subject(), deadline, || {
        let daemons = within(pool, deadline).daemons()?;
        let healthy = daemons.iter().any(|daemon| daemon.health == Health::Ok);
        if healthy {
            return Ok(Seen::Done(()));
        }
        let words: Vec<String> = daemons.iter().map(ToString::to_string).collect();
        Ok(Seen::NotYet(if words.is_empty() { "no daemon".to_owned() } else { words.join("; ") }))
    })
}

/// Waits until something has changed in the statuses of a pool, and says what. Looks once a second, at the price of two reads of the
/// pool while nothing changes.
///
/// # Errors
/// [`Error::TimedOut`] if nothing has changed, or the site did not answer.
#[inline]
pub fn changed(watch: &mut StatusWatch, deadline: impl Into<Deadline>) -> Result<Vec<Change>> {
    let on = watch.pool().subject();
    until("changed", &on, deadline.into(), || {
        let changes = watch.look()?;
        Ok(if changes.is_empty() { Seen::NotYet("nothing new".to_owned()) } else { Seen::Done(changes) })
    })
}

fn named(pool: &Pool, id: &GlobalImageId) -> Subject {
    pool.spec().image(format!("global id {id}")).into()
}

/// Sees in the statuses what will not mend itself.
struct Watch<'a> {
    awaited: &'static str,
    on: &'a Subject,
    /// The last report that was bad, by the time it was written.
    bad: Option<(String, Option<SystemTime>)>,
}

impl<'a> Watch<'a> {
    fn new(awaited: &'static str, on: &'a Subject) -> Self {
        Self { awaited, on, bad: None }
    }

    /// Reads the replica's status, where there is one. Two bad reports of different times are believed.
    fn look(&mut self, replica: &Pool, id: &GlobalImageId) -> Result<Option<ImageStatus>> {
        let status = match replica.open_by_global_id_read_only(id).and_then(|image| image.status()) {
            Ok(status) => status,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(local) = status.local.as_ref().filter(|local| local.state == SiteState::Error && local.up)
        else {
            self.bad = None;
            return Ok(Some(status));
        };
        let report = (local.description.text.clone(), local.last_update);
        let believed =
            self.bad.as_ref().is_some_and(|(text, written)| *text == report.0 && *written < report.1);
        if believed {
            let seen = if local.description.is_split_brain() {
                Hopeless::SplitBrain
            } else {
                Hopeless::ReplayError(report.0.into())
            };
            return Err(Error::Hopeless { awaited: self.awaited, on: self.on.clone(), seen });
        }
        if self.bad.as_ref().is_none_or(|(text, _)| *text != report.0) {
            self.bad = Some(report);
        }
        Ok(Some(status))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Seen, until};
    use crate::deadline::Deadline;
    use crate::error::Error;
    use crate::name::Subject;
    use crate::op::Op;

    const LONG: Duration = Duration::from_secs(20);

    fn subject() -> Subject {
        Subject::Cluster("site-a".into())
    }

    #[test]
    fn a_wait_looks_once_more_than_it_says_not_yet() {
        let mut looks = 0;
        let seen = until("done", &subject(), Deadline::after(LONG), || {
            looks += 1;
            Ok(if looks == 3 { Seen::Done(looks) } else { Seen::NotYet(String::new()) })
        });
        assert_eq!(seen.unwrap(), 3);
    }

    #[test]
    fn a_wait_that_ends_without_it_names_what_was_seen_last() {
        let waited = until::<()>("done", &subject(), Deadline::after(Duration::from_millis(60)), || {
            Ok(Seen::NotYet("half-way".to_owned()))
        });
        let text = waited.unwrap_err().to_string();
        assert!(text.contains("done") && text.contains("half-way"), "{text}");
    }

    #[test]
    fn a_site_that_does_not_answer_is_looked_at_again_and_other_errors_end_the_wait() {
        let mut looks = 0;
        let ended = until::<()>("done", &subject(), Deadline::after(LONG), || {
            looks += 1;
            let (op, on) = (Op::Status, subject());
            Err(if looks == 1 { Error::InDoubt { op, on, waited: LONG } } else { Error::NotFound { op, on } })
        });
        assert!(matches!(ended, Err(Error::NotFound { .. })));
        assert_eq!(looks, 2);
    }
}
