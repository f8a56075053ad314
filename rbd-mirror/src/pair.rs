//! The two sites of an image, looked at together, and the verbs that must not be done without looking.
//!
//! Each site knows only itself: Ceph shows `health: OK` with two primaries, lets a diverged copy be promoted without force once
//! it was demoted, and throws the last good copy away when a resync is asked for at the wrong moment. What is true of an image
//! is what *both* say:
//!
//! ```text
//!   here \ there   primary          non-primary         absent        does not answer
//!   primary        TwoPrimaries     Following(here)     Alone(here)   Unknown
//!   non-primary    Following(there) BothDemoted         Alone(here)   Unknown
//! ```
//! with `SplitBrain` in place of `Following` where the follower's daemon reports that the copies have diverged.

use std::fmt;

use crate::call::guarded;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::holders::Watcher;
use crate::image::Image;
use crate::journal::TagOwner;
use crate::name::{GlobalImageId, ImageId, Subject};
use crate::op::Op;
use crate::peer::Peer as PoolPeer;
use crate::pool::Pool;
use crate::promote::Promote;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::snapshot::SnapshotNamespace;
use crate::sync::{is_current, was_ever_complete};
use crate::take_over::TakenOver;

mod mend;

pub use mend::Broken;

/// One site's pool and what is known of its peer's.
#[derive(Clone, Debug)]
pub struct Pair {
    here: Pool,
    there: Peer,
}

#[derive(Clone, Debug)]
enum Peer {
    Answers(Pool),
    Silent(String),
}

/// What a forced promotion asks for about the first copy of an image. With the peer gone, this site has to know: by the image's own
/// history as a primary, by its mirror snapshots, or by the last status of its daemon, which is written within 30 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// This site must know that it was complete.
    Proven,
    /// The caller knows it from elsewhere. A site that knows the opposite is believed all the same.
    Assumed,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Side {
    /// The site whose verbs are done.
    Here,
    /// Its peer.
    There,
}

impl fmt::Display for Side {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "here",
            Self::There => "there",
        })
    }
}

/// What one site has of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum SideView {
    /// The image, by that site's own cluster.
    Present {
        /// The image's id there.
        image: ImageId,
        /// What it is there.
        role: Role,
        /// Whether that site's daemon reports a split brain.
        split_brain: bool,
        /// Whether it was ever complete, by what that site knows; `None` where nothing there says so either way.
        complete: Option<bool>,
        /// Who has it open there, rbd-mirror left out.
        users: Vec<Watcher>,
    },
    /// That site has no image of this global id.
    Absent,
    /// That site does not answer; why, in words.
    Silent(String),
}

impl SideView {
    fn role(&self) -> Option<&Role> {
        match self {
            Self::Present { role, .. } => Some(role),
            _ => None,
        }
    }

    fn is_primary(&self) -> bool {
        self.role().is_some_and(Role::is_primary)
    }
}

impl fmt::Display for SideView {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present { role, split_brain, .. } => {
                write!(f, "{role}{}", if *split_brain { ", split brain reported" } else { "" })
            }
            Self::Absent => f.write_str("absent"),
            Self::Silent(_) => f.write_str("no answer"),
        }
    }
}

/// What is true of an image by the word of both sites.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PairView {
    /// What this site has.
    pub here: SideView,
    /// What the peer has.
    pub there: SideView,
    /// What the two make together.
    pub verdict: Verdict,
}

/// What two sites make of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Verdict {
    /// One is primary, the other follows it, or is about to.
    Following {
        /// The primary.
        primary: Side,
    },
    /// Both are primary. Ceph's health is OK with this.
    TwoPrimaries,
    /// One is primary, the other has diverged: its copy must be given up (resync) or be made the primary.
    SplitBrain {
        /// The primary.
        primary: Side,
    },
    /// Both were demoted, or one was and the other follows it.
    BothDemoted,
    /// Only one site has a mirrored image of this id.
    Alone {
        /// That site.
        at: Side,
    },
    /// Neither site has a mirrored image of this id.
    Nowhere,
    /// The peer does not answer, so nothing can be said of both.
    Unknown,
}

impl fmt::Display for Verdict {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Following { .. } => f.write_str("one primary, one follower"),
            Self::TwoPrimaries => f.write_str("two primaries"),
            Self::SplitBrain { .. } => f.write_str("split brain"),
            Self::BothDemoted => f.write_str("both demoted"),
            Self::Alone { .. } => f.write_str("at one site only"),
            Self::Nowhere => f.write_str("at neither site"),
            Self::Unknown => f.write_str("unknown: the peer does not answer"),
        }
    }
}

