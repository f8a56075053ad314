//! The real front-end: OpenNebula's XML-RPC, 6.x and 7.x.
//!
//! - A **read** that fails on the way is asked again, a bounded number of times, unless time was up.
//! - A **change** is sent once. If the other side can have seen it and no answer of OpenNebula came back, it is
//!   [`Error::InDoubt`], whatever went wrong: HTTP 500, half an answer, silence.
//! - What XML-RPC cannot carry is refused before anything is sent, with the code that OpenNebula gives (-503).
//! - No text of an error holds a credential or a `CONTEXT`.

mod calls;
mod lists;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use opennebula_meta::version::Version;

use super::http::{Sent, Transport};
use super::redact::redact;
use super::session::{Endpoint, Session, SetupError};
use super::xmlrpc::{self, Response, Value};
use super::{Error, Result};
use crate::clock::{Clock, WallClock};

/// Not a call that OpenNebula takes: its own code for it.
const NO_CALL: i64 = -503;
/// Faults by which xmlrpc-c turns a call away before a method sees it: a wrong type, no XML-RPC, an unknown method, and the
/// like. Any other fault of a change leaves it in doubt.
const TURNED_AWAY: [i64; 5] = [-501, -502, -503, -505, -506];

/// `REPLICATION`: the leader of several front-ends could not pass a change on. It may do so later.
const REPLICATION: i64 = 65536;

/// How a front-end is called.
#[derive(Clone, Debug)]
pub struct Options {
    /// Until there is a connection, TLS included.
    pub connect_within: Duration,
    /// For a read of one object.
    pub read_within: Duration,
    /// For a page of a pool.
    pub list_within: Duration,
    /// For a change. OpenNebula answers at once, but behind a queue of others.
    pub change_within: Duration,
    /// How often a read that failed on the way is asked again.
    pub read_again: u32,
    /// Before it is asked again the first time; the second time twice that.
    pub read_pause: Duration,
    /// How long a front-end that let a read run out of time is not asked again; zero asks always.
    pub silence: Duration,
    /// Objects a page. A larger pool is read in ranges of numbers, which miss nothing that is there throughout.
    pub page: u32,
    /// Longer answers are not read.
    pub body_max: u64,
    /// The certificates of an own authority, in PEM; otherwise those that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_within: Duration::from_secs(5),
            read_within: Duration::from_secs(20),
            list_within: Duration::from_secs(120),
            change_within: Duration::from_secs(60),
            read_again: 2,
            read_pause: Duration::from_millis(200),
            silence: Duration::ZERO,
            page: 1000,
            body_max: 256 << 20,
            ca_file: None,
        }
    }
}

/// A front-end over XML-RPC. Its `Debug` shows no credential.
pub struct Oned {
    site: String,
    session: Session,
    endpoint: Endpoint,
    transport: Transport,
    options: Options,
    version: OnceLock<Version>,
    /// When a read last ran out of time, and its words.
    silent: Mutex<Option<(Instant, String)>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Oned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, session, endpoint, .. } = self;
        write!(f, "Oned {{ site: {site:?}, session: {session:?}, endpoint: {:?} }}", endpoint.as_str())
    }
}

impl Oned {
    /// Prepares to call the front-end of a site. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`], if the certificates of [`Options::ca_file`] cannot be read.
    pub fn new(
        site: impl Into<String>,
        endpoint: Endpoint,
        session: Session,
        options: Options,
    ) -> std::result::Result<Self, SetupError> {
        let transport = Transport::new(endpoint.clone(), &options)?;
        let (version, clock) = (OnceLock::new(), Arc::new(WallClock));
        let silent = Mutex::default();
        Ok(Self { site: site.into(), session, endpoint, transport, options, version, silent, clock })
    }

    /// With the credentials and the address of the environment, as OpenNebula's own commands.
    ///
    /// # Errors
    /// [`SetupError`]
    pub fn from_environment(
        site: impl Into<String>,
        options: Options,
    ) -> std::result::Result<Self, SetupError> {
        Self::new(site, Endpoint::from_environment()?, Session::from_environment()?, options)
    }

    /// The user that calls are made as.
    #[must_use]
    pub fn user(&self) -> &str {
        self.session.user()
    }

