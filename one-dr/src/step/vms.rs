//! The steps of a VM: looks and acts on the front-ends.

use opennebula_meta::document::Element;
use opennebula_meta::id::{DatastoreId, GroupId, Mebibytes, UserId, VmId};
use opennebula_meta::owner::{Owner, Permissions};
use opennebula_meta::reregister::{Call, NewImage, NewVm};
use opennebula_meta::site_map::DatastoreRef;
use opennebula_meta::{Image, StoredTemplate, Template};

use super::world::{calls, image_of};
use super::{Action, Failure, Look, World};
use crate::frontend::{FrontEnd, LockLevel, Object, Power, Update, VmAction};
use crate::site::Side;
use crate::stamp;
use crate::storage::Role;

/// The look of a VM's step; `None` if it is another kind of step.
pub(super) fn look(world: &World<'_>, vm: VmId, action: &Action) -> Result<Option<Look>, Failure> {
    let look = match action {
        Action::Poweroff { at, .. } => poweroff(world, *at, vm)?,
        Action::RegisterImage { disk } => {
            let new = world.converted(vm)?;
            match image_of(&new, *disk) {
                Some(image) => registered(image, &world.registered(image)?),
                None => Look::Done,
            }
        }
        Action::OwnImage { disk } => on_image(world, vm, *disk, |new, image| {
            done(owner(&new.after).is_none_or(|owner| image.owner() == *owner))
        })?,
        Action::PermitImage { disk } => on_image(world, vm, *disk, |new, image| {
            done(
                permissions(&new.after)
                    .is_none_or(|wanted| image.permissions().ok().flatten() == Some(wanted)),
            )
        })?,
        Action::LockImage { disk, level } => on_image(world, vm, *disk, |_, image| {
            done(lock(image.root()).is_some_and(|is| is <= number(*level)))
        })?,
        Action::UnlockImage { disk } => {
            // Once the VM is there nothing has to be unlocked for it.
            if world.vm_at(Side::Recovery, vm)?.is_some() {
                Look::Done
            } else {
                on_image(world, vm, *disk, |_, image| done(lock(image.root()) != Some(1)))?
            }
        }
        Action::StageTemplate => {
            if world.vm_at(Side::Recovery, vm)?.is_some() {
                Look::Done
            } else {
                let new = world.converted(vm)?;
                done(template(world, vm)?.is_some_and(|template| {
                    stamp::of_template(&template, stamp::CONTENT) == new.template.single(stamp::CONTENT)
                }))
            }
        }
        Action::Instantiate => instantiate(world, vm)?,
        Action::OwnVm => {
            let new = world.converted(vm)?;
            match world.vm_at(Side::Recovery, vm)? {
                None => Look::Blocked(format!("VM {vm} is not at the recovery site")),
                Some(at) => done(owner(&new.after).is_none_or(|owner| at.owner() == *owner)),
            }
        }
        Action::PermitVm => {
            let new = world.converted(vm)?;
            match world.vm_at(Side::Recovery, vm)? {
                None => Look::Blocked(format!("VM {vm} is not at the recovery site")),
                Some(at) => done(
                    permissions(&new.after)
                        .is_none_or(|wanted| at.permissions().ok().flatten() == Some(wanted)),
                ),
            }
        }
        Action::Start { at } => start(world, *at, vm)?,
        Action::Running { at } => match world.vm_at(*at, vm)?.as_ref().map(Power::of) {
            Some(Power::Running) => Look::Done,
            Some(Power::Failed) => Look::Blocked(failed(world, *at, vm)),
            Some(power) => Look::Waiting(format!("VM {vm} is {power}")),
            None => Look::Blocked(format!("VM {vm} is not at site {}", world.pair.at(*at).name)),
        },
        _ => return Ok(None),
    };
    Ok(Some(look))
}

