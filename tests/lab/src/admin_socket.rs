//! Asking a daemon itself: its admin socket answers when the monitor does not, in a millisecond and without Python.
//!
//! The protocol (Ceph's `admin_socket.cc`): a JSON command ended by a zero byte; back come the length in four bytes,
//! most significant first, and the answer.

use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// A daemon that runs answers at once; one that does not is frozen or stuck.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The largest answer that we take: a `perf dump` has about 100 kB.
const ANSWER_BYTES_MAX: u32 = 64 << 20;

/// Asks the daemon behind `socket`. An error means: not up yet, gone, or frozen.
pub(crate) fn ask(socket: &Path, prefix: &str) -> Result<Value, IoError> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    let command = json!({ "prefix": prefix, "format": "json" });
    stream.write_all(format!("{command}\0").as_bytes())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > ANSWER_BYTES_MAX {
        return Err(IoError::new(ErrorKind::InvalidData, format!("an answer of {length} bytes")));
    }
    let mut answer = Vec::new();
    stream.take(length.into()).read_to_end(&mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}
