//! What VMs and images do after a call was answered: oned's states, one job at a time.
//!
//! ```text
//! PENDING -> PROLOG -> BOOT -> RUNNING -> SHUTDOWN_POWEROFF -> POWEROFF -> BOOT_POWEROFF -> RUNNING
//!    ^                           |-> SAVE_SUSPEND -> SUSPENDED -> BOOT_SUSPENDED -> RUNNING
//!  HOLD                          |-> SHUTDOWN_UNDEPLOY -> UNDEPLOYED -> PENDING
//!                                `-> SHUTDOWN -> EPILOG -> DONE
//! ```

use super::hook::{Disk, Work, WorkKind};
use super::image;
use super::tree::Node;
use super::world::{Right, World, now};

/// `VM/STATE`.
mod state {
    pub(super) const PENDING: i64 = 1;
    pub(super) const HOLD: i64 = 2;
    pub(super) const ACTIVE: i64 = 3;
    pub(super) const STOPPED: i64 = 4;
    pub(super) const SUSPENDED: i64 = 5;
    pub(super) const DONE: i64 = 6;
    pub(super) const POWEROFF: i64 = 8;
    pub(super) const UNDEPLOYED: i64 = 9;
}

/// `VM/LCM_STATE`.
mod lcm {
    pub(super) const PROLOG: i64 = 1;
    pub(super) const BOOT: i64 = 2;
    pub(super) const RUNNING: i64 = 3;
    pub(super) const SAVE_STOP: i64 = 5;
    pub(super) const SAVE_SUSPEND: i64 = 6;
    pub(super) const EPILOG: i64 = 11;
    pub(super) const SHUTDOWN: i64 = 12;
    pub(super) const UNKNOWN: i64 = 16;
    pub(super) const SHUTDOWN_POWEROFF: i64 = 18;
    pub(super) const BOOT_POWEROFF: i64 = 20;
    pub(super) const BOOT_SUSPENDED: i64 = 21;
    pub(super) const CLEANUP_DELETE: i64 = 23;
    pub(super) const SHUTDOWN_UNDEPLOY: i64 = 29;
    pub(super) const BOOT_FAILURE: i64 = 36;
    pub(super) const PROLOG_FAILURE: i64 = 39;
}

/// Something that is done after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// The scheduler looks at a PENDING VM.
    Schedule { vm: i32 },
    /// A driver does what the VM's LCM_STATE says. Out of date if the VM has left that state.
    Drive { vm: i32, lcm: i64, hard: bool },
    /// The datastore's driver removes the RBD image.
    RemoveImage { image: i32 },
}

/// `one.vm.action`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Hold,
    Release,
    Poweroff { hard: bool },
    Resume,
    Terminate { hard: bool },
    Undeploy { hard: bool },
    Suspend,
    Stop,
    Reboot,
    Resched,
}

impl Action {
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "hold" => Self::Hold,
            "release" => Self::Release,
            "poweroff" => Self::Poweroff { hard: false },
            "poweroff-hard" => Self::Poweroff { hard: true },
            "resume" => Self::Resume,
            "terminate" => Self::Terminate { hard: false },
            "terminate-hard" => Self::Terminate { hard: true },
            "undeploy" => Self::Undeploy { hard: false },
            "undeploy-hard" => Self::Undeploy { hard: true },
            "suspend" => Self::Suspend,
            "stop" => Self::Stop,
            "reboot" | "reboot-hard" => Self::Reboot,
            "resched" | "unresched" => Self::Resched,
            _ => return None,
        })
    }

    pub(crate) fn right(self) -> Right {
        if self == Self::Resched { Right::Admin } else { Right::Manage }
    }
}

/// `STATE` and `LCM_STATE`.
fn states(vm: &Node) -> (i64, i64) {
    (vm.number(&["STATE"]).unwrap_or(0), vm.number(&["LCM_STATE"]).unwrap_or(0))
}

fn set_states(vm: &mut Node, (state, lcm): (i64, i64)) {
    vm.set("STATE", state);
    vm.set("LCM_STATE", lcm);
    vm.set("PREV_STATE", state);
    vm.set("PREV_LCM_STATE", lcm);
}

