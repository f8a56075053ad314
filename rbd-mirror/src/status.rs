//! What rbd-mirror last said of an image, at each site.
//!
//! A status is an echo, not a state: the daemon writes it every 30 s, with content up to 10 s older, and at once only on some
//! changes. It may say "replaying, 0 behind" for minutes after the other site has died. Decide by [`Image::role`] and
//! [`Image::journal`]; explain by the status.

use std::fmt;
use std::mem;
use std::time::SystemTime;

use ceph_sys as sys;

use crate::error::Result;
use crate::image::Image;
use crate::name::{GlobalImageId, ImageId, MirrorUuid};
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::image::RawImage;
use crate::raw::mirror_image::{RawInfo, RawSiteStatus, RawStatus, StatusSlot};
use crate::raw::pool::time;
use crate::raw::rados::RawIoCtx;

mod class;
pub mod description;
mod librbd;
mod list;

use description::Description;
pub use list::Statuses;

/// The words of all sites on one image.
///
/// There is no `primary` here: librbd's list has one, and it is always false. [`Image::role`] knows.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ImageStatus {
    /// The image's name at this site.
    pub name: String,
    /// The image's id at this site, where the status came from a list.
    pub image_id: Option<ImageId>,
    /// The image's identity; `None` if it is not mirrored.
    pub id: Option<GlobalImageId>,
    /// This site's word; `None` if its daemon has said nothing yet.
    pub local: Option<SiteStatus>,
    /// The peers' words. Missing where the sites have no names, or nothing was said yet.
    pub peers: Vec<(MirrorUuid, SiteStatus)>,
}

/// One site's word on one image.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SiteStatus {
    /// What the daemon does with the image.
    pub state: SiteState,
    /// Whether the daemon that said so is alive: the **local** daemon of that site, not its peer.
    pub up: bool,
    /// Why, or how far.
    pub description: Description,
    /// When it was written. A sign of life of the daemon, not of news.
    pub last_update: Option<SystemTime>,
}

/// What a daemon does with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum SiteState {
    /// Nothing, or nothing yet: also while both sites are demoted.
    Unknown,
    /// It cannot go on; sticky while it tries again.
    Error,
    /// Copying the image as a whole.
    Syncing,
    /// About to replay.
    StartingReplay,
    /// Following the primary.
    Replaying,
    /// About to stop. Stays so after a forced promotion until the peer returns.
    StoppingReplay,
    /// Not following: usually because the image is primary here.
    Stopped,
    /// A state this crate has no name for.
    Other(u32),
}

impl SiteState {
    pub(crate) const fn from_raw(raw: u32) -> Self {
        match raw {
            sys::MIRROR_IMAGE_STATUS_STATE_UNKNOWN => Self::Unknown,
            sys::MIRROR_IMAGE_STATUS_STATE_ERROR => Self::Error,
            sys::MIRROR_IMAGE_STATUS_STATE_SYNCING => Self::Syncing,
            sys::MIRROR_IMAGE_STATUS_STATE_STARTING_REPLAY => Self::StartingReplay,
            sys::MIRROR_IMAGE_STATUS_STATE_REPLAYING => Self::Replaying,
            sys::MIRROR_IMAGE_STATUS_STATE_STOPPING_REPLAY => Self::StoppingReplay,
            sys::MIRROR_IMAGE_STATUS_STATE_STOPPED => Self::Stopped,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for SiteState {
    /// In the words of `rbd mirror image status`.
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Error => f.write_str("error"),
            Self::Syncing => f.write_str("syncing"),
            Self::StartingReplay => f.write_str("starting_replay"),
            Self::Replaying => f.write_str("replaying"),
            Self::StoppingReplay => f.write_str("stopping_replay"),
            Self::Stopped => f.write_str("stopped"),
            Self::Other(raw) => write!(f, "state {raw}"),
        }
    }
}

impl fmt::Display for SiteStatus {
    /// As `rbd mirror image status` has it: `up+replaying, replaying, {…}`.
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}, {}", if self.up { "up" } else { "down" }, self.state, self.description)
    }
}

impl fmt::Display for ImageStatus {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.local {
            Some(local) => local.fmt(f),
            None => f.write_str("no status yet"),
        }
    }
}

impl Image {
    /// What the daemons of all sites last said of the image.
    ///
    /// An image that is not mirrored has no `id` and no words.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] or [`crate::Error::InDoubt`] if the site does not answer.
    ///
    /// Implements: `int rbd_aio_mirror_image_get_global_status(rbd_image_t image, rbd_mirror_image_global_status_t *mirror_image_global_status, size_t status_size, rbd_completion_t c);`
    /// Similar to: `rbd mirror image status <image-spec>`
    #[inline]
    pub fn status(&self) -> Result<ImageStatus> {
        self.status_slot().map(|slot| ImageStatus::from_slot(&slot))
    }

    fn status_slot(&self) -> Result<StatusSlot> {
        let asked = self.finish(Op::Status, RawImage::start_mirror_status);
        let (_, slot) = asked.map_err(|failure| self.error(Op::Status, failure))?;
        Ok(slot)
    }
}

impl Pool {
    /// The statuses of all mirrored images of the pool, read page by page as the iterator goes. It ends after an error.
    ///
    /// A page of up to 1,024 images costs two reads of the pool's OSDs, one for their names; the iterator holds one page. Read by
    /// Ceph's object class (`mirror_image_status_list` of src/cls/rbd/cls_rbd.cc), of which librbd's list is made: that one reads the
    /// names of the whole pool for every page, and loses the text of every "unknown" (as both sites say between demotion and
    /// promotion). Where the class answers otherwise than is known, [`Statuses::by_librbd`] is what it comes to.
    ///
    /// # Errors
    /// An item is an error if the site does not answer; the iterator ends with it.
    ///
    /// Similar to: `rbd mirror pool status --verbose`
    #[must_use]
    #[inline]
    pub fn statuses(&self) -> Statuses {
        Statuses::new(self, "")
    }

