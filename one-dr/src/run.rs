//! A run: a plan that is carried out, one journaled change after the other, and taken up again after a crash.
//!
//! ```text
//!   start ─> lease ─> plan still true? ─> journal: started(plan) ─> steps ─> finished
//!   resume ─> journal ─> lease ─> the same steps from the top: each looks first, and is Done where it was done
//! ```

mod course;
mod engine;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use opennebula_meta::id::VmId;
use serde_json::json;

use crate::clock::Moment;
use crate::journal::{self, Entry, Error as JournalError, Journal, Phase, Store};
use crate::lease::Lease;
use crate::observe::{self, observe};
use crate::plan::{Error as PlanError, Intent, Plan, Verb};
use crate::site::{Side, SitePair};
use crate::storage::{Cause, Error as StorageError};

pub use engine::Event;
pub use report::{End, Report, Stop, VmReport};

/// Why a run did not begin, or cannot go on. What a run came to is a [`Report`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first observation.
    #[error(transparent)]
    Observe(#[from] observe::Error),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Somebody else has the lease.
    #[error(
        "REFUSED [another-run-active]  {owner} is at work at site {site} until {until} (and may prolong it).\n  at risk: two \
         operators who switch the same disks in opposite directions\n  safe:    one-dr history     wait for it, or speak to its \
         operator"
    )]
    LeaseHeld {
        /// The site.
        site: String,
        /// Who.
        owner: String,
        /// Until when.
        until: Moment,
    },
    /// What is now is not what the plan was made from.
    #[error(
        "REFUSED [plan-stale]  the plan was made at {planned} from another state of things (fingerprint {was}, now {is}).\n  at \
         risk: it would do what nobody has looked at\n  safe:    make a new plan, and read it"
    )]
    Stale {
        /// When it was made.
        planned: Moment,
        /// What it was made from.
        was: String,
        /// What is.
        is: String,
    },
    /// A pool that the run needs.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The run is over.
    #[error("run {0} is over: there is nothing to resume")]
    Over(String),
}

/// A run that is going on.
pub struct Run<'a> {
    pub(crate) pair: &'a SitePair,
    /// Its name: a date and a number, `2026-11-22-03`.
    pub id: String,
    /// What it carries out.
    pub plan: Plan,
    pub(crate) journal: Journal,
    pub(crate) lease: Lease,
    pub(crate) stop: Option<Arc<AtomicBool>>,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What leads back from a run that was given up.
#[derive(Clone, Debug, PartialEq)]
pub enum Back {
    /// Nothing has to.
    Nothing,
    /// Of a move that has not reached the other site: plan this, and run it.
    Intent(Intent),
    /// Of a drill: run this, which removes what it made.
    Plan(Box<Plan>),
}

/// The object that has the copy of a run's journal.
#[must_use]
pub fn copy_object(run: &str) -> String {
    format!("one-dr.run.{run}")
}

impl<'a> Run<'a> {
    /// Begins a run of a plan: takes the lease, and looks whether the plan is still true.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`], [`Error::Stale`]: nothing was changed. Others as they say.
    pub fn start(pair: &'a SitePair, store: &dyn Store, plan: Plan) -> Result<Self, Error> {
        // Refused plans exist to be shown. The guards are part of what is run.
        if plan.findings.iter().any(crate::guard::Finding::refuses) {
            return Err(Error::Plan(PlanError::Refused(Box::new(plan))));
        }
        let id = next_name(pair, store)?;
        let lease = take_lease(pair, &plan, &id)?;
        let now = observe(pair, &plan.scope);
        let checked = now.map_err(Error::from).and_then(|now| {
            let is = now.fingerprint();
            if is == plan.fingerprint {
                Ok(())
            } else {
                let was = plan.fingerprint.to_string();
                Err(Error::Stale { planned: plan.at, was, is: is.to_string() })
            }
        });
        if let Err(error) = checked {
            lease.release(pair);
            return Err(error);
        }
        let journal = Journal::on(store.open(&id, true)?)?;
        let mut run = Self { pair, id, plan, journal, lease, stop: None };
        let text = format!("{} by {}", run.plan.intent.verb.word(), pair.operator);
        let data = json!({ "plan": run.plan });
        run.record(None, Phase::Started, text, Some(data))?;
        Ok(run)
    }

    /// Takes a run up again after a crash or a stop, on this machine or, by the copy in the pool of `from`, on another.
    ///
    /// # Errors
    /// [`Error::Over`]; [`Error::LeaseHeld`]; [`Error::Journal`].
    pub fn resume(pair: &'a SitePair, store: &dyn Store, id: &str) -> Result<Self, Error> {
        let (journal, plan) = open(pair, store, id)?;
        let lease = take_lease(pair, &plan, id)?;
        let mut run = Self { pair, id: id.to_owned(), plan, journal, lease, stop: None };
        // The other machine's copy may lack the last lines, and this one's file may be torn: it is written as a whole.
        let bytes = run.journal.bytes()?;
        let keeper = run.plan.keeper;
        if let Err(error) = pair.storage(keeper).put_object(&copy_object(id), &bytes)
            && !error.is_unreachable()
        {
            run.lease.release(pair);
            return Err(error.into());
        }
        run.record(None, Phase::Resumed, format!("by {}", pair.operator), None)?;
        Ok(run)
    }