/// oned's word for what a VM does.
fn word(vm: &Node) -> String {
    let (state, lcm) = states(vm);
    let known = match (state, lcm) {
        (0, _) => "INIT",
        (1, _) => "PENDING",
        (2, _) => "HOLD",
        (3, 1) => "PROLOG",
        (3, 2) => "BOOT",
        (3, 3) => "RUNNING",
        (3, 6) => "SAVE_SUSPEND",
        (3, 11) => "EPILOG",
        (3, 12) => "SHUTDOWN",
        (3, 16) => "UNKNOWN",
        (3, 18) => "SHUTDOWN_POWEROFF",
        (3, 20) => "BOOT_POWEROFF",
        (3, 21) => "BOOT_SUSPENDED",
        (3, 29) => "SHUTDOWN_UNDEPLOY",
        (3, 36) => "BOOT_FAILURE",
        (3, 39) => "PROLOG_FAILURE",
        (4, _) => "STOPPED",
        (5, _) => "SUSPENDED",
        (6, _) => "DONE",
        (8, _) => "POWEROFF",
        (9, _) => "UNDEPLOYED",
        _ => return format!("{state}/{lcm}"),
    };
    known.to_owned()
}

/// `one.vm.action`
///
/// # Errors
/// oned's words.
pub(crate) fn act(world: &mut World, id: i32, action: Action) -> Result<Vec<Job>, String> {
    let vm = world.vms.get_mut(id).map_err(|_| String::new())?;
    let now_in = states(vm);
    let go = |vm: &mut Node, lcm, hard| {
        set_states(vm, (state::ACTIVE, lcm));
        Ok(vec![Job::Drive { vm: id, lcm, hard }])
    };
    let unavailable = |vm: &Node| Err(format!("This action is not available for state {}", word(vm)));
    let on = (state::ACTIVE, lcm::RUNNING);
    let is_on = now_in == on || now_in == (state::ACTIVE, lcm::UNKNOWN);
    match action {
        Action::Hold if now_in.0 == state::PENDING => set_states(vm, (state::HOLD, 0)),
        Action::Release if now_in.0 == state::HOLD => {
            set_states(vm, (state::PENDING, 0));
            return Ok(vec![Job::Schedule { vm: id }]);
        }
        Action::Poweroff { hard } if is_on || (hard && now_in.1 == lcm::SHUTDOWN_POWEROFF) => {
            return go(vm, lcm::SHUTDOWN_POWEROFF, hard);
        }
        Action::Undeploy { hard } if is_on || (hard && now_in.1 == lcm::SHUTDOWN_UNDEPLOY) => {
            return go(vm, lcm::SHUTDOWN_UNDEPLOY, hard);
        }
        Action::Undeploy { .. } if now_in.0 == state::POWEROFF => set_states(vm, (state::UNDEPLOYED, 0)),
        Action::Suspend if now_in == on => return go(vm, lcm::SAVE_SUSPEND, false),
        Action::Stop if now_in == on => return go(vm, lcm::SAVE_STOP, false),
        Action::Stop if now_in.0 == state::SUSPENDED => set_states(vm, (state::STOPPED, 0)),
        Action::Resume if matches!(now_in.0, state::STOPPED | state::UNDEPLOYED) => {
            set_states(vm, (state::PENDING, 0));
            return Ok(vec![Job::Schedule { vm: id }]);
        }
        Action::Resume if now_in.0 == state::SUSPENDED => return go(vm, lcm::BOOT_SUSPENDED, false),
        Action::Resume if now_in.0 == state::POWEROFF || now_in == (state::ACTIVE, lcm::UNKNOWN) => {
            return go(vm, lcm::BOOT_POWEROFF, false);
        }
        Action::Reboot if now_in == on => {}
        Action::Resched if is_on || now_in.0 == state::POWEROFF => {}
        Action::Terminate { hard } => match now_in {
            (state::DONE, _) => {}
            (0..=2 | 10 | 11, _) => finish(world, id, false),
            (state::STOPPED | state::SUSPENDED | state::POWEROFF | state::UNDEPLOYED, _) => {
                return go(vm, lcm::EPILOG, false);
            }
            _ if is_on || (hard && now_in.1 == lcm::SHUTDOWN) => return go(vm, lcm::SHUTDOWN, hard),
            (state::ACTIVE, lcm::BOOT_FAILURE | lcm::PROLOG_FAILURE) => {
                return go(vm, lcm::CLEANUP_DELETE, false);
            }
            _ => return Err(format!("Could not terminate VM {id}, wrong state {}.", word(vm))),
        },
        _ => return unavailable(vm),
    }
    Ok(Vec::new())
}

