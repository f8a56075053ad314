//! One disk at both sites.

use opennebula_meta::id::{DiskId, ImageId};
use opennebula_meta::source::{DiskSource, RbdImage};
use opennebula_meta::vm::DiskKind;
use opennebula_meta::{Capture, Image};
use serde::{Deserialize, Serialize};

use super::{Error, Observation};
use crate::site::{Side, SitePair};
use crate::stamp;
use crate::storage::{Follower, GlobalImageId, ImageView, Role};

/// What one site has of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SideImage {
    /// The site does not answer.
    Silent,
    /// It has no such image.
    Absent,
    /// It has it.
    Present(Box<ImageView>),
}

impl SideImage {
    /// The image, if it is there.
    #[must_use]
    pub fn view(&self) -> Option<&ImageView> {
        match self {
            Self::Present(view) => Some(view),
            _ => None,
        }
    }

    /// What it is there, if it is.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.view().map(|view| view.role)
    }

    /// Whether it is primary there.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.role() == Some(Role::Primary)
    }
}

/// An image of OpenNebula at the recovery site that registers a disk's replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredImage {
    /// Its number.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// Whether it carries our stamp.
    pub ours: bool,
    /// Whether it is locked.
    pub locked: bool,
}

/// One disk at both sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskView {
    /// Its number in the VM.
    pub disk: DiskId,
    /// What it is made of.
    pub kind: DiskKind,
    /// The RBD image's name at home.
    pub image: String,
    /// Its pool, where that is not the mirrored one: nothing protects it then.
    pub elsewhere: Option<String>,
    /// Its identity, if it is mirrored.
    pub global_id: Option<GlobalImageId>,
    /// At home.
    pub home: SideImage,
    /// At the recovery site.
    pub recovery: SideImage,
    /// An image of that name at the recovery site that is not the replica.
    pub namesake: bool,
    /// How the one that is not primary stands to the one that is; `None` where neither or both are.
    pub follower: Option<Follower>,
    /// Whether a promotion at the site that follows would let the other follow back; `None` where it was not asked.
    pub reverse_registered: Option<bool>,
    /// The images of OpenNebula at the recovery site that register it.
    pub registered: Vec<RegisteredImage>,
}

impl DiskView {
    /// What a side has.
    #[must_use]
    pub fn at(&self, side: Side) -> &SideImage {
        match side {
            Side::Home => &self.home,
            Side::Recovery => &self.recovery,
        }
    }

    /// Whether it is primary at both sites.
    #[must_use]
    pub fn two_primaries(&self) -> bool {
        self.home.is_primary() && self.recovery.is_primary()
    }

    /// Whether a site's daemon reports that the copies have diverged.
    #[must_use]
    pub fn split_brain(&self) -> bool {
        [&self.home, &self.recovery].iter().any(|side| side.view().is_some_and(|view| view.split_brain))
    }
}

/// Looks at one disk; `captured` is what the catalog says of its mirroring.
pub(super) fn look(
    pair: &SitePair,
    seen: &Observation,
    source: &DiskSource,
    rbd: &RbdImage,
    captured: Option<GlobalImageId>,
    there: &Capture,
) -> Result<DiskView, Error> {
    let pools = [Side::Home, Side::Recovery].map(|side| seen.site(side).pool.get());
    let pool = pools.iter().flatten().map(|pool| pool.identity.pool.as_str()).next();
    let elsewhere =
        pool.filter(|pool| *pool != rbd.pool() || rbd.namespace().is_some()).map(|_| rbd.pool().to_owned());
    let home = if elsewhere.is_some() {
        SideImage::Absent
    } else {
        at(pair, seen, Side::Home, rbd.name(), captured.as_ref())?
    };
    let global_id = home.view().and_then(|view| view.global_id.clone()).or(match home {
        SideImage::Present(_) => None,
        _ => captured,
    });
    let (mut recovery, mut namesake) = (SideImage::Absent, false);
    if !seen.pool_answers(Side::Recovery) {
        recovery = SideImage::Silent;
    } else if elsewhere.is_none() {
        let storage = pair.storage(Side::Recovery);
        if let Some(id) = &global_id
            && let Some(view) = storage.image_by_id(id)?
        {
            recovery = SideImage::Present(Box::new(view));
        } else {
            namesake = storage.image(rbd.name())?.is_some();
        }
    }
    let (follower, reverse_registered) = standing(pair, global_id.as_ref(), &home, &recovery)?;
    let registered = registered(there, rbd);
    Ok(DiskView {
        disk: source.disk,
        kind: source.kind,
        image: rbd.name().to_owned(),
        elsewhere,
        global_id,
        home,
        recovery,
        namesake,
        follower,
        reverse_registered,
        registered,
    })
}

fn at(
    pair: &SitePair,
    seen: &Observation,
    side: Side,
    name: &str,
    id: Option<&GlobalImageId>,
) -> Result<SideImage, Error> {
    if !seen.pool_answers(side) {
        return Ok(SideImage::Silent);
    }
    let storage = pair.storage(side);
    // By name first: it is the name that the VM uses, whatever became of the image that was mirrored under it.
    let view = match storage.image(name)? {
        Some(view) => Some(view),
        None => id.map_or(Ok(None), |id| storage.image_by_id(id))?,
    };
    Ok(view.map_or(SideImage::Absent, |view| SideImage::Present(Box::new(view))))
}

/// How the follower stands to the primary, where there is one of each.
fn standing(
    pair: &SitePair,
    id: Option<&GlobalImageId>,
    home: &SideImage,
    recovery: &SideImage,
) -> Result<(Option<Follower>, Option<bool>), Error> {
    let primary = match (home.is_primary(), recovery.is_primary()) {
        (true, false) => Side::Home,
        (false, true) => Side::Recovery,
        _ => return Ok((None, None)),
    };
    let Some(id) = id else { return Ok((None, None)) };
    let follower = pair.storage(primary).follower(id)?;
    let copy = if primary == Side::Home { recovery } else { home };
    let reverse =
        copy.view().map(|_| pair.storage(primary.other()).reverse_registered(id)).transpose().unwrap_or(None);
    Ok((Some(follower), reverse))
}

fn registered(there: &Capture, rbd: &RbdImage) -> Vec<RegisteredImage> {
    let source = rbd.to_string();
    let ours = there.images.iter().filter(|image| image.source().is_ok_and(|text| text == source));
    ours.map(|image: &Image| RegisteredImage {
        id: image.id(),
        name: image.name().to_owned(),
        ours: stamp::of_image(image).is_some(),
        locked: image.root().child("LOCK").is_some(),
    })
    .collect()
}
