//! A VM against the site that is to take it.

use super::{Finding, Lint, Severity};
use crate::{
    capture::Capture,
    datastore::{Datastore, DatastoreType},
    document::Element,
    image::Image,
    reregister::{NewImage, NewVm},
    source::{self, Origin, RbdImage},
    template::Vector,
    version::Version,
    vm::Vm,
};

/// From here on a value's outer blanks are cut (observed on 7.4.0; not yet in 7.2.0).
const BLANKS_CUT: Version = Version::new(7, 4, 0);
/// From here on `MACHINE=q35` is added (read in the source of 7.2).
const MACHINE_ADDED: Version = Version::new(7, 2, 0);

/// What stands in the way at site B, whose objects are captured as `b`: `there` is what [`reregister`] made of `vm`.
/// Worst first.
///
/// [`reregister`]: crate::reregister
#[must_use]
pub fn at_b(vm: &Vm, there: &NewVm, b: &Capture) -> Vec<Finding> {
    let mut findings = Vec::new();
    for image in &there.images {
        registration(image, vm, b, &mut findings);
    }
    collisions(vm, there, b, &mut findings);
    let cards = vm.nics().zip(there.template.vectors("NIC"));
    for (nic, card) in cards.chain(vm.aliases().zip(there.template.vectors("NIC_ALIAS"))) {
        address(nic.element(), card, b, &mut findings);
    }
    if let Some(version) = b.version {
        newer(vm, version, &mut findings);
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn registration(new: &NewImage, vm: &Vm, b: &Capture, findings: &mut Vec<Finding>) {
    let at = match new.disk {
        Some((disk, _)) => format!("VM({})/DISK({disk})", vm.id()),
        None => format!("IMAGE({})", new.name),
    };
    let mut find = |severity, lint| findings.push(Finding { path: at.clone(), severity, lint });
    let source = new.source.to_string();
    match b.images.by_name(&new.name, &new.owner.user) {
        Some(image) if image.root().value("SOURCE") != Some(source.as_str()) => {
            let (name, owner) = (new.name.clone(), new.owner.user.clone());
            find(Severity::Fails, Lint::NameTaken { name, owner });
        }
        _ => {}
    }
    if let Some(image) = b.images.by_source(&source) {
        let name = image.name().to_owned();
        find(Severity::Differs, Lint::Registered { image: new.source.clone(), name });
    }
    if let Some(datastore) = b.datastore(&new.datastore)
        && let Ok(Some(free)) = datastore.free()
        && new.size > free
    {
        find(Severity::Fails, Lint::NoRoom { datastore: datastore.id(), free, size: new.size });
    }
}

/// Whether B makes, or has made, RBD images under the names of replicas. Where it does, it runs new VMs on them and
/// removes them (observed on real Ceph).
fn collisions(vm: &Vm, there: &NewVm, b: &Capture, findings: &mut Vec<Finding>) {
    let Ok(disks) = source::disks(vm) else { return };
    for disk in disks {
        let Some(image) = disk.rbd() else { continue };
        let at = format!("VM({})/DISK({})", vm.id(), disk.disk);
        if collided(image, b) {
            let lint = Lint::NameCollided { image: image.clone() };
            findings.push(Finding { path: at.clone(), severity: Severity::Destroys, lint });
        }
        let replicas = there.images.iter().filter_map(|new| b.datastore(&new.datastore)).map(Datastore::id);
        let replicas: Vec<_> = replicas.collect();
        let shared = b.datastores.iter().find(|datastore| {
            let makes = match datastore.datastore_type() {
                Ok(DatastoreType::System) => true,
                // The datastore for replicas takes registrations only; that is the operator's promise.
                Ok(DatastoreType::Image) => !replicas.contains(&datastore.id()),
                _ => false,
            };
            makes && datastore.ceph_pool() == Some(image.pool())
        });
        if let (Some(datastore), false) = (shared, Origin::of(image.name()) == Origin::Foreign) {
            let (pool, datastore) = (image.pool().to_owned(), datastore.id());
            let lint = Lint::NameCollision { image: image.clone(), pool, datastore };
            findings.push(Finding { path: at, severity: Severity::Destroys, lint });
        }
    }
}

/// Whether an object of B itself owns an RBD image of this name.
fn collided(image: &RbdImage, b: &Capture) -> bool {
    // A registration of the replica names it too, and is no collision.
    let own_image = |own: &Image| {
        own.rbd().is_ok_and(|source| source == *image) && *image.name() == format!("one-{}", own.id())
    };
    let own_disk = |vm: &Vm| {
        let disks = source::disks(vm).unwrap_or_default();
        disks.iter().any(|disk| {
            use crate::vm::DiskKind::{Clone, Swap, Volatile};
            matches!(disk.kind, Clone | Volatile | Swap) && disk.rbd() == Some(image)
        })
    };
    b.images.iter().any(own_image) || b.vms.iter().any(own_disk)
}

fn address(nic: Element<'_>, card: &Vector, b: &Capture, findings: &mut Vec<Finding>) {
    let (Some(name), Some(owner)) = (card.get("NETWORK"), card.get("NETWORK_UNAME")) else { return };
    let network = b.networks.iter().find(|network| network.name() == name && network.owner().user == owner);
    let (Some(network), Some(text)) = (network, card.get("IP")) else { return };
    let Ok(ip) = text.parse() else { return };
    let mut find = |severity, lint| findings.push(Finding::at(nic, severity, lint));
    let address = text.to_owned();
    let Some(there) = network.mac_for(ip) else {
        return find(Severity::Fails, Lint::NoRange { network: name.to_owned(), address });
    };
    if network.is_leased(ip) {
        find(Severity::Fails, Lint::AddressInUse { address: address.clone() });
    }
    match nic.filled("MAC") {
        Some(here) if !here.eq_ignore_ascii_case(&there) => {
            find(Severity::Differs, Lint::OtherMac { address, here: here.to_owned(), there });
        }
        _ => {}
    }
}

/// What a newer B does otherwise.
fn newer(vm: &Vm, version: Version, findings: &mut Vec<Finding>) {
    let template = vm.template().unwrap_or(vm.root());
    let stated = template.child("OS").is_some_and(|os| os.filled("MACHINE").is_some());
    if version >= MACHINE_ADDED && !stated {
        findings.push(Finding::at(
            template.child("OS").unwrap_or(template),
            Severity::Differs,
            Lint::Machine,
        ));
    }
    if version < BLANKS_CUT {
        return;
    }
    let mut open: Vec<Element<'_>> = vm.template().into_iter().chain(vm.user_template()).collect();
    while let Some(element) = open.pop() {
        open.extend(element.children());
        let text = element.text();
        if element.is_leaf() && text.trim_ascii() != text {
            findings.push(Finding::at(element, Severity::Differs, Lint::BlanksCut));
        }
    }
}