/// The act of a VM's step; `None` if it is another kind of step.
pub(super) fn act(world: &World<'_>, vm: VmId, action: &Action) -> Result<Option<String>, Failure> {
    let there = world.pair.frontend(Side::Recovery);
    let text = match action {
        Action::Poweroff { at, hard } => {
            let Some(here) = world.vm_at(*at, vm)? else { return Ok(Some(String::new())) };
            let how = if *hard { VmAction::PoweroffHard } else { VmAction::Poweroff };
            world.pair.frontend(*at).act(here.id(), how)?;
            String::new()
        }
        Action::RegisterImage { disk } => {
            let new = world.converted(vm)?;
            match image_of(&new, *disk) {
                Some(image) => format!("image {}", register(world, image)?),
                None => String::new(),
            }
        }
        Action::OwnImage { disk } => {
            let (new, image) = the_image(world, vm, *disk)?;
            if let Some(owner) = image_of(&new, *disk).and_then(|new| owner(&new.after)) {
                let (user, group) = ids(there, owner)?;
                there.chown(Object::Image(image.id()), user, group)?;
            }
            String::new()
        }
        Action::PermitImage { disk } => {
            let (new, image) = the_image(world, vm, *disk)?;
            if let Some(wanted) = image_of(&new, *disk).and_then(|new| permissions(&new.after)) {
                there.chmod(Object::Image(image.id()), wanted)?;
            }
            String::new()
        }
        Action::LockImage { disk, level } => {
            let (_, image) = the_image(world, vm, *disk)?;
            there.lock(Object::Image(image.id()), *level)?;
            String::new()
        }
        Action::UnlockImage { disk } => {
            let (_, image) = the_image(world, vm, *disk)?;
            there.unlock(Object::Image(image.id()))?;
            String::new()
        }
        Action::StageTemplate => {
            let new = world.converted(vm)?;
            let mut content = new.template.clone();
            // VMs may share a name, templates of one owner may not.
            stamp::put(&mut content, "NAME", &format!("one-dr-{}-{vm}", world.pair.home.name));
            match template(world, vm)? {
                Some(old) => {
                    content.remove("NAME");
                    there.update(Object::Template(old.id()), &content, Update::Replace)?;
                    format!("template {}", old.id())
                }
                None => format!("template {}", there.allocate_template(&content)?),
            }
        }
        Action::Instantiate => {
            let new = world.converted(vm)?;
            let Some(template) = template(world, vm)? else {
                return Err(Failure::Metadata(format!(
                    "the template of VM {vm} is gone from the recovery site"
                )));
            };
            format!("VM {}", there.instantiate(template.id(), &new.name, true, &Template::new())?)
        }
        Action::OwnVm => {
            let new = world.converted(vm)?;
            if let (Some(at), Some(owner)) = (world.vm_at(Side::Recovery, vm)?, owner(&new.after)) {
                let (user, group) = ids(there, owner)?;
                there.chown(Object::Vm(at.id()), user, group)?;
            }
            String::new()
        }
        Action::PermitVm => {
            let new = world.converted(vm)?;
            if let (Some(at), Some(wanted)) = (world.vm_at(Side::Recovery, vm)?, permissions(&new.after)) {
                there.chmod(Object::Vm(at.id()), wanted)?;
            }
            String::new()
        }
        Action::Start { at } => {
            let Some(here) = world.vm_at(*at, vm)? else { return Ok(Some(String::new())) };
            let how = if Power::of(&here) == Power::Held { VmAction::Release } else { VmAction::Resume };
            world.pair.frontend(*at).act(here.id(), how)?;
            String::new()
        }
        _ => return Ok(None),
    };
    Ok(Some(text))
}

fn done(is: bool) -> Look {
    if is { Look::Done } else { Look::Ready }
}

