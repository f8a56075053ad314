//! What the OpenNebula of one site holds, and what goes on in it: VMs that go up and down, and guests that write.

use opennebula_meta::Template;
use opennebula_meta::id::VmId;
use opennebula_meta::template::Value;

use super::State;
use super::image::What;
use crate::frontend::{Error, Power, Result};
use crate::site::Side;

/// What a VM takes to go down, or up.
const MOVE_MS: u64 = 2000;
/// How long its client has the disks open after POWEROFF is shown.
const LINGER_MS: u64 = 1500;

#[derive(Clone, Debug)]
pub(crate) struct OneVm {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) owner: (String, String),
    pub(crate) mode: [u8; 3],
    pub(crate) power: Power,
    pub(crate) since: u64,
    pub(crate) disks: Vec<OneDisk>,
    /// What a user may set, in order.
    pub(crate) attributes: Vec<(String, String)>,
    /// Does not listen to ACPI.
    pub(crate) deaf: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct OneDisk {
    pub(crate) id: u32,
    pub(crate) clone: bool,
    pub(crate) image: u32,
    /// `pool/image` as the document says it; of a clone, its origin.
    pub(crate) source: String,
    /// `pool/image` that it is.
    pub(crate) rbd: String,
    pub(crate) mebibytes: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct OneImage {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) owner: (String, String),
    pub(crate) mode: [u8; 3],
    pub(crate) source: String,
    pub(crate) mebibytes: u64,
    pub(crate) persistent: bool,
    pub(crate) used_by: Option<u32>,
    pub(crate) broken: bool,
    pub(crate) lock: Option<u8>,
    pub(crate) attributes: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct OneTemplate {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) content: Template,
}

#[derive(Clone)]
pub(crate) struct OpenNebula {
    pub(crate) answers: bool,
    pub(crate) vms: Vec<OneVm>,
    pub(crate) images: Vec<OneImage>,
    pub(crate) templates: Vec<OneTemplate>,
    pub(crate) users: Vec<&'static str>,
    pub(crate) next: u32,
}

impl OpenNebula {
    pub(super) fn new() -> Self {
        Self {
            answers: true,
            vms: Vec::new(),
            images: Vec::new(),
            templates: Vec::new(),
            users: vec!["oneadmin", "carol"],
            next: 40,
        }
    }

    /// The VMs that have this RBD image open.
    pub(crate) fn holders(&self, rbd: &str, now: u64) -> Vec<u32> {
        let lingers = |vm: &OneVm| vm.power == Power::Off && now < vm.since + LINGER_MS;
        let has_it = |vm: &&OneVm| {
            (matches!(vm.power, Power::Running | Power::Stopping | Power::Unknown) || lingers(vm))
                && vm.disks.iter().any(|disk| disk.rbd == rbd)
        };
        self.vms.iter().filter(has_it).map(|vm| vm.id).collect()
    }

    pub(super) fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub(super) fn vm(&mut self, id: u32) -> Option<&mut OneVm> {
        self.vms.iter_mut().find(|vm| vm.id == id)
    }
}

/// VMs go up and down, and those that run write to every disk.
pub(super) fn tick(state: &mut State, side: Side) {
    let now = state.now;
    if state.pool(side).up != super::Up::Alive {
        return;
    }
    // A guest writes to every disk once a second.
    let writes = now.is_multiple_of(1000);
    let moves = |vm: &OneVm| matches!(vm.power, Power::Starting | Power::Stopping) || writes;
    let vms: Vec<OneVm> = state.one(side).vms.iter().filter(|vm| moves(vm)).cloned().collect();
    for vm in vms {
        let old = now.saturating_sub(vm.since);
        let next = match vm.power {
            Power::Starting if old >= MOVE_MS => Some(Power::Running),
            Power::Stopping if old >= MOVE_MS && !vm.deaf => Some(Power::Off),
            _ => None,
        };
        if next == Some(Power::Running) {
            begin(state, side, &vm);
        }
        if let (Some(next), Some(there)) = (next, state.one(side).vm(vm.id)) {
            there.power = next;
            there.since = now;
        }
        if vm.power == Power::Running && writes {
            vm.disks.iter().for_each(|disk| write(state, side, &disk.rbd));
        }
    }
}

