//! The journal of an image: who follows it, how far each has come, and who owns the image.
//!
//! This is what the status text is a late echo of. A journal has one client for the site itself and one for each peer that
//! replays it; each commits the position of the last entry it is done with. Its tags are the epochs of ownership: a
//! promotion, a demotion and every new lock owner begin one.
//!
//! Read from the object `journal.<image id>` with the object class `journal` (src/cls/journal/cls_journal_types.h and
//! src/librbd/journal/Types.h of Ceph 16): the capability `profile rbd-read-only` is enough. librbd has no call for it.

use std::fmt;

use crate::call::guarded;
use crate::cls::{Decoder, Encoder};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::image::Image;
use crate::name::{ImageId, MirrorUuid};
use crate::op::Op;
use crate::pool::Pool;
use crate::refusal::Refusal;

/// What an image's journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Journal {
    /// The position that the site itself has committed: up to five seconds behind its newest write.
    pub local: Option<Position>,
    /// The peers that replay the journal.
    pub peers: Vec<JournalPeer>,
    /// The newest epoch; `None` if the journal has none yet.
    pub newest_tag: Option<Tag>,
}

/// A peer that replays a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct JournalPeer {
    /// The peer pool's mirror uuid.
    pub uuid: MirrorUuid,
    /// The last entry that the peer is done with. Its data may be further.
    pub position: Option<Position>,
    /// The object of the journal that has this entry.
    pub object: Option<u64>,
    /// `false` once it was too far behind and was cut off: it needs a resync.
    pub connected: bool,
    /// What the peer is doing.
    pub state: PeerState,
}

/// What a peer that replays a journal is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum PeerState {
    /// Copying the image as a whole. Its position says nothing yet.
    Syncing,
    /// Replaying.
    Replaying,
    /// A state this crate has no name for.
    Other(u32),
}

/// A position in a journal. Positions are ordered; they cannot be subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Position {
    /// The epoch.
    pub tag_tid: u64,
    /// The entry in its epoch.
    pub entry_tid: u64,
}

impl fmt::Display for Position {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tag_tid, self.entry_tid)
    }
}

/// An epoch of ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tag {
    /// The epoch's number in this journal.
    pub tid: u64,
    /// Who owns the image in it.
    pub owner: TagOwner,
    /// Who owned it before.
    pub predecessor: TagOwner,
    /// Where the epoch before was left, in the predecessor's journal.
    pub predecessor_position: Option<Position>,
}

/// Who owns an image, by its journal here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum TagOwner {
    /// This site.
    Local,
    /// Nobody: it was demoted, and the demotion is in this journal. Only then does a clean promotion succeed here.
    Orphan,
    /// A peer.
    Peer(MirrorUuid),
}

impl TagOwner {
    fn from_uuid(uuid: String) -> Self {
        // src/librbd/Journal.cc: LOCAL_MIRROR_UUID is empty, ORPHAN_MIRROR_UUID is "<orphan>".
        match uuid.as_str() {
            "" => Self::Local,
            "<orphan>" => Self::Orphan,
            _ => Self::Peer(MirrorUuid::new(uuid)),
        }
    }
}

impl Tag {
    /// Whether this epoch is a copy of one of `primary`'s: a replica's journal, with or without the demotion replayed.
    #[must_use]
    #[inline]
    pub fn follows(&self, primary: &MirrorUuid) -> bool {
        let is = |owner: &TagOwner| *owner == TagOwner::Peer(primary.clone());
        is(&self.owner) || (self.owner == TagOwner::Orphan && is(&self.predecessor))
    }
}

impl Journal {
    /// The peer of that mirror uuid.
    #[must_use]
    #[inline]
    pub fn peer(&self, uuid: &MirrorUuid) -> Option<&JournalPeer> {
        self.peers.iter().find(|peer| peer.uuid == *uuid)
    }

    /// Who owns the image.
    #[must_use]
    #[inline]
    pub fn owner(&self) -> Option<&TagOwner> {
        self.newest_tag.as_ref().map(|tag| &tag.owner)
    }

    /// Whether the image was ever primary at this site: then it was complete. A replica's journal has no entries of its own.
    #[must_use]
    #[inline]
    pub fn was_primary(&self) -> bool {
        self.local.is_some() || self.peers.iter().any(|peer| peer.position.is_some())
    }

