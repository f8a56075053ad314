//! Clients that a cluster shuts out: [`Cluster::blocklist`] adds one; here they are listed and let in again.

use serde::Deserialize;
use serde_json::json;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::op::Op;

/// A client that the cluster shuts out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Blocklisted {
    /// Its address and nonce, `10.0.0.5:0/3714567890`. A nonce of 0 is every client of that address.
    #[serde(rename = "addr")]
    pub address: String,
    /// Until when, as the monitor writes it: `2026-03-01T12:00:00.000000+0000`.
    pub until: String,
}

impl Cluster {
    /// The clients that the cluster shuts out: those that somebody fenced, and those whose locks were broken.
    ///
    /// # Errors
    /// [`Error::Command`] if the monitor refuses; [`Error::Unreadable`] if its answer is no list.
    ///
    /// Similar to: `ceph osd blocklist ls`
    pub fn blocklisted(&self) -> Result<Vec<Blocklisted>> {
        let reply = self.mon_command(&json!({"prefix": "osd blocklist ls", "format": "json"}))?;
        // Text may follow the list: the first value is all that is read.
        let first = serde_json::Deserializer::from_slice(&reply.output).into_iter().next();
        let what = "the list of blocklisted clients";
        let unreadable = || Error::Unreadable { op: Op::Blocklist, on: self.subject(), what };
        first.and_then(std::result::Result::ok).ok_or_else(unreadable)
    }

    /// Lets a client in again. Only after what it still had in flight can do no harm: a fenced writer that comes back writes.
    ///
    /// # Errors
    /// [`Error::Command`] if the monitor refuses. A client that is not shut out is no error.
    ///
    /// Similar to: `ceph osd blocklist rm <address>`
    pub fn unblocklist(&self, address: &str) -> Result<()> {
        let command = json!({"prefix": "osd blocklist", "blocklistop": "rm", "addr": address});
        self.mon_command(&command).map(drop)
    }
}
