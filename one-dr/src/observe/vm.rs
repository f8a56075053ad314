//! One VM at both sites.

use opennebula_meta::drift;
use opennebula_meta::id::{DiskId, TemplateId, VmId};
use opennebula_meta::reregister::{Call, NewImage};
use opennebula_meta::site_map::Volatile;
use opennebula_meta::source::{self, Backing, DiskSource, NoRbd};
use opennebula_meta::vm::DiskKind;
use opennebula_meta::{Capture, Vm};
use serde::{Deserialize, Serialize};

use super::{Answer, DiskView, Error, Observation, There, disk};
use crate::convert::{convert, global_id};
use crate::epoch::{self, Epoch};
use crate::frontend::Power;
use crate::site::{Side, SitePair};
use crate::stamp;
use crate::storage::GlobalImageId;

/// Where a VM's definition was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Definition {
    /// From the home front-end, now.
    Live,
    /// From the catalog.
    Captured,
}

/// A VM at one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmAt {
    /// Its number there.
    pub id: VmId,
    /// What it is doing.
    pub power: Power,
}

/// A stored template at the recovery site that carries our stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateAt {
    /// Its number.
    pub id: TemplateId,
    /// What it was made from.
    pub content: Option<String>,
}

/// One VM at both sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmView {
    /// Its number at home.
    pub id: VmId,
    /// Its name at home.
    pub name: String,
    /// Where its definition was read.
    pub definition: Definition,
    /// Whether it is in the catalog.
    pub captured: bool,
    /// At home; `None` if its front-end is silent, or has no such VM any more.
    pub at_home: Option<VmAt>,
    /// At the recovery site, by our stamp; `None` if its front-end is silent, or has none.
    pub at_recovery: Option<VmAt>,
    /// More VMs there with the same stamp.
    pub duplicates: Vec<VmId>,
    /// Its template there.
    pub template: Option<TemplateAt>,
    /// The disks that have to be at the recovery site.
    pub disks: Vec<DiskView>,
    /// The disks that cannot be mirrored, and why.
    pub out_of_reach: Vec<String>,
    /// The volatile disks: nothing mirrors them, and each site makes its own.
    pub volatile: Vec<DiskId>,
    /// What has no counterpart at the recovery site, and whatever else stands in the way of registering it there.
    pub unmapped: Vec<String>,
    /// What changed since it was captured.
    pub drift: Vec<String>,
    /// Our record at home.
    pub home_epoch: Option<Epoch>,
    /// Our record at the recovery site.
    pub recovery_epoch: Option<Epoch>,
    /// Its boot group.
    pub group: u32,
}

impl VmView {
    /// The VM at a side.
    #[must_use]
    pub fn at(&self, side: Side) -> Option<&VmAt> {
        match side {
            Side::Home => self.at_home.as_ref(),
            Side::Recovery => self.at_recovery.as_ref(),
        }
    }

    /// Our record at a side.
    #[must_use]
    pub fn epoch(&self, side: Side) -> Option<&Epoch> {
        match side {
            Side::Home => self.home_epoch.as_ref(),
            Side::Recovery => self.recovery_epoch.as_ref(),
        }
    }

    /// The newest record of both.
    #[must_use]
    pub fn newest_epoch(&self) -> Option<&Epoch> {
        [self.home_epoch.as_ref(), self.recovery_epoch.as_ref()]
            .into_iter()
            .flatten()
            .max_by_key(|epoch| epoch.number)
    }

    /// How the operator calls it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} (VM {})", self.name, self.id)
    }
}

