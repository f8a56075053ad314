//! Every call of the model goes through here: it is counted, costs time, and can be made to go wrong.

use std::panic;
use std::time::Duration;

use super::{Model, State, Up, index};
use crate::frontend::Error as FrontEndError;
use crate::site::Side;
use crate::storage::Error as StorageError;

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller is killed before it.
    Crash,
    /// The caller is killed after its effect.
    CrashAfter,
    /// It fails, without effect.
    Error,
    /// No answer, without effect.
    Hang,
    /// No answer, with its effect: a lost reply.
    HangDone,
    /// No answer, and its effect comes when nobody waits for it any more.
    HangLate,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Crash, Self::CrashAfter, Self::Error, Self::Hang, Self::HangDone, Self::HangLate];
}

/// What a killed caller unwinds with.
#[derive(Debug)]
pub struct Crash;

/// Which of a site's two services, and so whether the pool's or the front-end's silence counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Storage,
    FrontEnd,
}

/// What a call is.
pub(super) struct Call {
    pub(super) side: Side,
    pub(super) service: Service,
    pub(super) op: &'static str,
    pub(super) on: String,
    pub(super) kind: Kind,
}

/// What a call does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    /// A change of a site, that a journal has to announce.
    Change,
    /// A change of our own objects.
    Own,
}

/// An error of either service.
pub(super) trait Answer: Sized {
    fn silent(call: &Call) -> Self;
    fn in_doubt(call: &Call) -> Self;
    fn failed(call: &Call) -> Self;
}

fn site(side: Side) -> String {
    ["a", "b"][index(side)].to_owned()
}

impl Answer for StorageError {
    fn silent(call: &Call) -> Self {
        Self::Unreachable { site: site(call.side), op: call.op, why: "timed out".to_owned() }
    }

    fn in_doubt(call: &Call) -> Self {
        let waited = Duration::from_secs(60);
        Self::InDoubt { site: site(call.side), op: call.op, on: call.on.clone(), waited }
    }

    fn failed(call: &Call) -> Self {
        let why = "input/output error (EIO 5)".to_owned();
        Self::Other { site: site(call.side), op: call.op, on: call.on.clone(), why }
    }
}

impl Answer for FrontEndError {
    fn silent(call: &Call) -> Self {
        Self::Unreachable { site: site(call.side), method: call.op, why: "timed out".to_owned() }
    }

    fn in_doubt(call: &Call) -> Self {
        Self::InDoubt { site: site(call.side), method: call.op, why: "connection reset".to_owned() }
    }

    fn failed(call: &Call) -> Self {
        let text = "internal error".to_owned();
        Self::Refused { site: site(call.side), method: call.op, code: 8192, text }
    }
}

impl Model {
    pub(super) fn call<T, E: Answer>(
        &self,
        call: &Call,
        change: impl FnOnce(&mut State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let mut state = self.lock();
        state.calls += 1;
        state.advance(1);
        let number = state.calls;
        let fault = state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        let line = format!("{number} {} {} {}", site(call.side), call.op, call.on);
        state.trace.push(line);
        if fault == Some(Fault::Crash) {
            drop(state);
            panic::resume_unwind(Box::new(Crash));
        }
        let answers = match call.service {
            Service::Storage => state.pool(call.side).up == Up::Alive,
            Service::FrontEnd => state.one(call.side).answers && state.pool(call.side).up != Up::Frozen,
        };
        if !answers {
            state.advance(3000);
            if state.pool(call.side).up == Up::Refusing {
                return Err(E::failed(call));
            }
            let is_frozen = state.pool(call.side).up == Up::Frozen;
            return Err(if is_frozen && call.kind != Kind::Read {
                E::in_doubt(call)
            } else {
                E::silent(call)
            });
        }
        let reads = call.kind == Kind::Read;
        match fault {
            Some(Fault::Error) => return Err(if reads { E::silent(call) } else { E::failed(call) }),
            Some(Fault::Hang | Fault::HangDone | Fault::HangLate) if reads => {
                state.advance(60_000);
                return Err(E::silent(call));
            }
            Some(Fault::Hang) => {
                state.advance(60_000);
                return Err(E::in_doubt(call));
            }
            Some(Fault::HangLate) => {
                let due = state.now + 70_000;
                state.late.push((due, Box::new(move |state| _ = change(state))));
                state.advance(60_000);
                return Err(E::in_doubt(call));
            }
            _ => {}
        }
        if call.kind == Kind::Change && state.journal_phase.as_deref().is_some_and(|phase| phase != "intent")
        {
            let phase = state.journal_phase.clone().unwrap_or_default();
            state.violate(format!("I6: {} {} after a line of {phase}, not of intent", call.op, call.on));
        }
        let result = change(&mut state);
        match fault {
            Some(Fault::CrashAfter) => {
                drop(state);
                panic::resume_unwind(Box::new(Crash));
            }
            Some(Fault::HangDone) => {
                state.advance(60_000);
                Err(E::in_doubt(call))
            }
            _ => result,
        }
    }
}