/// `one.vm.deploy`, by hand or by the scheduler.
///
/// # Errors
/// oned's words.
pub(crate) fn deploy(world: &mut World, id: i32, host: i32, datastore: i32) -> Result<Vec<Job>, String> {
    let is_system = |store: &&Node| store.number(&["TYPE"]) == Some(1);
    let chosen = world.datastores.objects.get(&datastore).filter(is_system);
    let store = chosen.or_else(|| world.datastores.objects.values().find(is_system));
    let store = store.ok_or("No valid system datastore for the VM")?;
    let (store_id, transfer) = (store.at(&["ID"]).to_owned(), store.at(&["TM_MAD"]).to_owned());
    let store_pool = store.at(&["TEMPLATE", "POOL_NAME"]).to_owned();
    let host = world.hosts.objects.get(&host).ok_or("Host does not exist")?;
    let (host_id, host_name) = (host.at(&["ID"]).to_owned(), host.at(&["NAME"]).to_owned());
    let port_of = |vm: &Node| vm.number(&["TEMPLATE", "GRAPHICS", "PORT"]);
    let is_used = |vm: &&Node| states(vm).0 == state::ACTIVE;
    let ports: Vec<_> = world.vms.objects.values().filter(is_used).filter_map(port_of).collect();
    let vm = world.vms.get_mut(id).map_err(|_| "VM does not exist")?;
    if !matches!(states(vm).0, state::PENDING | state::HOLD | state::STOPPED | state::UNDEPLOYED) {
        return Err(format!("Deploy action is not available for state {}", word(vm)));
    }
    let wanted = port_of(vm);
    if wanted.is_some_and(|port| ports.contains(&port)) {
        return Err("Requested VNC port already assigned to a VM".to_owned());
    }
    let name = vm.at(&["NAME"]).to_owned();
    if let Some(template) = vm.child_mut("TEMPLATE") {
        if wanted.is_none()
            && let Some(graphics) = template.child_mut("GRAPHICS")
        {
            let first = 5900 + i64::from(id);
            let port = (first..65536).find(|port| !ports.contains(port)).unwrap_or(first);
            graphics.set_data("PORT", port.to_string());
        }
        template.set_data("TM_MAD_SYSTEM", transfer.as_str());
        for disk in template.children_mut().iter_mut().filter(|child| child.name == "DISK") {
            if disk.child("SOURCE").is_none() {
                disk.set_data("POOL_NAME", store_pool.as_str());
            }
        }
    }
    vm.set("DEPLOY_ID", format!("{host_name}:{name}:dummy"));
    let sequence = vm.child("HISTORY_RECORDS").map_or(0, |records| records.children().len());
    let number = |key: &str, number: i64| Node::plain(key, number);
    let record = vec![
        Node::plain("OID", id),
        Node::plain("SEQ", sequence),
        Node::plain("HOSTNAME", host_name),
        Node::plain("HID", host_id),
        number("CID", 0),
        Node::plain("STIME", now()),
        number("ETIME", 0),
        Node::data("VM_MAD", "kvm"),
        Node::data("TM_MAD", transfer),
        Node::plain("DS_ID", store_id),
        Node::plain("PSTIME", now()),
        number("PETIME", 0),
        number("RSTIME", 0),
        number("RETIME", 0),
        number("ESTIME", 0),
        number("EETIME", 0),
        number("ACTION", 0),
        number("UID", -1),
        number("GID", -1),
        number("REQUEST_ID", -1),
    ];
    if let Some(records) = vm.child_mut("HISTORY_RECORDS") {
        records.children_mut().push(Node::of("HISTORY", record));
    }
    set_states(vm, (state::ACTIVE, lcm::PROLOG));
    Ok(vec![Job::Drive { vm: id, lcm: lcm::PROLOG, hard: false }])
}

