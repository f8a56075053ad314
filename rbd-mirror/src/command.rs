//! Monitor and manager commands, as the `ceph` command sends them.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::raw::rados::{RawCluster, Reply};

/// What a daemon answered to a command.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandReply {
    /// The output, as bytes: JSON if the command asked for it.
    pub output: Vec<u8>,
    /// The daemon's own line about it; often empty.
    pub status: String,
}

impl CommandReply {
    /// The output as JSON; `None` where it is none.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.output).ok()
    }
}

impl std::fmt::Debug for CommandReply {
    /// The output may hold a key (`auth get`): only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandReply")
            .field("output", &format_args!("{} bytes", self.output.len()))
            .field("status", &self.status)
            .finish()
    }
}

/// The two ways to send a command.
type Send = fn(&RawCluster, &str, &[u8]) -> (Result<(), Errno>, Reply);

impl Cluster {
    /// Sends a command to the monitors: `{"prefix": "osd blocklist ls", "format": "json"}`.
    ///
    /// # Errors
    /// [`Error::Command`] with the monitor's own words if it refuses; [`Error::Unreachable`] if none answers.
    ///
    /// Implements: `int rados_mon_command(rados_t cluster, const char **cmd, size_t cmdlen, const char *inbuf, size_t inbuflen, char **outbuf, size_t *outbuflen, char **outs, size_t *outslen);`
    pub fn mon_command(&self, command: &Value) -> Result<CommandReply> {
        self.command(Op::MonCommand, RawCluster::mon_command, command)
    }

    /// Sends a command to the active manager: `{"prefix": "service status"}`.
    ///
    /// # Errors
    /// As [`mon_command`](Self::mon_command).
    ///
    /// Implements: `int rados_mgr_command(rados_t cluster, const char **cmd, size_t cmdlen, const char *inbuf, size_t inbuflen, char **outbuf, size_t *outbuflen, char **outs, size_t *outslen);`
    pub fn mgr_command(&self, command: &Value) -> Result<CommandReply> {
        self.command(Op::MgrCommand, RawCluster::mgr_command, command)
    }

    fn command(&self, op: Op, send: Send, command: &Value) -> Result<CommandReply> {
        let command = command.to_string();
        let (done, reply) = self.run(op, move |raw| Ok(send(raw, &command, &[])))?;
        match done {
            Ok(()) => Ok(CommandReply { output: reply.output, status: reply.status }),
            Err(Errno::ETIMEDOUT) => Err(Error::Unreachable { op, on: self.subject(), waited: self.bound() }),
            Err(errno) => Err(Error::Command { op, on: self.subject(), words: reply.status.into(), errno }),
        }
    }
}
