//! The steps of a drill: a VM on clones of the replicas, apart, beside production.

use opennebula_meta::id::{DiskId, VmId};
use opennebula_meta::template::{Key, Value};
use opennebula_meta::{Image, Template, Vm};

use super::vms::datastore;
use super::world::image_of;
use super::{Action, Failure, Look, World};
use crate::frontend::{Object, Power, VmAction};
use crate::site::Side;
use crate::stamp;

/// `drill/disk`: the stamp of a clone's image.
fn mark(drill: &str, disk: DiskId) -> String {
    format!("{drill}/{disk}")
}

fn image(world: &World<'_>, mark: &str) -> Result<Option<Image>, Failure> {
    let images = world.pair.frontend(Side::Recovery).images()?;
    Ok(images.into_iter().find(|image| {
        image.root().child("TEMPLATE").and_then(|template| template.value(stamp::DRILL)) == Some(mark)
    }))
}

fn vm_of(world: &World<'_>, drill: &str) -> Result<Option<Vm>, Failure> {
    let vms = world.pair.frontend(Side::Recovery).vms()?;
    Ok(vms
        .into_iter()
        .find(|vm| stamp::of_vm(vm, stamp::DRILL) == Some(drill) && Power::of(vm) != Power::Done))
}

pub(super) fn look(world: &World<'_>, vm: VmId, action: &Action) -> Result<Look, Failure> {
    let done = |is: bool| if is { Look::Done } else { Look::Ready };
    let (home, there) = (world.pair.storage(Side::Home), world.pair.storage(Side::Recovery));
    Ok(match action {
        Action::DrillSnapshot { disk, name } => done(home.snapshots(&disk.image)?.contains(name)),
        Action::DrillArrived { disk, name } => {
            if there.snapshots(&disk.image)?.contains(name) {
                Look::Done
            } else {
                Look::Waiting(format!("the snapshot {name} of {} has not been replayed", disk.image))
            }
        }
        Action::DrillClone { disk, name, .. } if !there.snapshots(&disk.image)?.contains(name) => {
            Look::Blocked(format!("the snapshot {name} of {} is not at the recovery site", disk.image))
        }
        Action::DrillClone { pool, clone, .. } => done(there.clone_exists(pool, clone)?),
        Action::DrillRegister { disk, drill, pool, clone } => {
            if image(world, &mark(drill, *disk))?.is_some() {
                Look::Done
            } else if there.clone_exists(pool, clone)? {
                Look::Ready
            } else {
                Look::Blocked(format!("there is no clone {clone} to register"))
            }
        }
        Action::DrillInstantiate { drill } => {
            if vm_of(world, drill)?.is_some() {
                return Ok(Look::Done);
            }
            for disk in world.plan.disks(vm) {
                if image(world, &mark(drill, disk.disk))?.is_none() {
                    return Ok(Look::Blocked(format!("the clone of disk {} is not registered", disk.disk)));
                }
            }
            Look::Ready
        }
        Action::DrillRunning { drill } => match vm_of(world, drill)?.as_ref().map(Power::of) {
            Some(Power::Running) => Look::Done,
            Some(Power::Failed) => Look::Blocked(format!(
                "VERDICT: the drill's VM of VM {vm} does not start: look at `onevm show`"
            )),
            Some(power) => Look::Waiting(format!("the drill's VM is {power}")),
            None => Look::Blocked("the drill's VM is not there".to_owned()),
        },
        Action::DrillTerminate { drill } => done(vm_of(world, drill)?.is_none()),
        Action::DrillUnregister { disk, drill, .. } => done(image(world, &mark(drill, *disk))?.is_none()),
        Action::DrillRemoveClone { pool, clone } => done(!there.clone_exists(pool, clone)?),
        Action::DrillRemoveSnapshot { disk, name } => done(!home.snapshots(&disk.image)?.contains(name)),
        _ => Look::Done,
    })
}

