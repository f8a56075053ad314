//! How far each replica is behind, sampled during the whole drill by our library, by the primary's own journal.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use lab::{Site, SiteId};
use rbd_mirror::lag::{Lag, WhyUnknown, lag};
use rbd_mirror::{Cluster, GlobalImageId, Pool};
use tests::connect;
use tests::office::{HOME_POOL, notes};

use crate::run::Run;

/// Between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// A site that does not answer for so long has no lag that could be told.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// How far a disk was behind at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Since 1970.
    pub(crate) at: Duration,
    /// `pool/image`
    pub(crate) disk: String,
    /// At most; nothing where nothing can be told.
    pub(crate) seconds: Option<f64>,
}

/// A thread that samples.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    pub(crate) fn start(run: &Run<'_>) -> Result<Self> {
        let sites = SiteId::ALL.map(|site| run.office.site(site));
        let disks: Vec<String> = run.machines.iter().flat_map(|machine| machine.disks.clone()).collect();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut looker = Looker { sites, pools: [None, None], ids: BTreeMap::new() };
            let mut samples = Vec::new();
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let mut silent = false;
                for disk in &disks {
                    let at = notes::now();
                    // What is silent for one disk is so for the next, and each question would cost its limit.
                    let seen = if silent { Some(None) } else { looker.look(disk) };
                    if let Some(seconds) = seen {
                        silent |= seconds.is_none();
                        samples.push(Sample { at, disk: disk.clone(), seconds });
                    }
                }
            }
            samples
        });
        Ok(Self { stop, thread })
    }

    /// Stops sampling; what was seen.
    pub(crate) fn end(self) -> Vec<Sample> {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

/// Looks at both sites, on connections of its own. Read-only: a writable handle on a site that dies may end its program.
struct Looker {
    sites: [Site; 2],
    pools: [Option<Pool>; 2],
    ids: BTreeMap<String, GlobalImageId>,
}

impl Looker {
    /// How far a disk is behind; nothing of one that is not mirrored yet.
    fn look(&mut self, disk: &str) -> Option<Option<f64>> {
        for at in 0..2 {
            if self.pools[at].is_none() {
                let connect = connect::to(&self.sites[at]).within(ANSWERS_WITHIN);
                let cluster = Cluster::connect(connect.operations_within(ANSWERS_WITHIN)).ok()?;
                self.pools[at] = Some(cluster.pool(HOME_POOL).ok()?);
            }
        }
        let [Some(a), Some(b)] = &self.pools else { return None };
        let id = match self.ids.get(disk) {
            Some(id) => id.clone(),
            None => {
                let (_, name) = disk.split_once('/')?;
                let id = a.open_read_only(name).ok()?.global_id().ok()?;
                self.ids.insert(disk.to_owned(), id.clone());
                id
            }
        };
        let seen = match lag(a, b, &id) {
            Ok(Lag::Unknown(WhyUnknown::NotPrimary)) => lag(b, a, &id),
            other => other,
        };
        Some(seen.ok().and_then(|lag| lag.bound()).map(|bound| bound.as_secs_f64()))
    }
}