/// `one.vm.recover`: 2 retry, 3 delete, 5 delete from the database alone.
///
/// # Errors
/// oned's words.
pub(crate) fn recover(world: &mut World, id: i32, operation: i32) -> Result<Vec<Job>, String> {
    let vm = world.vms.get_mut(id).map_err(|_| "VM does not exist")?;
    let now_in = states(vm);
    let go = |vm: &mut Node, lcm| {
        set_states(vm, (state::ACTIVE, lcm));
        Ok(vec![Job::Drive { vm: id, lcm, hard: true }])
    };
    match (operation, now_in) {
        (2, (state::ACTIVE, lcm::PROLOG_FAILURE)) => go(vm, lcm::PROLOG),
        (2, (state::ACTIVE, lcm::BOOT_FAILURE)) => go(vm, lcm::BOOT),
        (3, (state, _)) if state != state::DONE => go(vm, lcm::CLEANUP_DELETE),
        (5, (state, _)) if state != state::DONE => {
            finish(world, id, false);
            Ok(Vec::new())
        }
        (0..=5, _) => Err(format!("Recover action is not available for state {}", word(vm))),
        _ => Err("Wrong recovery operation code".to_owned()),
    }
}

/// What a driver has to do for a job; nothing if the job is out of date, or is none for a driver.
pub(crate) fn work(world: &World, job: Job) -> Option<Work> {
    match job {
        Job::Schedule { .. } => None,
        Job::RemoveImage { image } => {
            let node = world.images.get(image).ok()?;
            let rbd = node.at(&["SOURCE"]).to_owned();
            let disk = Disk { id: 0, rbd, cloned_from: None, size_mib: node.number(&["SIZE"]) };
            Some(Work {
                kind: WorkKind::RemoveImage,
                id: image,
                name: node.at(&["NAME"]).to_owned(),
                disks: vec![disk],
            })
        }
        Job::Drive { vm: id, lcm, hard } => {
            let vm = world.vms.get(id).ok()?;
            if states(vm) != (state::ACTIVE, lcm) {
                return None;
            }
            let kind = match lcm {
                lcm::PROLOG => WorkKind::Prolog,
                lcm::BOOT | lcm::BOOT_POWEROFF => WorkKind::Deploy,
                lcm::BOOT_SUSPENDED => WorkKind::Restore,
                lcm::SAVE_SUSPEND | lcm::SAVE_STOP => WorkKind::Save,
                lcm::SHUTDOWN | lcm::SHUTDOWN_POWEROFF | lcm::SHUTDOWN_UNDEPLOY if !hard => {
                    WorkKind::Shutdown
                }
                lcm::SHUTDOWN | lcm::SHUTDOWN_POWEROFF | lcm::SHUTDOWN_UNDEPLOY => WorkKind::Cancel,
                lcm::EPILOG => WorkKind::Epilog,
                lcm::CLEANUP_DELETE => WorkKind::Delete,
                _ => return None,
            };
            let disks = vm
                .child("TEMPLATE")
                .into_iter()
                .flat_map(|template| template.all("DISK"))
                .collect::<Vec<_>>();
            let disks = disks.into_iter().map(|disk| disk_of(id, disk)).collect();
            Some(Work { kind, id, name: vm.at(&["NAME"]).to_owned(), disks })
        }
    }
}

/// The RBD image behind a disk, as the Ceph drivers name it.
fn disk_of(vm: i32, disk: &Node) -> Disk {
    let (id, source) = (disk.number(&["DISK_ID"]).unwrap_or(0), disk.at(&["SOURCE"]));
    let (rbd, cloned_from) = match (source.is_empty(), disk.at(&["CLONE"])) {
        (true, _) => (format!("{}/one-sys-{vm}-{id}", disk.at(&["POOL_NAME"])), None),
        (false, "YES") => (format!("{source}-{vm}-{id}"), Some(source.to_owned())),
        _ => (source.to_owned(), None),
    };
    Disk { id, rbd, cloned_from, size_mib: disk.number(&["SIZE"]) }
}