    /// [`statuses`](Self::statuses) of the images whose ids come after that one, in the order of their ids.
    ///
    /// # Errors
    /// As [`statuses`](Self::statuses).
    #[must_use]
    #[inline]
    pub fn statuses_after(&self, image: &ImageId) -> Statuses {
        Statuses::new(self, image.as_str())
    }

    /// How many images are in which state: two reads, whatever the pool's size. The state of an image is the worst of its sites'.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] if the pool's OSDs do not answer.
    ///
    /// Implements: `int rbd_mirror_image_status_summary(rados_ioctx_t io_ctx, rbd_mirror_image_status_state_t *states, int *counts, size_t *maxlen);`
    /// Similar to: `rbd mirror pool status`
    #[inline]
    pub fn status_summary(&self) -> Result<Vec<(SiteState, u32)>> {
        let counts = self.run(Op::StatusSummary, RawIoCtx::status_summary)?;
        Ok(counts.into_iter().map(|(state, count)| (SiteState::from_raw(state), count)).collect())
    }
}

impl ImageStatus {
    pub(crate) fn from_slot(slot: &StatusSlot) -> Self {
        Self::of(None, slot.name(), slot.info(), slot.sites())
    }

    pub(crate) fn from_raw(image_id: Option<ImageId>, raw: RawStatus) -> Self {
        Self::of(image_id, raw.name, raw.info, raw.sites)
    }

    fn of(
        image_id: Option<ImageId>,
        name: String,
        info: RawInfo,
        sites: impl IntoIterator<Item = RawSiteStatus>,
    ) -> Self {
        let mut local = None;
        let mut peers = Vec::new();
        for mut site in sites {
            // The local site's uuid is empty. What nobody has written yet, librbd makes up: unknown, without a time.
            let unwritten =
                site.last_update == 0 && site.state == sys::MIRROR_IMAGE_STATUS_STATE_UNKNOWN && !site.up;
            let uuid = mem::take(&mut site.mirror_uuid);
            match (uuid.is_empty(), unwritten) {
                (true, true) => {}
                (true, false) => local = Some(SiteStatus::from_raw(site)),
                (false, _) => peers.push((MirrorUuid::new(uuid), SiteStatus::from_raw(site))),
            }
        }
        let id = Some(info.global_id).filter(|id| !id.is_empty()).map(GlobalImageId::new);
        Self { name, image_id, id, local, peers }
    }

    /// Whether another status says the same, leaving aside when it was written: that a daemon wrote again is no news of the image.
    #[must_use]
    #[inline]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let same = |(one, other): (&SiteStatus, &SiteStatus)| {
            one.state == other.state && one.up == other.up && one.description == other.description
        };
        self.name == other.name
            && self.id == other.id
            && self.image_id == other.image_id
            && self.local.is_some() == other.local.is_some()
            && self.peers.iter().map(|(uuid, _)| uuid).eq(other.peers.iter().map(|(uuid, _)| uuid))
            && self.sites().zip(other.sites()).all(same)
    }

    /// The words of all sites, this one's first.
    #[inline]
    pub fn sites(&self) -> impl Iterator<Item = &SiteStatus> {
        self.local.iter().chain(self.peers.iter().map(|(_, site)| site))
    }

    /// Whether this site's daemon reports a split brain.
    #[must_use]
    #[inline]
    pub fn is_split_brain(&self) -> bool {
        self.local
            .as_ref()
            .is_some_and(|local| local.state == SiteState::Error && local.description.is_split_brain())
    }
}

impl SiteStatus {
    fn from_raw(raw: RawSiteStatus) -> Self {
        Self {
            state: SiteState::from_raw(raw.state),
            up: raw.up,
            description: Description::new(raw.description),
            last_update: (raw.last_update > 0).then(|| time(raw.last_update)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageStatus, SiteState};
    use crate::raw::mirror_image::{RawInfo, RawSiteStatus, RawStatus};

    fn site(uuid: &str, state: u32, description: &str, last_update: i64, up: bool) -> RawSiteStatus {
        RawSiteStatus {
            mirror_uuid: uuid.to_owned(),
            state,
            description: description.to_owned(),
            last_update,
            up,
        }
    }

    fn status(global_id: &str, sites: Vec<RawSiteStatus>) -> ImageStatus {
        let info = RawInfo { global_id: global_id.into(), state: 1, primary: false };
        ImageStatus::from_raw(None, RawStatus { name: "one-0".to_owned(), info, sites })
    }

    #[test]
    fn what_librbd_makes_up_for_a_missing_status_is_no_word_of_the_site() {
        let made_up = status("g", vec![site("", 0, "status not found", 0, false)]);
        assert_eq!(made_up.local, None);
        let written = status("g", vec![site("", 0, "remote image demoted", 1_700_000_000, true)]);
        assert_eq!(written.local.unwrap().state, SiteState::Unknown);
    }

    #[test]
    fn an_image_that_is_not_mirrored_has_no_identity() {
        assert_eq!(status("", Vec::new()).id, None);
    }

    #[test]
    fn a_split_brain_counts_only_while_the_daemon_is_in_error() {
        assert!(status("g", vec![site("", 1, "split-brain detected", 1, true)]).is_split_brain());
        assert!(!status("g", vec![site("", 4, "split-brain detected", 1, true)]).is_split_brain());
        assert!(!status("g", vec![site("peer", 1, "split-brain detected", 1, true)]).is_split_brain());
    }
}
