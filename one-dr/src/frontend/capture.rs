//! Which calls make a [`Capture`]: everything about VMs that a recovery needs, in few calls, and what could not be read.
//!
//! VMs come twice: all of them in one list, which shows secrets as cipher text of the site, then each by itself, decrypted. A VM
//! whose second call fails is kept as the list has it, and said to lack its secrets. Which RBD images are mirrored is Ceph's
//! to say, and is left open here.

use std::fmt;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use opennebula_meta::id::VmId;
use opennebula_meta::vm::{Secrets, VmState};
use opennebula_meta::{Capture, Vm};

use super::{Error, FrontEnd, Group, Result, User};

/// Which VMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that are not DONE.
    All,
    /// These. One that is not there is no error: it is not in the capture.
    These(Vec<VmId>),
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The objects. A kind of which something is [`missing`](Self::missing) is empty, which does not mean that there is none.
    pub capture: Capture,
    /// All users: templates name owners.
    pub users: Vec<User>,
    /// All groups.
    pub groups: Vec<Group>,
    /// What could not be read. **Empty, or the capture is not whole.**
    pub missing: Vec<Missing>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: Part,
    /// Why.
    pub why: Error,
}

/// A part of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// All VMs.
    Vms,
    /// The decrypted form of this VM; the encrypted one is there.
    Secrets(VmId),
    /// The images.
    Images,
    /// The networks.
    Networks,
    /// The datastores.
    Datastores,
    /// The stored templates.
    Templates,
    /// The users.
    Users,
    /// The groups.
    Groups,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Part::Secrets(vm) => write!(f, "the secrets of VM {vm}: {}", self.why),
            part => write!(f, "the {}: {}", format!("{part:?}").to_lowercase(), self.why),
        }
    }
}

/// Reads a site. At most `at_once` VMs are asked for at the same time; once the front-end falls silent no other VM is, because
/// each would cost a deadline.
///
/// # Errors
/// Of `one.system.version`, the first call: nothing can be read. Later ones are in [`Captured::missing`].
pub fn capture(front_end: &dyn FrontEnd, scope: &Scope, at_once: NonZeroUsize) -> Result<Captured> {
    let capture = Capture { version: Some(front_end.version()?), ..Capture::default() };
    let mut captured = Captured { capture, users: Vec::new(), groups: Vec::new(), missing: Vec::new() };
    let missing = &mut captured.missing;
    let listed = read(Part::Vms, front_end.vms(), missing).into_iter().filter(|vm| match scope {
        Scope::All => true,
        Scope::These(ids) => ids.contains(&vm.id()),
    });
    captured.capture.vms = decrypted(front_end, listed.collect(), at_once, missing);
    captured.capture.images = read(Part::Images, front_end.images(), missing).into();
    captured.capture.networks = read(Part::Networks, front_end.networks(), missing);
    captured.capture.datastores = read(Part::Datastores, front_end.datastores(), missing);
    captured.capture.templates = read(Part::Templates, front_end.templates(), missing);
    captured.users = read(Part::Users, front_end.users(), missing);
    captured.groups = read(Part::Groups, front_end.groups(), missing);
    Ok(captured)
}

fn read<T>(what: Part, result: Result<Vec<T>>, missing: &mut Vec<Missing>) -> Vec<T> {
    result.unwrap_or_else(|why| {
        missing.push(Missing { what, why });
        Vec::new()
    })
}

/// The same VMs, each with its secrets where they could be read; without those that are gone by now.
fn decrypted(
    front_end: &dyn FrontEnd,
    listed: Vec<Vm>,
    at_once: NonZeroUsize,
    missing: &mut Vec<Missing>,
) -> Vec<Vm> {
    let (next, silent) = (AtomicUsize::new(0), AtomicBool::new(false));
    let answers = Mutex::new(Vec::new());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(vm) = listed.get(at) else { return };
            if silent.load(Ordering::Relaxed) {
                return;
            }
            let answer = front_end.vm(vm.id());
            if answer.as_ref().is_err_and(Error::is_unreachable) {
                silent.store(true, Ordering::Relaxed);
            }
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((at, answer));
        }
    };
    thread::scope(|scope| {
        let others = at_once.get().min(listed.len()).saturating_sub(1);
        let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        work();
        for other in others {
            if let Err(panic) = other.join() {
                resume_unwind(panic);
            }
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(at, _)| *at);
    let silence = answers
        .iter()
        .find_map(|(_, answer)| answer.as_ref().err().filter(|why| why.is_unreachable()))
        .cloned();
    let mut answers = answers.into_iter().peekable();
    let mut found = Vec::with_capacity(listed.len());
    for (at, vm) in listed.into_iter().enumerate() {
        let id = vm.id();
        let answer = answers.next_if(|(answered, _)| *answered == at).map(|(_, answer)| answer);
        match (answer, &silence) {
            (Some(Ok(Some(vm))), _) if vm.state().ok() == Some(VmState::Done) => {}
            (Some(Ok(Some(vm))), _) => found.push(vm.with_secrets(Secrets::Decrypted)),
            (Some(Ok(None)), _) => {}
            (Some(Err(why)), _) => {
                missing.push(Missing { what: Part::Secrets(id), why });
                found.push(vm.with_secrets(Secrets::Encrypted));
            }
            // Never asked, because somebody before it was not answered.
            (None, silence) => {
                missing.extend(silence.clone().map(|why| Missing { what: Part::Secrets(id), why }));
                found.push(vm.with_secrets(Secrets::Encrypted));
            }
        }
    }
    found
}
