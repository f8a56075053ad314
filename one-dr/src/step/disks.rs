//! The steps of a disk: looks and acts on the pools.

use std::ops::ControlFlow;

use super::{Action, Disk, Failure, Look, World};
use crate::site::Side;
use crate::storage::{Error, Follower, ImageView, Progress, Role, Storage};

/// The look of a disk's step; `None` if it is another kind of step.
pub(super) fn look(world: &World<'_>, action: &Action) -> Result<Option<Look>, Failure> {
    let look = match action {
        Action::Synced { primary, disk } => synced(world, *primary, disk)?,
        Action::ReverseRegistered { at, disk } => reverse_registered(world, *at, disk)?,
        Action::NoWriter { at, disk } => no_writer(world, *at, disk)?,
        Action::Demote { at, disk } => demote(world, *at, disk)?,
        Action::DemotionArrived { at, disk } => demotion_arrived(world, *at, disk)?,
        Action::Promote { at, disk } => promote(world, *at, disk)?,
        Action::ForcePromote { at, disk, beside_a_primary, .. } => {
            force_promote(world, *at, disk, *beside_a_primary)?
        }
        Action::TakeOver { at, disk } => take_over(world, *at, disk)?,
        Action::Resync { at, disk, old } => {
            let pool = world.pair.storage(*at);
            match pool.image_by_id(&disk.id)? {
                None => Look::Waiting("the old copy is gone, the new one is not there yet".to_owned()),
                Some(view) if view.image_id != *old => Look::Done,
                Some(view) if view.role == Role::Disabling => {
                    Look::Waiting("the old copy is on its way out".to_owned())
                }
                Some(view) => resync(world, *at, disk, &view)?,
            }
        }
        Action::Follows { primary, disk } => follows(world.pair.storage(*primary), disk)?,
        Action::FollowsByName { image } => {
            let pool = world.pair.storage(Side::Home);
            match pool.image(image)?.and_then(|view| view.global_id) {
                Some(id) => {
                    let disk = Disk { disk: opennebula_meta::id::DiskId(0), image: image.clone(), id };
                    follows(pool, &disk)?
                }
                None => Look::Blocked(format!("{image} is not mirrored")),
            }
        }
        Action::Flatten { image } => match world.pair.storage(Side::Home).image(image)? {
            None => gone(image),
            Some(view) if view.parent.is_none() => Look::Done,
            Some(_) => Look::Ready,
        },
        Action::Enable { image, mode } => match world.pair.storage(Side::Home).image(image)? {
            None => gone(image),
            Some(view) => match view.role {
                Role::Primary if view.mode.is_none_or(|is| is == *mode) => Look::Done,
                Role::Primary => {
                    Look::Blocked(format!("{image} is mirrored in another mode: one-dr unprotect"))
                }
                Role::NotMirrored if view.parent.is_some() => {
                    Look::Blocked(format!("{image} has a parent again"))
                }
                Role::NotMirrored => Look::Ready,
                Role::Disabling => Look::Waiting("its mirroring is being disabled".to_owned()),
                role => Look::Blocked(format!("{image} is {role} at home: it follows another site")),
            },
        },
        Action::Disable { disk } => match world.pair.storage(Side::Home).image_by_id(&disk.id)? {
            None => Look::Done,
            Some(view) => match view.role {
                Role::NotMirrored => Look::Done,
                Role::Primary => Look::Ready,
                Role::Disabling => Look::Waiting("its mirroring is being disabled".to_owned()),
                role => {
                    Look::Blocked(format!("{} is {role} at home: it is in use at the other site", disk.image))
                }
            },
        },
        _ => return Ok(None),
    };
    Ok(Some(look))
}

/// The act of a disk's step; `None` if it is another kind of step.
pub(super) fn act(
    world: &World<'_>,
    action: &Action,
    tell: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
) -> Result<Option<String>, Failure> {
    let pair = world.pair;
    let text = match action {
        Action::Demote { at, disk } => pair.storage(*at).demote(&disk.id).map(|()| String::new())?,
        Action::Promote { at, disk } => pair.storage(*at).promote(&disk.id).map(|()| String::new())?,
        Action::ForcePromote { at, disk, completeness, beside_a_primary } => {
            pair.storage(*at).promote_by_force(&disk.id, *completeness, *beside_a_primary)?;
            String::new()
        }
        Action::TakeOver { at, disk } => {
            let locked_out = pair.storage(*at).take_over(&disk.id)?;
            if locked_out.is_empty() {
                String::new()
            } else {
                // Kept: these addresses are on the blocklist for an hour.
                format!("locked out (on the blocklist): {}", locked_out.join(", "))
            }
        }
        Action::Resync { at, disk, .. } => format!("gave up {}", pair.storage(*at).resync(&disk.id)?),
        Action::Flatten { image } => {
            pair.storage(Side::Home).flatten(image, tell)?;
            String::new()
        }
        Action::Enable { image, mode } => {
            format!("global id {}", pair.storage(Side::Home).enable(image, *mode)?)
        }
        Action::Disable { disk } => {
            pair.storage(Side::Home).disable(&disk.id)?;
            String::new()
        }
        _ => return Ok(None),
    };
    Ok(Some(text))
}

