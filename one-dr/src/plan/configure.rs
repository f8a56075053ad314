//! The set-up of both sites, in one plan: site names (without them Ceph warns for ever, and makes two peers of one), the pools' mode,
//! the peering both ways, and the delay that keeps a deleted replica. What is there already is left.

use super::Error;
use super::build::{Build, stage};
use crate::observe::PoolView;
use crate::site::Side;
use crate::step::{Action, Step, is_so};
use crate::storage::PoolMode;

pub(super) fn steps(build: &mut Build<'_>) -> Result<(), Error> {
    let pools = [Side::Home, Side::Recovery].map(|side| build.seen.site(side).pool.get().cloned());
    let [Some(home), Some(recovery)] = &pools else { return Ok(()) };
    if home.identity.fsid == recovery.identity.fsid {
        return Err(Error::Unfit(format!(
            "sites {} and {} are one and the same cluster (fsid {}): look at their configuration files",
            build.seen.home.name, build.seen.recovery.name, home.identity.fsid
        )));
    }
    for (side, pool) in [(Side::Home, home), (Side::Recovery, recovery)] {
        strangers(build, side, pool)?;
        if pool.identity.pool_mode == PoolMode::Pool {
            return Err(Error::Unfit(format!(
                "pool {} at site {} mirrors all its journaled images (mode `pool`), where clones silently never arrive: set it to \
                 `image` by hand when you have looked which images that concerns (rbd mirror pool enable {} image)",
                pool.identity.pool,
                build.seen.site(side).name,
                pool.identity.pool
            )));
        }
        let name = build.seen.site(side).name.clone();
        push(build, stage::READY, Action::SetSiteName { at: side, name });
        push(build, stage::POWEROFF, Action::SetPoolMode { at: side });
        let seconds = build.settings.delete_delay_seconds;
        push(build, stage::DEMOTE, Action::SetDeleteDelay { at: side, seconds });
    }
    // Each imports the other's: that makes both directions, with the least caps on either side.
    push(build, stage::NO_WRITER, Action::Peer { at: Side::Recovery });
    push(build, stage::NO_WRITER, Action::Peer { at: Side::Home });
    build.steps.retain(|step| match step.action.side() {
        Side::Home => !is_so(&step.action, &home.identity, &recovery.identity),
        Side::Recovery => !is_so(&step.action, &recovery.identity, &home.identity),
    });
    Ok(())
}

/// A peer that is neither of the two: a pool has one that it receives from.
fn strangers(build: &Build<'_>, side: Side, pool: &PoolView) -> Result<(), Error> {
    let other = build.seen.site(side.other()).pool.get();
    let uuid = other.map(|other| other.identity.mirror_uuid.clone());
    let stranger =
        pool.identity.peers.iter().find(|peer| peer.mirror_uuid.is_some() && peer.mirror_uuid != uuid);
    match stranger {
        None => Ok(()),
        Some(peer) => Err(Error::Unfit(format!(
            "pool {} at site {} has another peer, {} ({}): a pool receives from one. Remove it first if it is of no use: rbd mirror \
             pool peer remove {} {}",
            pool.identity.pool,
            build.seen.site(side).name,
            peer.site_name,
            peer.uuid,
            pool.identity.pool,
            peer.uuid
        ))),
    }
}

fn push(build: &mut Build<'_>, stage: u32, action: Action) {
    let limit_seconds = build.settings.limits.step_seconds;
    build.steps.push(Step { stage, vm: None, limit_seconds, optional: false, action });
}
