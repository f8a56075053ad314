//! The front-end of a site: the lab's stand-in for oned with real drivers, that can be stopped and come back with its state.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use lab::front_end::{FrontEnd, Rule, Setup};
use lab::{Lab, SiteId};
use one_dr::frontend::{Endpoint, Oned, Options, Session};

use super::drivers::Drivers;
use super::guests::Guests;
use super::{HOME_POOL, LOCAL_POOL};

/// The VM numbers of site B begin here: nothing may rest on equal numbers at both sites.
const FIRST_VM_AT_B: i32 = 40;

/// The user who owns the machines.
pub const OWNER: &str = "alice";

/// A site's front-end. All calls are safe from any thread.
#[derive(Debug)]
pub struct Front {
    site: SiteId,
    setup: Setup,
    url: String,
    session: String,
    running: Mutex<Option<FrontEnd>>,
}

impl Front {
    /// Starts one that was never used, or the one whose state lies in `folder`.
    ///
    /// # Errors
    /// If it cannot listen, or the state cannot be read.
    pub fn start(lab: &Lab, site: SiteId, folder: &Path, guests: &Arc<Guests>) -> Result<Self> {
        let drivers = Drivers::new(lab.site(site), Arc::clone(guests));
        let state = folder.join(format!("{site}.oned.xml"));
        let is_new = !state.exists();
        let mut setup = setup(site, state);
        setup.hook = Some(drivers.hook());
        let oned = FrontEnd::start(setup.clone())?;
        if is_new && site == SiteId::B {
            oned.count_vms_from(FIRST_VM_AT_B);
        }
        let (url, session) = (oned.url(), oned.session());
        // The same port after every restart.
        let address = url.trim_start_matches("http://").trim_end_matches("/RPC2");
        setup.listen = address.parse().with_context(|| format!("no address: {address}"))?;
        Ok(Self { site, setup, url, session, running: Mutex::new(Some(oned)) })
    }

    /// Its site.
    #[must_use]
    pub fn site(&self) -> SiteId {
        self.site
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `user:password` of its administrator.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Ends it at once; connections are refused, work in progress is forgotten. Stopped already is stopped.
    pub fn stop(&self) {
        drop(self.lock().take());
    }

    /// Starts it again with its state, at the same address. What was under way is taken up again.
    ///
    /// # Errors
    /// If somebody took the port, or the state cannot be read.
    pub fn start_again(&self) -> Result<()> {
        let mut running = self.lock();
        if running.is_none() {
            *running = Some(FrontEnd::start(self.setup.clone())?);
        }
        Ok(())
    }

    /// Takes connections and answers nothing, until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        self.with(FrontEnd::freeze);
    }

    /// Answers what was held back.
    pub fn thaw(&self) {
        self.with(FrontEnd::thaw);
    }

    /// Makes calls fail, or loses their answers: [`lab::front_end::Trouble::ReplyLost`].
    pub fn inject(&self, rule: Rule) {
        self.with(|oned| oned.inject(rule));
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.with(FrontEnd::heal);
    }

    /// Does something with the stand-in itself; nothing while it is stopped.
    pub fn with<T>(&self, work: impl FnOnce(&FrontEnd) -> T) -> Option<T> {
        self.lock().as_ref().map(work)
    }

    /// Our own client, as its administrator.
    ///
    /// # Errors
    /// If the address is none.
    pub fn client(&self) -> Result<Oned> {
        let (endpoint, session) = (Endpoint::new(&self.url)?, Session::new(self.session.clone())?);
        Ok(Oned::new(self.site.letter(), endpoint, session, Options::default())?)
    }

    fn lock(&self) -> MutexGuard<'_, Option<FrontEnd>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// OpenNebula as an administrator has set it up for disaster recovery: at B the mirrored pool holds replicas and nothing else.
fn setup(site: SiteId, state: PathBuf) -> Setup {
    let pair = |name: &str, pool: &str| (name.to_owned(), pool.to_owned());
    let network = |name: &str, last: u8| (name.to_owned(), Ipv4Addr::new(192, 168, last, 100), 50);
    let common = Setup {
        site: site.letter().to_owned(),
        users: vec![pair("oneadmin", "opennebula"), pair(OWNER, "alicepw")],
        state: Some(state),
        ..Setup::default()
    };
    match site {
        SiteId::A => Setup {
            image_datastores: vec![pair("default", HOME_POOL)],
            system_pool: HOME_POOL.to_owned(),
            networks: vec![network("service", 150)],
            ..common
        },
        SiteId::B => Setup {
            image_datastores: vec![pair("default", LOCAL_POOL), pair("replicas", HOME_POOL)],
            system_pool: LOCAL_POOL.to_owned(),
            networks: vec![network("service", 150), network("isolated", 160)],
            ..common
        },
    }
}
