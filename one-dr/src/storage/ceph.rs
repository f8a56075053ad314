//! The real pool of a site: [`Storage`] over `rbd-mirror`.
//!
//! ```text
//!   Ceph (site a) ── here ──> Connection a <── there ── Ceph (site b)      made when first needed, one a site,
//!                 └─ there ─> Connection b <── here ───┘                   shared by both views
//! ```
//! A site that does not answer costs its limit once: it is remembered as silent for a while, and asked again after that.
//! Looks use read-only handles; a writable one lives for its verb.

mod answer;
mod connection;
mod copies;
mod image;
mod objects;
mod pool;
mod reports;
mod verbs;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Capacity, Completeness, Daemon, Follower, GlobalImageId, Identity, ImageId, ImageView, Lease, MirrorMode,
    MirroredImage, PoolMode, Progress, Result, Storage, Token, TrashEntry,
};
use connection::Connection;

pub use reports::{Report, Word};

/// How a site's cluster is reached, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The site's name, for messages.
    pub site: String,
    /// The cluster's configuration file; Ceph's own search order without one.
    pub conf: Option<PathBuf>,
    /// The keyring, where it is not the configuration's.
    pub keyring: Option<PathBuf>,
    /// The user, without `client.`.
    pub client: String,
    /// The mirrored pool.
    pub pool: String,
    /// For making a connection.
    pub connect_within: Duration,
    /// For a read.
    pub read_within: Duration,
    /// For a change: longer than the 30 s after which a dead client's lock is forgotten.
    pub change_within: Duration,
    /// How long a site that did not answer is not asked again.
    pub silence: Duration,
}

impl Access {
    /// The usual limits.
    #[must_use]
    pub fn new(site: &str, pool: &str) -> Self {
        Self {
            site: site.to_owned(),
            conf: None,
            keyring: None,
            client: "admin".to_owned(),
            pool: pool.to_owned(),
            connect_within: Duration::from_secs(10),
            read_within: Duration::from_secs(15),
            change_within: Duration::from_secs(60),
            silence: Duration::from_secs(30),
        }
    }
}

/// One site's pool, with a way to its peer's.
#[derive(Clone, Debug)]
pub struct Ceph {
    here: Arc<Connection>,
    there: Arc<Connection>,
}

impl Ceph {
    /// Both sites, each with the other as its peer. Nothing is connected yet.
    #[must_use]
    pub fn pair(a: Access, b: Access) -> (Self, Self) {
        let (a, b) = (Arc::new(Connection::new(a)), Arc::new(Connection::new(b)));
        (Self { here: Arc::clone(&a), there: Arc::clone(&b) }, Self { here: b, there: a })
    }

    /// The site's name.
    #[must_use]
    pub fn site(&self) -> &str {
        self.here.site()
    }
}

impl Storage for Ceph {
    fn identity(&self) -> Result<Identity> {
        self.read_identity()
    }

    fn daemons(&self) -> Result<Vec<Daemon>> {
        self.read_daemons()
    }

    fn capacity(&self) -> Result<Capacity> {
        self.read_capacity()
    }

    fn image(&self, name: &str) -> Result<Option<ImageView>> {
        self.view_of_name(name)
    }

    fn image_by_id(&self, id: &GlobalImageId) -> Result<Option<ImageView>> {
        self.view_of_id(id)
    }

    fn image_names(&self) -> Result<Vec<String>> {
        let images = self.here.read("list images", |pool| pool.images())?;
        Ok(images.into_iter().map(|image| image.name).collect())
    }

    fn mirrored(&self) -> Result<Vec<MirroredImage>> {
        self.list_mirrored()
    }

    fn trash(&self) -> Result<Vec<TrashEntry>> {
        self.read_trash()
    }

    fn follower(&self, id: &GlobalImageId) -> Result<Follower> {
        self.read_follower(id)
    }

    fn demotion_arrived(&self, id: &GlobalImageId) -> Result<bool> {
        self.read_demotion_arrived(id)
    }

    fn reverse_registered(&self, id: &GlobalImageId) -> Result<bool> {
        self.read_reverse_registered(id)
    }

