//! The VM's template: both halves of it (`TEMPLATE`, `USER_TEMPLATE`) in one, without what is of site A.

use std::{cell::LazyCell, collections::BTreeMap};

use super::{
    Change, Error, Job, NewImage, NewVm, Reason, SecurityGroups, calls, context,
    disk::{self, Disks, is_out_of_reach},
    nic, rules, schedule,
};
use crate::{
    document::{Element, Error as DocumentError, Why},
    id::{ClusterId, DiskId, ImageId, NicId},
    image::Images,
    known::Known,
    owner::{Owner, Permissions},
    site_map::SiteMap,
    source::Outline,
    template::{Key, Template, Value, Vector},
    vm::{DiskKind, NicKind, Vm},
};

/// See [`super::vm`].
pub(super) fn convert(vm: &Vm, images: &Images, site_map: &SiteMap) -> Result<NewVm, Error> {
    let mut job = Job::expecting(site_map, 256);
    let name = [vm.name(), &site_map.name_suffix].concat();
    job.check_name(&name);
    if name != vm.name() {
        job.changes.push(Change::changed(
            vm.root().get(Known::NAME).unwrap_or(vm.root()),
            Reason::Mapped,
            &name,
        ));
    }
    for field in vm.root().children() {
        if let Some(reason) = rules::root(field) {
            job.changes.drop_field(field, reason);
        }
    }

    let mut rest = Template::with_capacity(64);
    rest.push_single(Known::NAME.into(), name.as_str());
    let permissions = job.take(vm.permissions()).flatten();
    let (registrations, disk_numbers) = disks(&mut job, vm, images, permissions, &mut rest);
    let groups = security_groups(vm);
    let cards = nic::cards(&mut job, vm, &groups);
    let nic_numbers = cards.numbers;
    for card in cards.nics.into_iter().filter(|card| !card.is_empty()) {
        rest.push_vector(Known::NIC.into(), card);
    }
    for alias in cards.aliases.into_iter().filter(|alias| !alias.is_empty()) {
        rest.push_vector(Known::NIC_ALIAS.into(), alias);
    }
    if let Some(context) = context::context(&mut job, vm, images) {
        rest.push_vector(Known::CONTEXT.into(), context);
    }
    let printed = LazyCell::new(|| vm.printed_after());
    for field in vm.template().into_iter().flat_map(Element::children) {
        match field.known() {
            Known::DISK | Known::NIC | Known::NIC_ALIAS | Known::CONTEXT => {}
            Known::GRAPHICS => {
                let port = |inner: Element<'_>| (inner.known() == Known::PORT).then_some(Reason::AtDeploy);
                vector(&mut job, field, &mut rest, port);
            }
            Known::OS => os(&mut job, field, images, &disk_numbers, &nic_numbers, &mut rest),
            Known::PCI => pci(&mut job, field, &groups, &mut rest),
            Known::VMGROUP => vm_group(&mut job, field, &mut rest),
            Known::SCHED_ACTION => {
                if let Some(action) = schedule::action(&mut job, field, *printed) {
                    rest.push_vector(Known::SCHED_ACTION.into(), action);
                }
            }
            _ => match rules::top(field) {
                Some(reason) => job.changes.drop_field(field, reason),
                None => attribute(&mut job, field, &mut rest),
            },
        }
    }
    for field in vm.user_template().into_iter().flat_map(Element::children) {
        // Up to 6.4 actions are kept here, and are done.
        if field.known() == Known::SCHED_ACTION && !field.is_leaf() {
            if let Some(action) = schedule::action(&mut job, field, *printed) {
                rest.push_vector(Known::SCHED_ACTION.into(), action);
            }
            continue;
        }
        match rules::top(field).or_else(|| rules::acts(field)) {
            Some(reason) => job.changes.drop_field(field, reason),
            None => attribute(&mut job, field, &mut rest),
        }
    }
    backup_config(&mut job, vm, &mut rest);
    if rest.single("MEMORY").is_none_or(str::is_empty) {
        job.problem(
            DocumentError::new(vm.template().unwrap_or(vm.root()).place(), Why::Missing("MEMORY")).into(),
        );
    }

    clusters(&mut job, vm, &mut rest);
    rest.sort_behind_first();
    let mut template = rest;
    job.edit(&mut template, &site_map.vm);
    job.check(&mut template);
    let owner = job.owner(Owner::names(vm.root()));
    let changes = job.finish()?;
    Ok(NewVm { name, template, images: registrations, after: calls(owner, permissions), changes })
}