fn poweroff(world: &World<'_>, at: Side, vm: VmId) -> Result<Look, Failure> {
    let site = &world.pair.at(at).name;
    Ok(match world.vm_at(at, vm)?.as_ref().map(Power::of) {
        None | Some(Power::Off | Power::Done | Power::Held | Power::Suspended) => Look::Done,
        Some(Power::Running) => Look::Ready,
        Some(Power::Unknown) => Look::Blocked(format!(
            "VM {vm} is UNKNOWN at site {site}: it may run. See to its host, then `onevm poweroff --hard {vm}`"
        )),
        Some(Power::Failed) => Look::Blocked(failed(world, at, vm)),
        Some(power @ Power::Stopping) => Look::Waiting(format!(
            "VM {vm} is {power} at site {site}; if its guest does not listen: `onevm poweroff --hard`"
        )),
        Some(power) => Look::Waiting(format!("VM {vm} is {power} at site {site}")),
    })
}

fn failed(world: &World<'_>, at: Side, vm: VmId) -> String {
    format!(
        "VM {vm} is in a failure state at site {}: look at `onevm show`. Never `onevm recover --delete`: that removes \
         disks",
        world.pair.at(at).name
    )
}

fn start(world: &World<'_>, at: Side, vm: VmId) -> Result<Look, Failure> {
    let site = &world.pair.at(at).name;
    let power = world.vm_at(at, vm)?.as_ref().map(Power::of);
    let look = match power {
        Some(Power::Held | Power::Off | Power::Suspended) => Look::Ready,
        Some(Power::Starting | Power::Running) => Look::Done,
        Some(Power::Failed) => Look::Blocked(failed(world, at, vm)),
        Some(power) => Look::Waiting(format!("VM {vm} is {power} at site {site}")),
        None => Look::Blocked(format!("VM {vm} is not at site {site} any more")),
    };
    if look != Look::Ready {
        return Ok(look);
    }
    // OpenNebula starts a VM on a read-only replica without a word.
    let pool = world.pair.storage(at);
    for disk in world.plan.disks(vm) {
        let role = pool.image_by_id(&disk.id)?.map(|view| view.role);
        if role != Some(Role::Primary) {
            let role = role.map_or_else(|| "gone".to_owned(), |role| role.to_string());
            return Ok(Look::Blocked(format!(
                "{} is {role} at site {site}: the VM could not write",
                disk.image
            )));
        }
    }
    Ok(Look::Ready)
}

fn registered(new: &NewImage, found: &[Image]) -> Look {
    match found {
        [] => Look::Ready,
        [one] if one.name() == new.name => Look::Done,
        [one] => Look::Blocked(format!(
            "{} is registered as {:?} (image {}), and the VM asks for {:?}: rename it (oneimage rename {} ...)",
            new.source,
            one.name(),
            one.id(),
            new.name,
            one.id()
        )),
        many => {
            let ids: Vec<String> = many.iter().map(|image| image.id().to_string()).collect();
            Look::Blocked(format!(
                "[source-already-registered] {} is registered by images {}: two VMs could write to it",
                new.source,
                ids.join(", ")
            ))
        }
    }
}

fn register(world: &World<'_>, new: &NewImage) -> Result<opennebula_meta::id::ImageId, Failure> {
    let there = world.pair.frontend(Side::Recovery);
    let rbd = world.pair.storage(Side::Recovery).image(new.source.name())?;
    let mut new = new.clone();
    if let Some(view) = rbd {
        new = new.sized(Mebibytes::holding(view.bytes));
    }
    let datastore = datastore(there, &new.datastore)?;
    // It takes no space: the data is there.
    Ok(there.allocate_image(&new.template, datastore, true)?)
}

pub(super) fn datastore(there: &dyn FrontEnd, wanted: &DatastoreRef) -> Result<DatastoreId, Failure> {
    match wanted {
        DatastoreRef::Id(id) => Ok(*id),
        DatastoreRef::Name(name) => there
            .datastores()?
            .iter()
            .find(|datastore| datastore.name() == name)
            .map(opennebula_meta::Datastore::id)
            .ok_or_else(|| Failure::Metadata(format!("there is no datastore {name:?} at the recovery site"))),
    }
}

