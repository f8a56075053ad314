//! The steps of a run, one after the other: look, journal, act, look again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opennebula_meta::id::VmId;
use serde::Serialize;

use super::{End, Error, Report, Run, Stop, VmReport};
use crate::clock::Moment;
use crate::journal::Phase;
use crate::step::{Failure, Look, Step, World};

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

/// How a step ended.
enum Outcome {
    Done { already: bool },
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
        let mut stopped: BTreeMap<VmId, (usize, Stop)> = BTreeMap::new();
        let mut passed_over: BTreeMap<VmId, Vec<(usize, Stop)>> = BTreeMap::new();
        let mut all: Option<(usize, Stop)> = None;
        for (at, step) in plan.steps.iter().enumerate() {
            let is_out = step.vm.is_some_and(|vm| stopped.contains_key(&vm));
            // What concerns all waits for all of them.
            let others = !stopped.is_empty() && (step.vm.is_none() || plan.intent.stop_at_first);
            if is_out || all.is_some() {
                continue;
            }
            if others {
                match step.vm {
                    Some(vm) => _ = stopped.insert(vm, (at, Stop::Others)),
                    // A pause between groups does not matter to who is left; a capture without all would be half of one.
                    None if matches!(step.action, crate::step::Action::Pause { .. }) => {}
                    None => all = Some((at, Stop::Others)),
                }
                continue;
            }
            if self.is_asked_to_stop() {
                self.record(Some(at), Phase::Stopped, Stop::Asked.to_string(), None)?;
                tell(&Event::Stopped { step: at, stop: Stop::Asked });
                all = Some((at, Stop::Asked));
                continue;
            }
            tell(&Event::Began { step: at });
            match self.carry_out(&world, at, step, &mut tell)? {
                Outcome::Done { already } => tell(&Event::Done { step: at, already }),
                Outcome::Stopped(stop) => {
                    self.record(Some(at), Phase::Stopped, stop.to_string(), None)?;
                    tell(&Event::Stopped { step: at, stop: stop.clone() });
                    match (step.vm, step.optional) {
                        // The operator's word counts for all, for a step that could be left out too.
                        _ if stop == Stop::Asked => all = Some((at, stop)),
                        (Some(vm), true) => passed_over.entry(vm).or_default().push((at, stop)),
                        (Some(vm), false) => _ = stopped.insert(vm, (at, stop)),
                        (None, _) => all = Some((at, stop)),
                    }
                }
            }
        }
        let end = if stopped.is_empty() && all.is_none() { End::Done } else { End::Stopped };
        if end == End::Done {
            self.record(None, Phase::Finished, "", None)?;
        }
        let vms: BTreeSet<VmId> = plan.scope.vms.iter().copied().collect();
        let report = Report {
            run: self.id.clone(),
            end,
            vms: vms
                .into_iter()
                .map(|vm| VmReport {
                    vm,
                    stopped: stopped.remove(&vm),
                    passed_over: passed_over.remove(&vm).unwrap_or_default(),
                })
                .collect(),
            stopped: all,
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

    fn carry_out(
        &mut self,
        world: &World<'_>,
        at: usize,
        step: &Step,
        tell: &mut (impl FnMut(&Event) + Send),
    ) -> Result<Outcome, Error> {
        let clock = self.pair.clock.clone();
        let limits = self.pair.settings.limits.clone();
        let began = match self.began(at) {
            Some(began) => began,
            None => {
                let text = step.action.to_string();
                self.record(Some(at), Phase::Began, text, None)?;
                clock.now()
            }
        };
        let limit = Duration::from_secs(step.limit_seconds);
        // A wait is counted from when this process began it: the time between two processes is nobody's.
        let mut since = clock.now();
        let (mut acted, mut in_doubt) = (false, None::<String>);
        let mut told = String::new();
        loop {
            self.keep_lease()?;
            let look = match step.look(world, began) {
                Ok(look) => look,
                Err(failure) if failure.is_unreachable() => Look::Waiting(failure.to_string()),
                Err(failure) => return Ok(Outcome::Stopped(Stop::Failed { reason: failure.to_string() })),
            };
            let awaited = match look {
                Look::Done => {
                    let already = !acted && in_doubt.is_none();
                    self.record(Some(at), Phase::Done, if already { "already so" } else { "" }, None)?;
                    return Ok(Outcome::Done { already });
                }
                Look::Blocked(reason) => return Ok(Outcome::Stopped(Stop::Blocked { reason })),
                Look::Waiting(awaited) => awaited,
                Look::Ready if in_doubt.is_some() => {
                    let settle = Duration::from_secs(limits.settle_seconds);
                    if clock.now().since(since) >= settle {
                        let reason = in_doubt.unwrap_or_default();
                        return Ok(Outcome::Stopped(Stop::InDoubt { reason }));
                    }
                    "the effect of a call whose answer was lost".to_owned()
                }
                Look::Ready if acted => "the effect of what was done".to_owned(),
                Look::Ready => {
                    // The limit is the wait's. What was waited for before a change does not shorten the wait after it.
                    match self.change(world, at, step, tell)? {
                        Ok(()) => {
                            acted = true;
                            since = clock.now();
                            continue;
                        }
                        Err(failure) if failure.is_in_doubt() => {
                            in_doubt = Some(failure.to_string());
                            since = clock.now();
                            continue;
                        }
                        Err(failure) if failure.is_not_yet() || failure.is_unreachable() => {
                            failure.to_string()
                        }
                        Err(failure) => {
                            return Ok(Outcome::Stopped(Stop::Failed { reason: failure.to_string() }));
                        }
                    }
                }
            };
            if clock.now().since(since) >= limit {
                return Ok(Outcome::Stopped(Stop::Wait { awaited, since, limit }));
            }
            if self.is_asked_to_stop() {
                return Ok(Outcome::Stopped(Stop::Asked));
            }
            if told != awaited {
                let event = Event::Waiting {
                    step: at,
                    awaited: awaited.clone(),
                    since,
                    limit_seconds: step.limit_seconds,
                };
                tell(&event);
                told = awaited;
            }
            clock.sleep(limits.poll());
        }
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
