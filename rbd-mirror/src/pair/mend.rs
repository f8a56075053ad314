//! States that an operation leaves behind when it was killed, or came too early, and that Ceph neither names nor mends.
//!
//! | what was done | what Ceph shows for ever | [`Broken`] | cure |
//! |---|---|---|---|
//! | a demotion, killed between its two steps | non-primary here, "replaying, 0 behind" there, no side promotable (`EBUSY`) | [`Demotion`](Broken::Demotion) | [`Pair::take_demotion_back`] |
//! | a demotion during the first copy | "error bootstrapping replay" there, no side promotable | [`DemotedWhileSyncing`](Broken::DemotedWhileSyncing) | [`Pair::take_demotion_back`] |
//! | an enable, killed before it told rbd-mirror | primary here, no status and no replica anywhere; enable again changes nothing | [`UnnoticedEnable`](Broken::UnnoticedEnable) | [`Pair::enable_anew`] |
//! | an enable, killed before that | the next enable **crashes its process** | [`crate::Refusal::OrphanJournal`] | [`Image::heal_orphan_journal`] |
//!
//! A copy that was interrupted by a demotion may not find its place again: rbd-mirror then reports a split brain of it, although it was
//! never a copy. With the image primary here again, [`Pair::resync`] at the other site fetches it anew.
//!
//! No cure forces anything, and none loses a write: each goes back to where the image was primary, from where the verb is done again.

use std::fmt;

use super::{Pair, Peer, SideView};
use crate::enable::Disable;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::journal::{Journal, PeerState};
use crate::mode::MirrorImageMode;
use crate::name::{GlobalImageId, MirrorUuid};
use crate::op::Op;
use crate::promote::Promote;
use crate::refusal::Refusal;
use crate::role::Role;

/// A state that an operation left behind at this site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Broken {
    /// A demotion was begun and its end is not in the journal.
    Demotion,
    /// The image was demoted before its first copy at the peer was complete.
    DemotedWhileSyncing,
    /// Mirroring is enabled, and no daemon knows. **So is an image in the first seconds after its enable**: it is broken when it stays
    /// so for longer than rbd-mirror takes to notice (a minute).
    UnnoticedEnable,
}

impl fmt::Display for Broken {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Demotion => "its demotion was broken off half-way: take it back, then demote again",
            Self::DemotedWhileSyncing => {
                "it was demoted before its copy was complete: take the demotion back, wait for the copy, then demote again"
            }
            Self::UnnoticedEnable => {
                "mirroring is enabled and no daemon has noticed: if this lasts, disable and enable it again"
            }
        })
    }
}

impl Pair {
    /// Whether an operation on the image left a broken state behind at this site. Costs two or three reads of each site beyond a look.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such image here; [`Error::Unreachable`] if this site does not answer, or the peer where its
    /// word is needed.
    #[inline]
    pub fn diagnose(&self, id: &GlobalImageId) -> Result<Option<Broken>> {
        let image = self.here.open_by_global_id_read_only(id)?;
        match image.role()? {
            Role::Primary(_) => self.unnoticed(&image, id),
            Role::NonPrimary(_) if image.mirror_mode()? == Some(MirrorImageMode::Journal) => {
                self.broken_demotion(&image.journal()?)
            }
            _ => Ok(None),
        }
    }

    fn unnoticed(&self, image: &Image, id: &GlobalImageId) -> Result<Option<Broken>> {
        let is_silent =
            |image: &Image| Ok::<_, Error>(image.status()?.sites().all(|site| site.last_update.is_none()));
        let unnoticed = is_silent(image)? && matches!(self.look(id)?.there, SideView::Absent);
        Ok(unnoticed.then_some(Broken::UnnoticedEnable))
    }

    fn broken_demotion(&self, journal: &Journal) -> Result<Option<Broken>> {
        if journal.has_broken_demotion() {
            return Ok(Some(Broken::Demotion));
        }
        if !journal.is_demoted() {
            return Ok(None);
        }
        let Peer::Answers(there) = &self.there else { return Ok(None) };
        let syncing = follows_as(journal, &there.mirror_uuid()?) == Some(PeerState::Syncing);
        Ok(syncing.then_some(Broken::DemotedWhileSyncing))
    }

    /// Promotes the image here again after a demotion that cannot arrive: [`Broken::Demotion`], [`Broken::DemotedWhileSyncing`].
    /// Nothing is lost: nobody was promoted since. The image is primary here afterwards, and a copy that was under way goes on, or is
    /// reported as a split brain and has to be fetched anew.
    ///
    /// # Errors
    /// [`Refusal::NotBroken`] if the demotion is sound; [`Refusal::PeerIsPrimary`], [`Refusal::PeerUnknown`]; then as
    /// [`Image::promote`].
    #[inline]
    pub fn take_demotion_back(&self, id: &GlobalImageId) -> Result<()> {
        let op = Op::Promote;
        match self.look(id)?.there {
            SideView::Silent(_) => return Err(self.refuse(op, id, Refusal::PeerUnknown)),
            there if there.is_primary() => return Err(self.refuse(op, id, Refusal::PeerIsPrimary)),
            _ => {}
        }
        match self.diagnose(id)? {
            Some(Broken::Demotion | Broken::DemotedWhileSyncing) => {}
            _ => return Err(self.refuse(op, id, Refusal::NotBroken)),
        }
        self.image(id)?.promote(Promote::Clean)
    }

    /// Disables and enables mirroring of an image whose enable nobody noticed ([`Broken::UnnoticedEnable`]). It has **another global id**
    /// afterwards, which is answered. The caller has seen to it that the state lasts.
    ///
    /// # Errors
    /// [`Refusal::NotBroken`] if a daemon knows the image, or the peer has a copy of it; [`Refusal::PeerUnknown`]; then as
    /// [`Image::disable`] and [`Image::enable`]. Killed in between it leaves an image that is not mirrored.
    #[inline]
    pub fn enable_anew(&self, id: &GlobalImageId) -> Result<GlobalImageId> {
        let op = Op::Enable;
        if let SideView::Silent(_) = self.look(id)?.there {
            return Err(self.refuse(op, id, Refusal::PeerUnknown));
        }
        if self.diagnose(id)? != Some(Broken::UnnoticedEnable) {
            return Err(self.refuse(op, id, Refusal::NotBroken));
        }
        let image = self.image(id)?;
        let mode = image.mirror_mode()?.unwrap_or(MirrorImageMode::Journal);
        image.disable(Disable::Clean)?;
        image.enable(mode)
    }
}

fn follows_as(journal: &Journal, follower: &MirrorUuid) -> Option<PeerState> {
    journal.peer(follower).map(|peer| peer.state)
}