fn gone(image: &str) -> Look {
    Look::Blocked(format!("{image} is not there any more"))
}

/// What a site has of a disk; its silence is `None` too, and said by the caller.
fn there(world: &World<'_>, side: Side, disk: &Disk) -> Result<Option<Option<ImageView>>, Failure> {
    if world.is_silent(side) {
        return Ok(None);
    }
    match world.pair.storage(side).image_by_id(&disk.id) {
        Ok(view) => Ok(Some(view)),
        // One that would not let us in when the plan was made will not now.
        Err(error) if error.is_unreachable() || !world.plan.leases.contains(&side) => {
            world.found_silent(side);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn role(world: &World<'_>, side: Side, disk: &Disk) -> Result<Option<Role>, Failure> {
    Ok(world.pair.storage(side).image_by_id(&disk.id)?.map(|view| view.role))
}

fn site(world: &World<'_>, side: Side) -> String {
    world.pair.at(side).name.clone()
}

/// Before a switch. An image that is demoted already is for the later steps to prove.
fn synced(world: &World<'_>, primary: Side, disk: &Disk) -> Result<Look, Failure> {
    if role(world, primary, disk)? != Some(Role::Primary) {
        return Ok(Look::Done);
    }
    follows(world.pair.storage(primary), disk)
}

fn follows(primary: &dyn Storage, disk: &Disk) -> Result<Look, Failure> {
    let follower = match primary.follower(&disk.id) {
        Ok(follower) => follower,
        Err(Error::NotFound { .. }) => return Ok(gone(&disk.image)),
        Err(error) => return Err(error.into()),
    };
    let image = &disk.image;
    Ok(match follower {
        Follower::CaughtUp => Look::Done,
        Follower::TwoPrimaries => {
            Look::Blocked(format!("{image} is primary at both sites: one-dr plan reprotect"))
        }
        Follower::NotPrimary => {
            Look::Blocked(format!("{image} is not primary where it should be: one-dr status"))
        }
        Follower::Disconnected => Look::Blocked(format!(
            "the replica of {image} was cut off, too far behind: one-dr plan reprotect"
        )),
        other => Look::Waiting(format!("{image}: {other}")),
    })
}

fn reverse_registered(world: &World<'_>, at: Side, disk: &Disk) -> Result<Look, Failure> {
    if role(world, at, disk)?.is_none_or(|role| !role.is_non_primary()) {
        return Ok(Look::Done);
    }
    Ok(if world.pair.storage(at).reverse_registered(&disk.id)? {
        Look::Done
    } else {
        let other = site(world, at.other());
        Look::Waiting(format!(
            "{}: the rbd-mirror of site {other} has not registered; promoted now, it would have to be resynced",
            disk.image
        ))
    })
}

fn no_writer(world: &World<'_>, at: Side, disk: &Disk) -> Result<Look, Failure> {
    let view = world.pair.storage(at).image_by_id(&disk.id)?;
    let users = view.map(|view| view.users).unwrap_or_default();
    if users.is_empty() {
        return Ok(Look::Done);
    }
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    Ok(Look::Waiting(format!("{} is open for writing by {}", disk.image, users.join(", "))))
}

fn demote(world: &World<'_>, at: Side, disk: &Disk) -> Result<Look, Failure> {
    // This run, before it was killed, came as far as the resync: the old copy is on its way out, and the new one will not be primary.
    let fetched_anew = || is_fetched_anew(world, at, disk);
    let wait = || Look::Waiting(format!("{} is being fetched anew", disk.image));
    Ok(match world.pair.storage(at).image_by_id(&disk.id)? {
        None if fetched_anew() => wait(),
        None => gone(&disk.image),
        Some(view) => match view.role {
            Role::Primary if view.users.is_empty() => Look::Ready,
            Role::Primary => no_writer(world, at, disk)?,
            role if role.is_non_primary() => Look::Done,
            Role::Disabling if fetched_anew() => wait(),
            role => Look::Blocked(format!("{} is {role} at site {}", disk.image, site(world, at))),
        },
    })
}

/// Whether the plan gives this copy up.
fn is_fetched_anew(world: &World<'_>, at: Side, disk: &Disk) -> bool {
    let resyncs = |action: &Action| matches!(action, Action::Resync { at: there, disk: other, .. } if *there == at && other.id == disk.id);
    world.plan.steps.iter().any(|step| resyncs(&step.action))
}

fn demotion_arrived(world: &World<'_>, at: Side, disk: &Disk) -> Result<Look, Failure> {
    match role(world, at, disk)? {
        None => return Ok(gone(&disk.image)),
        Some(Role::Primary) => return Ok(Look::Done),
        _ => {}
    }
    Ok(if world.pair.storage(at).demotion_arrived(&disk.id)? {
        Look::Done
    } else {
        Look::Waiting(format!(
            "{}: the demotion has not been replayed at site {}",
            disk.image,
            site(world, at)
        ))
    })
}

fn promote(world: &World<'_>, at: Side, disk: &Disk) -> Result<Look, Failure> {
    let other = there(world, at.other(), disk)?;
    let peer_is_primary = matches!(&other, Some(Some(view)) if view.role == Role::Primary);
    let (here, peer) = (site(world, at), site(world, at.other()));
    let image = &disk.image;
    let Some(view) = world.pair.storage(at).image_by_id(&disk.id)? else { return Ok(gone(image)) };
    Ok(match view.role {
        Role::Primary if peer_is_primary => Look::Blocked(format!(
            "[both-primary] {image} is primary at both sites now: one-dr plan reprotect"
        )),
        Role::Primary => Look::Done,
        // Ceph itself would do it: it looks at one site only.
        _ if peer_is_primary => Look::Blocked(format!(
            "[peer-is-primary] {image} is primary at site {peer}: promoting it at site {here} too makes two primaries"
        )),
        _ if view.split_brain => Look::Blocked(format!(
            "[not-synced] the copy of {image} at site {here} has diverged: one-dr plan reprotect"
        )),
        Role::Orphan => Look::Ready,
        Role::NonPrimary if other.is_none() => Look::Waiting(format!(
            "{image}: the demotion has not arrived at site {here}, and site {peer} does not answer; \
             if it never will: one-dr failover"
        )),
        Role::NonPrimary => {
            Look::Waiting(format!("{image}: the demotion has not been replayed at site {here}"))
        }
        role => Look::Blocked(format!("{image} is {role} at site {here}")),
    })
}

fn force_promote(world: &World<'_>, at: Side, disk: &Disk, beside: bool) -> Result<Look, Failure> {
    let other = there(world, at.other(), disk)?;
    let peer_is_primary = matches!(&other, Some(Some(view)) if view.role == Role::Primary);
    let Some(view) = world.pair.storage(at).image_by_id(&disk.id)? else { return Ok(gone(&disk.image)) };
    Ok(match view.role {
        Role::Primary => Look::Done,
        role if !role.is_non_primary() => Look::Blocked(format!("{} is {role}", disk.image)),
        _ if peer_is_primary && !beside => Look::Blocked(format!(
            "[peer-still-primary-and-alive] site {} answers again, and {} is primary there: plan anew",
            site(world, at.other()),
            disk.image
        )),
        _ if view.complete == Some(false) => Look::Blocked(format!(
            "[not-synced] the first copy of {} is not complete: nothing there can be promoted",
            disk.image
        )),
        _ => Look::Ready,
    })
}

fn take_over(world: &World<'_>, at: Side, disk: &Disk) -> Result<Look, Failure> {
    let pool = world.pair.storage(at);
    Ok(match role(world, at, disk)? {
        Some(Role::Primary) if pool.writable(&disk.id)? => Look::Done,
        Some(Role::Primary) => Look::Ready,
        Some(role) => Look::Blocked(format!("{} is {role} at site {}", disk.image, site(world, at))),
        None => gone(&disk.image),
    })
}

/// The proofs before a copy is destroyed, once more, right before it is.
fn resync(world: &World<'_>, at: Side, disk: &Disk, view: &ImageView) -> Result<Look, Failure> {
    let (here, peer) = (site(world, at), site(world, at.other()));
    let image = &disk.image;
    if view.role == Role::Primary {
        return Ok(Look::Blocked(format!("{image} is primary at site {here}: it has to be demoted first")));
    }
    if view.resync_requested == Some(true) {
        return Ok(Look::Waiting("the daemon has not begun".to_owned()));
    }
    let peer_role = match there(world, at.other(), disk)? {
        None => {
            return Ok(Look::Waiting(format!("site {peer} does not answer: nothing is given up meanwhile")));
        }
        Some(view) => view.map(|view| view.role),
    };
    if peer_role != Some(Role::Primary) {
        return Ok(Look::Blocked(format!(
            "[resync-peer-not-primary] {image} is not primary at site {peer}: giving up the copy at site {here} now \
             would destroy the last good one"
        )));
    }
    if !view.users.is_empty() {
        return no_writer(world, at, disk);
    }
    Ok(Look::Ready)
}
