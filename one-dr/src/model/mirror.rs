//! The rbd-mirror daemon of one site: fetches, replays, deletes, and reports late.

use super::image::{Image, JOURNALING, Trashed};
use super::{Pool, State, Up};
use crate::site::Side;
use crate::storage::Role;

/// From an enable to the replica, measured: 1.4 s.
const CREATE_MS: u64 = 1500;
/// From the moment that a copy is given up to its removal.
const REMOVE_MS: u64 = 700;
/// A first copy.
const COPY_MS: u64 = 1000;
/// From a write to its replay.
const REPLAY_MS: u64 = 500;
/// From the replica to the registration of the other daemon, measured: 1.3 to 22 s.
const REGISTER_MS: u64 = 3000;

pub(super) fn tick(state: &mut State, side: Side) {
    let now = state.now;
    let State { pools: [home, recovery], next_image, .. } = state;
    let (here, there) = match side {
        Side::Home => (home, &*recovery),
        Side::Recovery => (recovery, &*home),
    };
    if !here.daemon || here.up != Up::Alive {
        return;
    }
    // Its own part of a resync: the old copy goes first, whatever the other site has.
    remove(here, now, |image| image.leaves.is_some_and(|until| now >= until));
    let given_up = |image: &&mut Image| image.resync && !image.primary && image.leaves.is_none();
    here.images.iter_mut().filter(given_up).for_each(|image| image.leaves = Some(now + REMOVE_MS));
    if there.up != Up::Alive || !here.peered {
        return;
    }
    for source in there.images.iter().filter(|image| image.global_id.is_some()) {
        match here.images.iter_mut().find(|image| image.global_id == source.global_id) {
            Some(copy) if copy.leaves.is_some() => {}
            Some(copy) => replay(copy, source, now, there.daemon),
            None => create(here, source, now, next_image),
        }
    }
    // A primary that is gone takes its replica along.
    remove(here, now, |copy| {
        copy.role() == Role::NonPrimary
            && copy.contact.is_some()
            && !there.images.iter().any(|source| source.global_id == copy.global_id)
    });
}

fn replay(copy: &mut Image, source: &Image, now: u64, other_daemon: bool) {
    copy.contact = Some(now);
    if other_daemon && copy.complete && now >= copy.created + CREATE_MS + REGISTER_MS {
        copy.reverse = true;
    }
    if copy.primary {
        return;
    }
    if !copy.complete {
        if now >= copy.created + COPY_MS && source.primary {
            copy.complete = true;
            copy.log.clone_from(&source.log);
            copy.snapshots.clone_from(&source.snapshots);
        }
        return;
    }
    if copy.is_prefix_of(source) {
        let new = source.log.get(copy.log.len()..).unwrap_or_default();
        copy.log.extend(new.iter().take_while(|event| event.at + REPLAY_MS <= now));
        if source.primary {
            let seen = source.snapshots.iter().filter(|(_, at)| at + REPLAY_MS <= now);
            copy.snapshots = seen.cloned().collect();
            copy.bytes = source.bytes;
            copy.name.clone_from(&source.name);
            copy.split_brain = false;
        }
    } else if source.primary && !source.is_prefix_of(copy) {
        copy.split_brain = true;
    }
}

fn remove(pool: &mut Pool, now: u64, which: impl Fn(&Image) -> bool) {
    let until = now + pool.delete_delay.unwrap_or(0) * 1000;
    let (gone, kept) = std::mem::take(&mut pool.images).into_iter().partition(which);
    pool.images = kept;
    pool.trash.extend(Vec::into_iter(gone).map(|image| Trashed { image, until, removed: now }));
}

fn create(here: &mut Pool, source: &Image, now: u64, next_image: &mut u64) {
    let just_gone =
        |gone: &Trashed| gone.image.global_id == source.global_id && now < gone.removed + CREATE_MS;
    let taken = here.images.iter().any(|image| image.name == source.name && image.pool.is_none())
        || here.trash.iter().any(just_gone);
    // A clone whose parent is not there never arrives.
    if !source.primary || taken || source.parent.is_some() || now < source.enabled + CREATE_MS {
        return;
    }
    *next_image += 1;
    let mut copy = Image::new(&source.name, format!("{next_image:x}"), source.bytes, now);
    copy.global_id.clone_from(&source.global_id);
    copy.features |= JOURNALING;
    copy.complete = false;
    here.images.push(copy);
}
