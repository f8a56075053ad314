//! The verbs on images. Each opens, does one thing, and closes: a writable handle on a site that dies is a hazard.

use std::ops::ControlFlow;

use rbd_mirror::pair::{Completeness as PairCompleteness, Pair};
use rbd_mirror::{
    BootstrapToken, Deadline, Direction, Disable, Error as CephError, Features, MirrorImageMode, Peer, Pool,
    Refusal,
};

use super::Ceph;
use crate::storage::{
    Cause, Completeness, Error, GlobalImageId, ImageId, MirrorMode, PoolMode, Progress, Result, Token,
};

type CephResult<T> = rbd_mirror::Result<T>;

impl Ceph {
    /// Both sites; a silent peer is part of the pair, and costs nothing more.
    fn both(&self, here: &Pool, op: &'static str) -> Pair {
        match self.there.reading(op) {
            Ok(there) => Pair::new(here, &there),
            Err(_) => {
                let on = here.spec().clone().into();
                Pair::without_peer(here, &CephError::NotFound { op: rbd_mirror::Op::Status, on })
            }
        }
    }

    fn with_both<T>(
        &self,
        op: &'static str,
        id: &GlobalImageId,
        verb: impl FnOnce(&Pair) -> CephResult<T>,
    ) -> Result<T> {
        let here = self.here.pool(op)?;
        let pair = self.both(&here, op);
        verb(&pair).map_err(|error| self.here.failed_change(op, id.as_str(), &error))
    }

    pub(super) fn do_flatten(
        &self,
        name: &str,
        tell: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> Result<()> {
        self.here.change("flatten", name, |pool| {
            pool.open(name)?.flatten(|progress| tell(Progress { done: progress.done, total: progress.total }))
        })
    }

    pub(super) fn do_enable(&self, name: &str, mode: MirrorMode) -> Result<GlobalImageId> {
        let mode = match mode {
            MirrorMode::Journal => MirrorImageMode::Journal,
            MirrorMode::Snapshot => MirrorImageMode::Snapshot,
        };
        self.here.change("enable", name, |pool| {
            let image = pool.open(name)?;
            match image.enable(mode) {
                // What a killed enable left: an object that nothing uses, and over which librbd would crash.
                Err(CephError::Refused { reason: Refusal::OrphanJournal { .. }, .. }) => {
                    image.heal_orphan_journal()?;
                    image.enable(mode)
                }
                other => other,
            }
        })
    }

    pub(super) fn do_disable(&self, id: &GlobalImageId) -> Result<()> {
        self.here.change("disable", id.as_str(), |pool| pool.open_by_global_id(id)?.disable(Disable::Clean))
    }

    pub(super) fn do_set_features(&self, name: &str, features: u64) -> Result<()> {
        let ours =
            Features::JOURNALING | Features::EXCLUSIVE_LOCK | Features::OBJECT_MAP | Features::FAST_DIFF;
        let wanted = Features::from_bits_retain(features) & ours;
        self.here.change("set the features of", name, |pool| {
            let image = pool.open(name)?;
            image.disable_features(ours.difference(wanted))?;
            image.enable_features(wanted)
        })
    }

    pub(super) fn do_demote(&self, id: &GlobalImageId) -> Result<()> {
        self.here.change("demote", id.as_str(), |pool| pool.open_by_global_id(id)?.demote())
    }

    pub(super) fn do_promote(&self, id: &GlobalImageId) -> Result<()> {
        self.with_both("promote", id, |pair| pair.promote(id))
    }

    pub(super) fn do_promote_by_force(
        &self,
        id: &GlobalImageId,
        completeness: Completeness,
        beside_a_primary: bool,
    ) -> Result<()> {
        let completeness = match completeness {
            Completeness::Proven => PairCompleteness::Proven,
            Completeness::Assumed => PairCompleteness::Assumed,
        };
        let op = "promote by force";
        let here = self.here.pool(op)?;
        let forced = self.both(&here, op).promote_by_force(id, completeness);
        let forced = match forced {
            // Asked for by name, with a reason that is kept. The checks of the copy itself come after this one.
            Err(CephError::Refused { reason: Refusal::PeerAliveAndPrimary, .. }) if beside_a_primary => {
                let on = here.spec().clone().into();
                let nobody = CephError::NotFound { op: rbd_mirror::Op::Status, on };
                Pair::without_peer(&here, &nobody).promote_by_force(id, completeness)
            }
            other => other,
        };
        forced.map_err(|error| self.here.failed_change(op, id.as_str(), &error))
    }

    pub(super) fn do_take_over(&self, id: &GlobalImageId) -> Result<Vec<String>> {
        let deadline = Deadline::after(self.here.change_within());
        self.here.change("take over", id.as_str(), |pool| {
            let taken = pool.open_by_global_id(id)?.take_over(deadline)?;
            Ok(taken.broken.iter().map(ToString::to_string).collect())
        })
    }

    pub(super) fn do_resync(&self, id: &GlobalImageId) -> Result<ImageId> {
        let op = "resync";
        // Said first: that the peer is not primary as well is no news of a primary.
        let role = self.here.read_on(op, id.as_str(), |pool| pool.open_by_global_id_read_only(id)?.role())?;
        if role.is_primary() {
            let (site, on) = (self.here.site().to_owned(), id.as_str().to_owned());
            return Err(Error::Refused { site, op, on, cause: Cause::IsPrimary });
        }
        self.with_both(op, id, |pair| pair.resync(id))
    }

    pub(super) fn do_set_pool_mode(&self, mode: PoolMode) -> Result<()> {
        let op = "set the mirroring mode of";
        let mode = match mode {
            PoolMode::Image => rbd_mirror::PoolMode::Image,
            PoolMode::Pool => rbd_mirror::PoolMode::Pool,
            PoolMode::Disabled => rbd_mirror::PoolMode::Disabled,
            PoolMode::Other => {
                let (site, on) = (self.here.site().to_owned(), self.here.pool_name().to_owned());
                return Err(Error::Refused { site, op, on, cause: Cause::PoolMode });
            }
        };
        self.here.change(op, self.here.pool_name(), |pool| pool.set_mirror_mode(mode))
    }

    pub(super) fn do_import_token(&self, token: &Token) -> Result<()> {
        let op = "import a token";
        let token = BootstrapToken::from_text(token.expose());
        let there = self.there.mirror_uuid(op).ok();
        self.here.change(op, self.here.pool_name(), |pool| {
            let is_it = |peer: &Peer| peer.direction.receives() && peer.mirror_uuid == there;
            if there.is_some() && pool.peers()?.iter().any(is_it) {
                return Ok(());
            }
            pool.import_bootstrap_token(&token, Direction::RxTx)
        })
    }
}
