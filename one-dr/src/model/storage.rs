//! The pool of one site as [`Storage`]: Ceph's own checks, and no more.

use std::ops::ControlFlow;
use std::time::Duration;

use super::call::{Call, Kind, Service};
use super::ceph::{self, name_of, peer_answers, with};
use super::image::{Image, JOURNALING, What};
use super::{Model, State};
use crate::clock::Moment;
use crate::site::Side;
use crate::storage::{
    Capacity, Cause, Completeness, Daemon, DaemonHealth, Error, Follower, GlobalImageId, Identity, ImageId,
    ImageView, Lease, MirrorMode, MirrorUuid, MirroredImage, ParentSpec, PeerView, PoolMode, Progress,
    Result, Storage, Token, TrashEntry,
};

/// How far a writer's committed position lags its writes. Measured: up to 5 s.
const COMMIT_MS: u64 = 2000;

/// One site's pool.
#[derive(Clone, Debug)]
pub struct ModelStorage {
    pub(super) model: Model,
    pub(super) side: Side,
}

impl ModelStorage {
    fn call<T>(
        &self,
        kind: Kind,
        op: &'static str,
        on: &str,
        change: impl FnOnce(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let call = Call { side: self.side, service: Service::Storage, op, on: on.to_owned(), kind };
        self.model.call(&call, change)
    }

    fn refused<T>(side: Side, op: &'static str, on: &str, cause: Cause) -> Result<T> {
        Err(Error::Refused { site: name_of(side).to_owned(), op, on: on.to_owned(), cause })
    }

    /// A verb on a mirrored image.
    fn on<T>(
        &self,
        op: &'static str,
        id: &GlobalImageId,
        verb: impl FnOnce(&mut State, Image) -> std::result::Result<T, Cause> + Send + 'static,
    ) -> Result<T> {
        let (side, text) = (self.side, id.as_str().to_owned());
        self.call(Kind::Change, op, id.as_str(), move |state| {
            let Some(image) = state.by_id(side, &text).cloned() else { return not_found(side, op, &text) };
            verb(state, image).or_else(|cause| Self::refused(side, op, &text, cause))
        })
    }

    /// A verb on a named image.
    fn on_name<T>(
        &self,
        op: &'static str,
        name: &str,
        verb: impl FnOnce(&mut State, Image) -> std::result::Result<T, Cause> + Send + 'static,
    ) -> Result<T> {
        let (side, text) = (self.side, name.to_owned());
        self.call(Kind::Change, op, name, move |state| {
            let Some(image) = state.by_name(side, &text).cloned() else { return not_found(side, op, &text) };
            verb(state, image).or_else(|cause| Self::refused(side, op, &text, cause))
        })
    }
}

fn not_found<T>(side: Side, op: &'static str, on: &str) -> Result<T> {
    Err(Error::NotFound { site: name_of(side).to_owned(), op, on: on.to_owned() })
}

impl Storage for ModelStorage {
    fn identity(&self) -> Result<Identity> {
        let side = self.side;
        self.call(Kind::Read, "identity", "", move |state| {
            let now = Moment(state.now);
            let other = name_of(side.other());
            let uuid = MirrorUuid::new(format!("uuid-{other}"));
            let site_name = state.pool(side.other()).site_name.clone();
            let pool = state.pool(side);
            let peer = PeerView {
                uuid: format!("peer-{other}"),
                site_name: site_name.unwrap_or_else(|| format!("fsid-{other}")),
                receives: true,
                sends: true,
                mirror_uuid: Some(uuid),
                last_seen: Some(now),
            };
            Ok(Identity {
                fsid: format!("fsid-{}", name_of(side)),
                site_name: pool.site_name.clone(),
                pool: "one".to_owned(),
                mirror_uuid: MirrorUuid::new(format!("uuid-{}", name_of(side))),
                pool_mode: pool.mode,
                peers: if pool.peered { vec![peer] } else { Vec::new() },
                delete_delay_seconds: pool.delete_delay,
                librbd: "1.16.0".to_owned(),
                ceph: Some("16.2.15".to_owned()),
            })
        })
    }

