//! Looks at images, with handles that do not count as users.

use std::time::SystemTime;

use rbd_mirror::journal::TagOwner;
use rbd_mirror::pair::{Pair, SideView};
use rbd_mirror::{
    Error as CephError, Image, MirrorImageMode, MirrorSnapshotState, Op, Pool, Refusal, Role as CephRole,
    SnapshotNamespace, SyncState, TrashSource, demotion_has_arrived, sync_state,
};

use super::Ceph;
use crate::clock::Moment;
use crate::storage::{
    Follower, GlobalImageId, Holder, ImageView, MirrorMode, MirroredImage, ParentSpec, Result, Role,
    TrashEntry,
};

type CephResult<T> = rbd_mirror::Result<T>;

impl Ceph {
    pub(super) fn view_of_name(&self, name: &str) -> Result<Option<ImageView>> {
        self.here.read_on("look", name, |pool| found(pool.open_read_only(name)).and_then(viewed))
    }

    pub(super) fn view_of_id(&self, id: &GlobalImageId) -> Result<Option<ImageView>> {
        let on = id.as_str();
        self.here.read_on("look", on, |pool| {
            match found(pool.open_by_global_id_read_only(id)).and_then(viewed) {
                // Its mirroring ended between two reads, as by a resync: nothing of this identity is there.
                Err(CephError::Refused { reason: Refusal::NotMirrored, .. }) => Ok(None),
                Ok(Some(view)) if view.role == Role::NotMirrored => Ok(None),
                other => other,
            }
        })
    }

    pub(super) fn list_mirrored(&self) -> Result<Vec<MirroredImage>> {
        self.here.read("list mirrored images", |pool| {
            let mut images = Vec::new();
            // librbd's list of what is mirrored reads every image three times, for roles that nobody asks for here.
            for status in pool.statuses() {
                let status = status?;
                if let (Some(global_id), Some(image_id)) = (status.id, status.image_id) {
                    images.push(MirroredImage { name: status.name, image_id, global_id });
                }
            }
            Ok(images)
        })
    }

