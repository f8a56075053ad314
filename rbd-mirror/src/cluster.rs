//! A connection to one site's cluster: how it is made, how long it may take, and what is known of the cluster itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::bounded::{self, NoAnswer};
use crate::call::{Call, Failure, attempt, erased, refused};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::name::Subject;
use crate::op::Op;
use crate::place::{Answer, revealed};
use crate::raw::rados::{self, RawCluster};
use crate::refusal::Refusal;
use crate::turns::Turns;

/// How to reach a cluster. Made by [`Connect::conf`] or [`Connect::monitors`], used by [`Cluster::connect`].
#[derive(Clone)]
pub struct Connect {
    source: Source,
    name: Option<String>,
    client: String,
    options: Vec<(String, Zeroizing<String>)>,
    within: Duration,
    operations_within: Duration,
}

#[derive(Clone, Debug)]
enum Source {
    Conf(PathBuf),
    DefaultConf,
    Monitors,
}

impl Connect {
    /// Limit for making the connection, unless [`within`](Self::within) says otherwise.
    pub const WITHIN: Duration = Duration::from_secs(10);
    /// Limit for each operation, unless [`operations_within`](Self::operations_within) says otherwise. Longer than the 30 s
    /// after which an OSD forgets a dead client's lock, which a demotion may have to wait for.
    pub const OPERATIONS_WITHIN: Duration = Duration::from_secs(60);

    /// By a configuration file. The cluster's name is the file's stem, as for Ceph's own tools: `site-a.conf` is `site-a`.
    #[inline]
    pub fn conf(path: impl Into<PathBuf>) -> Self {
        Self::from_source(Source::Conf(path.into()))
    }

    /// By Ceph's own search order: `CEPH_CONF`, `/etc/ceph/ceph.conf`, `~/.ceph/ceph.conf`, `ceph.conf`.
    #[must_use]
    #[inline]
    pub fn default_conf() -> Self {
        Self::from_source(Source::DefaultConf)
    }

    /// By the monitors' addresses (`mon_host`) and the client's secret key, without any file.
    #[must_use]
    #[inline]
    pub fn monitors(mon_host: &str, key: &str) -> Self {
        Self::from_source(Source::Monitors).option("mon_host", mon_host).option("key", key)
    }

    fn from_source(source: Source) -> Self {
        Self {
            source,
            name: None,
            client: "client.admin".to_owned(),
            options: Vec::new(),
            within: Self::WITHIN,
            operations_within: Self::OPERATIONS_WITHIN,
        }
    }

    /// The client to log in as, with or without the leading `client.`; `admin` by default.
    #[must_use]
    #[inline]
    pub fn client(mut self, name: &str) -> Self {
        self.client = format!("client.{}", name.strip_prefix("client.").unwrap_or(name));
        self
    }

    /// What errors call this cluster, and what `$cluster` stands for in the configuration.
    #[must_use]
    #[inline]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The keyring's path, instead of the configuration's.
    #[must_use]
    #[inline]
    pub fn keyring(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_string_lossy().into_owned();
        self.option("keyring", &path)
    }

    /// Any configuration option, set after the file was read and before the connection is made.
    #[must_use]
    #[inline]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), Zeroizing::new(value.to_owned())));
        self
    }

    /// The limit for making the connection. Without one, librados waits 300 s for a frozen site.
    #[must_use]
    #[inline]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// The limit for each operation on this connection. It becomes `rados_osd_op_timeout` and `rados_mon_op_timeout`, and
    /// this crate's own, a second later: an operation that goes on longer is given up as [`Error::InDoubt`].
    #[must_use]
    #[inline]
    pub fn operations_within(mut self, limit: Duration) -> Self {
        self.operations_within = limit;
        self
    }

    fn cluster_name(&self) -> String {
        let stem = match &self.source {
            Source::Conf(path) => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
            Source::DefaultConf | Source::Monitors => None,
        };
        self.name.clone().or(stem).unwrap_or_else(|| "ceph".to_owned())
    }

    /// Runs on a worker thread: reads, sets, connects.
    fn establish(&self, cluster_name: &str, limit: OpLimit) -> Result<RawCluster, (Stage, Errno)> {
        let raw = RawCluster::create(cluster_name, &self.client).map_err(|errno| (Stage::Prepare, errno))?;
        let read = match &self.source {
            Source::Conf(path) => raw.read_conf(Some(&path.to_string_lossy())),
            Source::DefaultConf => raw.read_conf(None),
            Source::Monitors => Ok(()),
        };
        read.map_err(|errno| (Stage::ReadConf, errno))?;
        // All three are needed: the op timeouts do not bound the connection, and the mount timeout nothing else.
        let operations = match limit {
            OpLimit::Librados => self.operations_within.as_secs().max(1),
            OpLimit::None => 0,
        };
        let limits = [
            ("client_mount_timeout", self.within.as_secs().max(1)),
            ("rados_mon_op_timeout", operations),
            ("rados_osd_op_timeout", operations),
        ];
        let set =
            |name: &str, value: &str| raw.set_option(name, value).map_err(|errno| (Stage::Prepare, errno));
        for (name, seconds) in limits {
            set(name, &seconds.to_string())?;
        }
        for (name, value) in &self.options {
            set(name, value)?;
        }
        raw.connect().map_err(|errno| (Stage::Connect, errno))?;
        Ok(raw)
    }
}