impl Pair {
    /// Both sites, connected.
    #[must_use]
    #[inline]
    pub fn new(here: &Pool, there: &Pool) -> Self {
        Self { here: here.clone(), there: Peer::Answers(there.clone()) }
    }

    /// This site alone: the peer could not be connected to, and `why` says so.
    #[must_use]
    #[inline]
    pub fn without_peer(here: &Pool, why: &Error) -> Self {
        Self { here: here.clone(), there: Peer::Silent(why.to_string()) }
    }

    /// The same two, the other way round; `None` without a peer.
    #[must_use]
    #[inline]
    pub fn reversed(&self) -> Option<Self> {
        match &self.there {
            Peer::Answers(there) => Some(Self::new(there, &self.here)),
            Peer::Silent(_) => None,
        }
    }

    /// Looks at both sites: a handful of reads each. A peer that does not answer costs the limit of its pool ([`Pool::bounded_by`]) for
    /// the read at which it fell silent.
    ///
    /// # Errors
    /// What reading this site answers. The peer's silence is part of the view; another error of the peer is an error here: where nothing
    /// can be had of it but that, [`Pair::without_peer`] goes on without it.
    #[inline]
    pub fn look(&self, id: &GlobalImageId) -> Result<PairView> {
        let here = side(&self.here, id)?;
        let there = self.look_there(id)?;
        let verdict = verdict(&here, &there);
        Ok(PairView { here, there, verdict })
    }

    fn look_there(&self, id: &GlobalImageId) -> Result<SideView> {
        match &self.there {
            Peer::Silent(why) => Ok(SideView::Silent(why.clone())),
            Peer::Answers(pool) => match side(pool, id) {
                Err(error) if error.is_unreachable() => Ok(SideView::Silent(error.to_string())),
                other => other,
            },
        }
    }

    /// Promotes the image here, cleanly, after a look at both sites.
    ///
    /// # Errors
    /// [`Refusal::PeerIsPrimary`]: librbd itself would promote a demoted image beside a primary peer. [`Refusal::NotSynced`]:
    /// both are demoted, and this copy has not replayed the peer's last epoch to its end; librbd would promote it all the same.
    /// [`Error::NotFound`] if there is no such image here. Then as [`Image::promote`]. With a peer that does not answer, librbd's own
    /// check is all there is.
    #[inline]
    pub fn promote(&self, id: &GlobalImageId) -> Result<()> {
        let view = self.look(id)?;
        if view.there.is_primary() {
            return Err(self.refuse(Op::Promote, id, Refusal::PeerIsPrimary));
        }
        let image = self.image(id)?;
        if let (Some(Role::NonPrimary(_)), Peer::Answers(there), SideView::Present { .. }) =
            (view.here.role(), &self.there, &view.there)
            && !is_current(&self.here, there, id)?
        {
            // librbd knows one more reason, and a better one where it applies: the demotion is still under way.
            let reason = if image.follows_a_peer()? { Refusal::PrimaryElsewhere } else { Refusal::NotSynced };
            return Err(self.refuse(Op::Promote, id, reason));
        }
        image.promote(Promote::Clean)
    }

    /// Promotes the image here by force, which is for a peer that is gone: refused while the peer answers and is primary.
    ///
    /// Afterwards [`Image::take_over`] makes sure that writes go through; [`fail_over`](Self::fail_over) does both.
    ///
    /// # Errors
    /// [`Refusal::PeerAliveAndPrimary`]; [`Refusal::StillSyncing`]: the first copy is not complete, so this image is not one;
    /// [`Refusal::CompletenessUnknown`] with [`Completeness::Proven`], where this site's daemon says nothing of it;
    /// [`Error::NotFound`] if there is no such image here. Then as [`Image::promote`].
    #[inline]
    pub fn promote_by_force(&self, id: &GlobalImageId, completeness: Completeness) -> Result<()> {
        self.forced(id, completeness).map(drop)
    }

