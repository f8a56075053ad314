//! Two pools that mirror each other, looked at as a whole: what neither site's health says.
//!
//! Ceph computes a pool's health from the statuses that its own daemon wrote. It is "OK" with two primaries, with an image that never
//! arrives at the other site, and with daemons that stand still; and a "WARNING" for ever where only the sites' names are missing.
//! [`survey`] reads what both sites *are*, and lists what an operator has to know, each with its cure.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::health::Health;
use crate::mirrored::MirroredImage;
use crate::mode::PoolMode;
use crate::name::GlobalImageId;
use crate::pair::{Broken, Pair, Side};
use crate::pool::Pool;
use crate::role::Role;
use crate::status::{ImageStatus, SiteState};

/// A status that is older than this was missed three times: rbd-mirror writes each 30 s.
const STALE_AFTER: Duration = Duration::from_secs(90);

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Finding {
    /// A site has no name. Its statuses are not matched with its peer's, which is a warning for ever.
    NoSiteName {
        /// Which.
        at: Side,
    },
    /// The pool is not mirrored, or as a whole: then a clone whose parent is not mirrored is "enabled" and never arrives.
    PoolMode {
        /// Which.
        at: Side,
        /// Its mode.
        mode: PoolMode,
    },
    /// The pool does not receive from the other one: nothing is replicated to there.
    DoesNotReceive {
        /// Which.
        at: Side,
    },
    /// No rbd-mirror daemon serves the pool.
    NoDaemon {
        /// Which.
        at: Side,
    },
    /// A daemon complains.
    Daemon {
        /// Which site's.
        at: Side,
        /// The daemon and its words.
        words: String,
    },
    /// The image is primary at both sites. Each accepts writes that will be thrown away at one of them.
    TwoPrimaries(Named),
    /// The copies have diverged.
    SplitBrain {
        /// The image.
        image: Named,
        /// Where its copy has diverged from the primary.
        diverged: Side,
    },
    /// The image is primary nowhere: a switch-over that stopped half-way.
    NoPrimary(Named),
    /// The image is primary here, and there is no copy at the other site.
    NoReplica {
        /// The image.
        image: Named,
        /// Where it is.
        at: Side,
        /// Its parent: a clone is mirrored only with its parent, or flattened.
        parent: Option<String>,
    },
    /// A copy without an original: the other site has no such image.
    Orphan {
        /// The image.
        image: Named,
        /// Where it is.
        at: Side,
    },
    /// The sites mirror the image in different modes.
    ModesDiffer(Named),
    /// A daemon reports an error of the image.
    ReplayError {
        /// The image.
        image: Named,
        /// Which site's.
        at: Side,
        /// Its words.
        words: String,
    },
    /// The word on the image is old: the daemon that wrote it is gone, or stands still.
    StaleStatus {
        /// The image.
        image: Named,
        /// Which site's.
        at: Side,
        /// How old.
        age: Duration,
    },
    /// An operation was broken off, and left a state that does not mend by itself.
    Broken {
        /// The image.
        image: Named,
        /// Where.
        at: Side,
        /// Which state.
        broken: Broken,
    },
}

/// An image by its identity and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Named {
    /// Its identity.
    pub id: GlobalImageId,
    /// Its name; empty where no site could tell.
    pub name: String,
}

impl fmt::Display for Named {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { write!(f, "global id {}", self.id) } else { f.write_str(&self.name) }
    }
}

/// What is wrong, the pools first.
///
/// Costs three reads an image at each site, and the lists of statuses: for a doctor, not for a poll.
///
/// # Errors
/// What reading either site answers: for a site that does not answer there is no survey. Without the capability to ask the manager for
/// daemons, nothing is said of them.
#[inline]
pub fn survey(here: &Pool, there: &Pool) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (at, pool, other) in [(Side::Here, here, there), (Side::There, there, here)] {
        look_at_pool(at, pool, other, &mut findings)?;
    }
    let pair = Pair::new(here, there);
    for (id, found) in found(here, there)? {
        match look_at_image(&pair, &Named { name: found.name(), id }, &found, &mut findings) {
            // It went away since it was listed, as in a resync: nothing is known of it any more.
            Err(Error::NotFound { .. }) => {}
            looked => looked?,
        }
    }
    Ok(findings)
}