    /// Whether the image was demoted here and the demotion was written to the end. A demotion that was killed half-way
    /// leaves the new epoch without an entry: no peer will ever be promotable. The cure loses nothing: promote here again,
    /// then demote again.
    #[must_use]
    #[inline]
    pub fn is_demoted(&self) -> bool {
        self.newest_tag.as_ref().is_some_and(|tag| {
            tag.owner == TagOwner::Orphan && self.local.is_some_and(|local| local.tag_tid >= tag.tid)
        })
    }

    /// Whether a demotion was begun here and not finished: see [`is_demoted`](Self::is_demoted).
    #[must_use]
    #[inline]
    pub fn has_broken_demotion(&self) -> bool {
        self.newest_tag.as_ref().is_some_and(|tag| {
            tag.owner == TagOwner::Orphan
                && tag.predecessor == TagOwner::Local
                && self.local.is_none_or(|local| local.tag_tid < tag.tid)
        })
    }
}

impl Image {
    /// Reads the image's journal: two or three reads of one object.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the image has no journal (the feature is off); [`Error::Unreadable`] if the journal's format is
    /// newer than this crate.
    ///
    /// Similar to: `rbd journal status`
    #[inline]
    pub fn journal(&self) -> Result<Journal> {
        self.pool().bounded_by(self.bound()).journal_of(&self.id()?)
    }

    /// Refuses what would crash this process: turning journaling on while an earlier, killed attempt has left the journal's
    /// object behind.
    pub(crate) fn refuse_orphan_journal(&self, op: Op) -> Result<()> {
        if self.features()?.contains(Features::JOURNALING) {
            return Ok(());
        }
        let image_id = self.id()?;
        if self.pool().bounded_by(self.bound()).has_journal(&image_id)? {
            return Err(guarded(op, self.subject(), Refusal::OrphanJournal { image_id }));
        }
        Ok(())
    }

    /// Removes the journal object that a killed [`enable`](Self::enable) left behind, and says whether there was one.
    ///
    /// Nothing is lost: without the feature no write is in it. Everything else that touches such an image crashes inside
    /// librbd 16, `rbd rm` included.
    ///
    /// # Errors
    /// [`Error::Refused`] with [`Refusal::InUse`] while somebody has the image open for writing besides this handle.
    #[inline]
    pub fn heal_orphan_journal(&self) -> Result<bool> {
        let op = Op::HealJournal;
        let _span = tracing::info_span!("image", op = op.word(), image = %self.spec()).entered();
        if self.features()?.contains(Features::JOURNALING) {
            return Ok(false);
        }
        let id = self.id()?;
        let pool = self.pool().bounded_by(self.bound());
        if !pool.has_journal(&id)? {
            return Ok(false);
        }
        // An enable that was given up as in doubt may still be at work, on this very handle.
        if self.has_calls_under_way() {
            return Err(guarded(
                op,
                self.subject(),
                Refusal::InUse("a call on this handle is under way".into()),
            ));
        }
        let own = usize::from(!self.is_read_only());
        let watchers = self.watchers()?;
        if watchers.len() > own {
            let holders = watchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(guarded(op, self.subject(), Refusal::InUse(holders.into())));
        }
        let object = object_name(&id);
        pool.attempt(move |io| io.remove_object(&object)).map_err(|failure| self.error(op, failure))?;
        Ok(true)
    }
}

impl Pool {
    /// Reads the journal of an image that need not be open.
    ///
    /// # Errors
    /// As [`Image::journal`].
    #[inline]
    pub fn journal_of(&self, image: &ImageId) -> Result<Journal> {
        let op = Op::Journal;
        let _span = tracing::debug_span!("pool", op = op.word(), pool = %self.spec(), %image).entered();
        let object = object_name(image);
        let (clients, newest_tag) = self
            .attempt(move |io| {
                let input = Encoder::new().string("").u64(CLIENTS_MAX).finish();
                let clients = io.exec(&object, "journal", "client_list", &input)?;
                let mut newest = None;
                // The class leaves out the tags up to this one; 0 leaves out none.
                let mut after = 0;
                for _ in 0..TAG_PAGES_MAX {
                    let input = Encoder::new().u64(after).u64(TAGS_PAGE).string("").u8(0).finish();
                    let page = io.exec(&object, "journal", "tag_list", &input)?;
                    // Undecodable bytes are carried out to be reported as such.
                    let Some(tags) = decode_tags(&page) else { return Ok((clients, Err(()))) };
                    let full = u64::try_from(tags.len()).unwrap_or(u64::MAX) >= TAGS_PAGE;
                    newest = tags.into_iter().max_by_key(|tag| tag.tid).or(newest);
                    match (&newest, full) {
                        (Some(tag), true) => after = tag.tid,
                        _ => return Ok((clients, Ok(newest))),
                    }
                }
                Err(Errno::ERANGE)
            })
            .map_err(|failure| {
                failure.plain(op, self.image_spec(&format!("id:{image}")).into(), self.bound())
            })?;
        let unreadable = |what| Error::Unreadable { op, on: self.subject(), what };
        let newest_tag = newest_tag.map_err(|()| unreadable("the journal's tags"))?;
        let (local, peers) = decode_clients(&clients).ok_or_else(|| unreadable("the journal's clients"))?;
        Ok(Journal { local, peers, newest_tag })
    }