/// All disks, and A's numbers with B's. B numbers them in order, the context CD last.
fn disks(
    job: &mut Job<'_>,
    vm: &Vm,
    images: &Images,
    permissions: Option<Permissions>,
    rest: &mut Template,
) -> (Vec<NewImage>, BTreeMap<DiskId, usize>) {
    let mut registrations: Vec<NewImage> = Vec::new();
    let mut numbers = BTreeMap::new();
    let mut by_name = ByName::default();
    let beside = vm.disks().find(|disk| disk.kind().is_ok_and(DiskKind::has_image));
    let beside = beside.and_then(|disk| disk.filled(Known::DATASTORE));
    let all = Disks { vm, images, permissions, beside };
    // They cannot be registered, but what cannot be read is no document to register from.
    if job.take(vm.snapshots()).is_none() {
        return (registrations, numbers);
    }
    for (there, disk) in vm.disks().enumerate() {
        let Some(id) = job.take(disk.id()) else { continue };
        numbers.insert(id, there);
        let Some(source) = job.take(Outline::of(disk)) else { continue };
        let out_of_reach = is_out_of_reach(&source).is_some();
        let Some(new) = disk::disk(job, &all, disk, source) else { continue };
        if let Some(mut image) = new.image {
            let mut vector = new.vector;
            let of_this_name = || by_name.all(&image.name, &registrations);
            let same = |other: &NewImage| other.source == image.source;
            if of_this_name().any(same) {
                // One CD in two drives: one image.
                rest.push_vector(Known::DISK.into(), vector);
                continue;
            }
            // Two disks of one VM whose images would bear one name: the later one says which disk it is.
            if of_this_name().any(|other| other.owner == image.owner) {
                let name = format!("{}{}-disk-{id}", vm.name(), job.map.name_suffix);
                job.check_name(&name);
                vector.set(Known::IMAGE.into(), name.clone());
                for value in image.template.all_mut("NAME") {
                    *value = Value::Single(name.as_str().into());
                }
                image.name = name;
            }
            by_name.push(image, &mut registrations);
            rest.push_vector(Known::DISK.into(), vector);
        } else if !out_of_reach || !new.vector.is_empty() {
            rest.push_vector(Known::DISK.into(), new.vector);
        }
    }
    (registrations, numbers)
}

/// Which registrations bear a name. Hardly any VM has more than a few, but one may.
#[derive(Default)]
struct ByName {
    /// Of what is not among the first few.
    further: BTreeMap<String, Vec<usize>>,
}

impl ByName {
    const FEW: usize = 16;

    fn push(&mut self, image: NewImage, registrations: &mut Vec<NewImage>) {
        if registrations.len() >= Self::FEW {
            self.further.entry(image.name.clone()).or_default().push(registrations.len());
        }
        registrations.push(image);
    }

    fn all<'r>(&self, name: &str, registrations: &'r [NewImage]) -> impl Iterator<Item = &'r NewImage> {
        let further = self.further.get(name).into_iter().flatten().filter_map(|at| registrations.get(*at));
        registrations.iter().take(Self::FEW).filter(move |image| image.name == name).chain(further)
    }
}

/// A's security groups, by number: the rules in the template name them.
fn security_groups(vm: &Vm) -> SecurityGroups<'_> {
    let rules = vm.template().into_iter().flat_map(|template| template.get_all(Known::SECURITY_GROUP_RULE));
    rules
        .filter_map(|rule| {
            let id = rule.get_filled(Known::SECURITY_GROUP_ID)?;
            Some((id, rule.get_filled(Known::SECURITY_GROUP_NAME)?))
        })
        .collect()
}