/// Who ends an operation that takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpLimit {
    /// librados, and this crate after it.
    Librados,
    /// This crate alone. For manager commands: librados 16 waits for those on its stack, and a reply that comes after
    /// `rados_mon_op_timeout` is written where the stack was.
    None,
}

/// Where connecting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    ReadConf,
    Prepare,
    Connect,
}

impl fmt::Debug for Connect {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&str> = self.options.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Connect")
            .field("source", &self.source)
            .field("client", &self.client)
            .field("options", &options)
            .field("within", &self.within)
            .field("operations_within", &self.operations_within)
            .finish_non_exhaustive()
    }
}

/// How long dropping a handle may hold its owner up. Closing explicitly gives it the operation's limit.
pub(crate) const DROP_WITHIN: Duration = Duration::from_secs(2);

/// A connected cluster. Clones share the connection; it is closed with the last of them and of what was opened on it.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
    bound: Duration,
}

struct Inner {
    /// `Some` until dropped.
    raw: Option<Arc<RawCluster>>,
    /// The connection for manager commands, made when the first is sent.
    manager: Mutex<Option<Arc<RawCluster>>>,
    connect: Connect,
    /// Who is being shut out now, to have its locks: once is enough for all of them.
    shutting_out: Turns,
    name: Arc<str>,
    fsid: String,
    bound: Duration,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let manager = self.manager.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let raw = self.raw.take();
        // Closing talks to the site: it is waited for a moment, and goes on by itself after that.
        let _ = bounded::run(DROP_WITHIN.min(self.bound), move || drop((manager, raw)));
    }
}

impl Cluster {
    /// Connects. Returns within [`Connect::within`] plus a second, whatever state the site is in.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no monitor answers (`ETIMEDOUT`); [`Refusal::NoKey`] if there is no key for the client or
    /// no such client; [`Error::NotPermitted`] if the key is wrong (`EACCES`); [`Error::NotFound`] if there is no such
    /// configuration file.
    ///
    /// Implements: `int rados_connect(rados_t cluster);`
    #[inline]
    pub fn connect(connect: Connect) -> Result<Self> {
        let name: Arc<str> = connect.cluster_name().into();
        // librados' own limit comes first everywhere, so that its answer is seen; ours is for what it does not bound.
        let (within, bound) =
            (connect.within, connect.operations_within.saturating_add(Duration::from_secs(1)));
        let _span = tracing::debug_span!("connect", cluster = &*name).entered();
        let on = || Subject::Cluster(Arc::clone(&name));
        let op = Op::Connect;

        let job = {
            let (connect, name) = (connect.clone(), Arc::clone(&name));
            move || {
                let raw = connect.establish(&name, OpLimit::Librados)?;
                let fsid = raw.fsid().map_err(|errno| (Stage::Connect, errno))?;
                Ok((raw, fsid))
            }
        };
        let outcome =
            bounded::run(within.saturating_add(Duration::from_secs(1)), job).map_err(|no_answer| {
                match no_answer {
                    NoAnswer::Overrun(overrun) => Error::Unreachable { op, on: on(), waited: overrun.waited },
                    NoAnswer::NotMade => Error::Os { op, on: on(), errno: Errno::EAGAIN },
                }
            })?;
        let (raw, fsid) = outcome.map_err(|(stage, errno)| match (stage, errno) {
            (Stage::ReadConf, Errno::ENOENT) => Error::NotFound { op, on: on() },
            (Stage::ReadConf, errno) => Error::Os { op, on: on(), errno },
            (Stage::Prepare, Errno::ENOENT) => {
                Error::InvalidInput { op, on: on(), what: "there is no configuration option of that name" }
            }
            (Stage::Prepare, Errno::EINVAL) => Error::InvalidInput {
                op,
                on: on(),
                what: "a configuration option has a value that Ceph refuses",
            },
            (Stage::Connect, Errno::ENOENT) => refused(op, on(), Refusal::NoKey, errno),
            (_, errno) => Failure::Errno(errno).plain(op, on(), within),
        })?;
        let inner = Inner {
            raw: Some(Arc::new(raw)),
            manager: Mutex::default(),
            connect,
            shutting_out: Turns::default(),
            name,
            fsid,
            bound,
        };
        Ok(Self { inner: Arc::new(inner), bound })
    }