pub(super) fn look(
    pair: &SitePair,
    seen: &Observation,
    captured: Option<&Capture>,
    at_b: &There,
    id: VmId,
) -> Result<VmView, Error> {
    let there = &at_b.objects;
    let live = if seen.home.frontend.answers() { pair.frontend(Side::Home).vm(id)? } else { None };
    let live = live.filter(|vm| Power::of(vm) != Power::Done);
    let kept = captured.and_then(|captured| captured.vm(id));
    let (vm, definition) = match (&live, kept) {
        (Some(vm), _) => (vm, Definition::Live),
        (None, Some(vm)) => (vm, Definition::Captured),
        (None, None) => {
            let home = if seen.home.frontend.answers() {
                "there is no such VM at home"
            } else {
                "the front-end at home does not answer"
            };
            let why = match &seen.catalog {
                Answer::Answers(_) => format!("{home}, and it is not in the catalog"),
                Answer::Silent(why) => format!("{home}, and the catalog cannot be read: {why}"),
            };
            return Err(Error::UnknownVm { vm: id, why });
        }
    };
    let bad = |error: opennebula_meta::document::Error| Error::UnknownVm { vm: id, why: error.to_string() };
    let sources = source::disks(vm).map_err(bad)?;
    let (mut disks, mut out_of_reach, mut volatile) = (Vec::new(), Vec::new(), Vec::new());
    for source in &sources {
        if !is_needed(pair, vm, source) {
            if source.kind == DiskKind::Volatile {
                volatile.push(source.disk);
            }
            continue;
        }
        match &source.backing {
            Backing::Rbd(rbd) => {
                let known = captured.and_then(|captured| global_id(captured, rbd)).map(GlobalImageId::new);
                disks.push(disk::look(pair, seen, source, rbd, known, there)?);
            }
            Backing::None(NoRbd::ContextCd) => {}
            Backing::None(why) => out_of_reach.push(format!("disk {}: {why:?}", source.disk)),
        }
    }
    let epoch = |side| match seen.pool_answers(side) {
        true => epoch::read(pair.storage(side), id.0),
        false => Ok(None),
    };
    let home_name = &seen.home.name;
    let mut stamped = there.vms.iter().filter(|vm| {
        stamp::of_vm(vm, stamp::VM) == Some(&stamp::vm(home_name, id.0)) && Power::of(vm) != Power::Done
    });
    let at = |vm: &Vm| VmAt { id: vm.id(), power: Power::of(vm) };
    let template = there
        .templates
        .iter()
        .find(|template| stamp::of_template(template, stamp::VM) == Some(&stamp::vm(home_name, id.0)));
    Ok(VmView {
        id,
        name: vm.name().to_owned(),
        definition,
        captured: kept.is_some(),
        at_home: live.as_ref().map(at),
        at_recovery: stamped.next().map(at),
        duplicates: stamped.map(Vm::id).collect(),
        template: template.map(|template| TemplateAt {
            id: template.id(),
            content: stamp::of_template(template, stamp::CONTENT).map(str::to_owned),
        }),
        disks,
        out_of_reach,
        volatile,
        unmapped: unmapped(pair, seen, captured, live.as_ref(), at_b, id),
        drift: live.as_ref().zip(kept).map_or_else(Vec::new, |(live, kept)| drifted(kept, live)),
        home_epoch: epoch(Side::Home)?,
        recovery_epoch: epoch(Side::Recovery)?,
        group: pair.settings.boot.group(id.0),
    })
}

/// Whether the disk's data has to be at the recovery site.
fn is_needed(pair: &SitePair, vm: &Vm, source: &DiskSource) -> bool {
    let map = &pair.settings.site_map;
    match source.kind {
        DiskKind::Volatile => map.volatile == Volatile::Register,
        DiskKind::Swap | DiskKind::Context => false,
        _ => !is_there_already(vm, source.disk, |name, owner| {
            map.images.contains_key(name) || map.images.contains_key(&format!("{owner}/{name}"))
        }),
    }
}

/// Whether the disk's image is one that the map says exists at the recovery site.
fn is_there_already(vm: &Vm, disk: DiskId, listed: impl Fn(&str, &str) -> bool) -> bool {
    vm.disks().filter(|one| one.id().ok() == Some(disk)).any(|one| {
        let owner = one.element().value("IMAGE_UNAME").unwrap_or_default();
        one.image().is_some_and(|name| listed(name, owner))
    })
}

/// What stands in the way of registering the VM at the recovery site, as it was captured or, before it ever was, as it is.
fn unmapped(
    pair: &SitePair,
    seen: &Observation,
    captured: Option<&Capture>,
    live: Option<&Vm>,
    at_b: &There,
    id: VmId,
) -> Vec<String> {
    let captured = captured.filter(|captured| captured.vm(id).is_some());
    let new = live.filter(|_| captured.is_none()).map(|vm| Capture {
        vms: vec![vm.clone()],
        images: at_b.images_at_home.clone(),
        ..Capture::default()
    });
    let Some(source) = captured.or(new.as_ref()) else { return Vec::new() };
    let answers = seen.recovery.frontend.answers();
    let inventory = answers.then(|| {
        let users: Vec<&str> = at_b.users.iter().map(|user| user.name.as_str()).collect();
        let groups: Vec<&str> = at_b.groups.iter().map(|group| group.name.as_str()).collect();
        at_b.objects.inventory(&users, &groups)
    });
    match convert(source, &pair.settings, &seen.home.name, id, seen.at, inventory) {
        Ok(new) => new.images.iter().filter_map(|image| name_taken(image, &at_b.objects)).collect(),
        Err(problems) => problems,
    }
}

/// OpenNebula has one image of a name for each owner; a new one is its maker's before it is given to its owner.
fn name_taken(new: &NewImage, there: &Capture) -> Option<String> {
    let source = new.source.to_string();
    let owner = new.after.iter().find_map(|call| match call {
        Call::Chown(owner) => Some(owner.user.as_str()),
        _ => None,
    });
    let taken = there.images.iter().find(|image| {
        let of = image.owner();
        let would_meet = owner == Some(of.user.as_str()) || of.user == "oneadmin";
        image.name() == new.name && would_meet && image.source().is_ok_and(|other| other != source)
    })?;
    Some(format!(
        "the image name {:?} is taken there by image {} of {}: rename that one (oneimage rename {} NEW)",
        new.name,
        taken.id(),
        taken.owner().user,
        taken.id()
    ))
}

fn drifted(kept: &Vm, live: &Vm) -> Vec<String> {
    let one = |vm: &Vm| Capture { vms: vec![vm.clone()], ..Capture::default() };
    drift::between(&one(kept), &one(live)).iter().map(ToString::to_string).collect()
}