/// An attribute that stays as it is.
fn attribute(job: &mut Job<'_>, field: Element<'_>, rest: &mut Template) {
    if !field.is_leaf() {
        vector(job, field, rest, |_| None);
        return;
    }
    match Key::of(field) {
        Ok(key) => rest.push_single(key, field.text()),
        Err(_) => job.changes.drop_field(field, Reason::Unknown),
    }
}

/// A vector, less what `drop` gives a reason for.
fn vector(
    job: &mut Job<'_>,
    field: Element<'_>,
    rest: &mut Template,
    drop: impl Fn(Element<'_>) -> Option<Reason>,
) {
    let mut vector = Vector::with_capacity(8);
    for inner in field.children() {
        job.keep(&mut vector, inner, drop(inner));
    }
    push(job, field, vector, rest);
}

fn push(job: &mut Job<'_>, field: Element<'_>, vector: Vector, rest: &mut Template) {
    match Key::of(field) {
        Ok(_) if vector.is_empty() => {}
        Ok(key) => rest.push_vector(key, vector),
        Err(_) => job.changes.drop_field(field, Reason::Unknown),
    }
}

/// `OS`: devices to boot from are numbered anew, kernels are found by name.
fn os(
    job: &mut Job<'_>,
    field: Element<'_>,
    images: &Images,
    disks: &BTreeMap<DiskId, usize>,
    nics: &BTreeMap<NicId, usize>,
    rest: &mut Template,
) {
    let mut vector = Vector::with_capacity(8);
    for inner in field.children() {
        let text = inner.text();
        let (now, reason) = match inner.known() {
            Known::BOOT => (Some(boot(text, disks, nics)), Reason::Renumbered),
            Known::KERNEL_DS | Known::INITRD_DS => (file_by_name(text, images), Reason::SiteNumber),
            _ => {
                job.keep(&mut vector, inner, rules::os(inner));
                continue;
            }
        };
        match (now, Key::of(inner)) {
            (Some(now), Ok(key)) => {
                if now != text {
                    job.changes.push(Change::changed(inner, reason, &now));
                }
                vector.push(key, now);
            }
            _ => job.changes.drop_field(inner, reason),
        }
    }
    push(job, field, vector, rest);
}

/// `disk0,nic3` with B's numbers. A device that is not there any more is left out: with it B would refuse the VM.
fn boot(text: &str, disks: &BTreeMap<DiskId, usize>, nics: &BTreeMap<NicId, usize>) -> String {
    let device = |device: &str| {
        let device = device.trim();
        if let Some(number) = device.strip_prefix("disk") {
            let there = number.parse().ok().and_then(|id| disks.get(&DiskId(id)))?;
            return Some(format!("disk{there}"));
        }
        if let Some(number) = device.strip_prefix("nic") {
            let there = number.parse().ok().and_then(|id| nics.get(&NicId(id)))?;
            return Some(format!("nic{there}"));
        }
        Some(device.to_owned())
    };
    text.split(',').filter_map(device).collect::<Vec<_>>().join(",")
}

/// `$FILE[IMAGE_ID=3]` by the image's name and owner; `None` where that is not known. A name stays as it is.
fn file_by_name(text: &str, images: &Images) -> Option<String> {
    let Some((_, id)) = text.split_once("IMAGE_ID") else { return Some(text.to_owned()) };
    let digits: String =
        id.chars().skip_while(|one| !one.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let image = images.by_id(ImageId(digits.parse().ok()?))?;
    Some(format!("$FILE[IMAGE=\"{}\", IMAGE_UNAME=\"{}\"]", image.name(), image.owner().user))
}

/// A PCI device; one that is a card on a network is treated as one.
fn pci(job: &mut Job<'_>, field: Element<'_>, groups: &SecurityGroups<'_>, rest: &mut Template) {
    let chosen =
        [Known::VENDOR, Known::DEVICE, Known::CLASS].iter().any(|name| field.get_filled(*name).is_some());
    let drop = |inner: Element<'_>| match inner.known() {
        Known::SHORT_ADDRESS => chosen.then_some(Reason::OfTheHost),
        _ => rules::pci(inner),
    };
    if field.get_filled(Known::NETWORK).is_none() {
        vector(job, field, rest, drop);
        return;
    }
    let mut card = nic::card(job, field, NicKind::Nic, groups, &BTreeMap::new());
    for inner in field.children() {
        if let Some(reason) = drop(inner)
            && card.remove(inner.name()).is_some()
        {
            job.changes.drop_field(inner, reason);
        }
    }
    push(job, field, card, rest);
}

/// `VMGROUP`: its number is A's. Where the map names the group at B, the VM goes there, in its role.
fn vm_group(job: &mut Job<'_>, field: Element<'_>, rest: &mut Template) {
    let name = field.get_filled(Known::VMGROUP_NAME).unwrap_or_default();
    let Some(there) = job.map.vm_groups.get(name).cloned() else {
        for inner in field.children() {
            job.changes.drop_field(inner, Reason::SiteNumber);
        }
        return;
    };
    if there != name {
        job.changes.push(Change::changed(field, Reason::Mapped, &there));
    }
    let mut vector = Vector::from_iter([(Known::VMGROUP_NAME.into(), there)]);
    for inner in field.children() {
        match inner.known() {
            Known::VMGROUP_NAME => {}
            Known::VMGROUP_ID => job.changes.drop_field(inner, Reason::SiteNumber),
            _ => job.keep(&mut vector, inner, None),
        }
    }
    push(job, field, vector, rest);
}

/// What a template can say about backups; the backups themselves stay at A.
fn backup_config(job: &mut Job<'_>, vm: &Vm, rest: &mut Template) {
    let Some(backups) = vm.root().get(Known::BACKUPS) else { return };
    let mut vector = Vector::new();
    for field in backups.get(Known::BACKUP_CONFIG).into_iter().flat_map(Element::children) {
        match field.known() {
            known @ (Known::BACKUP_VOLATILE
            | Known::FS_FREEZE
            | Known::KEEP_LAST
            | Known::MODE
            | Known::INCREMENT_MODE) => {
                vector.push(known.into(), field.text());
            }
            _ => job.changes.drop_field(field, Reason::OfTheRun),
        }
    }
    for id in backups.get(Known::BACKUP_IDS).into_iter().flat_map(Element::children) {
        job.changes.drop_field(id, Reason::SiteNumber);
    }
    if !vector.is_empty() {
        rest.push_vector(Known::BACKUP_CONFIG.into(), vector);
    }
}

/// `CLUSTER_ID = "0"` in `SCHED_REQUIREMENTS`, where the map knows the cluster at B. Everything else stays as it is.
fn clusters(job: &mut Job<'_>, vm: &Vm, rest: &mut Template) {
    let map = &job.map.clusters;
    if map.is_empty() {
        return;
    }
    let stated = vm.user_template().and_then(|user| user.get(Known::SCHED_REQUIREMENTS));
    let stated =
        stated.or_else(|| vm.template().and_then(|template| template.get(Known::SCHED_REQUIREMENTS)));
    for value in rest.all_mut("SCHED_REQUIREMENTS") {
        let Value::Single(text) = value else { continue };
        let now = renumber_clusters(text, |id| map.get(id).copied());
        if now != text.as_str() {
            job.changes.push(Change::changed(stated.unwrap_or(vm.root()), Reason::Mapped, &now));
            *text = now.into();
        }
    }
}

fn renumber_clusters(text: &str, there: impl Fn(&str) -> Option<ClusterId>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("CLUSTER_ID") {
        let (before, behind) = rest.split_at(at + "CLUSTER_ID".len());
        out.push_str(before);
        let lead: usize =
            behind.chars().take_while(|one| matches!(one, ' ' | '=' | '!' | '"' | '\t')).count();
        let (lead, number) = behind.split_at(lead);
        let digits = number.chars().take_while(char::is_ascii_digit).count();
        let (digits, behind) = number.split_at(digits);
        out.push_str(lead);
        match there(digits) {
            Some(id) if lead.contains('=') => out.push_str(&id.to_string()),
            _ => out.push_str(digits),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}