pub(super) fn act(world: &World<'_>, vm: VmId, action: &Action) -> Result<String, Failure> {
    let (home, there) = (world.pair.storage(Side::Home), world.pair.storage(Side::Recovery));
    let frontend = world.pair.frontend(Side::Recovery);
    match action {
        Action::DrillSnapshot { disk, name } => home.create_snapshot(&disk.image, name)?,
        Action::DrillClone { disk, name, pool, clone } => {
            there.clone_snapshot(&disk.image, name, pool, clone)?;
        }
        Action::DrillRegister { disk, drill, pool, clone } => {
            register(world, vm, *disk, drill, &format!("{pool}/{clone}"))?;
        }
        Action::DrillInstantiate { drill } => {
            let template = apart(world, vm, drill)?;
            frontend.allocate_vm(&template, false)?;
        }
        Action::DrillTerminate { drill } => {
            if let Some(vm) = vm_of(world, drill)? {
                frontend.act(vm.id(), VmAction::TerminateHard)?;
            }
        }
        Action::DrillUnregister { disk, drill, .. } => {
            // Its RBD image is the clone, by the mark that only a drill gives: removing it with the record is meant.
            if let Some(image) = image(world, &mark(drill, *disk))? {
                frontend.delete(Object::Image(image.id()), true)?;
            }
        }
        Action::DrillRemoveClone { pool, clone } => there.remove_clone(pool, clone)?,
        Action::DrillRemoveSnapshot { disk, name } => home.remove_snapshot(&disk.image, name)?,
        _ => {}
    }
    Ok(String::new())
}

fn register(world: &World<'_>, vm: VmId, disk: DiskId, drill: &str, source: &str) -> Result<(), Failure> {
    let frontend = world.pair.frontend(Side::Recovery);
    let new = world.converted(vm)?;
    let Some(image) = image_of(&new, disk) else { return Ok(()) };
    let mut template = image.template.clone();
    template.remove(stamp::IMAGE);
    stamp::put(&mut template, "NAME", &mark(drill, disk).replace('/', "-"));
    stamp::put(&mut template, "SOURCE", source);
    stamp::put(&mut template, stamp::DRILL, &mark(drill, disk));
    let wanted = match &world.pair.settings.drill.datastore {
        Some(name) => opennebula_meta::site_map::DatastoreRef::Name(name.clone()),
        None => image.datastore.clone(),
    };
    let datastore = datastore(frontend, &wanted)?;
    frontend.allocate_image(&template, datastore, true)?;
    Ok(())
}

/// The VM's template on the clones, without its cards but one on the isolated network, if there is one.
fn apart(world: &World<'_>, vm: VmId, drill: &str) -> Result<Template, Failure> {
    let new = world.converted(vm)?;
    let mut template = new.template.clone();
    for key in ["NIC", "NIC_ALIAS", "NIC_DEFAULT", stamp::VM, stamp::CONTENT, "SCHED_ACTION"] {
        template.remove(key);
    }
    stamp::put(&mut template, "NAME", drill);
    stamp::put(&mut template, stamp::DRILL, drill);
    let literal = |name: &'static str| Key::new(name).map_err(|error| Failure::Metadata(error.to_string()));
    let mut disks = new.images.iter().filter_map(|image| image.disk.map(|(disk, _)| (disk, image)));
    let old = template.remove("DISK");
    for value in old {
        let Value::Vector(mut vector) = value else { continue };
        let named = vector.get("IMAGE").map(str::to_owned);
        let found = named.and_then(|name| disks.find(|(_, image)| image.name == name));
        if let Some((disk, _)) = found {
            vector.set(literal("IMAGE")?, mark(drill, disk).replace('/', "-"));
            vector.remove("IMAGE_UNAME");
        }
        template.push_vector(literal("DISK")?, vector);
    }
    let network = &world.pair.settings.drill.network;
    for value in template.remove("OS") {
        let Value::Vector(mut os) = value else { continue };
        if let Some(order) = os.get("BOOT").map(|order| bootable(order, network.is_some())) {
            if order.is_empty() {
                os.remove("BOOT");
            } else {
                os.set(literal("BOOT")?, order);
            }
        }
        if !os.is_empty() {
            template.push_vector(literal("OS")?, os);
        }
    }
    if let Some(network) = network {
        let mut card = opennebula_meta::template::Vector::new();
        card.push(literal("NETWORK")?, network);
        template.push_vector(literal("NIC")?, card);
    }
    Ok(template)
}

/// The boot order without the cards that the drill's VM has not: OpenNebula refuses a VM that is to boot from them.
fn bootable(order: &str, card: bool) -> String {
    let has = |device: &&str| !device.starts_with("nic") || card && *device == "nic0";
    order.split(',').map(str::trim).filter(has).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::bootable;

    #[test]
    fn a_drill_does_not_boot_from_cards_that_it_has_not() {
        assert_eq!(bootable("disk0, nic0,nic1", false), "disk0");
        assert_eq!(bootable("nic0,disk1,nic1", true), "nic0,disk1");
        assert_eq!(bootable("nic0", false), "");
    }
}