    /// The whole failover of an image whose peer is gone: [`promote_by_force`](Self::promote_by_force) and
    /// [`Image::take_over`], with the image opened once for both. A VM can be started on it afterwards.
    ///
    /// When it fails, the image's role says how far it came: for a primary, `take_over` is what is left to be done.
    ///
    /// # Errors
    /// As [`promote_by_force`](Self::promote_by_force), then as [`Image::take_over`].
    #[inline]
    pub fn fail_over(
        &self,
        id: &GlobalImageId,
        completeness: Completeness,
        deadline: impl Into<Deadline>,
    ) -> Result<TakenOver> {
        let deadline = deadline.into();
        let image = self.forced(id, completeness)?;
        let taken = image.make_writable(deadline)?;
        // The verb's outcome stands, however the handle closes.
        if let Err(error) = image.close() {
            tracing::debug!(%error, "closing an image that was failed over");
        }
        Ok(taken)
    }

    /// The peer is looked at first, so that nothing is opened for writing here while it is primary; then this site is looked at and
    /// promoted through one handle.
    fn forced(&self, id: &GlobalImageId, completeness: Completeness) -> Result<Image> {
        let found = match self.here.find(id) {
            Err(error) if !matches!(error, Error::NotFound { .. }) => return Err(error),
            found => found,
        };
        if self.look_there(id)?.is_primary() {
            return Err(self.refuse(Op::Promote, id, Refusal::PeerAliveAndPrimary));
        }
        let image = self.here.open_by_id(&found?)?;
        let complete = was_ever_complete(&image, &image.status()?)?;
        match (complete, completeness) {
            (Some(false), _) => return Err(self.refuse(Op::Promote, id, Refusal::StillSyncing)),
            (None, Completeness::Proven) => {
                return Err(self.refuse(Op::Promote, id, Refusal::CompletenessUnknown));
            }
            _ => {}
        }
        image.promote(Promote::Force)?;
        Ok(image)
    }

    /// Resyncs the copy here from the peer, with proof that there is a primary to fetch it from and that nobody uses this copy.
    /// It **destroys this copy**; the id is the consent. Answers the image id that is given up, for [`crate::wait::resynced`].
    ///
    /// # Errors
    /// [`Refusal::PeerNotPrimary`]; [`Refusal::PeerUnknown`] if the peer does not answer; [`Refusal::IsPrimary`];
    /// [`Refusal::NotPeers`] if this pool does not receive from that one; [`Refusal::InUse`] with the addresses of who has this copy
    /// open; [`Error::NotFound`]. Then as [`Image::resync`].
    #[inline]
    pub fn resync(&self, id: &GlobalImageId) -> Result<ImageId> {
        let view = self.look(id)?;
        let refuse = |reason| Err(self.refuse(Op::Resync, id, reason));
        match &view.there {
            SideView::Silent(_) => return refuse(Refusal::PeerUnknown),
            there if !there.is_primary() => return refuse(Refusal::PeerNotPrimary),
            _ => {}
        }
        let SideView::Present { image, role, users, .. } = view.here else {
            return Err(Error::NotFound { op: Op::Resync, on: self.subject(id) });
        };
        if role.is_primary() {
            return refuse(Refusal::IsPrimary);
        }
        if !self.receives()? {
            return refuse(Refusal::NotPeers);
        }
        if !users.is_empty() {
            let users = users.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return refuse(Refusal::InUse(users.into()));
        }
        self.image(id)?.resync(id)?;
        Ok(image)
    }

    /// The same two as one of them sees them; `None` for a peer that does not answer.
    pub(crate) fn seen_from(&self, side: Side) -> Option<Self> {
        match side {
            Side::Here => Some(self.clone()),
            Side::There => self.reversed(),
        }
    }

    /// What the image hangs on at one site, in words.
    pub(crate) fn parent_at(&self, side: Side, id: &GlobalImageId) -> Result<Option<String>> {
        let Some(pair) = self.seen_from(side) else { return Ok(None) };
        match pair.here.open_by_global_id_read_only(id).and_then(|image| image.parent()) {
            Err(Error::NotFound { .. }) => Ok(None),
            other => Ok(other?.map(|parent| parent.to_string())),
        }
    }

    /// Whether this pool receives from that one.
    fn receives(&self) -> Result<bool> {
        let Peer::Answers(there) = &self.there else { return Ok(false) };
        let uuid = there.mirror_uuid()?;
        let is_it = |peer: &PoolPeer| peer.direction.receives() && peer.mirror_uuid.as_ref() == Some(&uuid);
        Ok(self.here.peers()?.iter().any(is_it))
    }

    fn image(&self, id: &GlobalImageId) -> Result<Image> {
        self.here.open_by_global_id(id)
    }

