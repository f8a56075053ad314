//! Connections of our library to the sites of a lab.

use std::time::Duration;

use lab::Site;
use rbd_mirror::{Cluster, Connect, Pool, Result};

/// Long enough for an operation that waits for a dead client's lock (10 s in a lab with short timers).
pub const OPERATIONS_WITHIN: Duration = Duration::from_secs(60);

/// How to connect to a site as its administrator.
#[must_use]
pub fn to(site: &Site) -> Connect {
    Connect::conf(site.conf()).client("admin").operations_within(OPERATIONS_WITHIN)
}

/// A connection to a site, and its pool of that name.
///
/// # Errors
/// What connecting and opening the pool answer.
pub fn pool(site: &Site, name: &str) -> Result<Pool> {
    Cluster::connect(to(site))?.pool(name)
}