fn begin(state: &mut State, side: Side, vm: &OneVm) {
    for disk in &vm.disks {
        let name = disk.rbd.rsplit('/').next().unwrap_or_default().to_owned();
        match state.pool(side).images.iter().find(|image| image.name == name) {
            Some(image) if image.global_id.is_some() && (!image.primary || image.locked) => {
                let what = format!("VM {} started on {name}, which it cannot write to", vm.name);
                state.violate(what);
            }
            None => state.violate(format!("VM {} started without {name}", vm.name)),
            _ => {}
        }
    }
}

fn write(state: &mut State, side: Side, rbd: &str) {
    let event = state.event(What::Write);
    let (pool, name) = rbd.split_once('/').unwrap_or(("one", rbd));
    let pool = (pool != "one").then(|| pool.to_owned());
    let images = &mut state.pool(side).images;
    let Some(image) = images.iter_mut().find(|image| image.name == name && image.pool == pool) else {
        return;
    };
    // EPERM, EROFS: the guest is told.
    if image.locked || image.global_id.is_some() && !image.primary {
        return;
    }
    image.log.push(event);
    let id = image.global_id.clone();
    if let Some(id) = id {
        state.acknowledged.entry(id).or_default().push(event.id);
    }
}

pub(super) fn refused<T>(side: Side, method: &'static str, code: i64, text: impl Into<String>) -> Result<T> {
    let site = if side == Side::Home { "a" } else { "b" };
    Err(Error::Refused { site: site.to_owned(), method, code, text: text.into() })
}

pub(super) fn text(template: &Template, key: &str) -> String {
    template.single(key).unwrap_or_default().to_owned()
}

pub(super) fn singles(template: &Template) -> Vec<(String, String)> {
    let singles = template.attributes().iter().filter_map(|attribute| match &attribute.value {
        Value::Single(text) => Some((attribute.key.as_str().to_owned(), text.to_string())),
        Value::Vector(_) => None,
    });
    singles.collect()
}

pub(super) fn make_vm(
    state: &mut State,
    side: Side,
    template: &Template,
    name: &str,
    hold: bool,
) -> Result<VmId> {
    let (op, now) = ("one.vm.allocate", state.now);
    let one = state.one(side);
    let mut disks = Vec::new();
    for (number, disk) in (0..).zip(template.vectors("DISK")) {
        let (wanted, owner) = (disk.get("IMAGE").unwrap_or_default(), disk.get("IMAGE_UNAME"));
        let owner = owner.unwrap_or("oneadmin");
        let image = one.images.iter().find(|image| image.name == wanted && image.owner.0 == owner);
        let Some(image) = image else {
            return refused(
                side,
                op,
                8192,
                format!("DISK {number}: User does not own an image with name: {wanted} ."),
            );
        };
        if image.lock == Some(1) {
            return refused(side, op, 512, format!("User [0] : IMAGE is locked. [{}].", image.id));
        }
        if image.used_by.is_some() && image.persistent || image.broken {
            let text = format!("DISK {number}: Cannot acquire image {}, it is in state: USED_PERS", image.id);
            return refused(side, op, 8192, text);
        }
        disks.push(OneDisk {
            id: number,
            clone: !image.persistent,
            image: image.id,
            source: image.source.clone(),
            rbd: image.source.clone(),
            mebibytes: image.mebibytes,
        });
    }
    let id = one.number();
    for disk in &disks {
        if let Some(image) = one.images.iter_mut().find(|image| image.id == disk.image) {
            image.used_by = Some(id);
            // Every change of an image's state takes its lock away.
            image.lock = None;
        }
    }
    let mut attributes = singles(template);
    attributes.retain(|(key, _)| !matches!(key.as_str(), "NAME" | "CPU" | "MEMORY"));
    one.vms.push(OneVm {
        id,
        name: name.to_owned(),
        owner: ("oneadmin".to_owned(), "oneadmin".to_owned()),
        mode: [6, 0, 0],
        power: if hold { Power::Held } else { Power::Starting },
        since: now,
        disks,
        attributes,
        deaf: false,
    });
    Ok(VmId(id))
}
