//! What Ceph does at the verbs, and what it does not check; and what of that must never have happened.

use super::image::{Image, What};
use super::{State, Up};
use crate::site::Side;
use crate::storage::{Cause, Completeness, ImageId, Role};

pub(super) fn name_of(side: Side) -> &'static str {
    match side {
        Side::Home => "a",
        Side::Recovery => "b",
    }
}

/// The image again, by its id: it was there a moment ago.
pub(super) fn with(state: &mut State, side: Side, id: &str, change: impl FnOnce(&mut Image)) {
    if let Some(image) = state.pool(side).images.iter_mut().find(|image| image.image_id == id) {
        change(image);
    }
}

pub(super) fn peer_answers(state: &mut State, side: Side) -> bool {
    state.pool(side.other()).up == Up::Alive
}

/// What must not be so when an image becomes primary.
fn watch_promotion(state: &mut State, side: Side, image: &Image, allowed_beside: bool) {
    let id = image.global_id.clone().unwrap_or_default();
    let reachable = peer_answers(state, side);
    let beside = state.by_id(side.other(), &id).is_some_and(|peer| peer.primary);
    if beside && reachable && !allowed_beside {
        state.violate(format!("I1: {} promoted at {} beside a primary", image.name, name_of(side)));
    }
    let path = format!("one/{}", image.name);
    let front = state.one(side.other()).answers;
    let now = state.now;
    let runs = !state.one(side.other()).holders(&path, now).is_empty();
    if runs && reachable && front {
        state.violate(format!(
            "I11: {} promoted at {} while its VM runs at the other site",
            image.name,
            name_of(side)
        ));
    }
    // The trap that Ceph leaves open: a copy that the other site has left behind.
    if let Some(peer) = state.by_id(side.other(), &id).cloned()
        && reachable
        && !image.is_prefix_of(&peer)
        && !peer.is_prefix_of(image)
        && !allowed_beside
    {
        state.violate(format!("I4: a diverged copy of {} was promoted at {}", image.name, name_of(side)));
    }
}

pub(super) fn demote(state: &mut State, side: Side, image: Image) -> Result<(), Cause> {
    if !image.primary {
        return Err(Cause::NotPrimary);
    }
    // Ceph does it with a client that gives its lock up, which then gets EPERM.
    if !state.view(side, &image).users.is_empty() {
        state.violate(format!("I4: {} was demoted under a writer", image.name));
    }
    let event = state.event(What::Demoted(side));
    with(state, side, &image.image_id, |image| {
        image.primary = false;
        image.log.push(event);
    });
    Ok(())
}

pub(super) fn promote(state: &mut State, side: Side, image: Image) -> Result<(), Cause> {
    match image.role() {
        Role::Primary => return Err(Cause::AlreadyPrimary),
        Role::Orphan => {}
        _ => return Err(Cause::PrimaryElsewhere),
    }
    watch_promotion(state, side, &image, false);
    let event = state.event(What::Promoted(side));
    with(state, side, &image.image_id, |image| {
        image.primary = true;
        image.split_brain = false;
        image.log.push(event);
    });
    Ok(())
}

pub(super) fn promote_by_force(
    state: &mut State,
    side: Side,
    image: Image,
    completeness: Completeness,
    beside_a_primary: bool,
) -> Result<(), Cause> {
    if image.primary {
        return Err(Cause::AlreadyPrimary);
    }
    if image.leaves.is_some() {
        return Err(Cause::NotMirrored);
    }
    if !image.complete {
        if completeness == Completeness::Proven {
            return Err(Cause::StillSyncing);
        }
        state.violate(format!("half an image was promoted: {}", image.name));
    }
    watch_promotion(state, side, &image, beside_a_primary);
    let event = state.event(What::Promoted(side));
    let locked = !peer_answers(state, side) && state.pool(side).daemon;
    with(state, side, &image.image_id, |image| {
        image.primary = true;
        image.locked = locked;
        image.log.push(event);
    });
    Ok(())
}

pub(super) fn take_over(state: &mut State, side: Side, image: Image) -> Result<Vec<String>, Cause> {
    if !image.primary {
        return Err(Cause::NotPrimary);
    }
    with(state, side, &image.image_id, |image| image.locked = false);
    Ok(if image.locked { vec!["10.1.0.9:0/7".to_owned()] } else { Vec::new() })
}

pub(super) fn resync(state: &mut State, side: Side, image: Image) -> Result<ImageId, Cause> {
    if image.primary {
        return Err(Cause::IsPrimary);
    }
    if image.leaves.is_some() {
        return Err(Cause::NotMirrored);
    }
    let text = image.global_id.clone().unwrap_or_default();
    if !state.by_id(side.other(), &text).is_some_and(|peer| peer.primary) {
        state.violate(format!("I2: a resync of {} with no primary to fetch it from", image.name));
    }
    if !state.view(side, &image).users.is_empty() {
        state.violate(format!("I2: a resync of {} under an open client", image.name));
    }
    with(state, side, &image.image_id, |image| image.resync = true);
    Ok(ImageId::new(image.image_id.as_str()))
}
