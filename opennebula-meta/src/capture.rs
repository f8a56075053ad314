//! What was read of a site at one moment: its objects, and which RBD images are mirrored.
//!
//! Nothing here reads anything: the caller asks the front-end and Ceph, and hands over what they say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    datastore::Datastore,
    id::{ImageId, Mebibytes, VmId},
    image::{Image, Images},
    network::Network,
    site_map::{DatastoreRef, Inventory},
    source::RbdImage,
    stored::StoredTemplate,
    version::Version,
    vm::Vm,
};

/// The objects of a site.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// `one.system.version`.
    pub version: Option<Version>,
    /// The VMs, in full (`one.vmpool.infoextended`).
    pub vms: Vec<Vm>,
    /// The images.
    pub images: Images,
    /// The networks.
    pub networks: Vec<Network>,
    /// The datastores.
    pub datastores: Vec<Datastore>,
    /// The stored templates.
    pub templates: Vec<StoredTemplate>,
    /// The mirrored RBD images, as Ceph lists them; `None` if nobody asked.
    pub mirrored: Option<Mirrored>,
}

/// Mirrored RBD images, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mirrored {
    images: BTreeMap<RbdImage, Mirror>,
}

/// One mirrored RBD image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// Its identity across both sites. The name is none: a revert moves it to another.
    pub global_id: String,
    /// Its size, if it was asked for.
    pub bytes: Option<u64>,
}

impl Mirrored {
    /// The mirror of this RBD image, if it is mirrored.
    #[must_use]
    pub fn get(&self, image: &RbdImage) -> Option<&Mirror> {
        self.images.get(image)
    }

    /// Whether it is mirrored.
    #[must_use]
    pub fn contains(&self, image: &RbdImage) -> bool {
        self.images.contains_key(image)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&RbdImage, &Mirror)> {
        self.images.iter()
    }
}

impl FromIterator<(RbdImage, Mirror)> for Mirrored {
    fn from_iter<I: IntoIterator<Item = (RbdImage, Mirror)>>(images: I) -> Self {
        Self { images: images.into_iter().collect() }
    }
}

impl Mirror {
    /// The size as a registration states it.
    #[must_use]
    pub fn size(&self) -> Option<Mebibytes> {
        self.bytes.map(Mebibytes::holding)
    }
}

impl Capture {
    /// The VM of this number.
    #[must_use]
    pub fn vm(&self, id: VmId) -> Option<&Vm> {
        self.vms.iter().find(|vm| vm.id() == id)
    }

    /// The image of this number.
    #[must_use]
    pub fn image(&self, id: ImageId) -> Option<&Image> {
        self.images.by_id(id)
    }

    /// The names of this site's objects, for the [`SiteMap`](crate::SiteMap) of which it is site B. Users and groups
    /// are those that own something here, and those that are given.
    #[must_use]
    pub fn inventory(&self, users: &[&str], groups: &[&str]) -> Inventory {
        let mut inventory = Inventory::default();
        for datastore in &self.datastores {
            inventory.datastores.insert(datastore.name().to_owned(), datastore.id());
        }
        for network in &self.networks {
            inventory.networks.insert((network.owner().user, network.name().to_owned()));
        }
        for image in self.images.iter() {
            inventory.images.insert((image.owner().user, image.name().to_owned()));
        }
        let owners = self
            .vms
            .iter()
            .map(Vm::owner)
            .chain(self.images.iter().map(Image::owner))
            .chain(self.networks.iter().map(Network::owner));
        for owner in owners {
            inventory.users.insert(owner.user);
            inventory.groups.insert(owner.group);
        }
        inventory.users.extend(users.iter().map(|name| (*name).to_owned()));
        inventory.groups.extend(groups.iter().map(|name| (*name).to_owned()));
        inventory
    }

    /// The datastore that a reference means here.
    #[must_use]
    pub fn datastore(&self, wanted: &DatastoreRef) -> Option<&Datastore> {
        self.datastores.iter().find(|datastore| match wanted {
            DatastoreRef::Id(id) => datastore.id() == *id,
            DatastoreRef::Name(name) => datastore.name() == name,
        })
    }
}
