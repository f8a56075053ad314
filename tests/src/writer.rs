//! A writer that works on a stamped disk as a VM would, and knows what was acknowledged to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lab::Site;
use rbd_mirror::{Cluster, Error, Result};

use crate::connect;
use crate::stamped::Stamps;

/// How long a write may take before the writer gives its disk up: long for a busy site, short for a dead one.
const WRITE_WITHIN: Duration = Duration::from_secs(12);

/// A writer at work on a thread of its own, one write at a time.
#[derive(Debug)]
pub struct Writer {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Option<Error>>,
}

/// How a writer ended.
#[derive(Debug)]
pub struct Written {
    /// The last write that was acknowledged.
    pub acknowledged: u64,
    /// Why it ended by itself; `None` if it was told to, and closed its disk.
    pub failed: Option<Error>,
}

impl Writer {
    /// Goes on after write number `last`, on a connection of its own. The client's cache is off, so that an acknowledged write
    /// is one that the journal has.
    ///
    /// # Errors
    /// What connecting and opening the disk answer.
    pub fn start(site: &Site, pool: &str, disk: &str, stamps: Stamps, last: u64) -> Result<Self> {
        let connect = connect::to(site).option("rbd_cache", "false").operations_within(WRITE_WITHIN);
        let image = Cluster::connect(connect)?.pool(pool)?.open(disk)?;
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(last)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            thread::spawn(move || {
                let mut number = last;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    if let Err(error) = image.write_at(stamps.offset(number), &stamps.block(number)) {
                        return Some(error);
                    }
                    acknowledged.store(number, Ordering::Release);
                }
                image.flush().and_then(|()| image.close()).err()
            })
        };
        Ok(Self { acknowledged, stop, thread })
    }

    /// The last write that has been acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Begins no further write. The one under way goes on.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until the writer has ended: after [`stop`](Self::stop), or because its site has failed it.
    #[must_use]
    pub fn join(self) -> Written {
        let failed = match self.thread.join() {
            Ok(failed) => failed,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        Written { acknowledged: self.acknowledged.load(Ordering::Acquire), failed }
    }
}