    /// Where it is reached.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the last silence said, while it counts.
    fn silence(&self) -> Option<String> {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, why) = silent.as_ref().filter(|(since, _)| since.elapsed() < self.options.silence)?;
        Some(format!("{why} {} s ago, and is not asked again for a while", since.elapsed().as_secs()))
    }

    /// A read, asked again where that can help.
    fn read(&self, method: &'static str, arguments: &[Value], within: Duration) -> Result<Value> {
        if let Some(why) = self.silence() {
            return Err(self.unreachable(method, &why));
        }
        let body = self.body(method, arguments)?;
        let mut failures = 0;
        loop {
            let error = match self.transport.post(&body, within) {
                Ok(answer) => match xmlrpc::response(&answer) {
                    Ok(response) => return self.outcome(method, response, false),
                    Err(why) if failures == self.options.read_again => {
                        return Err(Error::Unreadable { site: self.site.clone(), method, why });
                    }
                    Err(_) => None,
                },
                Err(failure) => Some(failure),
            };
            if let Some(failure) = error
                && (!failure.passing || failures == self.options.read_again)
            {
                if failure.timed_out {
                    let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
                    *silent = Some((Instant::now(), failure.why.clone()));
                }
                return Err(match failure.answered {
                    true => self.unreadable(method, failure.why),
                    false => self.unreachable(method, &failure.why),
                });
            }
            failures += 1;
            self.clock.sleep(self.options.read_pause * failures);
        }
    }

    /// A change, sent once.
    fn change(&self, method: &'static str, arguments: &[Value]) -> Result<Value> {
        let body = self.body(method, arguments)?;
        let answer =
            self.transport.post(&body, self.options.change_within).map_err(|failure| match failure.sent {
                Sent::No if failure.answered => self.refused(method, NO_CALL, &failure.why),
                Sent::No => self.unreachable(method, &failure.why),
                Sent::Maybe => self.in_doubt(method, failure.why),
            })?;
        match xmlrpc::response(&answer) {
            Ok(response) => self.outcome(method, response, true),
            Err(why) => Err(self.in_doubt(method, format!("the answer cannot be read: {why}"))),
        }
    }

    /// A change that answers with the number of its object.
    fn change_id(&self, method: &'static str, arguments: &[Value]) -> Result<u32> {
        match self.change(method, arguments)? {
            Value::Int(id) if u32::try_from(id).is_ok() => Ok(u32::try_from(id).unwrap_or_default()),
            _ => Err(self.in_doubt(method, "the answer holds no number of an object".to_owned())),
        }
    }

    fn body(&self, method: &'static str, arguments: &[Value]) -> Result<zeroize::Zeroizing<String>> {
        let session = Value::text(self.session.expose());
        // The copy in `all` is wiped below, the text is by itself.
        let mut all = Vec::with_capacity(arguments.len() + 1);
        all.push(session);
        all.extend_from_slice(arguments);
        let body = xmlrpc::call(method, &all);
        if let Some(Value::Text(session)) = all.first_mut() {
            zeroize::Zeroize::zeroize(session);
        }
        body.map_err(|unfit| self.refused(method, NO_CALL, &format!("{unfit}; nothing was sent")))
    }

    /// OpenNebula's `[success, value or text, code, ..]`. What comes after differs between releases, and is not read.
    fn outcome(&self, method: &'static str, response: Response, changes: bool) -> Result<Value> {
        let strange = |why: &str| {
            let (site, why) = (self.site.clone(), why.to_owned());
            if changes {
                Error::InDoubt { site, method, why }
            } else {
                Error::Unreadable { site, method, why }
            }
        };
        let mut values = match response {
            Response::Fault { code, text } if !changes || TURNED_AWAY.contains(&code) => {
                return Err(self.refused(method, code, &text));
            }
            Response::Fault { code, text } => {
                let text = redact(&text, self.session.expose());
                return Err(self.in_doubt(method, format!("fault {code}: {text}")));
            }
            Response::Value(Value::Array(values)) => values.into_iter(),
            Response::Value(_) => return Err(strange("the answer is no array")),
        };
        match (values.next(), values.next(), values.next()) {
            (Some(Value::Bool(true)), Some(value), _) => Ok(value),
            (Some(Value::Bool(false)), Some(Value::Text(text)), Some(Value::Int(REPLICATION))) if changes => {
                Err(self.in_doubt(method, redact(&text, self.session.expose())))
            }
            (Some(Value::Bool(false)), Some(Value::Text(text)), Some(Value::Int(code))) => {
                Err(self.refused(method, code, &text))
            }
            _ => Err(strange("the answer is none that OpenNebula gives")),
        }
    }

    fn refused(&self, method: &'static str, code: i64, text: &str) -> Error {
        // OpenNebula begins with the method, which the error says already.
        let text = text.strip_prefix(&format!("[{method}] ")).unwrap_or(text);
        Error::Refused { site: self.site.clone(), method, code, text: redact(text, self.session.expose()) }
    }

    fn unreachable(&self, method: &'static str, why: &str) -> Error {
        Error::Unreachable { site: self.site.clone(), method, why: redact(why, self.session.expose()) }
    }

    fn in_doubt(&self, method: &'static str, why: String) -> Error {
        Error::InDoubt { site: self.site.clone(), method, why }
    }

    fn unreadable(&self, method: &'static str, why: impl fmt::Display) -> Error {
        Error::Unreadable { site: self.site.clone(), method, why: why.to_string() }
    }

    /// Asks, every time.
    fn ask_version(&self) -> Result<Version> {
        let method = "one.system.version";
        let Value::Text(text) = self.read(method, &[], self.options.read_within)? else {
            return Err(self.unreadable(method, "no text"));
        };
        let version = text.parse().map_err(|error| self.unreadable(method, error))?;
        _ = self.version.set(version);
        Ok(version)
    }

    /// Asks once: a front-end that is upgraded under a run is called as before.
    fn known_version(&self) -> Result<Version> {
        self.version.get().map_or_else(|| self.ask_version(), |version| Ok(*version))
    }
}
