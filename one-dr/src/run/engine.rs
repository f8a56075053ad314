//! The steps of a run: look, journal, act, look again.
//!
//! Stage after stage. Within a stage each VM's steps come one after the other, and the VMs wait side by side: fifty guests that
//! are asked to power off take as long as the slowest. Changes are made one at a time, by one thread: the journal is a line.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::Ordering;
use std::time::Duration;

use opennebula_meta::id::VmId;
use serde::Serialize;

use super::course::{Course, Lane, UnderWay};
use super::{End, Error, Report, Run, Stop};
use crate::clock::Moment;
use crate::journal::Phase;
use crate::step::{Action, Failure, Look, Step, World};

/// What a run tells as it goes on.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step begins.
    Began {
        /// Its place in the plan.
        step: usize,
    },
    /// It waits.
    Waiting {
        /// Its place in the plan.
        step: usize,
        /// What for.
        awaited: String,
        /// Since when.
        since: Moment,
        /// How long it may last, in seconds.
        limit_seconds: u64,
    },
    /// A long change is so far.
    Progress {
        /// Its place in the plan.
        step: usize,
        /// Objects done.
        done: u64,
        /// Of so many.
        total: u64,
    },
    /// It is at its end.
    Done {
        /// Its place in the plan.
        step: usize,
        /// Whether it was so before this run did anything.
        already: bool,
    },
    /// It stopped.
    Stopped {
        /// Its place in the plan.
        step: usize,
        /// Why.
        stop: Stop,
    },
}

/// What a turn at a step came to.
enum Turn {
    Done {
        already: bool,
    },
    /// A change was made, or may have been: look again.
    Acted,
    Waiting,
    Stopped(Stop),
}

