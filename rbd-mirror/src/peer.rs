//! The peers of a pool: the other site, as this one knows it.

use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ceph_sys as sys;
use zeroize::Zeroizing;

use crate::call::{guarded, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::json;
use crate::mode::PoolMode;
use crate::name::{MirrorUuid, PeerUuid};
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::mirror_pool::RawPeer;
use crate::raw::pool::time;
use crate::raw::rados::RawIoCtx;
use crate::refusal::Refusal;

/// A peer of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Peer {
    /// The entry's own id.
    pub uuid: PeerUuid,
    /// Who sends to whom. It is configuration, not a sign of life.
    pub direction: Direction,
    /// The peer's site name.
    pub site_name: String,
    /// The peer pool's mirror uuid; `None` until the two have met.
    pub mirror_uuid: Option<MirrorUuid>,
    /// The user that this site's rbd-mirror logs in with at the peer; empty for a peer that only sends.
    pub client: String,
    /// When the peer's rbd-mirror was last heard of; `None` if never, or where only the other direction is replicated.
    pub last_seen: Option<SystemTime>,
}

/// Who sends to whom between this pool and a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Direction {
    /// This site receives.
    Rx,
    /// This site sends. Not for importing tokens.
    Tx,
    /// Both. What a set-up that can fail back needs.
    RxTx,
    /// A direction this crate has no name for.
    Other(u32),
}

impl Direction {
    const fn from_raw(raw: u32) -> Self {
        match raw {
            sys::RBD_MIRROR_PEER_DIRECTION_RX => Self::Rx,
            sys::RBD_MIRROR_PEER_DIRECTION_TX => Self::Tx,
            sys::RBD_MIRROR_PEER_DIRECTION_RX_TX => Self::RxTx,
            other => Self::Other(other),
        }
    }

    const fn to_raw(self) -> u32 {
        match self {
            Self::Rx => sys::RBD_MIRROR_PEER_DIRECTION_RX,
            Self::Tx => sys::RBD_MIRROR_PEER_DIRECTION_TX,
            Self::RxTx => sys::RBD_MIRROR_PEER_DIRECTION_RX_TX,
            Self::Other(raw) => raw,
        }
    }

    /// Whether this site receives.
    #[must_use]
    #[inline]
    pub fn receives(self) -> bool {
        matches!(self, Self::Rx | Self::RxTx)
    }
}

impl fmt::Display for Direction {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rx => f.write_str("rx-only"),
            Self::Tx => f.write_str("tx-only"),
            Self::RxTx => f.write_str("rx-tx"),
            Self::Other(raw) => write!(f, "direction {raw}"),
        }
    }
}

/// What the other site needs to log in here: monitors, user and **key**. Shown, it says nothing; dropped, it is wiped.
#[derive(Clone)]
pub struct BootstrapToken(Zeroizing<String>);

impl BootstrapToken {
    /// A token that came by another way, as text. It is read when it is imported.
    #[must_use]
    #[inline]
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The token's text, **with the key in it**: for a file of mode 0600 or a secret store, never for a log or an argument.
    #[must_use]
    #[inline]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The fsid of the cluster that made the token; `None` if it is no token.
    #[must_use]
    #[inline]
    pub fn fsid(&self) -> Option<String> {
        self.fields().map(|[fsid, _]| fsid)
    }

    /// The monitors that the token names; `None` if it is no token.
    #[must_use]
    #[inline]
    pub fn mon_host(&self) -> Option<String> {
        self.fields().map(|[_, mon_host]| mon_host)
    }

    /// Of what the token holds, the key is passed over: no copy of it is made.
    fn fields(&self) -> Option<[String; 2]> {
        let json = Zeroizing::new(STANDARD.decode(self.0.as_bytes()).ok()?);
        let [fsid, mon_host] = json::fields(str::from_utf8(&json).ok()?, ["fsid", "mon_host"])?;
        Some([fsid.text()?, mon_host.text()?])
    }
}

impl fmt::Debug for BootstrapToken {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BootstrapToken(..)")
    }
}

/// How rbd-mirror reaches a peer without files: kept in this site's monitors. Shown, the key is not.
#[derive(Clone, Default)]
pub struct PeerAttributes {
    /// The peer's monitors.
    pub mon_host: Option<String>,
    /// The key of the peer's user.
    pub key: Option<Zeroizing<String>>,
}

