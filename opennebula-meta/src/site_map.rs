//! What differs at the other site: names of datastores, networks, users; what to keep of addresses; attributes to
//! drop, add or replace.
//!
//! A map is data (serde), meant to be written by an operator. Names that it does not list are taken to be the same
//! at both sites, or refused ([`Unlisted`]); with an [`Inventory`] of site B, every name is checked against what is
//! there. Everything without a counterpart is reported at once.

mod path;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{ClusterId, DatastoreId, EpochSeconds};

pub use path::{AttributePath, PathError};

/// What differs at site B. The default: nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteMap {
    /// Appended to the name of every VM and image.
    pub name_suffix: String,
    /// How an image that holds a VM's disk is called.
    pub image_names: ImageNames,
    /// What to do with a name that is not listed.
    pub unlisted: Unlisted,
    /// Datastores of A, by name, and the image datastore at B that takes their images. It must be one on the mirrored
    /// pool, used for nothing else.
    pub datastores: BTreeMap<String, DatastoreRef>,
    /// Networks of A, as `name` or `owner/name`, and what they are at B.
    pub networks: BTreeMap<String, NetworkRule>,
    /// The owner at B of a network whose owner at A is not known. Empty means `oneadmin`.
    pub network_owner: String,
    /// What to keep of a card's addresses where its network's rule does not say.
    pub address: Address,
    /// Users of A and of B.
    pub users: BTreeMap<String, String>,
    /// Groups of A and of B.
    pub groups: BTreeMap<String, String>,
    /// Clusters of A, by number, and their number at B, for `CLUSTER_ID` in `SCHED_REQUIREMENTS`. (The number is text
    /// here: keys of tables are.)
    pub clusters: BTreeMap<String, ClusterId>,
    /// Security groups of A, by name, and their *number* at B: a NIC takes numbers only. What is not listed is left
    /// to the network, which adds its own groups anyway.
    pub security_groups: BTreeMap<String, u32>,
    /// VM groups of A, by name, and their name at B. What is not listed is left out.
    pub vm_groups: BTreeMap<String, String>,
    /// Images of A, as `name` or `owner/name`, that exist at B already (an installation CD, a context file): the disk
    /// uses that one, and nothing is registered. Not for disks that a VM writes to.
    pub images: BTreeMap<String, ImageRef>,
    /// What to do with volatile disks.
    pub volatile: Volatile,
    /// Changes to every VM template.
    pub vm: Edits,
    /// Changes to every image template.
    pub image: Edits,
    /// The time at which the templates will be used. Scheduled actions before it would fire at once, and are left
    /// out. Without it, the latest time in the VM's own document counts.
    #[serde(skip)]
    pub now: Option<EpochSeconds>,
    /// What there is at B, to check every name against.
    #[serde(skip)]
    pub at_b: Option<Inventory>,
}

/// How an image that holds a VM's disk is called at B.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageNames {
    /// An image that a VM uses as it is (persistent, CDROM) keeps its name. A clone is called like its VM if it is
    /// disk 0, else `<VM>-disk-<DISK_ID>`.
    #[default]
    Familiar,
    /// Every disk's image is called `<VM>-disk-<DISK_ID>`.
    Numbered,
}

/// What to do with a name that the map does not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlisted {
    /// It is the same at B.
    #[default]
    Same,
    /// It is refused. `oneadmin` and its group are the same everywhere.
    Refuse,
}

/// A datastore at B: the second argument of `one.image.allocate` is a number; a name is looked up by the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DatastoreRef {
    /// By number.
    Id(DatastoreId),
    /// By name.
    Name(String),
}

/// An image at B.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRef {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: String,
}

/// A network at B.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "NetworkText")]
pub struct NetworkRule {
    /// Its name.
    pub to: String,
    /// Its owner; `None`: the mapped owner of the network at A.
    pub owner: Option<String>,
    /// What to keep of a card's addresses; `None`: what the map says for all.
    pub address: Option<Address>,
}