    fn daemons(&self) -> Result<Vec<Daemon>> {
        let side = self.side;
        self.call(Kind::Read, "daemons", "", move |state| {
            let daemon = Daemon {
                id: format!("rbd-mirror.{}", name_of(side)),
                host: name_of(side).to_owned(),
                version: "16.2.15".to_owned(),
                leader: true,
                health: DaemonHealth::Ok,
                callouts: Vec::new(),
            };
            Ok(if state.pool(side).daemon { vec![daemon] } else { Vec::new() })
        })
    }

    fn capacity(&self) -> Result<Capacity> {
        let side = self.side;
        self.call(Kind::Read, "capacity", "", move |state| {
            let near_full = state.pool(side).near_full;
            Ok(Capacity { used_bytes: 1 << 30, free_bytes: 1 << 40, near_full, full: false })
        })
    }

    fn image(&self, name: &str) -> Result<Option<ImageView>> {
        let (side, text) = (self.side, name.to_owned());
        self.call(Kind::Read, "image", name, move |state| {
            let image = state.by_name(side, &text).cloned();
            Ok(image.map(|image| state.view(side, &image)))
        })
    }

    fn image_by_id(&self, id: &GlobalImageId) -> Result<Option<ImageView>> {
        let (side, text) = (self.side, id.as_str().to_owned());
        self.call(Kind::Read, "image_by_id", id.as_str(), move |state| {
            let image = state.by_id(side, &text).cloned();
            Ok(image.map(|image| state.view(side, &image)))
        })
    }

    fn image_names(&self) -> Result<Vec<String>> {
        let side = self.side;
        self.call(Kind::Read, "image_names", "", move |state| {
            Ok(state.pool(side).images.iter().map(|image| image.name.clone()).collect())
        })
    }

    fn mirrored(&self) -> Result<Vec<MirroredImage>> {
        let side = self.side;
        self.call(Kind::Read, "mirrored", "", move |state| {
            let images = state.pool(side).images.iter().filter_map(|image| {
                Some(MirroredImage {
                    name: image.name.clone(),
                    image_id: ImageId::new(image.image_id.as_str()),
                    global_id: GlobalImageId::new(image.global_id.as_deref()?),
                })
            });
            Ok(images.collect())
        })
    }

    fn trash(&self) -> Result<Vec<TrashEntry>> {
        let side = self.side;
        self.call(Kind::Read, "trash", "", move |state| {
            let entries = state.pool(side).trash.iter().map(|gone| TrashEntry {
                image_id: ImageId::new(gone.image.image_id.as_str()),
                name: gone.image.name.clone(),
                by_mirroring: true,
                until: Moment(gone.until),
            });
            Ok(entries.collect())
        })
    }

    fn follower(&self, id: &GlobalImageId) -> Result<Follower> {
        let (side, text) = (self.side, id.as_str().to_owned());
        self.call(Kind::Read, "follower", id.as_str(), move |state| {
            let Some(image) = state.by_id(side, &text).cloned() else {
                return not_found(side, "follower", &text);
            };
            if !image.primary {
                return Ok(Follower::NotPrimary);
            }
            if !peer_answers(state, side) {
                return Ok(Follower::PeerSilent);
            }
            // A writer commits its position every few seconds: "caught up" is caught up with that.
            let now = state.now;
            let committed = image.log.iter().take_while(|event| event.at + COMMIT_MS <= now).count();
            Ok(match state.by_id(side.other(), &text) {
                None => Follower::NoReplica,
                Some(copy) if copy.primary => Follower::TwoPrimaries,
                Some(copy) if copy.split_brain => Follower::SplitBrain,
                Some(copy) if !copy.complete => Follower::Syncing,
                Some(copy) if copy.is_prefix_of(&image) && copy.log.len() >= committed => Follower::CaughtUp,
                // Diverged ones too, until the daemon has noticed.
                Some(copy) => Follower::Behind(format!("at {} of {}", copy.log.len(), image.log.len())),
            })
        })
    }

