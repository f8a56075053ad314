//! An RBD image of the model: a log of events, and what the site makes of it.

use super::State;
use crate::site::Side;
use crate::storage::{Holder, ImageId, ImageView, MirrorMode, ParentSpec, Role};

/// What happened to an image's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Write,
    Promoted(Side),
    Demoted(Side),
}

/// An event; its number is unique, so two logs with the same event at the same place are the same up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) at: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) image_id: String,
    pub(crate) name: String,
    /// Of another pool than the mirrored one: a clone for a drill.
    pub(crate) pool: Option<String>,
    pub(crate) global_id: Option<String>,
    pub(crate) primary: bool,
    pub(crate) bytes: u64,
    pub(crate) features: u64,
    pub(crate) parent: Option<ParentSpec>,
    pub(crate) snapshots: Vec<(String, u64)>,
    pub(crate) log: Vec<Event>,
    pub(crate) complete: bool,
    pub(crate) created: u64,
    pub(crate) enabled: u64,
    /// Whether the peer's daemon has registered with this image's journal.
    pub(crate) reverse: bool,
    pub(crate) split_brain: bool,
    pub(crate) resync: bool,
    /// Given up for a resync, and gone at this time.
    pub(crate) leaves: Option<u64>,
    /// After a forced promotion: rbd-mirror keeps the lock.
    pub(crate) locked: bool,
    pub(crate) contact: Option<u64>,
    /// Clients that no VM of OpenNebula explains.
    pub(crate) strangers: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Trashed {
    pub(crate) image: Image,
    pub(crate) until: u64,
    pub(crate) removed: u64,
}

/// layering, exclusive-lock, object-map, fast-diff, deep-flatten
pub(crate) const PLAIN: u64 = 61;
pub(crate) const JOURNALING: u64 = 64;

impl Image {
    pub(crate) fn new(name: &str, image_id: String, bytes: u64, now: u64) -> Self {
        Self {
            image_id,
            name: name.to_owned(),
            pool: None,
            global_id: None,
            primary: false,
            bytes,
            features: PLAIN,
            parent: None,
            snapshots: Vec::new(),
            log: Vec::new(),
            complete: true,
            created: now,
            enabled: 0,
            reverse: false,
            split_brain: false,
            resync: false,
            leaves: None,
            locked: false,
            contact: None,
            strangers: Vec::new(),
        }
    }

    pub(crate) fn last_role(&self) -> Option<What> {
        self.log.iter().rev().map(|event| event.what).find(|what| *what != What::Write)
    }

    pub(crate) fn role(&self) -> Role {
        if self.global_id.is_none() {
            Role::NotMirrored
        } else if self.leaves.is_some() {
            Role::Disabling
        } else if self.primary {
            Role::Primary
        } else if matches!(self.last_role(), Some(What::Demoted(_))) {
            Role::Orphan
        } else {
            Role::NonPrimary
        }
    }

    /// Whether this log is the beginning of that one.
    pub(crate) fn is_prefix_of(&self, other: &Self) -> bool {
        match self.log.len().checked_sub(1) {
            None => true,
            Some(last) => other.log.get(last).is_some_and(|event| event.id == self.log[last].id),
        }
    }
}

impl State {
    pub(crate) fn event(&mut self, what: What) -> Event {
        self.next_event += 1;
        Event { id: self.next_event, at: self.now, what }
    }

    pub(crate) fn image_id(&mut self) -> String {
        self.next_image += 1;
        format!("{:x}", self.next_image)
    }

    pub(crate) fn by_id(&mut self, side: Side, id: &str) -> Option<&mut Image> {
        self.pool(side).images.iter_mut().find(|image| image.global_id.as_deref() == Some(id))
    }

    pub(crate) fn by_name(&mut self, side: Side, name: &str) -> Option<&mut Image> {
        self.pool(side).images.iter_mut().find(|image| image.name == name && image.pool.is_none())
    }

    pub(crate) fn view(&mut self, side: Side, image: &Image) -> ImageView {
        let mut users: Vec<Holder> =
            image.strangers.iter().map(|address| Holder { address: address.clone(), client: None }).collect();
        let now = self.now;
        let path = format!("{}/{}", image.pool.as_deref().unwrap_or("one"), image.name);
        users.extend(
            self.one(side).holders(&path, now).into_iter().map(|vm| Holder {
                address: format!("10.0.0.5:0/{vm}"),
                client: Some(format!("client.{vm}")),
            }),
        );
        ImageView {
            name: image.name.clone(),
            image_id: ImageId::new(image.image_id.as_str()),
            global_id: image.global_id.as_deref().map(crate::storage::GlobalImageId::new),
            role: image.role(),
            mode: image.global_id.as_ref().map(|_| MirrorMode::Journal),
            bytes: image.bytes,
            features: image.features,
            parent: image.parent.clone(),
            users,
            daemon_has_it: !image.primary && image.global_id.is_some(),
            split_brain: image.split_brain,
            complete: image.global_id.as_ref().map(|_| image.complete || image.primary),
            resync_requested: Some(image.resync),
            status: None,
            last_contact: image.contact.map(crate::Moment),
        }
    }
}