impl fmt::Debug for PeerAttributes {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerAttributes")
            .field("mon_host", &self.mon_host)
            .field("key", &self.key.as_ref().map(|_| ".."))
            .finish()
    }
}

impl Pool {
    /// The pool's peers.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the pool's OSDs do not answer.
    ///
    /// Implements: `int rbd_mirror_peer_site_list(rados_ioctx_t io_ctx, rbd_mirror_peer_site_t *peers, int *max_peers);`
    /// Similar to: `rbd mirror pool info`
    #[inline]
    pub fn peers(&self) -> Result<Vec<Peer>> {
        Ok(self.run(Op::Peers, RawIoCtx::peers)?.into_iter().map(Peer::from_raw).collect())
    }

    /// Makes a token with which the other site can peer with this one. Makes the user `client.rbd-mirror-peer` if needed.
    ///
    /// # Errors
    /// [`Refusal::PoolMirroringDisabled`] (`EINVAL`); [`Refusal::PeerUserCapsDiffer`] (`EEXIST`); [`Error::NotPermitted`] without admin-like monitor capabilities.
    ///
    /// Implements: `int rbd_mirror_peer_bootstrap_create(rados_ioctx_t io_ctx, char *token, size_t *max_len);`
    /// Similar to: `rbd mirror pool peer bootstrap create`
    #[inline]
    pub fn create_bootstrap_token(&self) -> Result<BootstrapToken> {
        let op = Op::CreateBootstrapToken;
        let token =
            self.change(op, RawIoCtx::create_bootstrap_token).map_err(|failure| match failure.errno() {
                Some(errno @ Errno::EINVAL) => {
                    refused(op, self.subject(), Refusal::PoolMirroringDisabled, errno)
                }
                Some(errno @ Errno::EEXIST) => {
                    refused(op, self.subject(), Refusal::PeerUserCapsDiffer, errno)
                }
                _ => self.error(op, failure),
            })?;
        Ok(BootstrapToken(token))
    }

    /// Peers this pool with the site that made the token. With [`Direction::RxTx`] that site learns of this one too, so that
    /// one import is enough for both directions. Importing the same token again changes nothing.
    ///
    /// # Errors
    /// [`Refusal::TokenUnreadable`]; [`Refusal::OwnToken`]; [`Refusal::PoolMirroringDisabled`] here, or
    /// [`Refusal::SecondReceivingPeer`] (both `EINVAL`); [`Refusal::PeerUserCapsDiffer`] (`EEXIST`);
    /// [`Refusal::PeerPoolNotMirroring`] there (`ENOSYS`, `ENOENT`); [`Error::InvalidInput`] for a direction that does not
    /// receive; [`Error::InDoubt`] if the other site does not answer.
    ///
    /// Implements: `int rbd_mirror_peer_bootstrap_import(rados_ioctx_t io_ctx, rbd_mirror_peer_direction_t direction, const char *token);`
    /// Similar to: `rbd mirror pool peer bootstrap import`
    #[inline]
    pub fn import_bootstrap_token(&self, token: &BootstrapToken, direction: Direction) -> Result<()> {
        let op = Op::ImportBootstrapToken;
        let refuse = |reason| guarded(op, self.subject(), reason);
        if !direction.receives() {
            return Err(Error::InvalidInput {
                op,
                on: self.subject(),
                what: "a token is imported to receive: rx or rx-tx",
            });
        }
        let maker = token.fsid().ok_or_else(|| refuse(Refusal::TokenUnreadable))?;
        if maker == self.cluster().fsid() {
            return Err(refuse(Refusal::OwnToken));
        }
        let (text, raw) = (Zeroizing::clone(&token.0), direction.to_raw());
        self.change(op, move |io| io.import_bootstrap_token(raw, &text)).map_err(|failure| {
            let reason = match failure.errno() {
                // One number for two causes: read what tells them apart.
                Some(Errno::EINVAL) => match (self.mirror_mode(), self.peers()) {
                    (Ok(PoolMode::Disabled), _) => Refusal::PoolMirroringDisabled,
                    (_, Ok(peers)) if peers.iter().any(|peer| peer.direction.receives()) => {
                        Refusal::SecondReceivingPeer
                    }
                    _ => Refusal::Unexplained,
                },
                Some(Errno::ENOSYS | Errno::ENOENT) => Refusal::PeerPoolNotMirroring,
                Some(Errno::EEXIST) => Refusal::PeerUserCapsDiffer,
                _ => return self.error(op, failure),
            };
            failure.errno().map_or_else(
                || refuse(reason.clone()),
                |errno| refused(op, self.subject(), reason.clone(), errno),
            )
        })
    }