    fn flatten(&self, name: &str, tell: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send)) -> Result<()> {
        self.do_flatten(name, tell)
    }

    fn enable(&self, name: &str, mode: MirrorMode) -> Result<GlobalImageId> {
        self.do_enable(name, mode)
    }

    fn disable(&self, id: &GlobalImageId) -> Result<()> {
        self.do_disable(id)
    }

    fn set_features(&self, name: &str, features: u64) -> Result<()> {
        self.do_set_features(name, features)
    }

    fn demote(&self, id: &GlobalImageId) -> Result<()> {
        self.do_demote(id)
    }

    fn promote(&self, id: &GlobalImageId) -> Result<()> {
        self.do_promote(id)
    }

    fn promote_by_force(
        &self,
        id: &GlobalImageId,
        completeness: Completeness,
        beside_a_primary: bool,
    ) -> Result<()> {
        self.do_promote_by_force(id, completeness, beside_a_primary)
    }

    fn take_over(&self, id: &GlobalImageId) -> Result<Vec<String>> {
        self.do_take_over(id)
    }

    fn writable(&self, id: &GlobalImageId) -> Result<bool> {
        self.read_writable(id)
    }

    fn resync(&self, id: &GlobalImageId) -> Result<ImageId> {
        self.do_resync(id)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.here.change("rename", from, |pool| pool.rename(from, to))
    }

    fn snapshots(&self, name: &str) -> Result<Vec<String>> {
        self.read_snapshots(name)
    }

    fn create_snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        self.do_create_snapshot(name, snapshot)
    }

    fn remove_snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        self.do_remove_snapshot(name, snapshot)
    }

    fn clone_snapshot(&self, name: &str, snapshot: &str, into_pool: &str, clone: &str) -> Result<()> {
        self.do_clone(name, snapshot, into_pool, clone)
    }

    fn clone_exists(&self, pool: &str, clone: &str) -> Result<bool> {
        self.read_clone_exists(pool, clone)
    }

    fn remove_clone(&self, pool: &str, clone: &str) -> Result<()> {
        self.do_remove_clone(pool, clone)
    }

    fn set_pool_mode(&self, mode: PoolMode) -> Result<()> {
        self.do_set_pool_mode(mode)
    }

    fn set_site_name(&self, name: &str) -> Result<()> {
        self.here.change("name the site", name, |pool| pool.cluster().set_site_name(name))
    }

    fn create_token(&self) -> Result<Token> {
        let token =
            self.here.change("make a token", self.here.pool_name(), |pool| pool.create_bootstrap_token())?;
        Ok(Token::new(token.expose().to_owned()))
    }

    fn import_token(&self, token: &Token) -> Result<()> {
        self.do_import_token(token)
    }

    fn set_delete_delay(&self, delay: Duration) -> Result<()> {
        let seconds = delay.as_secs().to_string();
        self.here.change("set the delete delay", self.here.pool_name(), |pool| {
            pool.set_config(pool::DELETE_DELAY, &seconds)
        })
    }

    fn object(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read_object(name)
    }

    fn put_object(&self, name: &str, content: &[u8]) -> Result<()> {
        self.indexed(name)?;
        self.here.change("write an object", name, |pool| pool.write_object(name, content))
    }

    fn write_object(&self, name: &str, offset: u64, content: &[u8]) -> Result<()> {
        self.indexed(name)?;
        self.here.change("write an object", name, |pool| pool.write_object_at(name, offset, content))
    }

    fn objects(&self, prefix: &str) -> Result<Vec<String>> {
        self.list_objects(prefix)
    }

    fn remove_object(&self, name: &str) -> Result<()> {
        self.do_remove_object(name)
    }

    fn take_lease(&self, name: &str, owner: &str, lasting: Duration) -> Result<()> {
        self.do_take_lease(name, owner, lasting)
    }

    fn release_lease(&self, name: &str, owner: &str) -> Result<()> {
        self.do_release_lease(name, owner)
    }

    fn lease(&self, name: &str) -> Result<Option<Lease>> {
        self.read_lease(name)
    }
}