    /// Ends the run before the next step, or at the next look of a wait, once the flag is set. It can be resumed.
    #[must_use]
    pub fn stopped_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Gives a run up. What was done stays done; what leads back is answered, to be run.
    ///
    /// # Errors
    /// [`Error::Over`]; [`Error::LeaseHeld`]; [`Error::Journal`].
    pub fn abort(pair: &'a SitePair, store: &dyn Store, id: &str) -> Result<Back, Error> {
        let mut run = Self::resume(pair, store, id)?;
        run.record(None, Phase::Aborted, format!("by {}", pair.operator), None)?;
        let intent = &run.plan.intent;
        let back = match intent.verb {
            Verb::Relocate | Verb::Failback => {
                let back = Intent::new(Verb::Abort, &pair.settings);
                Back::Intent(Intent { from: intent.to, to: intent.from, ..back })
            }
            Verb::Drill => Back::Plan(Box::new(run.plan.clone().clean_up())),
            _ => Back::Nothing,
        };
        run.lease.release(pair);
        Ok(back)
    }

    /// Writes a line, here and in the pool. Nothing is done whose line is not in both.
    pub(crate) fn record(
        &mut self,
        step: Option<usize>,
        phase: Phase,
        text: impl Into<String>,
        data: Option<serde_json::Value>,
    ) -> Result<(), Error> {
        let (offset, line) = self.journal.write(self.pair.clock.now(), step, phase, text, data)?;
        self.pair.storage(self.plan.keeper).write_object(&copy_object(&self.id), offset, &line)?;
        Ok(())
    }
}

/// What is known of a run, without taking it up.
#[derive(Clone, Debug)]
pub struct History {
    /// Its name.
    pub id: String,
    /// Its plan.
    pub plan: Plan,
    /// Its lines.
    pub entries: Vec<Entry>,
}

impl History {
    /// Whether there is nothing to resume.
    #[must_use]
    pub fn is_over(&self) -> bool {
        is_over(&self.entries)
    }

    /// When each VM's steps stood how: the last line of each step.
    #[must_use]
    pub fn by_step(&self) -> BTreeMap<usize, &Entry> {
        self.entries.iter().filter_map(|entry| entry.step.map(|step| (step, entry))).collect()
    }

    /// The VMs of the run.
    #[must_use]
    pub fn vms(&self) -> &[VmId] {
        &self.plan.scope.vms
    }
}

/// The runs of a store, oldest first; those that cannot be read are left out.
///
/// # Errors
/// [`Error::Journal`]
pub fn history(store: &dyn Store) -> Result<Vec<History>, Error> {
    let mut runs = Vec::new();
    for id in store.runs()? {
        let Ok((entries, _)) = journal::parse(&store.peek(&id)?) else { continue };
        let Ok(plan) = plan_of(&entries) else { continue };
        runs.push(History { id, plan, entries });
    }
    Ok(runs)
}

fn is_over(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(entry.phase, Phase::Finished | Phase::Aborted))
}

fn plan_of(entries: &[Entry]) -> Result<Plan, JournalError> {
    let first = entries.first().filter(|entry| entry.phase == Phase::Started).ok_or(JournalError::NoPlan)?;
    let plan = first.data.as_ref().and_then(|data| data.get("plan")).ok_or(JournalError::NoPlan)?;
    serde_json::from_value(plan.clone()).map_err(|error| JournalError::Read(error.to_string()))
}

/// The journal of a run: the file, or, where there is none, the copy in a pool, of which a file is made.
fn open(pair: &SitePair, store: &dyn Store, id: &str) -> Result<(Journal, Plan), Error> {
    let log = match store.open(id, false) {
        Err(JournalError::NoRun(_)) => {
            let copy = [Side::Recovery, Side::Home]
                .into_iter()
                .find_map(|side| pair.storage(side).object(&copy_object(id)).ok().flatten());
            let copy = copy.ok_or_else(|| JournalError::NoRun(id.to_owned()))?;
            let mut log = store.open(id, true)?;
            log.append(&copy).map_err(|error| JournalError::Write(error.to_string()))?;
            log
        }
        other => other?,
    };
    let journal = Journal::on(log)?;
    let plan = plan_of(journal.entries())?;
    if is_over(journal.entries()) {
        return Err(Error::Over(id.to_owned()));
    }
    Ok((journal, plan))
}

fn take_lease(pair: &SitePair, plan: &Plan, id: &str) -> Result<Lease, Error> {
    let owner = format!("{} run {id}", pair.operator);
    Lease::take(pair, &plan.leases, &owner).or_else(|error| {
        // A site that has fallen silent since the plan: whoever else works there has no more of it than we have.
        if error.is_unreachable() || error.is_in_doubt() {
            let keeper = [plan.keeper];
            return Lease::take(pair, &keeper, &owner).map_err(lease_error);
        }
        Err(lease_error(error))
    })
}

fn lease_error(error: StorageError) -> Error {
    match &error {
        StorageError::Refused { site, cause: Cause::LeaseHeld { owner, until }, .. } => {
            Error::LeaseHeld { site: site.clone(), owner: owner.clone(), until: *until }
        }
        _ => error.into(),
    }
}

/// A date and a number that neither this machine nor the pools have seen.
fn next_name(pair: &SitePair, store: &dyn Store) -> Result<String, Error> {
    let date: String = pair.clock.now().to_string().chars().take(10).collect();
    let mut taken = store.runs()?;
    for side in [Side::Recovery, Side::Home] {
        let prefix = copy_object(&date);
        let names = pair.storage(side).objects(&prefix).unwrap_or_default();
        taken.extend(names.iter().filter_map(|name| name.strip_prefix("one-dr.run.").map(str::to_owned)));
    }
    let number = |name: &String| name.strip_prefix(&date)?.strip_prefix('-')?.parse::<u32>().ok();
    let next = taken.iter().filter_map(number).max().unwrap_or(0) + 1;
    Ok(format!("{date}-{next:02}"))
}

#[cfg(test)]
mod tests;
