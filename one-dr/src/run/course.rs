//! How far a run has come: the lanes of a stage, and who has stopped.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use opennebula_meta::id::VmId;

use super::{End, Stop, VmReport};
use crate::clock::Moment;
use crate::plan::Plan;
use crate::step::Step;

/// Who has stopped, and where.
#[derive(Debug, Default)]
pub(super) struct Course {
    stop_at_first: bool,
    pub(super) stopped: BTreeMap<VmId, (usize, Stop)>,
    passed_over: BTreeMap<VmId, Vec<(usize, Stop)>>,
    /// What stopped the whole run.
    pub(super) all: Option<(usize, Stop)>,
}

impl Course {
    pub(super) fn new(stop_at_first: bool) -> Self {
        Self { stop_at_first, ..Self::default() }
    }

    /// Whether a step has to wait for VMs that have stopped: what concerns all waits for all of them.
    pub(super) fn holds_up(&self, step: &Step) -> bool {
        !self.stopped.is_empty() && (step.vm.is_none() || self.stop_at_first)
    }

    /// A step has stopped. Answers whether its VM goes on without it.
    pub(super) fn stop(&mut self, at: usize, step: &Step, stop: Stop) -> bool {
        match (step.vm, step.optional) {
            // The operator's word counts for all, for a step that could be left out too.
            _ if stop == Stop::Asked => self.all = Some((at, stop)),
            (Some(vm), true) if stop != Stop::Others => {
                self.passed_over.entry(vm).or_default().push((at, stop));
                return true;
            }
            (Some(vm), _) => _ = self.stopped.insert(vm, (at, stop)),
            (None, _) => self.all = Some((at, stop)),
        }
        false
    }

    pub(super) fn end(&self) -> End {
        if self.stopped.is_empty() && self.all.is_none() { End::Done } else { End::Stopped }
    }

    /// What a VM came to.
    pub(super) fn of(&mut self, vm: VmId) -> VmReport {
        let passed_over = self.passed_over.remove(&vm).unwrap_or_default();
        VmReport { vm, stopped: self.stopped.remove(&vm), passed_over }
    }
}

/// The steps of one VM in a stage, or those of no VM.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) vm: Option<VmId>,
    pub(super) steps: VecDeque<usize>,
    /// The first of them, once it has begun.
    pub(super) under_way: Option<UnderWay>,
}

/// A step that has begun.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// In this process or in one before.
    pub(super) began: Moment,
    /// What its limit is counted from.
    pub(super) since: Moment,
    pub(super) acted: bool,
    /// A change was asked for whose answer was lost.
    pub(super) in_doubt: Option<String>,
    /// What it was last said to wait for.
    pub(super) told: String,
}

impl Lane {
    /// The lanes of these steps of a plan, in the order in which each first occurs.
    pub(super) fn of(steps: &[Step], range: Range<usize>) -> Vec<Self> {
        let mut lanes: Vec<Self> = Vec::new();
        for at in range {
            let vm = steps.get(at).and_then(|step| step.vm);
            match lanes.iter_mut().find(|lane| lane.vm == vm) {
                Some(lane) => lane.steps.push_back(at),
                None => lanes.push(Self { vm, steps: VecDeque::from([at]), under_way: None }),
            }
        }
        lanes
    }

    /// The step that it has come to.
    pub(super) fn next<'a>(&self, plan: &'a Plan) -> Option<(usize, &'a Step)> {
        let at = *self.steps.front()?;
        Some((at, plan.steps.get(at)?))
    }

    /// That step is over.
    pub(super) fn done(&mut self) {
        self.steps.pop_front();
        self.under_way = None;
    }
}