fn look_at_pool(at: Side, pool: &Pool, other: &Pool, findings: &mut Vec<Finding>) -> Result<()> {
    if pool.cluster().site_name()? == pool.cluster().fsid() {
        findings.push(Finding::NoSiteName { at });
    }
    match pool.mirror_mode()? {
        PoolMode::Image => {}
        mode => findings.push(Finding::PoolMode { at, mode }),
    }
    let uuid = match other.mirror_uuid() {
        Ok(uuid) => Some(uuid),
        // It was never mirrored, and nobody receives from it.
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    let receives = uuid.is_some()
        && pool.peers()?.iter().any(|peer| peer.direction.receives() && peer.mirror_uuid == uuid);
    if !receives {
        findings.push(Finding::DoesNotReceive { at });
    }
    match pool.daemons() {
        Ok(daemons) if daemons.is_empty() => findings.push(Finding::NoDaemon { at }),
        Ok(daemons) => {
            let complaints = daemons.iter().filter(|daemon| daemon.health != Health::Ok);
            findings.extend(complaints.map(|daemon| Finding::Daemon { at, words: daemon.to_string() }));
        }
        Err(Error::Command { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What is found of an image at each site.
#[derive(Default)]
struct Found {
    here: Option<Copy>,
    there: Option<Copy>,
}

/// An image at one site, and what its daemon says of it.
struct Copy {
    image: MirroredImage,
    status: Option<ImageStatus>,
}

impl Found {
    fn at(&mut self, side: Side) -> &mut Option<Copy> {
        match side {
            Side::Here => &mut self.here,
            Side::There => &mut self.there,
        }
    }

    /// Its name; empty where no daemon has told.
    fn name(&self) -> String {
        let told = [&self.here, &self.there].into_iter().flatten().find_map(|copy| copy.status.as_ref());
        told.map(|status| status.name.clone()).unwrap_or_default()
    }
}

fn found(here: &Pool, there: &Pool) -> Result<BTreeMap<GlobalImageId, Found>> {
    let mut all: BTreeMap<GlobalImageId, Found> = BTreeMap::new();
    for (side, pool) in [(Side::Here, here), (Side::There, there)] {
        for image in pool.mirrored(None) {
            let image = image?;
            if let Some(id) = image.role.id().cloned() {
                *all.entry(id).or_default().at(side) = Some(Copy { image, status: None });
            }
        }
        for status in pool.statuses() {
            let status = status?;
            let copy = status.id.as_ref().and_then(|id| all.get_mut(id)?.at(side).as_mut());
            if let Some(copy) = copy {
                copy.status = Some(status);
            }
        }
    }
    Ok(all)
}

fn look_at_image(pair: &Pair, image: &Named, found: &Found, findings: &mut Vec<Finding>) -> Result<()> {
    let id = &image.id;
    let named = || image.clone();
    if let (Some(ours), Some(theirs)) = (&found.here, &found.there) {
        match (&ours.image.role, &theirs.image.role) {
            (Role::Primary(_), Role::Primary(_)) => findings.push(Finding::TwoPrimaries(named())),
            (Role::NonPrimary(_), Role::NonPrimary(_)) => findings.push(Finding::NoPrimary(named())),
            _ => {}
        }
        if ours.image.mode != theirs.image.mode {
            findings.push(Finding::ModesDiffer(named()));
        }
    }
    let sides = [(Side::Here, &found.here, &found.there), (Side::There, &found.there, &found.here)];
    for (at, copy, other) in sides {
        let Some(Copy { image: mirrored, status }) = copy else { continue };
        if other.is_none() {
            let finding = if mirrored.role.is_primary() {
                Finding::NoReplica { image: named(), at, parent: pair.parent_at(at, id)? }
            } else {
                Finding::Orphan { image: named(), at }
            };
            findings.push(finding);
        }
        if status.as_ref().is_some_and(ImageStatus::is_split_brain) {
            findings.push(Finding::SplitBrain { image: named(), diverged: at });
        } else {
            findings.extend(said(at, image, status.as_ref()));
        }
        if let Some(broken) = pair.seen_from(at).and_then(|pair| pair.diagnose(id).transpose()).transpose()? {
            findings.push(Finding::Broken { image: named(), at, broken });
        }
    }
    Ok(())
}

/// What a daemon's word on an image gives away.
fn said(at: Side, image: &Named, status: Option<&ImageStatus>) -> Option<Finding> {
    let local = status?.local.as_ref()?;
    let age = SystemTime::now().duration_since(local.last_update?).unwrap_or_default();
    if !local.up || age > STALE_AFTER {
        return Some(Finding::StaleStatus { image: image.clone(), at, age });
    }
    (local.state == SiteState::Error).then(|| Finding::ReplayError {
        image: image.clone(),
        at,
        words: local.description.text.clone(),
    })
}

impl Finding {
    /// How bad it is: an error where data is at risk or an image is not protected at all.
    #[must_use]
    #[inline]
    pub fn health(&self) -> Health {
        match self {
            Self::NoSiteName { .. }
            | Self::Daemon { .. }
            | Self::StaleStatus { .. }
            | Self::PoolMode { mode: PoolMode::Pool, .. } => Health::Warning,
            _ => Health::Error,
        }
    }
}

impl fmt::Display for Finding {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSiteName { at } => write!(f, "{at}: the site has no name: give it one (`set_site_name`)"),
            Self::PoolMode { at, mode: PoolMode::Pool } => write!(
                f,
                "{at}: the pool is mirrored as a whole: clones whose parents are not mirrored never arrive; use mode image"
            ),
            Self::PoolMode { at, mode } => {
                write!(f, "{at}: the pool's mirror mode is {mode}: set it to image")
            }
            Self::DoesNotReceive { at } => {
                write!(
                    f,
                    "{at}: the pool does not receive from the other site: import its bootstrap token, both ways"
                )
            }
            Self::NoDaemon { at } => write!(f, "{at}: no rbd-mirror daemon serves the pool: start one"),
            Self::Daemon { at, words } => write!(f, "{at}: {words}"),
            Self::TwoPrimaries(image) => write!(
                f,
                "{image}: primary at both sites: decide which site's data stays, demote and resync the other"
            ),
            Self::SplitBrain { image, diverged } => write!(
                f,
                "{image}: the copies have diverged: resync the copy {diverged}, or promote it and give the other up"
            ),
            Self::NoPrimary(image) => {
                write!(f, "{image}: demoted at both sites: promote it where its data is newest")
            }
            Self::NoReplica { image, at, parent: Some(parent) } => write!(
                f,
                "{image}: {at} it is a clone of {parent}, and has no copy at the other site: flatten it, then enable it"
            ),
            Self::NoReplica { image, at, parent: None } => {
                write!(f, "{image}: {at} it is primary, and the other site has no copy (yet)")
            }
            Self::Orphan { image, at } => {
                write!(
                    f,
                    "{image}: {at} there is a copy without an original: promote it by force, or remove it"
                )
            }
            Self::ModesDiffer(image) => write!(f, "{image}: the sites mirror it in different modes"),
            Self::ReplayError { image, at, words } => write!(f, "{image}: {at} rbd-mirror reports: {words}"),
            Self::StaleStatus { image, at, age } => write!(
                f,
                "{image}: {at} the last word of rbd-mirror is {} s old, or its daemon is gone: look at the daemon",
                age.as_secs()
            ),
            Self::Broken { image, at, broken } => write!(f, "{image}: {at} {broken}"),
        }
    }
}
