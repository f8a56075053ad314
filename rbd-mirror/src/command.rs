//! Monitor and manager commands, as the `ceph` command sends them.

use crate::call::Failure;
use crate::cluster::Cluster;
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::json;
use crate::op::Op;
use crate::raw::rados::Reply;

/// What a daemon answered to a command.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandReply {
    /// The output, as bytes: JSON if the command asked for it.
    pub output: Vec<u8>,
    /// The daemon's own line about it; often empty.
    pub status: String,
}

impl std::fmt::Debug for CommandReply {
    /// The output may hold a key (`auth get`): only its length is shown.
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandReply")
            .field("output", &format_args!("{} bytes", self.output.len()))
            .field("status", &self.status)
            .finish()
    }
}

/// What librados answered: whether it was done, and the daemon's reply.
type Answer = (Result<(), Errno>, Reply);

impl Cluster {
    /// Sends a command to the monitors, as librados takes it: the text of a JSON object, `{"prefix": "osd blocklist ls", "format": "json"}`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for what is no command, which is not sent: one JSON object, not nested deeply, with
    /// the text `prefix`, and with none but texts as `key` and `name`; [`Error::Command`] with the monitor's own words if it refuses; [`Error::Unreachable`] if none answers.
    ///
    /// Implements: `int rados_mon_command(rados_t cluster, const char **cmd, size_t cmdlen, const char *inbuf, size_t inbuflen, char **outbuf, size_t *outbuflen, char **outs, size_t *outslen);`
    #[inline]
    pub fn mon_command(&self, command: &str) -> Result<CommandReply> {
        let _span = self.command_span(Op::MonCommand, command)?.entered();
        let line = command.to_owned();
        let answered = self.attempt(move |raw| Ok(raw.mon_command(&line, &[])));
        self.reply(Op::MonCommand, answered)
    }

    /// Sends a command to the active manager: `{"prefix": "service status"}`, as [`mon_command`](Self::mon_command) takes it.
    ///
    /// # Errors
    /// As [`mon_command`](Self::mon_command).
    ///
    /// Implements: `int rados_mgr_command(rados_t cluster, const char **cmd, size_t cmdlen, const char *inbuf, size_t inbuflen, char **outbuf, size_t *outbuflen, char **outs, size_t *outslen);`
    #[inline]
    pub fn mgr_command(&self, command: &str) -> Result<CommandReply> {
        let _span = self.command_span(Op::MgrCommand, command)?.entered();
        let line = command.to_owned();
        let answered = self.attempt_with_manager(move |raw| Ok(raw.mgr_command(&line, &[])));
        self.reply(Op::MgrCommand, answered)
    }

    /// Names the command by its prefix alone: what follows may be a secret. One whose `prefix` is no text **ends the monitor** that gets it,
    /// and then the next one; so does `config-key set` with another `key`, and `config set` with another `name` (seen on 16.2.15, which
    /// prints them without a look). Such a command is an error here.
    fn command_span(&self, op: Op, command: &str) -> Result<tracing::Span> {
        let fields = json::fields(command, ["prefix", "key", "name"]);
        let printable = fields.filter(|[_, key, name]| key.is_text_if_any() && name.is_text_if_any());
        let what = "a command is one JSON object, not nested deeply, with the text `prefix`; `key` and `name` are texts";
        let prefix = printable.and_then(|[prefix, ..]| prefix.text());
        let prefix = prefix.ok_or_else(|| Error::InvalidInput { op, on: self.subject(), what })?;
        Ok(tracing::debug_span!("cluster", op = op.word(), cluster = &**self.name(), prefix))
    }

    fn reply(&self, op: Op, answered: Result<Answer, Failure>) -> Result<CommandReply> {
        let failed = |failure: Failure| failure.plain(op, self.subject(), self.bound());
        let (done, reply) = answered.map_err(failed)?;
        match done {
            Ok(()) => Ok(CommandReply { output: reply.output, status: reply.status }),
            Err(Errno::ETIMEDOUT) => Err(failed(Errno::ETIMEDOUT.into())),
            Err(errno) => Err(Error::Command { op, on: self.subject(), words: reply.status.into(), errno }),
        }
    }
}
