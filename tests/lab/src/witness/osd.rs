//! What a site's OSD has done, and whom it shuts out.

use std::ops::Sub;

use serde_json::Value;

use super::Site;
use crate::admin_socket::ask;
use crate::error::{At, Error, Result};
use crate::site::Daemon;

/// How much a site's OSD has done for its clients since it started. Take the difference of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OsdCounters {
    /// Operations.
    pub ops: u64,
    /// Of these, reads.
    pub reads: u64,
    /// Of these, writes.
    pub writes: u64,
    /// Of these, both at once, as most calls of object classes.
    pub read_writes: u64,
    /// Bytes that clients wrote.
    pub bytes_in: u64,
    /// Bytes that clients read.
    pub bytes_out: u64,
}

impl Sub for OsdCounters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            ops: self.ops - earlier.ops,
            reads: self.reads - earlier.reads,
            writes: self.writes - earlier.writes,
            read_writes: self.read_writes - earlier.read_writes,
            bytes_in: self.bytes_in - earlier.bytes_in,
            bytes_out: self.bytes_out - earlier.bytes_out,
        }
    }
}

impl Site {
    /// Asks a daemon through its admin socket, which works without the monitor.
    pub fn ask(&self, daemon: Daemon, prefix: &str) -> Result<Value> {
        let socket = self.socket(daemon);
        ask(&socket, prefix).at("ask", &socket)
    }

    /// The OSD's counters of client operations. Reading them is no operation.
    pub fn osd_counters(&self) -> Result<OsdCounters> {
        let dump = self.ask(Daemon::Osd, "perf dump")?;
        let count = |name: &str| {
            dump["osd"][name].as_u64().ok_or_else(|| Error::Answer {
                command: "perf dump".to_owned(),
                why: format!("no number osd.{name}"),
            })
        };
        Ok(OsdCounters {
            ops: count("op")?,
            reads: count("op_r")?,
            writes: count("op_w")?,
            read_writes: count("op_rw")?,
            bytes_in: count("op_in_bytes")?,
            bytes_out: count("op_out_bytes")?,
        })
    }

    /// The client addresses that the site shuts out.
    pub fn blocklist(&self) -> Result<Vec<String>> {
        let list = self.ceph(["osd", "blocklist", "ls"])?;
        let entries = list.as_array().map_or(&[][..], Vec::as_slice);
        Ok(entries.iter().filter_map(|entry| entry["addr"].as_str().map(str::to_owned)).collect())
    }
}