    /// Whether the object of a journal exists, whatever the image's features say.
    pub(crate) fn has_journal(&self, image: &ImageId) -> Result<bool> {
        let object = object_name(image);
        let _span =
            tracing::debug_span!("pool", op = Op::Journal.word(), pool = %self.spec(), %image).entered();
        match self.attempt(move |io| io.object_size(&object)) {
            Ok(_) => Ok(true),
            Err(failure) if failure.errno() == Some(Errno::ENOENT) => Ok(false),
            Err(failure) => Err(self.error(Op::Journal, failure)),
        }
    }
}

/// More peers than rbd-mirror can have.
const CLIENTS_MAX: u64 = 256;

/// Tags are trimmed as clients pass them: rarely is there more than a handful.
const TAGS_PAGE: u64 = 64;

/// A journal with more tags than this has not been trimmed for years.
const TAG_PAGES_MAX: u32 = 4096;

pub(crate) fn object_name(image: &ImageId) -> String {
    format!("journal.{image}")
}

fn decode_clients(bytes: &[u8]) -> Option<(Option<Position>, Vec<JournalPeer>)> {
    let mut decoder = Decoder::new(bytes);
    let clients = decoder.list(|item| decode_client(&mut item.envelope()?))?;
    let mut local = None;
    let mut peers = Vec::new();
    for client in clients {
        if client.id.is_empty() {
            local = client.position;
        } else if let Some(state) = client.peer_state {
            let (uuid, connected) = (MirrorUuid::new(client.id), client.connected);
            peers.push(JournalPeer {
                uuid,
                position: client.position,
                object: client.object,
                connected,
                state,
            });
        }
    }
    Some((local, peers))
}

struct Client {
    id: String,
    position: Option<Position>,
    object: Option<u64>,
    connected: bool,
    /// Of a mirror peer; other clients (the command `rbd journal inspect`) have none.
    peer_state: Option<PeerState>,
}

fn decode_client(body: &mut Decoder<'_>) -> Option<Client> {
    const CLIENT_CONNECTED: u8 = 0;
    let id = body.string()?;
    let peer_state = decode_peer_state(Decoder::new(body.blob()?));
    let mut commit = body.envelope()?;
    let positions = commit.list(|item| {
        let mut position = item.envelope()?;
        let object = position.u64()?;
        Some((Position { tag_tid: position.u64()?, entry_tid: position.u64()? }, object))
    })?;
    let connected = body.u8()? == CLIENT_CONNECTED;
    // One position for each object the journal is striped over: the highest is how far the client is.
    let (position, object) = positions.into_iter().max().unzip();
    Some(Client { id, position, object, connected, peer_state })
}

/// `librbd::journal::ClientData` of type 1, a mirror peer.
fn decode_peer_state(mut data: Decoder<'_>) -> Option<PeerState> {
    const MIRROR_PEER: u32 = 1;
    let mut body = data.envelope()?;
    if body.u32()? != MIRROR_PEER {
        return None;
    }
    let _image_at_the_peer = body.string()?;
    Some(match body.u32()? {
        0 => PeerState::Syncing,
        1 => PeerState::Replaying,
        other => PeerState::Other(other),
    })
}

fn decode_tags(bytes: &[u8]) -> Option<Vec<Tag>> {
    let mut decoder = Decoder::new(bytes);
    decoder.list(|item| {
        let mut body = item.envelope()?;
        let tid = body.u64()?;
        let _class = body.u64()?;
        let mut data = Decoder::new(body.blob()?);
        let owner = TagOwner::from_uuid(data.string()?);
        let predecessor = TagOwner::from_uuid(data.string()?);
        let valid = data.u8()? != 0;
        let position = Position { tag_tid: data.u64()?, entry_tid: data.u64()? };
        Some(Tag { tid, owner, predecessor, predecessor_position: valid.then_some(position) })
    })
}

#[cfg(test)]
mod tests;