    /// What errors call this cluster.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &Arc<str> {
        &self.inner.name
    }

    /// The cluster's fsid.
    #[must_use]
    #[inline]
    pub fn fsid(&self) -> &str {
        &self.inner.fsid
    }

    /// The same connection with another limit for each operation. It cannot lift the limit that librados was given when
    /// the connection was made.
    #[must_use]
    #[inline]
    pub fn bounded_by(&self, limit: Duration) -> Self {
        Self { inner: Arc::clone(&self.inner), bound: limit }
    }

    /// The limit for each operation.
    #[must_use]
    #[inline]
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// The names of all pools.
    ///
    /// # Errors
    /// [`Error::InDoubt`] or [`Error::Unreachable`] if the cluster does not answer.
    ///
    /// Implements: `int rados_pool_list(rados_t cluster, char *buf, size_t len);`
    #[inline]
    pub fn pool_names(&self) -> Result<Vec<String>> {
        self.run(Op::ListPools, RawCluster::pool_names)
    }

    /// The name under which peers know this site; the fsid where none was set, **or where this client may not read it**
    /// (`config-key get` with the prefix `rbd/mirror/`).
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no monitor answers.
    ///
    /// Implements: `int rbd_mirror_site_name_get(rados_t cluster, char *name, size_t *max_len);`
    #[inline]
    pub fn site_name(&self) -> Result<String> {
        self.run(Op::SiteName, rados::site_name)
    }

    /// Names this site. To be done at both sites **before** they are peered: sites without names get two peer entries each
    /// and a health warning that never goes away.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] without admin-like monitor capabilities (`config-key set`).
    ///
    /// Implements: `int rbd_mirror_site_name_set(rados_t cluster, const char *name);`
    /// Similar to: `rbd mirror pool enable --site-name`
    #[inline]
    pub fn set_site_name(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.run(Op::SetSiteName, move |raw| rados::set_site_name(raw, &name))
    }

    /// Keeps a client out of the cluster for so long: its requests are refused from now on. The address is one that
    /// [`crate::Image::watchers`] or [`crate::Image::lock_owners`] shows.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] if this client may not fence (`profile rbd` may).
    ///
    /// Implements: `int rados_blocklist_add(rados_t cluster, char *client_address, uint32_t expire_seconds);`
    /// Similar to: `ceph osd blocklist add <address> <seconds>`
    #[inline]
    pub fn blocklist(&self, address: &str, lasting: Duration) -> Result<()> {
        let (address, seconds) = (address.to_owned(), u32::try_from(lasting.as_secs()).unwrap_or(u32::MAX));
        self.run(Op::Blocklist, move |raw| raw.blocklist(&address, seconds))
    }

    /// The turn of a client that is to be shut out.
    pub(crate) fn shutting_out(&self) -> &Turns {
        &self.inner.shutting_out
    }

    /// From now on what this connection asks is answered by OSDs alone that know all that the monitors have decided until now.
    ///
    /// Implements: `int rados_wait_for_latest_osdmap(rados_t cluster);`
    pub(crate) fn wait_for_latest_map(&self) -> Result<()> {
        self.run(Op::Blocklist, RawCluster::wait_for_latest_map)
    }

    pub(crate) fn run<T: Send + 'static>(
        &self,
        op: Op,
        job: impl FnOnce(&RawCluster) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T> {
        self.run_erased(op, erased(job)).map(revealed)
    }

    fn run_erased(&self, op: Op, job: Call<RawCluster>) -> Result<Answer> {
        let _span = tracing::debug_span!("cluster", op = op.word(), cluster = &*self.inner.name).entered();
        self.attempt_erased(job).map_err(|failure| failure.plain(op, self.subject(), self.bound))
    }

    pub(crate) fn attempt<T: Send + 'static>(
        &self,
        job: impl FnOnce(&RawCluster) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Failure> {
        self.attempt_erased(erased(job)).map(revealed)
    }

    fn attempt_erased(&self, job: Call<RawCluster>) -> Result<Answer, Failure> {
        attempt(self.raw()?, self.bound, job)
    }

    /// The connection for manager commands.
    pub(crate) fn attempt_with_manager<T: Send + 'static>(
        &self,
        job: impl FnOnce(&RawCluster) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Failure> {
        let known = self.manager().clone();
        let (connect, name) = (self.inner.connect.clone(), Arc::clone(&self.inner.name));
        let answered = bounded::run(self.bound, move || {
            let raw = match known {
                Some(raw) => raw,
                None => Arc::new(connect.establish(&name, OpLimit::None).map_err(|(_, errno)| errno)?),
            };
            let value = job(&raw)?;
            Ok::<_, Errno>((raw, value))
        });
        let (raw, value) = answered??;
        self.manager().get_or_insert(raw);
        Ok(value)
    }

    fn manager(&self) -> MutexGuard<'_, Option<Arc<RawCluster>>> {
        self.inner.manager.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn raw(&self) -> Result<Arc<RawCluster>, Errno> {
        // `None` only inside Drop, when nobody holds a `Cluster` any more.
        self.inner.raw.clone().ok_or(Errno::ENOTCONN)
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::Cluster(Arc::clone(&self.inner.name))
    }
}

impl fmt::Debug for Cluster {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.inner.name)
            .field("fsid", &self.inner.fsid)
            .finish_non_exhaustive()
    }
}