impl Run<'_> {
    /// Carries the run on, to its end or to where it stops.
    ///
    /// # Errors
    /// [`Error`] where the run itself cannot go on: no journal, no lease, no keeper. It can be resumed then too.
    pub fn to_end(mut self, mut tell: impl FnMut(&Event) + Send) -> Result<Report, Error> {
        let began = self.pair.clock.now();
        let plan = self.plan.clone();
        let world = World::new(self.pair, &plan);
        let mut course = Course::new(plan.intent.stop_at_first);
        let mut first = 0;
        for stage in plan.steps.chunk_by(|a, b| a.stage == b.stage && a.vm.is_none() == b.vm.is_none()) {
            self.stage(&world, &mut course, first..first + stage.len(), &mut tell)?;
            first += stage.len();
        }
        let end = course.end();
        if end == End::Done {
            self.record(None, Phase::Finished, "", None)?;
        }
        let vms: BTreeSet<VmId> = plan.scope.vms.iter().copied().collect();
        let report = Report {
            run: self.id.clone(),
            end,
            vms: vms.into_iter().map(|vm| course.of(vm)).collect(),
            stopped: course.all,
            began,
            ended: self.pair.clock.now(),
            notes: self.notes(),
        };
        self.lease.release(self.pair);
        Ok(report)
    }

    fn notes(&self) -> Vec<String> {
        let acted = self.journal.entries().iter().filter(|entry| entry.phase == Phase::Acted);
        acted.filter(|entry| entry.text.starts_with("locked out")).map(|entry| entry.text.clone()).collect()
    }

    /// When a step began, in this process or in one before.
    fn began(&self, at: usize) -> Option<Moment> {
        let mut entries = self.journal.entries().iter();
        entries.find(|entry| entry.step == Some(at) && entry.phase == Phase::Began).map(|entry| entry.at)
    }

    fn is_asked_to_stop(&self) -> bool {
        self.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    fn keep_lease(&mut self) -> Result<(), Error> {
        self.lease.keep(self.pair).map_err(super::lease_error)
    }

    /// The steps of a stage: a lane for each VM. Every lane goes as far as it can without waiting; then all wait together.
    fn stage(
        &mut self,
        world: &World<'_>,
        course: &mut Course,
        steps: Range<usize>,
        tell: &mut (impl FnMut(&Event) + Send),
    ) -> Result<(), Error> {
        let mut lanes = Lane::of(&world.plan.steps, steps);
        lanes.retain(|lane| lane.vm.is_none_or(|vm| !course.stopped.contains_key(&vm)));
        loop {
            for lane in &mut lanes {
                self.advance(world, course, lane, tell)?;
            }
            lanes.retain(|lane| !lane.steps.is_empty());
            if lanes.is_empty() || course.all.is_some() {
                return Ok(());
            }
            self.pair.clock.sleep(self.pair.settings.limits.poll());
        }
    }

    /// Takes a lane as far as it goes without waiting.
    fn advance(
        &mut self,
        world: &World<'_>,
        course: &mut Course,
        lane: &mut Lane,
        tell: &mut (impl FnMut(&Event) + Send),
    ) -> Result<(), Error> {
        while course.all.is_none()
            && let Some((at, step)) = lane.next(world.plan)
        {
            if course.holds_up(step) {
                // A pause between groups does not matter to who is left.
                if matches!(step.action, Action::Pause { .. }) {
                    lane.done();
                } else {
                    course.stop(at, step, Stop::Others);
                    lane.steps.clear();
                }
                continue;
            }
            let turn = match &mut lane.under_way {
                None if self.is_asked_to_stop() => Turn::Stopped(Stop::Asked),
                None => {
                    tell(&Event::Began { step: at });
                    lane.under_way = Some(self.begin(at, step)?);
                    continue;
                }
                Some(under_way) => self.turn(world, at, step, under_way, tell)?,
            };
            match turn {
                Turn::Acted => {}
                Turn::Waiting => return Ok(()),
                Turn::Done { already } => {
                    tell(&Event::Done { step: at, already });
                    lane.done();
                }
                Turn::Stopped(stop) => {
                    self.record(Some(at), Phase::Stopped, stop.to_string(), None)?;
                    tell(&Event::Stopped { step: at, stop: stop.clone() });
                    if course.stop(at, step, stop) {
                        lane.done();
                    } else {
                        lane.steps.clear();
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, at: usize, step: &Step) -> Result<UnderWay, Error> {
        let began = match self.began(at) {
            Some(began) => began,
            None => {
                self.record(Some(at), Phase::Began, step.action.to_string(), None)?;
                self.pair.clock.now()
            }
        };
        // A wait is counted from when this process began it: the time between two processes is nobody's.
        let since = self.pair.clock.now();
        Ok(UnderWay { began, since, acted: false, in_doubt: None, told: String::new() })
    }

    /// One look at a step, and the change it calls for.
    fn turn(
        &mut self,
        world: &World<'_>,
        at: usize,
        step: &Step,
        now: &mut UnderWay,
        tell: &mut (impl FnMut(&Event) + Send),
    ) -> Result<Turn, Error> {
        let clock = self.pair.clock.clone();
        self.keep_lease()?;
        let look = match step.look(world, now.began) {
            Ok(look) => look,
            Err(failure) if failure.is_unreachable() => Look::Waiting(failure.to_string()),
            Err(failure) => return Ok(Turn::Stopped(Stop::Failed { reason: failure.to_string() })),
        };
        let awaited = match look {
            Look::Done => {
                let already = !now.acted && now.in_doubt.is_none() && now.told.is_empty();
                self.record(Some(at), Phase::Done, if already { "already so" } else { "" }, None)?;
                return Ok(Turn::Done { already });
            }
            Look::Blocked(reason) => return Ok(Turn::Stopped(Stop::Blocked { reason })),
            Look::Waiting(awaited) => awaited,
            Look::Ready => {
                if let Some(reason) = &now.in_doubt {
                    let settle = Duration::from_secs(self.pair.settings.limits.settle_seconds);
                    if clock.now().since(now.since) >= settle {
                        return Ok(Turn::Stopped(Stop::InDoubt { reason: reason.clone() }));
                    }
                    "the effect of a call whose answer was lost".to_owned()
                } else if now.acted {
                    "the effect of what was done".to_owned()
                } else {
                    let changed = self.change(world, at, step, tell)?;
                    // The limit is the wait's. What was waited for before a change does not shorten the wait after it.
                    match changed {
                        Ok(()) => {
                            (now.acted, now.since) = (true, clock.now());
                            return Ok(Turn::Acted);
                        }
                        Err(failure) if failure.is_in_doubt() => {
                            (now.in_doubt, now.since) = (Some(failure.to_string()), clock.now());
                            return Ok(Turn::Acted);
                        }
                        Err(failure) if failure.is_not_yet() || failure.is_unreachable() => {
                            failure.to_string()
                        }
                        Err(failure) => {
                            return Ok(Turn::Stopped(Stop::Failed { reason: failure.to_string() }));
                        }
                    }
                }
            }
        };
        let (since, limit) = (now.since, Duration::from_secs(step.limit_seconds));
        if clock.now().since(since) >= limit {
            return Ok(Turn::Stopped(Stop::Wait { awaited, since, limit }));
        }
        if self.is_asked_to_stop() {
            return Ok(Turn::Stopped(Stop::Asked));
        }
        if now.told != awaited {
            now.told.clone_from(&awaited);
            tell(&Event::Waiting { step: at, awaited, since, limit_seconds: step.limit_seconds });
        }
        Ok(Turn::Waiting)
    }

    /// One change, between two lines of the journal.
    fn change(
        &mut self,
        world: &World<'_>,
        at: usize,
        step: &Step,
        tell: &mut (impl FnMut(&Event) + Send),
    ) -> Result<Result<(), Failure>, Error> {
        let text = format!("{} at site {}", step.action, self.plan.site(step.action.side()));
        self.record(Some(at), Phase::Intent, text, None)?;
        let result = {
            let (pair, lease) = (self.pair, &mut self.lease);
            step.act(world, &mut |progress| {
                tell(&Event::Progress { step: at, done: progress.done, total: progress.total });
                // A flatten lasts for hours: who has lost the lease meanwhile must not go on.
                match lease.keep(pair) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })
        };
        match result {
            Ok(kept) => {
                self.record(Some(at), Phase::Acted, kept, None)?;
                Ok(Ok(()))
            }
            Err(failure) => {
                let phase = if failure.is_in_doubt() { Phase::InDoubt } else { Phase::Failed };
                self.record(Some(at), phase, failure.to_string(), None)?;
                Ok(Err(failure))
            }
        }
    }
}
