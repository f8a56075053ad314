//! Who stands in for the hosts of a real front-end whose drivers are dummies: looks at its VMs, and has a guest for each that runs.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use one_dr::FrontEnd;
use one_dr::frontend::{Oned, Power};
use opennebula_meta::Vm;
use opennebula_meta::source::disks;
use opennebula_meta::vm::DiskKind;

use super::drivers::{Disk, Drivers};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// The thread that looks. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Attendant {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    hosts_are_gone: bool,
    /// The first look after they came back is still to come.
    just_back: bool,
    /// Of these the guest died with its host: none is started until the VM has been seen down, whatever OpenNebula remembers.
    died: BTreeSet<i32>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attendant {
    pub(super) fn start(client: Oned, drivers: Drivers) -> Self {
        let shared = Arc::<Shared>::default();
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                loop {
                    let state = shared.lock();
                    let (state, _) = shared
                        .changed
                        .wait_timeout_while(state, PAUSE, |state| !state.stopped)
                        .unwrap_or_else(PoisonError::into_inner);
                    if state.stopped {
                        return;
                    }
                    let gone = state.hosts_are_gone;
                    drop(state);
                    if let (false, Ok(vms)) = (gone, client.vms()) {
                        attend(&shared, &drivers, &vms);
                    }
                }
            })
        };
        Self { shared, thread: Some(thread) }
    }

    /// The guests have died, and nothing is started.
    pub(super) fn hosts_are_gone(&self) {
        self.shared.lock().hosts_are_gone = true;
    }

    /// Guests can be started again.
    pub(super) fn hosts_are_back(&self) {
        let mut state = self.shared.lock();
        (state.just_back, state.hosts_are_gone) = (state.hosts_are_gone, false);
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn attend(shared: &Shared, drivers: &Drivers, vms: &[Vm]) {
    let (site, guests) = (drivers.site(), drivers.guests());
    let running = guests.running(site);
    let just_back = mem::take(&mut shared.lock().just_back);
    for vm in vms {
        let Ok(id) = i32::try_from(vm.id().0) else { continue };
        match Power::of(vm) {
            Power::Running if running.contains(&id) || shared.lock().died.contains(&id) => {}
            Power::Running if just_back => {
                shared.lock().died.insert(id);
            }
            Power::Running => {
                let started = disks_of(vm).and_then(|disks| drivers.run(id, vm.name(), &disks));
                if let Err(error) = started {
                    // A guest that does not start is not tried for ever: OpenNebula would say BOOT_FAILURE.
                    eprintln!("VM {id} at {site}: {error:#}");
                    shared.lock().died.insert(id);
                }
            }
            Power::Off | Power::Suspended | Power::Done | Power::Held => {
                shared.lock().died.remove(&id);
                report(guests.shut_down(site, id));
            }
            _ => {}
        }
    }
    let listed: BTreeSet<_> = vms.iter().filter_map(|vm| i32::try_from(vm.id().0).ok()).collect();
    running.into_iter().filter(|id| !listed.contains(id)).for_each(|id| report(guests.shut_down(site, id)));
}

fn report(outcome: Result<()>) {
    if let Err(error) = outcome {
        eprintln!("{error:#}");
    }
}

fn disks_of(vm: &Vm) -> Result<Vec<Disk>> {
    let sources = disks(vm)?;
    let disk = |source: &opennebula_meta::source::DiskSource| {
        let rbd = source.rbd()?.to_string();
        let cloned_from = source.parents.first().map(|parent| parent.image.to_string());
        let volatile = source.kind == DiskKind::Volatile;
        let size = source.size.filter(|_| volatile);
        let size_mib = size.and_then(|size| i64::try_from(size.0).ok());
        Some(Disk { rbd, cloned_from, size_mib })
    };
    Ok(sources.iter().filter_map(disk).collect())
}