/// A rule is its name alone, or a table.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum NetworkText {
    Name(String),
    Rule { to: String, owner: Option<String>, address: Option<Address> },
}

impl From<NetworkText> for NetworkRule {
    fn from(text: NetworkText) -> Self {
        match text {
            NetworkText::Name(to) => Self { to, owner: None, address: None },
            NetworkText::Rule { to, owner, address } => Self { to, owner, address },
        }
    }
}

impl From<&str> for NetworkRule {
    fn from(to: &str) -> Self {
        Self { to: to.to_owned(), owner: None, address: None }
    }
}

/// What to keep of a card's addresses. OpenNebula takes at most one of `IP`, `IP6` and `MAC` (observed): the other
/// follows from it, and is the same only if B's address range pairs the same bases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// `IP`, else `IP6`, else `MAC`.
    #[default]
    Ip,
    /// `MAC`.
    Mac,
    /// None: B's network gives one.
    Drop,
}

/// What to do with volatile disks, whose data is in no image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Volatile {
    /// The VM gets a new, empty one.
    #[default]
    Empty,
    /// The mirrored `one-sys-V-D` is registered as a data block. Swap stays empty.
    Register,
}

/// Changes to templates, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edits {
    /// Attributes to leave out, wherever they are.
    pub drop: BTreeSet<AttributePath>,
    /// Values to put in the place of what is there; nothing happens where nothing is.
    pub replace: BTreeMap<AttributePath, String>,
    /// Values to add where nothing is.
    pub add: BTreeMap<AttributePath, String>,
}

/// What there is at site B, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Datastores that take images.
    pub datastores: BTreeMap<String, DatastoreId>,
    /// Networks: owner and name.
    pub networks: BTreeSet<(String, String)>,
    /// Users.
    pub users: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Images: owner and name.
    pub images: BTreeSet<(String, String)>,
}

/// Something of A without a counterpart at B.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error, Serialize)]
#[non_exhaustive]
pub enum Unmapped {
    /// A datastore.
    #[error("datastore {0:?}")]
    Datastore(String),
    /// A network.
    #[error("network {name:?} of {owner:?}")]
    Network {
        /// Its name.
        name: String,
        /// Its owner, where it is known.
        owner: String,
    },
    /// A user.
    #[error("user {0:?}")]
    User(String),
    /// A group.
    #[error("group {0:?}")]
    Group(String),
    /// A security group.
    #[error("security group {0:?}")]
    SecurityGroup(String),
    /// An image that is said to exist at B and does not.
    #[error("image {name:?} of {owner:?}")]
    Image {
        /// Its name.
        name: String,
        /// Its owner.
        owner: String,
    },
}

impl SiteMap {
    /// The datastore at B for images of this one.
    ///
    /// # Errors
    /// [`Unmapped::Datastore`].
    pub fn datastore(&self, name: &str) -> Result<DatastoreRef, Unmapped> {
        let unmapped = || Unmapped::Datastore(name.to_owned());
        let there = match self.datastores.get(name) {
            Some(there) => there.clone(),
            None if self.unlisted == Unlisted::Same => DatastoreRef::Name(name.to_owned()),
            None => return Err(unmapped()),
        };
        let known = self.at_b.as_ref().is_none_or(|at_b| match &there {
            DatastoreRef::Id(id) => at_b.datastores.values().any(|other| other == id),
            DatastoreRef::Name(name) => at_b.datastores.contains_key(name),
        });
        if known { Ok(there) } else { Err(unmapped()) }
    }

    /// The user at B.
    ///
    /// # Errors
    /// [`Unmapped::User`].
    pub fn user(&self, name: &str) -> Result<String, Unmapped> {
        let at_b = self.at_b.as_ref().map(|at_b| &at_b.users);
        self.name(&self.users, at_b, name).ok_or_else(|| Unmapped::User(name.to_owned()))
    }

