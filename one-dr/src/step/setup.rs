//! The steps of the set-up: names, modes, peers.

use std::time::Duration;

use super::{Action, Failure, Look, World};
use crate::storage::{Identity, PeerView, PoolMode};

/// Whether a site is as an action wants it; the second identity is the other site's.
pub(crate) fn is_so(action: &Action, here: &Identity, other: &Identity) -> bool {
    match action {
        Action::SetSiteName { name, .. } => here.site_name.as_ref() == Some(name),
        Action::SetPoolMode { .. } => here.pool_mode == PoolMode::Image,
        Action::SetDeleteDelay { seconds, .. } => here.delete_delay_seconds == Some(*seconds),
        _ => {
            // Before the first contact its mirror uuid is not known, and its name has to do.
            let is_it = |peer: &PeerView| match &peer.mirror_uuid {
                Some(uuid) => *uuid == other.mirror_uuid,
                None => Some(&peer.site_name) == other.site_name.as_ref() || peer.site_name == other.fsid,
            };
            here.peers.iter().any(|peer| peer.receives && is_it(peer))
        }
    }
}

pub(super) fn look(world: &World<'_>, action: &Action) -> Result<Option<Look>, Failure> {
    let at = match action {
        Action::SetSiteName { at, .. }
        | Action::SetPoolMode { at }
        | Action::Peer { at }
        | Action::SetDeleteDelay { at, .. } => *at,
        _ => return Ok(None),
    };
    let here = world.pair.storage(at).identity()?;
    let is_so = match action {
        Action::Peer { .. } => is_so(action, &here, &world.pair.storage(at.other()).identity()?),
        _ => is_so(action, &here, &here),
    };
    Ok(Some(if is_so { Look::Done } else { Look::Ready }))
}

pub(super) fn act(world: &World<'_>, action: &Action) -> Result<Option<String>, Failure> {
    let pair = world.pair;
    match action {
        Action::SetSiteName { at, name } => pair.storage(*at).set_site_name(name)?,
        Action::SetPoolMode { at } => pair.storage(*at).set_pool_mode(PoolMode::Image)?,
        Action::SetDeleteDelay { at, seconds } => {
            pair.storage(*at).set_delete_delay(Duration::from_secs(*seconds))?;
        }
        Action::Peer { at } => {
            // It goes from hand to hand, and is written nowhere.
            let token = pair.storage(at.other()).create_token()?;
            pair.storage(*at).import_token(&token)?;
        }
        _ => return Ok(None),
    }
    Ok(Some(String::new()))
}
