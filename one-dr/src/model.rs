//! Two sites in memory: Ceph pools that mirror, their rbd-mirror daemons, and two OpenNebulas, with virtual time.
//!
//! It is as unkind as the real ones, and no more: Ceph looks at one site only before it promotes, lets a stale copy be promoted
//! without force, and throws a copy away before it knows whether there is another; demotions take time to arrive; what the daemons
//! say is late; OpenNebula registers one RBD image twice without a word, and starts a VM on a read-only replica. Each call can be
//! made to crash its caller, to fail, or to hang with or without its effect. What must never happen is written down as it happens
//! ([`Model::violations`]).
//!
//! ```text
//!   an image's content is a log of events; a replica's log is a prefix of its primary's, or they have diverged
//!     A:  promoted w w w w demoted
//!     B:  promoted w w w                 -> later the rest, then B is an orphan, and can be promoted cleanly
//! ```

mod call;
mod ceph;
mod frontend;
pub(crate) mod image;
mod mirror;
mod one;
mod scenario;
pub mod script;
mod storage;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::site::Side;

pub use call::{Crash, Fault};
pub use frontend::ModelFrontEnd;
pub use scenario::Scenario;
pub use storage::ModelStorage;

use image::{Image, Trashed};
use one::OpenNebula;

/// How a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Up {
    /// It answers.
    Alive,
    /// Connections are refused.
    Dead,
    /// Nothing answers, and nothing refuses.
    Frozen,
    /// It answers, and lets nobody in: a lost keyring.
    Refusing,
}

/// A pool of one site.
#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) up: Up,
    pub(crate) daemon: bool,
    pub(crate) mode: crate::storage::PoolMode,
    pub(crate) images: Vec<Image>,
    pub(crate) trash: Vec<Trashed>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) lease: Option<(String, u64)>,
    pub(crate) near_full: bool,
    pub(crate) delete_delay: Option<u64>,
    pub(crate) site_name: Option<String>,
    pub(crate) peered: bool,
}

/// A change that a hanging call makes after its caller has given up on it.
type Late = Box<dyn FnOnce(&mut State) + Send>;

pub(crate) struct State {
    pub(crate) now: u64,
    pub(crate) calls: u64,
    pub(crate) fault: Option<(u64, Fault)>,
    pub(crate) late: Vec<(u64, Late)>,
    pub(crate) pools: [Pool; 2],
    pub(crate) ones: [OpenNebula; 2],
    pub(crate) next_event: u64,
    pub(crate) next_image: u64,
    pub(crate) acknowledged: BTreeMap<String, Vec<u64>>,
    pub(crate) violations: Vec<String>,
    /// The phase of the last line of a run's journal, once there is one.
    pub(crate) journal_phase: Option<String>,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn index(side: Side) -> usize {
    match side {
        Side::Home => 0,
        Side::Recovery => 1,
    }
}

impl State {
    pub(crate) fn pool(&mut self, side: Side) -> &mut Pool {
        &mut self.pools[index(side)]
    }

    pub(crate) fn one(&mut self, side: Side) -> &mut OpenNebula {
        &mut self.ones[index(side)]
    }

    pub(crate) fn violate(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.violations.contains(&what) {
            self.violations.push(what);
        }
    }

    /// Takes another's state over, but what is under way in it.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.now = other.now;
        self.calls = other.calls;
        self.pools.clone_from(&other.pools);
        self.ones.clone_from(&other.ones);
        self.next_event = other.next_event;
        self.next_image = other.next_image;
        self.acknowledged.clone_from(&other.acknowledged);
        self.violations.clone_from(&other.violations);
        self.journal_phase.clone_from(&other.journal_phase);
    }

    /// Lets time pass, in steps of the daemons.
    pub(crate) fn advance(&mut self, milliseconds: u64) {
        const TICK: u64 = 250;
        let end = self.now + milliseconds;
        while self.now < end {
            let next = ((self.now / TICK) + 1) * TICK;
            self.now = next.min(end);
            let (due, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= self.now);
            self.late = rest;
            for (_, change) in due {
                change(self);
            }
            if self.now == next {
                self.tick();
            }
        }
    }

    fn tick(&mut self) {
        for side in [Side::Home, Side::Recovery] {
            one::tick(self, side);
        }
        for side in [Side::Home, Side::Recovery] {
            mirror::tick(self, side);
        }
    }
}

/// Two sites in memory.
#[derive(Clone)]
pub struct Model {
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Model")
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// Two sites that are peers, without images or VMs, in image mode, at a fixed time.
    #[must_use]
    pub fn new() -> Self {
        let pool = |name: &str| Pool {
            up: Up::Alive,
            daemon: true,
            mode: crate::storage::PoolMode::Image,
            images: Vec::new(),
            trash: Vec::new(),
            objects: BTreeMap::new(),
            lease: None,
            near_full: false,
            delete_delay: Some(600),
            site_name: Some(name.to_owned()),
            peered: true,
        };
        let state = State {
            // 2026-11-22 11:20:07 UTC
            now: 1_795_346_407_000,
            calls: 0,
            fault: None,
            late: Vec::new(),
            pools: [pool("a"), pool("b")],
            ones: [OpenNebula::new(), OpenNebula::new()],
            next_event: 1,
            next_image: 0x1000,
            acknowledged: BTreeMap::new(),
            violations: Vec::new(),
            journal_phase: None,
            trace: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.lock().advance(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Makes the call after so many more do this.
    pub fn inject(&self, after: u64, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some((state.calls + after, fault));
    }

    /// Takes a fault away that has not come.
    pub fn heal(&self) {
        self.lock().fault = None;
    }

    /// How many calls were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// What was called, in order.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.lock().trace.clone()
    }

    /// What must never happen, and has.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Makes a site answer, or not.
    pub fn set_up(&self, side: Side, up: Up) {
        self.lock().pool(side).up = up;
    }

    /// Everything of a site is gone: its pool and its front-end.
    pub fn disaster(&self, side: Side) {
        self.set_up(side, Up::Dead);
        self.set_frontend(side, false);
    }

    /// A site that was gone is back, with everything that it had.
    pub fn back(&self, side: Side) {
        self.set_up(side, Up::Alive);
        self.set_frontend(side, true);
    }

    /// Starts or ends a site's rbd-mirror.
    pub fn set_daemon(&self, side: Side, runs: bool) {
        self.lock().pool(side).daemon = runs;
    }

    /// Changes the state of a site's front-end.
    pub fn set_frontend(&self, side: Side, answers: bool) {
        self.lock().one(side).answers = answers;
    }
}

/// The model's time: sleeping costs none.
#[derive(Clone, Debug)]
pub struct ModelClock(pub Model);

impl Clock for ModelClock {
    fn now(&self) -> Moment {
        Moment(self.0.lock().now)
    }

    fn sleep(&self, time: Duration) {
        self.0.pass(time);
    }
}

#[cfg(test)]
mod tests;