    fn subject(&self, id: &GlobalImageId) -> Subject {
        self.here.spec().image(format!("global id {id}")).into()
    }

    fn refuse(&self, op: Op, id: &GlobalImageId, reason: Refusal) -> Error {
        guarded(op, self.subject(id), reason)
    }
}

impl Image {
    /// Whether the image follows a peer now, so that what is missing here is still on its way.
    fn follows_a_peer(&self) -> Result<bool> {
        match self.journal() {
            Ok(journal) => Ok(matches!(journal.owner(), Some(TagOwner::Peer(_)))),
            // In snapshot mode there is no journal: the newest mirror snapshot tells whose it is.
            Err(Error::NotFound { .. }) => {
                let mirror = self.snapshots()?.into_iter().filter_map(|snapshot| match snapshot.namespace {
                    SnapshotNamespace::Mirror(mirror) => Some(mirror),
                    _ => None,
                });
                Ok(mirror.last().is_some_and(|newest| newest.primary_id.is_some()))
            }
            Err(error) => Err(error),
        }
    }
}

/// Looks at one site, with a handle that does not count as a user of the image.
fn side(pool: &Pool, id: &GlobalImageId) -> Result<SideView> {
    let image = match pool.open_by_global_id_read_only(id) {
        Err(Error::NotFound { .. }) => return Ok(SideView::Absent),
        other => other?,
    };
    let role = image.role()?;
    let users = image.users()?;
    let status = image.status()?;
    let complete = was_ever_complete(&image, &status)?;
    Ok(SideView::Present { image: image.id()?, role, split_brain: status.is_split_brain(), complete, users })
}

fn verdict(here: &SideView, there: &SideView) -> Verdict {
    let mirrored = |side: &SideView| side.role().is_some_and(|role| *role != Role::NotMirrored);
    let diverged = |side: &SideView| matches!(side, SideView::Present { split_brain: true, .. });
    if let SideView::Silent(_) = there {
        return Verdict::Unknown;
    }
    match (mirrored(here), mirrored(there)) {
        (true, false) => return Verdict::Alone { at: Side::Here },
        (false, true) => return Verdict::Alone { at: Side::There },
        (false, false) => return Verdict::Nowhere,
        (true, true) => {}
    }
    let (primary, follower) = match (here.is_primary(), there.is_primary()) {
        (true, true) => return Verdict::TwoPrimaries,
        (false, false) => return Verdict::BothDemoted,
        (true, false) => (Side::Here, there),
        (false, true) => (Side::There, here),
    };
    if diverged(follower) { Verdict::SplitBrain { primary } } else { Verdict::Following { primary } }
}

#[cfg(test)]
mod tests {
    use super::{Side, SideView, Verdict, verdict};
    use crate::name::{GlobalImageId, ImageId};
    use crate::role::Role;

    fn present(role: Role, split_brain: bool) -> SideView {
        SideView::Present {
            image: ImageId::new("10d3"),
            role,
            split_brain,
            complete: Some(true),
            users: Vec::new(),
        }
    }

    #[test]
    fn the_table_in_the_module_page_is_what_the_code_says() {
        let id = || GlobalImageId::new("g");
        let primary = || present(Role::Primary(id()), false);
        let follower = || present(Role::NonPrimary(id()), false);
        let diverged = || present(Role::NonPrimary(id()), true);
        let silent = || SideView::Silent("no answer".to_owned());
        let table = [
            (primary(), primary(), Verdict::TwoPrimaries),
            (primary(), follower(), Verdict::Following { primary: Side::Here }),
            (primary(), diverged(), Verdict::SplitBrain { primary: Side::Here }),
            (primary(), SideView::Absent, Verdict::Alone { at: Side::Here }),
            (primary(), silent(), Verdict::Unknown),
            (follower(), primary(), Verdict::Following { primary: Side::There }),
            (diverged(), primary(), Verdict::SplitBrain { primary: Side::There }),
            (follower(), follower(), Verdict::BothDemoted),
            (follower(), SideView::Absent, Verdict::Alone { at: Side::Here }),
            (follower(), silent(), Verdict::Unknown),
            (SideView::Absent, primary(), Verdict::Alone { at: Side::There }),
            (SideView::Absent, SideView::Absent, Verdict::Nowhere),
        ];
        for (here, there, expected) in table {
            assert_eq!(verdict(&here, &there), expected, "{here} / {there}");
        }
    }
}