    pub(super) fn read_trash(&self) -> Result<Vec<TrashEntry>> {
        let entries = self.here.read("list the trash", Pool::trash)?;
        let entry = |entry: rbd_mirror::TrashEntry| TrashEntry {
            image_id: entry.id,
            name: entry.name,
            by_mirroring: entry.source == TrashSource::Mirroring,
            until: entry.deferred_until.into(),
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    pub(super) fn read_follower(&self, id: &GlobalImageId) -> Result<Follower> {
        let op = "ask for the follower";
        let here = self.here.reading(op)?;
        let is_primary =
            self.here.read_on(op, id.as_str(), |_| here.open_by_global_id_read_only(id)?.role())?;
        if !is_primary.is_primary() {
            return Ok(Follower::NotPrimary);
        }
        let there = match self.there.mirror_uuid(op).and_then(|_| self.there.reading(op)) {
            Err(error) if error.is_unreachable() => return Ok(Follower::PeerSilent),
            other => other?,
        };
        // The peer first: from here on it is this site that an error is about.
        let diverged = match there.open_by_global_id_read_only(id).and_then(|image| image.status()) {
            Ok(status) => status.is_split_brain(),
            Err(CephError::NotFound { .. }) => return Ok(Follower::NoReplica),
            Err(error) if error.is_unreachable() => {
                self.there.heed(&error);
                return Ok(Follower::PeerSilent);
            }
            Err(error) => return Err(self.there.failed_read(op, id.as_str(), &error)),
        };
        let state = sync_state(&here, &there, id);
        let state = state.map_err(|error| self.here.failed_read(op, id.as_str(), &error))?;
        Ok(match state {
            SyncState::NotPrimary => Follower::NotPrimary,
            SyncState::TwoPrimaries => Follower::TwoPrimaries,
            SyncState::NoReplica => Follower::NoReplica,
            _ if diverged => Follower::SplitBrain,
            SyncState::NotRegistered => Follower::NotRegistered,
            SyncState::Syncing => Follower::Syncing,
            SyncState::Disconnected => Follower::Disconnected,
            SyncState::CaughtUp => Follower::CaughtUp,
            SyncState::Behind { done, newest } => Follower::Behind(format!("at {done} of {newest}")),
            other => Follower::Behind(other.to_string()),
        })
    }

    pub(super) fn read_demotion_arrived(&self, id: &GlobalImageId) -> Result<bool> {
        let op = "ask for the demotion";
        let there = self.there.reading(op)?;
        // An error below is this site's, or the peer's when it has just fallen silent: it is asked first.
        self.there.read_on(op, id.as_str(), Pool::mirror_uuid)?;
        self.here.read_on(op, id.as_str(), |here| {
            if !demotion_has_arrived(&there, here, id)? {
                return Ok(false);
            }
            let image = here.open_by_global_id_read_only(id)?;
            // In snapshot mode a promotion takes the lock: rbd-mirror must have closed the image.
            let snapshots = image.mirror_mode()? == Some(MirrorImageMode::Snapshot);
            Ok(!(snapshots && image.watchers()?.len() > image.users()?.len()))
        })
    }

    pub(super) fn read_reverse_registered(&self, id: &GlobalImageId) -> Result<bool> {
        let op = "ask for the way back";
        let uuid = self.there.mirror_uuid(op)?;
        self.here.read_on(op, id.as_str(), |pool| {
            let image = pool.open_by_global_id_read_only(id)?;
            Ok(image.mirror_mode()? == Some(MirrorImageMode::Snapshot)
                || image.journal()?.peer(&uuid).is_some())
        })
    }

    pub(super) fn read_writable(&self, id: &GlobalImageId) -> Result<bool> {
        self.here.read_on("ask for the lock", id.as_str(), |pool| {
            let image = pool.open_by_global_id_read_only(id)?;
            if !image.role()?.is_primary() {
                return Ok(false);
            }
            let header = format!("rbd_header.{}", image.id()?);
            let lockers = pool.object_lockers(&header, "rbd_lock")?;
            if lockers.is_empty() {
                return Ok(true);
            }
            // A VM's client gives the lock up when it is asked. A watcher that is no user is rbd-mirror, which may not.
            let (watchers, users) = (image.watchers()?, image.users()?);
            let is_daemon = |address: &str| {
                let has = |list: &[rbd_mirror::Watcher]| list.iter().any(|one| same(&one.address, address));
                has(&watchers) && !has(&users)
            };
            Ok(!lockers.iter().any(|locker| is_daemon(&locker.address)))
        })
    }

    pub(super) fn read_snapshots(&self, name: &str) -> Result<Vec<String>> {
        self.here.read_on("list snapshots", name, |pool| {
            let snapshots = pool.open_read_only(name)?.snapshots()?.into_iter();
            let of_users = snapshots.filter(|snapshot| snapshot.namespace == SnapshotNamespace::User);
            Ok(of_users.map(|snapshot| snapshot.name).collect())
        })
    }
}

/// Whether two addresses are one client's: locks have `v1:10.0.0.5:0/37` where watchers have `10.0.0.5:0/37`.
fn same(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let text = text.strip_prefix("v1:").or_else(|| text.strip_prefix("v2:")).unwrap_or(text);
        text.strip_prefix("any:").unwrap_or(text).to_owned()
    };
    bare(one) == bare(other)
}

/// `None` for what is not there.
pub(super) fn found<T>(opened: CephResult<T>) -> CephResult<Option<T>> {
    match opened {
        Err(CephError::NotFound { .. }) => Ok(None),
        other => other.map(Some),
    }
}

fn viewed(image: Option<Image>) -> CephResult<Option<ImageView>> {
    // One that is removed between two reads, as by a resync, is not there.
    image.map_or(Ok(None), |image| found(view(&image)))
}

fn view(image: &Image) -> CephResult<ImageView> {
    let role = image.role()?;
    let mode = image.mirror_mode()?;
    let parent = image.parent()?.map(|parent| ParentSpec {
        pool: match parent.image.namespace.as_str() {
            "" => parent.image.pool.clone(),
            namespace => format!("{}/{namespace}", parent.image.pool),
        },
        image: parent.image.name.clone(),
        snapshot: parent.snapshot.clone(),
    });
    let status = role.id().map(|_| image.status()).transpose()?;
    let (mut complete, mut split_brain) = (None, false);
    let users = match role.id() {
        None => image.users()?,
        Some(id) => {
            let nobody = CephError::NotFound { op: Op::Status, on: image.pool().spec().clone().into() };
            match Pair::without_peer(image.pool(), &nobody).look(id)?.here {
                SideView::Present { complete: known, split_brain: reported, users, .. } => {
                    (complete, split_brain) = (known, reported);
                    users
                }
                _ => return Err(nobody),
            }
        }
    };
    if role.is_primary() {
        complete = Some(true);
    }
    let daemon_has_it = image.watchers()?.len() > users.len();
    let heard =
        status.as_ref().and_then(|status| status.peers.iter().filter_map(|(_, word)| word.last_update).max());
    Ok(ImageView {
        name: image.name().to_owned(),
        image_id: image.id()?,
        global_id: role.id().cloned(),
        role: full_role(image, &role, mode)?,
        mode: mode.map(|mode| match mode {
            MirrorImageMode::Snapshot => MirrorMode::Snapshot,
            _ => MirrorMode::Journal,
        }),
        bytes: image.size()?,
        features: image.features()?.bits(),
        parent,
        users: users
            .into_iter()
            .map(|user| Holder { client: Some(format!("client.{}", user.client_id)), address: user.address })
            .collect(),
        daemon_has_it,
        split_brain,
        complete,
        resync_requested: None,
        status: status.as_ref().map(ToString::to_string),
        last_contact: heard.map(|time: SystemTime| Moment::from(time)),
    })
}

pub(super) fn plain_role(role: &CephRole) -> Role {
    match role {
        CephRole::NotMirrored => Role::NotMirrored,
        CephRole::Disabling(_) => Role::Disabling,
        CephRole::Primary(_) => Role::Primary,
        CephRole::NonPrimary(_) => Role::NonPrimary,
        _ => Role::Other,
    }
}

/// Tells a follower from an image that nobody owns, as far as this site has heard.
fn full_role(image: &Image, role: &CephRole, mode: Option<MirrorImageMode>) -> CephResult<Role> {
    let plain = plain_role(role);
    if plain != Role::NonPrimary {
        return Ok(plain);
    }
    let demoted = if mode == Some(MirrorImageMode::Snapshot) {
        let snapshots = image.snapshots()?.into_iter().filter_map(|snapshot| match snapshot.namespace {
            SnapshotNamespace::Mirror(mirror) => Some((snapshot.id, mirror.state)),
            _ => None,
        });
        let newest = snapshots.max_by_key(|(id, _)| *id).map(|(_, state)| state);
        matches!(newest, Some(MirrorSnapshotState::PrimaryDemoted | MirrorSnapshotState::NonPrimaryDemoted))
    } else {
        match image.journal() {
            Ok(journal) => journal.owner() == Some(&TagOwner::Orphan),
            // Made a moment ago: the journal is not there yet.
            Err(CephError::NotFound { .. }) => false,
            Err(error) => return Err(error),
        }
    };
    Ok(if demoted { Role::Orphan } else { plain })
}