    /// Adds a peer by hand: rbd-mirror then looks for `<site_name>.conf` and the client's keyring on its own machine, or for
    /// what [`set_peer_attributes`](Self::set_peer_attributes) kept.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if there is a peer of that site name; [`Refusal::SecondReceivingPeer`] if there is one this
    /// pool receives from already (librbd would take it, and rbd-mirror would follow neither); [`Refusal::PoolMirroringDisabled`]
    /// (`EINVAL`).
    ///
    /// Implements: `int rbd_mirror_peer_site_add(rados_ioctx_t io_ctx, char *uuid, size_t uuid_max_length, rbd_mirror_peer_direction_t direction, const char *site_name, const char *client_name);`
    /// Similar to: `rbd mirror pool peer add`
    #[inline]
    pub fn add_peer(&self, direction: Direction, site_name: &str, client: &str) -> Result<PeerUuid> {
        let op = Op::AddPeer;
        let known = self.peers()?;
        if known.iter().any(|peer| peer.site_name == site_name) {
            return Err(Error::AlreadyExists { op, on: self.subject() });
        }
        if direction.receives() && known.iter().any(|peer| peer.direction.receives()) {
            return Err(guarded(op, self.subject(), Refusal::SecondReceivingPeer));
        }
        self.add_peer_beside_others(direction, site_name, client)
    }

    /// [`add_peer`](Self::add_peer) without a look at the peers that are there: also a second one to receive from, which librbd takes and
    /// rbd-mirror does not follow. For replacing a peer, with both there for a moment.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if there is a peer of that site name (`EEXIST`); [`Refusal::PoolMirroringDisabled`] (`EINVAL`).
    ///
    /// Implements: `int rbd_mirror_peer_site_add(rados_ioctx_t io_ctx, char *uuid, size_t uuid_max_length, rbd_mirror_peer_direction_t direction, const char *site_name, const char *client_name);`
    /// Similar to: `rbd mirror pool peer add`
    #[inline]
    pub fn add_peer_beside_others(
        &self,
        direction: Direction,
        site_name: &str,
        client: &str,
    ) -> Result<PeerUuid> {
        let op = Op::AddPeer;
        let (site_name, client, raw) = (site_name.to_owned(), client.to_owned(), direction.to_raw());
        let added = self.change(op, move |io| io.add_peer(raw, &site_name, &client));
        added.map(PeerUuid::new).map_err(|failure| match (failure.errno(), self.mirror_mode()) {
            (Some(errno @ Errno::EINVAL), Ok(PoolMode::Disabled)) => {
                refused(op, self.subject(), Refusal::PoolMirroringDisabled, errno)
            }
            _ => self.error(op, failure),
        })
    }

    /// Removes a peer.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool has no such peer (librbd alone would answer that all is well).
    ///
    /// Implements: `int rbd_mirror_peer_site_remove(rados_ioctx_t io_ctx, const char *uuid);`
    /// Similar to: `rbd mirror pool peer remove`
    #[inline]
    pub fn remove_peer(&self, uuid: &PeerUuid) -> Result<()> {
        let op = Op::RemovePeer;
        if !self.peers()?.iter().any(|peer| peer.uuid == *uuid) {
            return Err(Error::NotFound { op, on: self.subject() });
        }
        let uuid = uuid.clone();
        self.run(op, move |io| io.remove_peer(uuid.as_str()))
    }

    /// Changes a peer's site name.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool has no such peer.
    ///
    /// Implements: `int rbd_mirror_peer_site_set_name(rados_ioctx_t io_ctx, const char *uuid, const char *site_name);`
    #[inline]
    pub fn set_peer_site_name(&self, uuid: &PeerUuid, site_name: &str) -> Result<()> {
        let (uuid, site_name) = (uuid.clone(), site_name.to_owned());
        self.run(Op::ChangePeer, move |io| io.set_peer_name(uuid.as_str(), &site_name))
    }

    /// Changes the user that rbd-mirror logs in with at a peer.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool has no such peer.
    ///
    /// Implements: `int rbd_mirror_peer_site_set_client_name(rados_ioctx_t io_ctx, const char *uuid, const char *client_name);`
    #[inline]
    pub fn set_peer_client(&self, uuid: &PeerUuid, client: &str) -> Result<()> {
        let (uuid, client) = (uuid.clone(), client.to_owned());
        self.run(Op::ChangePeer, move |io| io.set_peer_client(uuid.as_str(), &client))
    }