    /// The group at B.
    ///
    /// # Errors
    /// [`Unmapped::Group`].
    pub fn group(&self, name: &str) -> Result<String, Unmapped> {
        let at_b = self.at_b.as_ref().map(|at_b| &at_b.groups);
        self.name(&self.groups, at_b, name).ok_or_else(|| Unmapped::Group(name.to_owned()))
    }

    fn name(
        &self,
        listed: &BTreeMap<String, String>,
        at_b: Option<&BTreeSet<String>>,
        name: &str,
    ) -> Option<String> {
        let there = match listed.get(name) {
            Some(there) => there.as_str(),
            None if self.unlisted == Unlisted::Same || name == "oneadmin" => name,
            None => return None,
        };
        let known = there == "oneadmin" || at_b.is_none_or(|names| names.contains(there));
        known.then(|| there.to_owned())
    }

    /// The network at B: name, owner, and what to keep of an address. `owner` is the owner at A, where it is known.
    ///
    /// # Errors
    /// [`Unmapped::Network`], [`Unmapped::User`].
    pub fn network(&self, name: &str, owner: Option<&str>) -> Result<(String, String, Address), Unmapped> {
        let unmapped =
            || Unmapped::Network { name: name.to_owned(), owner: owner.unwrap_or_default().to_owned() };
        let owned = match owner {
            Some(owner) => self.networks.get(&format!("{owner}/{name}")),
            None => self.only_rule_for(name),
        };
        let rule = owned.or_else(|| self.networks.get(name));
        if rule.is_none() && self.unlisted == Unlisted::Refuse {
            return Err(unmapped());
        }
        let to = rule.map_or(name, |rule| rule.to.as_str());
        let stated = rule.and_then(|rule| rule.owner.clone());
        let owner_there = match (stated, owner) {
            (Some(stated), _) => stated,
            (None, Some(owner)) => self.user(owner)?,
            (None, None) => self.only_owner_of(to).unwrap_or_else(|| self.default_network_owner().to_owned()),
        };
        let known = self
            .at_b
            .as_ref()
            .is_none_or(|at_b| at_b.networks.contains(&(owner_there.clone(), to.to_owned())));
        if !known {
            return Err(unmapped());
        }
        let address = rule.and_then(|rule| rule.address).unwrap_or(self.address);
        Ok((to.to_owned(), owner_there, address))
    }

    /// The image at B that stands for one of A, if the map lists one.
    ///
    /// # Errors
    /// [`Unmapped::Image`] if B does not have it.
    pub fn existing_image(&self, name: &str, owner: Option<&str>) -> Result<Option<&ImageRef>, Unmapped> {
        let owned = owner.and_then(|owner| self.images.get(&format!("{owner}/{name}")));
        let Some(there) = owned.or_else(|| self.images.get(name)) else { return Ok(None) };
        let key = (there.owner.clone(), there.name.clone());
        if self.at_b.as_ref().is_none_or(|at_b| at_b.images.contains(&key)) {
            return Ok(Some(there));
        }
        Err(Unmapped::Image { name: there.name.clone(), owner: there.owner.clone() })
    }

    /// The rule for a network of this name and some owner, where there is one only.
    fn only_rule_for(&self, network: &str) -> Option<&NetworkRule> {
        let of_name = |listed: &&String| listed.split_once('/').is_some_and(|(_, name)| name == network);
        let mut rules = self.networks.keys().filter(of_name);
        match (rules.next(), rules.next()) {
            (Some(only), None) => self.networks.get(only),
            _ => None,
        }
    }

    fn only_owner_of(&self, network: &str) -> Option<String> {
        let at_b = self.at_b.as_ref()?;
        let mut owners = at_b.networks.iter().filter(|(_, name)| name == network).map(|(owner, _)| owner);
        match (owners.next(), owners.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }

    fn default_network_owner(&self) -> &str {
        if self.network_owner.is_empty() { "oneadmin" } else { &self.network_owner }
    }
}