fn owner(after: &[Call]) -> Option<&Owner> {
    calls(after).find_map(|call| match call {
        Call::Chown(owner) => Some(owner),
        _ => None,
    })
}

fn permissions(after: &[Call]) -> Option<Permissions> {
    calls(after).find_map(|call| match call {
        Call::Chmod(permissions) => Some(*permissions),
        _ => None,
    })
}

fn ids(there: &dyn FrontEnd, owner: &Owner) -> Result<(UserId, GroupId), Failure> {
    let missing = |what: &str, name: &str| {
        Failure::Metadata(format!("there is no {what} {name:?} at the recovery site"))
    };
    let users = there.users()?;
    let user =
        users.iter().find(|user| user.name == owner.user).ok_or_else(|| missing("user", &owner.user))?;
    let groups = there.groups()?;
    let group = groups
        .iter()
        .find(|group| group.name == owner.group)
        .ok_or_else(|| missing("group", &owner.group))?;
    Ok((user.id, group.id))
}

/// The registration of a disk and the one image that has it.
fn the_image(
    world: &World<'_>,
    vm: VmId,
    disk: opennebula_meta::id::DiskId,
) -> Result<(std::rc::Rc<NewVm>, Image), Failure> {
    let new = world.converted(vm)?;
    let found = match image_of(&new, disk) {
        Some(image) => world.registration(image)?,
        None => None,
    };
    let image = found.ok_or_else(|| {
        Failure::Metadata(format!("the image of disk {disk} is not registered at the recovery site"))
    })?;
    Ok((new, image))
}

fn on_image(
    world: &World<'_>,
    vm: VmId,
    disk: opennebula_meta::id::DiskId,
    look: impl Fn(&NewImage, &Image) -> Look,
) -> Result<Look, Failure> {
    let new = world.converted(vm)?;
    let Some(wanted) = image_of(&new, disk) else { return Ok(Look::Done) };
    Ok(match world.registration(wanted)? {
        None => Look::Blocked(format!("the image of disk {disk} is not registered at the recovery site")),
        Some(image) => look(wanted, &image),
    })
}

/// The level of an object's lock, as OpenNebula numbers it: 1 is the firmest.
fn lock(root: Element<'_>) -> Option<u32> {
    root.child("LOCK")?.value("LOCKED")?.trim().parse().ok()
}

fn number(level: LockLevel) -> u32 {
    match level {
        LockLevel::Use => 1,
        LockLevel::Manage => 2,
        LockLevel::Admin => 3,
    }
}

fn template(world: &World<'_>, vm: VmId) -> Result<Option<StoredTemplate>, Failure> {
    let stamp = stamp::vm(&world.pair.home.name, vm.0);
    let templates = world.pair.frontend(Side::Recovery).templates()?;
    Ok(templates.into_iter().find(|template| stamp::of_template(template, stamp::VM) == Some(stamp.as_str())))
}

fn instantiate(world: &World<'_>, vm: VmId) -> Result<Look, Failure> {
    if world.vm_at(Side::Recovery, vm)?.is_some() {
        return Ok(Look::Done);
    }
    let new = world.converted(vm)?;
    let pool = world.pair.storage(Side::Recovery);
    for image in &new.images {
        let Some(view) = pool.image(image.source.name())? else {
            return Ok(Look::Blocked(format!("{} is not at the recovery site", image.source)));
        };
        if view.role.is_non_primary() {
            return Ok(Look::Blocked(format!(
                "{} is {} at the recovery site: the VM could not write",
                image.source, view.role
            )));
        }
    }
    if template(world, vm)?.is_none() {
        return Ok(Look::Blocked(format!("the template of VM {vm} is not at the recovery site")));
    }
    Ok(Look::Ready)
}