    fn demotion_arrived(&self, id: &GlobalImageId) -> Result<bool> {
        let (side, text) = (self.side, id.as_str().to_owned());
        self.call(Kind::Read, "demotion_arrived", id.as_str(), move |state| {
            if !peer_answers(state, side) {
                let why = "timed out".to_owned();
                let site = name_of(side.other()).to_owned();
                return Err(Error::Unreachable { site, op: "demotion_arrived", why });
            }
            let Some(image) = state.by_id(side, &text) else {
                return not_found(side, "demotion_arrived", &text);
            };
            Ok(!image.primary && image.last_role() == Some(What::Demoted(side.other())))
        })
    }

    fn reverse_registered(&self, id: &GlobalImageId) -> Result<bool> {
        let (side, text) = (self.side, id.as_str().to_owned());
        self.call(Kind::Read, "reverse_registered", id.as_str(), move |state| {
            let Some(image) = state.by_id(side, &text) else {
                return not_found(side, "reverse_registered", &text);
            };
            Ok(image.reverse)
        })
    }

    fn flatten(&self, name: &str, tell: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send)) -> Result<()> {
        let side = self.side;
        if tell(Progress { done: 1, total: 2 }).is_break() {
            return Self::refused(side, "flatten", name, Cause::Stopped);
        }
        self.on_name("flatten", name, move |state, image| {
            if image.parent.is_none() {
                return Err(Cause::NoParent);
            }
            with(state, side, &image.image_id, |image| image.parent = None);
            Ok(())
        })
    }

    fn enable(&self, name: &str, _mode: MirrorMode) -> Result<GlobalImageId> {
        let side = self.side;
        self.on_name("enable", name, move |state, image| {
            if let Some(id) = &image.global_id {
                return Ok(GlobalImageId::new(id.as_str()));
            }
            if let Some(parent) = &image.parent {
                return Err(Cause::HasParent(parent.to_string()));
            }
            if state.pool(side).mode != PoolMode::Image {
                return Err(Cause::PoolMode);
            }
            let event = state.event(What::Promoted(side));
            let (id, now) = (format!("gid-{}-{}", image.name, event.id), state.now);
            with(state, side, &image.image_id, |image| {
                image.global_id = Some(id.clone());
                image.primary = true;
                image.features |= JOURNALING;
                image.enabled = now;
                image.log.push(event);
            });
            Ok(GlobalImageId::new(id))
        })
    }

    fn disable(&self, id: &GlobalImageId) -> Result<()> {
        let side = self.side;
        self.on("disable", id, move |state, image| {
            if !image.primary {
                return Err(Cause::NotPrimary);
            }
            with(state, side, &image.image_id, |image| {
                image.global_id = None;
                image.primary = false;
            });
            Ok(())
        })
    }

    fn set_features(&self, name: &str, features: u64) -> Result<()> {
        let side = self.side;
        self.on_name("set_features", name, move |state, image| {
            with(state, side, &image.image_id, |image| image.features = features);
            Ok(())
        })
    }

    fn demote(&self, id: &GlobalImageId) -> Result<()> {
        let side = self.side;
        self.on("demote", id, move |state, image| ceph::demote(state, side, image))
    }

    fn promote(&self, id: &GlobalImageId) -> Result<()> {
        let side = self.side;
        self.on("promote", id, move |state, image| ceph::promote(state, side, image))
    }

    fn promote_by_force(
        &self,
        id: &GlobalImageId,
        completeness: Completeness,
        beside_a_primary: bool,
    ) -> Result<()> {
        let side = self.side;
        self.on("promote_by_force", id, move |state, image| {
            ceph::promote_by_force(state, side, image, completeness, beside_a_primary)
        })
    }

    fn take_over(&self, id: &GlobalImageId) -> Result<Vec<String>> {
        let side = self.side;
        self.on("take_over", id, move |state, image| ceph::take_over(state, side, image))
    }

    fn writable(&self, id: &GlobalImageId) -> Result<bool> {
        let (side, text) = (self.side, id.as_str().to_owned());
        self.call(Kind::Read, "writable", id.as_str(), move |state| match state.by_id(side, &text) {
            Some(image) => Ok(image.primary && !image.locked),
            None => not_found(side, "writable", &text),
        })
    }

