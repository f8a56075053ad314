//! The front-end of a site: the lab's stand-in for oned with real drivers, that can be stopped and come back with its state; or a
//! real one, that is only asked, and whose machines an [attendant](super::attendant) has guests for.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use lab::front_end::{FrontEnd, Rule, Setup};
use lab::{Lab, SiteId};
use one_dr::frontend::{Endpoint, Oned, Options, Session};

use super::attendant::Attendant;
use super::configuration;
use super::drivers::Drivers;
use super::guests::Guests;
use super::{HOME_POOL, LOCAL_POOL};

/// The VM numbers of site B begin here: nothing may rest on equal numbers at both sites.
const FIRST_VM_AT_B: i32 = 40;

/// The user who owns the machines.
pub const OWNER: &str = "alice";

/// A real front-end, to be used in place of a stand-in.
#[derive(Clone, Debug)]
pub struct Real {
    /// Its address.
    pub url: String,
    /// The file that holds `user:password`, mode 0600.
    pub auth_file: PathBuf,
}

/// A site's front-end. All calls are safe from any thread.
#[derive(Debug)]
pub struct Front {
    site: SiteId,
    url: String,
    auth_file: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    StandIn { setup: Box<Setup>, running: Mutex<Option<FrontEnd>> },
    Real(Attendant),
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
        let url = oned.url();
        let auth_file = folder.join(format!("one_auth.{}", site.letter()));
        configuration::private(&auth_file, &oned.session())?;
        // The same port after every restart.
        let address = url.trim_start_matches("http://").trim_end_matches("/RPC2");
        setup.listen = address.parse().with_context(|| format!("no address: {address}"))?;
        let kind = Kind::StandIn { setup: Box::new(setup), running: Mutex::new(Some(oned)) };
        Ok(Self { site, url, auth_file, kind })
    }

    /// One that runs already.
    ///
    /// # Errors
    /// If the address is none, or the credentials cannot be read.
    pub fn real(lab: &Lab, site: SiteId, real: &Real, guests: &Arc<Guests>) -> Result<Self> {
        let drivers = Drivers::new(lab.site(site), Arc::clone(guests));
        let client = client(site, &real.url, &real.auth_file)?;
        let (url, auth_file) = (real.url.clone(), real.auth_file.clone());
        Ok(Self { site, url, auth_file, kind: Kind::Real(Attendant::start(client, drivers)) })
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

    /// The file of its administrator's credentials.
    #[must_use]
    pub fn auth_file(&self) -> &Path {
        &self.auth_file
    }

    /// Ends it at once; connections are refused, work in progress is forgotten. Stopped already is stopped. A real one stays up, as one
    /// whose hosts are gone: its machines get no guests until they are started anew.
    pub fn stop(&self) {
        match &self.kind {
            Kind::StandIn { running, .. } => drop(lock(running).take()),
            Kind::Real(attendant) => attendant.hosts_are_gone(),
        }
    }

    /// Starts it again with its state, at the same address. What was under way is taken up again.
    ///
    /// # Errors
    /// If somebody took the port, or the state cannot be read.
    pub fn start_again(&self) -> Result<()> {
        match &self.kind {
            Kind::StandIn { setup, running } => {
                let mut running = lock(running);
                if running.is_none() {
                    *running = Some(FrontEnd::start((**setup).clone())?);
                }
            }
            Kind::Real(attendant) => attendant.hosts_are_back(),
        }
        Ok(())
    }

    /// Takes connections and answers nothing, until [`thaw`](Self::thaw). Not a real one.
    pub fn freeze(&self) {
        self.with(FrontEnd::freeze);
    }

    /// Answers what was held back.
    pub fn thaw(&self) {
        self.with(FrontEnd::thaw);
    }

    /// Makes calls fail, or loses their answers: [`lab::front_end::Trouble::ReplyLost`]. Not of a real one.
    pub fn inject(&self, rule: Rule) {
        self.with(|oned| oned.inject(rule));
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.with(FrontEnd::heal);
    }

    /// Does something with the stand-in itself; nothing while it is stopped, or with a real one.
    pub fn with<T>(&self, work: impl FnOnce(&FrontEnd) -> T) -> Option<T> {
        match &self.kind {
            Kind::StandIn { running, .. } => lock(running).as_ref().map(work),
            Kind::Real(_) => None,
        }
    }

    /// Our own client, as its administrator.
    ///
    /// # Errors
    /// If the address is none, or the credentials cannot be read.
    pub fn client(&self) -> Result<Oned> {
        client(self.site, &self.url, &self.auth_file)
    }
}

fn client(site: SiteId, url: &str, auth_file: &Path) -> Result<Oned> {
    let (endpoint, session) = (Endpoint::new(url)?, Session::from_file(auth_file)?);
    Ok(Oned::new(site.letter(), endpoint, session, Options::default())?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
