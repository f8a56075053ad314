//! The connection to one site: made when it is first needed, by one caller while the others wait for it, and remembered
//! as silent when it does not answer.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rbd_mirror::{Cluster, Connect, Error as CephError, MirrorUuid, Pool, Refusal};

use super::Access;
use super::answer;
use crate::storage::{Error, Result};

/// A site, connected or not.
#[derive(Debug)]
pub(super) struct Connection {
    access: Access,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pool: Option<Pool>,
    silent: Option<(Instant, String)>,
    mirror_uuid: Option<MirrorUuid>,
    /// Objects that the index is known to name.
    indexed: BTreeSet<String>,
}

impl Connection {
    pub(super) fn new(access: Access) -> Self {
        Self { access, state: Mutex::default() }
    }

    pub(super) fn site(&self) -> &str {
        &self.access.site
    }

    pub(super) fn pool_name(&self) -> &str {
        &self.access.pool
    }

    pub(super) fn change_within(&self) -> Duration {
        self.access.change_within
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool, or the reason of its silence. `op` is what it is asked for.
    pub(super) fn pool(&self, op: &'static str) -> Result<Pool> {
        // Held while connecting: whoever comes meanwhile is not to wait for the same silence again.
        let mut state = self.state();
        if let Some((since, why)) = &state.silent
            && since.elapsed() < self.access.silence
        {
            let ago = since.elapsed().as_secs();
            return Err(self.unreachable(op, format!("{why} ({ago} s ago)")));
        }
        if let Some(pool) = &state.pool {
            return Ok(pool.clone());
        }
        match self.connect() {
            Ok(pool) => {
                state.silent = None;
                state.pool = Some(pool.clone());
                Ok(pool)
            }
            Err(error) if error.is_unreachable() => {
                let why = error.to_string();
                state.silent = Some((Instant::now(), why.clone()));
                Err(self.unreachable(op, why))
            }
            Err(error) => Err(answer::connecting(&self.access.site, op, &self.access.client, &error)),
        }
    }

    fn connect(&self) -> rbd_mirror::Result<Pool> {
        let access = &self.access;
        let connect = access.conf.as_ref().map_or_else(Connect::default_conf, Connect::conf);
        let mut connect = connect
            .client(&access.client)
            .named(&access.site)
            .within(access.connect_within)
            .operations_within(access.change_within);
        if let Some(keyring) = &access.keyring {
            connect = connect.keyring(keyring);
        }
        Cluster::connect(connect)?.pool(&access.pool)
    }

    pub(super) fn unreachable(&self, op: &'static str, why: String) -> Error {
        Error::Unreachable { site: self.access.site.clone(), op, why }
    }

    /// Takes note of what an error says of the connection.
    pub(super) fn heed(&self, error: &CephError) {
        let mut state = self.state();
        if error.is_unreachable() {
            state.silent = Some((Instant::now(), error.to_string()));
        }
        if error.refusal() == Some(&Refusal::Blocklisted) {
            state.pool = None;
        }
    }

    /// A read, with the limit of reads.
    pub(super) fn read<T>(
        &self,
        op: &'static str,
        read: impl FnOnce(&Pool) -> rbd_mirror::Result<T>,
    ) -> Result<T> {
        self.read_on(op, self.pool_name(), read)
    }

    /// A read of something.
    pub(super) fn read_on<T>(
        &self,
        op: &'static str,
        on: &str,
        read: impl FnOnce(&Pool) -> rbd_mirror::Result<T>,
    ) -> Result<T> {
        let pool = self.reading(op)?;
        let answered = read(&pool);
        answered.map_err(|error| self.failed_read(op, on, &error))
    }

    pub(super) fn failed_read(&self, op: &'static str, on: &str, error: &CephError) -> Error {
        self.heed(error);
        answer::to_read(self.site(), op, on, error)
    }

    /// The pool with the limit of reads.
    pub(super) fn reading(&self, op: &'static str) -> Result<Pool> {
        Ok(self.pool(op)?.bounded_by(self.access.read_within))
    }

    /// A change.
    pub(super) fn change<T>(
        &self,
        op: &'static str,
        on: &str,
        change: impl FnOnce(&Pool) -> rbd_mirror::Result<T>,
    ) -> Result<T> {
        let pool = self.pool(op)?;
        change(&pool).map_err(|error| self.failed_change(op, on, &error))
    }

    pub(super) fn failed_change(&self, op: &'static str, on: &str, error: &CephError) -> Error {
        self.heed(error);
        answer::to_change(self.site(), op, on, error)
    }

    /// The pool's mirror uuid. It never changes, so that a silent site's is known if it was ever asked.
    pub(super) fn mirror_uuid(&self, op: &'static str) -> Result<MirrorUuid> {
        if let Some(uuid) = self.state().mirror_uuid.clone() {
            return Ok(uuid);
        }
        let uuid = self.read(op, Pool::mirror_uuid)?;
        self.state().mirror_uuid = Some(uuid.clone());
        Ok(uuid)
    }

    pub(super) fn is_indexed(&self, name: &str) -> bool {
        self.state().indexed.contains(name)
    }

    pub(super) fn note_indexed(&self, name: &str) {
        self.state().indexed.insert(name.to_owned());
    }

    pub(super) fn forget_indexed(&self, name: &str) {
        self.state().indexed.remove(name);
    }
}