    fn resync(&self, id: &GlobalImageId) -> Result<ImageId> {
        let side = self.side;
        self.on("resync", id, move |state, image| ceph::resync(state, side, image))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (side, to) = (self.side, to.to_owned());
        self.on_name("rename", from, move |state, image| {
            if state.by_name(side, &to).is_some() {
                return Err(Cause::Exists);
            }
            with(state, side, &image.image_id, |image| image.name = to);
            Ok(())
        })
    }

    fn snapshots(&self, name: &str) -> Result<Vec<String>> {
        let (side, text) = (self.side, name.to_owned());
        self.call(Kind::Read, "snapshots", name, move |state| match state.by_name(side, &text) {
            Some(image) => Ok(image.snapshots.iter().map(|(name, _)| name.clone()).collect()),
            None => not_found(side, "snapshots", &text),
        })
    }

    fn create_snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        let (side, snapshot) = (self.side, snapshot.to_owned());
        self.on_name("create_snapshot", name, move |state, image| {
            if image.global_id.is_some() && !image.primary {
                return Err(Cause::NotPrimary);
            }
            if image.snapshots.iter().any(|(name, _)| *name == snapshot) {
                return Err(Cause::Exists);
            }
            let now = state.now;
            with(state, side, &image.image_id, |image| image.snapshots.push((snapshot, now)));
            Ok(())
        })
    }

    fn remove_snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        let (side, snapshot) = (self.side, snapshot.to_owned());
        self.on_name("remove_snapshot", name, move |state, image| {
            if image.global_id.is_some() && !image.primary {
                return Err(Cause::NotPrimary);
            }
            with(state, side, &image.image_id, |image| {
                image.snapshots.retain(|(name, _)| *name != snapshot);
            });
            Ok(())
        })
    }

    fn clone_snapshot(&self, name: &str, snapshot: &str, into_pool: &str, clone: &str) -> Result<()> {
        let (side, snapshot, pool, clone) =
            (self.side, snapshot.to_owned(), into_pool.to_owned(), clone.to_owned());
        self.on_name("clone_snapshot", name, move |state, image| {
            if !image.snapshots.iter().any(|(name, _)| *name == snapshot) {
                return Err(Cause::Other("no such snapshot".to_owned()));
            }
            if state.pool(side).images.iter().any(|other| is_clone(other, &pool, &clone)) {
                return Err(Cause::Exists);
            }
            let mut new = Image::new(&clone, state.image_id(), image.bytes, state.now);
            new.pool = (pool != "one").then_some(pool);
            new.log.clone_from(&image.log);
            new.parent = Some(ParentSpec { pool: "one".to_owned(), image: image.name, snapshot });
            state.pool(side).images.push(new);
            Ok(())
        })
    }

    fn clone_exists(&self, pool: &str, clone: &str) -> Result<bool> {
        let (side, pool, text) = (self.side, pool.to_owned(), clone.to_owned());
        self.call(Kind::Read, "clone_exists", clone, move |state| {
            Ok(state.pool(side).images.iter().any(|image| is_clone(image, &pool, &text)))
        })
    }

    fn remove_clone(&self, pool: &str, clone: &str) -> Result<()> {
        let (side, pool, text) = (self.side, pool.to_owned(), clone.to_owned());
        self.call(Kind::Change, "remove_clone", clone, move |state| {
            let is_it = |image: &Image| is_clone(image, &pool, &text);
            if state.pool(side).images.iter().any(|image| is_it(image) && image.parent.is_none()) {
                return Self::refused(side, "remove_clone", &text, Cause::NotAClone);
            }
            state.pool(side).images.retain(|image| !is_it(image));
            Ok(())
        })
    }

    fn set_pool_mode(&self, mode: PoolMode) -> Result<()> {
        let side = self.side;
        self.call(Kind::Change, "set_pool_mode", "", move |state| {
            state.pool(side).mode = mode;
            Ok(())
        })
    }

    fn set_site_name(&self, name: &str) -> Result<()> {
        let (side, text) = (self.side, name.to_owned());
        self.call(Kind::Change, "set_site_name", name, move |state| {
            state.pool(side).site_name = Some(text);
            Ok(())
        })
    }

    fn create_token(&self) -> Result<Token> {
        let side = self.side;
        self.call(Kind::Change, "create_token", "", move |_| Ok(Token::new(name_of(side).to_owned())))
    }

    fn import_token(&self, _token: &Token) -> Result<()> {
        let side = self.side;
        self.call(Kind::Change, "import_token", "", move |state| {
            state.pool(side).peered = true;
            Ok(())
        })
    }

    fn set_delete_delay(&self, delay: Duration) -> Result<()> {
        let side = self.side;
        self.call(Kind::Change, "set_delete_delay", "", move |state| {
            state.pool(side).delete_delay = Some(delay.as_secs());
            Ok(())
        })
    }

    fn object(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let (side, text) = (self.side, name.to_owned());
        self.call(Kind::Read, "object", name, move |state| Ok(state.pool(side).objects.get(&text).cloned()))
    }

    fn put_object(&self, name: &str, content: &[u8]) -> Result<()> {
        let (side, text, content) = (self.side, name.to_owned(), content.to_vec());
        self.call(Kind::Own, "put_object", name, move |state| {
            state.pool(side).objects.insert(text, content);
            Ok(())
        })
    }

    fn write_object(&self, name: &str, offset: u64, content: &[u8]) -> Result<()> {
        let (side, text, content) = (self.side, name.to_owned(), content.to_vec());
        self.call(Kind::Own, "write_object", name, move |state| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            if text.starts_with("one-dr.run.")
                && let Ok(line) = serde_json::from_slice::<serde_json::Value>(&content)
            {
                state.journal_phase = line["phase"].as_str().map(str::to_owned);
            }
            let bytes = state.pool(side).objects.entry(text).or_default();
            bytes.resize(bytes.len().max(offset + content.len()), 0);
            bytes[offset..offset + content.len()].copy_from_slice(&content);
            Ok(())
        })
    }

    fn objects(&self, prefix: &str) -> Result<Vec<String>> {
        let (side, text) = (self.side, prefix.to_owned());
        self.call(Kind::Read, "objects", prefix, move |state| {
            Ok(state.pool(side).objects.keys().filter(|name| name.starts_with(&text)).cloned().collect())
        })
    }

    fn remove_object(&self, name: &str) -> Result<()> {
        let (side, text) = (self.side, name.to_owned());
        self.call(Kind::Own, "remove_object", name, move |state| {
            state.pool(side).objects.remove(&text);
            Ok(())
        })
    }

    fn take_lease(&self, name: &str, owner: &str, lasting: Duration) -> Result<()> {
        let (side, text, owner) = (self.side, name.to_owned(), owner.to_owned());
        self.call(Kind::Own, "take_lease", name, move |state| {
            let now = state.now;
            if let Some((held, until)) = &state.pool(side).lease
                && *until > now
                && *held != owner
            {
                let cause = Cause::LeaseHeld { owner: held.clone(), until: Moment(*until) };
                return Self::refused(side, "take_lease", &text, cause);
            }
            let until = Moment(now).after(lasting).0;
            state.pool(side).lease = Some((owner, until));
            Ok(())
        })
    }

    fn release_lease(&self, name: &str, owner: &str) -> Result<()> {
        let (side, owner) = (self.side, owner.to_owned());
        self.call(Kind::Own, "release_lease", name, move |state| {
            let lease = &mut state.pool(side).lease;
            if lease.as_ref().is_some_and(|(held, _)| *held == owner) {
                *lease = None;
            }
            Ok(())
        })
    }

    fn lease(&self, name: &str) -> Result<Option<Lease>> {
        let side = self.side;
        self.call(Kind::Read, "lease", name, move |state| {
            let now = state.now;
            let lease = state.pool(side).lease.clone().filter(|(_, until)| *until > now);
            Ok(lease.map(|(owner, until)| Lease { owner, until: Moment(until) }))
        })
    }
}

fn is_clone(image: &Image, pool: &str, name: &str) -> bool {
    image.name == name && image.pool.as_deref().unwrap_or("one") == pool
}