/// What a job comes to, with the driver's answer. Returns what follows.
pub(crate) fn settle(world: &mut World, job: Job, result: Result<(), String>) -> Vec<Job> {
    match job {
        Job::Schedule { vm } => schedule(world, vm),
        Job::RemoveImage { image } => {
            remove_image(world, image, result.is_ok());
            Vec::new()
        }
        Job::Drive { vm: id, lcm, .. } => {
            let Ok(vm) = world.vms.get_mut(id) else { return Vec::new() };
            if states(vm) != (state::ACTIVE, lcm) {
                return Vec::new();
            }
            if let Err(why) = &result
                && let Some(user) = vm.child_mut("USER_TEMPLATE")
            {
                user.set_data("ERROR", format!("{}: {why}", now()));
            }
            let ok = result.is_ok();
            let go = |vm: &mut Node, lcm| {
                set_states(vm, (state::ACTIVE, lcm));
                vec![Job::Drive { vm: id, lcm, hard: false }]
            };
            match lcm {
                lcm::PROLOG if ok => return go(vm, lcm::BOOT),
                lcm::PROLOG => set_states(vm, (state::ACTIVE, lcm::PROLOG_FAILURE)),
                lcm::BOOT | lcm::BOOT_POWEROFF | lcm::BOOT_SUSPENDED if ok => {
                    set_states(vm, (state::ACTIVE, lcm::RUNNING));
                }
                lcm::BOOT => set_states(vm, (state::ACTIVE, lcm::BOOT_FAILURE)),
                lcm::BOOT_POWEROFF => set_states(vm, (state::POWEROFF, 0)),
                lcm::BOOT_SUSPENDED => set_states(vm, (state::SUSPENDED, 0)),
                lcm::SHUTDOWN_POWEROFF if ok => set_states(vm, (state::POWEROFF, 0)),
                lcm::SHUTDOWN_UNDEPLOY if ok => set_states(vm, (state::UNDEPLOYED, 0)),
                lcm::SAVE_SUSPEND if ok => set_states(vm, (state::SUSPENDED, 0)),
                lcm::SAVE_STOP if ok => set_states(vm, (state::STOPPED, 0)),
                lcm::SHUTDOWN if ok => return go(vm, lcm::EPILOG),
                lcm::EPILOG => finish(world, id, false),
                lcm::CLEANUP_DELETE => finish(world, id, true),
                // A guest that does not go down, or cannot be saved, runs on.
                _ => set_states(vm, (state::ACTIVE, lcm::RUNNING)),
            }
            Vec::new()
        }
    }
}

fn schedule(world: &mut World, vm: i32) -> Vec<Job> {
    let is_pending = world.vms.get(vm).is_ok_and(|vm| states(vm).0 == state::PENDING);
    let is_monitored = |host: &&Node| host.number(&["STATE"]) == Some(2);
    let host = world.hosts.objects.values().find(is_monitored).and_then(|host| host.number(&["ID"]));
    match host.and_then(|host| i32::try_from(host).ok()) {
        Some(host) if is_pending => deploy(world, vm, host, -1).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// DONE: gives back what the VM held. `failed`: persistent images are left in ERROR.
fn finish(world: &mut World, id: i32, failed: bool) {
    let Ok(vm) = world.vms.get_mut(id) else { return };
    set_states(vm, (state::DONE, 0));
    vm.set("ETIME", now());
    for image in world.images.objects.values_mut() {
        let mut held = image
            .child("VMS")
            .map_or(0, |vms| vms.children().iter().filter(|vm| vm.text() == id.to_string()).count());
        while held > 0 {
            image::release(image, id, failed);
            held -= 1;
        }
    }
    for network in world.networks.objects.values_mut() {
        super::network::free(network, id);
    }
}

fn remove_image(world: &mut World, id: i32, removed: bool) {
    let Ok(image) = world.images.get_mut(id) else { return };
    let forced = image.at(&["TEMPLATE", "FORCE_DELETE"]) == "YES";
    if removed || forced {
        let datastore = image.number(&["DATASTORE_ID"]).and_then(|id| i32::try_from(id).ok()).unwrap_or(-1);
        world.images.objects.remove(&id);
        let images = world.datastores.objects.get_mut(&datastore).and_then(|store| store.child_mut("IMAGES"));
        if let Some(images) = images {
            images.children_mut().retain(|each| each.text() != id.to_string());
        }
        return;
    }
    image::set_state(image, image::ERROR);
    if let Some(template) = image.child_mut("TEMPLATE") {
        let why = "Error removing image from datastore. Retry the operation or manually remove image source  and run \
                   the delete --force operation to completely delete the image";
        template.set_data("ERROR", why);
    }
}