    /// Changes the direction of a peer.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool has no such peer.
    ///
    /// Implements: `int rbd_mirror_peer_site_set_direction(rados_ioctx_t io_ctx, const char *uuid, rbd_mirror_peer_direction_t direction);`
    #[inline]
    pub fn set_peer_direction(&self, uuid: &PeerUuid, direction: Direction) -> Result<()> {
        let (uuid, raw) = (uuid.clone(), direction.to_raw());
        self.run(Op::ChangePeer, move |io| io.set_peer_direction(uuid.as_str(), raw))
    }

    /// How rbd-mirror reaches a peer without files.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool has no such peer, or it has none kept; [`Error::NotPermitted`] without `config-key get`.
    ///
    /// Implements: `int rbd_mirror_peer_site_get_attributes(rados_ioctx_t p, const char *uuid, char *keys, size_t *max_key_len, char *values, size_t *max_value_len, size_t *key_value_count);`
    /// Similar to: `rbd mirror pool info --all`
    #[inline]
    pub fn peer_attributes(&self, uuid: &PeerUuid) -> Result<PeerAttributes> {
        let uuid = uuid.clone();
        let pairs = self.run(Op::Peers, move |io| io.peer_attributes(uuid.as_str()))?;
        let mut attributes = PeerAttributes::default();
        for (name, value) in pairs {
            match name.as_str() {
                "mon_host" => attributes.mon_host = Some(value.to_string()),
                "key" => attributes.key = Some(value),
                _ => {}
            }
        }
        Ok(attributes)
    }

    /// Keeps in this site's monitors how rbd-mirror reaches a peer. What is `None` is removed.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool has no such peer; [`Error::NotPermitted`] without `config-key set`.
    ///
    /// Implements: `int rbd_mirror_peer_site_set_attributes(rados_ioctx_t p, const char *uuid, const char *keys, const char *values, size_t key_value_count);`
    #[inline]
    pub fn set_peer_attributes(&self, uuid: &PeerUuid, attributes: &PeerAttributes) -> Result<()> {
        let (uuid, attributes) = (uuid.clone(), attributes.clone());
        self.run(Op::ChangePeer, move |io| {
            let mon_host = attributes.mon_host.as_deref().map(|value| ("mon_host", value));
            let key = attributes.key.as_deref().map(|value| ("key", value.as_str()));
            let pairs: Vec<(&str, &str)> = mon_host.into_iter().chain(key).collect();
            io.set_peer_attributes(uuid.as_str(), &pairs)
        })
    }
}

impl Peer {
    fn from_raw(raw: RawPeer) -> Self {
        Self {
            uuid: PeerUuid::new(raw.uuid),
            direction: Direction::from_raw(raw.direction),
            site_name: raw.site_name,
            mirror_uuid: (!raw.mirror_uuid.is_empty()).then(|| MirrorUuid::new(raw.mirror_uuid)),
            client: raw.client_name,
            last_seen: (raw.last_seen > 0).then(|| time(raw.last_seen)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BootstrapToken;

    // {"fsid":"6f…","client_id":"rbd-mirror-peer","key":"AQB…","mon_host":"[v2:127.0.0.1:7100/0]"}, made up.
    const TOKEN: &str = "eyJmc2lkIjoiNmYwMCIsImNsaWVudF9pZCI6InJiZC1taXJyb3ItcGVlciIsImtleSI6IkFRQnNlY3JldCIsIm1vbl9ob3N0IjoiW3YyOjEyNy4wLjAuMTo3MTAwLzBdIn0=";

    #[test]
    fn a_token_names_its_maker_and_never_shows_its_key() {
        let token = BootstrapToken::from_text(TOKEN);
        assert_eq!(token.fsid().as_deref(), Some("6f00"));
        assert_eq!(token.mon_host().as_deref(), Some("[v2:127.0.0.1:7100/0]"));
        assert_eq!(format!("{token:?}"), "BootstrapToken(..)");
    }

    #[test]
    fn what_is_cut_short_is_no_token() {
        assert_eq!(BootstrapToken::from_text(&TOKEN[..40]).fsid(), None);
        assert_eq!(BootstrapToken::from_text("").fsid(), None);
    }
}
