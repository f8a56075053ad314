//! One POST over HTTP or TLS, and what its failure tells: whether the other side can have seen the request.

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error, Timeout};

use super::oned::Options;
use super::session::{Endpoint, SetupError};

/// A request that was not answered as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Whether the other side may have seen, and carried out, the request.
    pub(crate) sent: Sent,
    /// Whether asking again at once can help.
    pub(crate) passing: bool,
    /// Whether somebody is there who answers, though not as a front-end does: it must not pass for a site that is down.
    pub(crate) answered: bool,
    /// Whether time was up without an answer: the one failure that is dear to see again.
    pub(crate) timed_out: bool,
    /// In words, without a credential.
    pub(crate) why: String,
}

/// Whether a request left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It did not, or was turned away unread.
    No,
    /// It may have.
    Maybe,
}

/// Where requests go.
#[derive(Debug)]
pub(crate) struct Transport {
    agent: Agent,
    endpoint: Endpoint,
    body_max: u64,
}

impl Transport {
    /// Prepares; nothing is sent.
    ///
    /// # Errors
    /// [`SetupError::Read`], [`SetupError::Authority`]
    pub(crate) fn new(endpoint: Endpoint, options: &Options) -> Result<Self, SetupError> {
        let mut tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
        if let Some(path) = &options.ca_file {
            let bad = |why: String| SetupError::Authority { path: path.clone(), why };
            let pem = fs::read(path).map_err(|source| SetupError::Read { path: path.clone(), source })?;
            let mut certificates: Vec<Certificate<'static>> = Vec::new();
            for item in parse_pem(&pem) {
                match item.map_err(|error| bad(error.to_string()))? {
                    PemItem::Certificate(certificate) => certificates.push(certificate),
                    _ => return Err(bad("it holds something else too".to_owned())),
                }
            }
            if certificates.is_empty() {
                return Err(bad("it holds none".to_owned()));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            // The answer's status is ours to read; credentials follow no redirect, and no proxy sees them.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // OpenNebula closes every connection; a kept one that turns out closed would be retried unseen.
            .max_idle_connections(0)
            .timeout_connect(Some(options.connect_within))
            .user_agent(concat!("one-dr/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.new_agent(), endpoint, body_max: options.body_max })
    }

    /// Posts a call. The whole exchange ends within `within`.
    pub(crate) fn post(&self, body: &str, within: Duration) -> Result<String, Failure> {
        let request = self.agent.post(self.endpoint.as_str()).header("Content-Type", "text/xml");
        let sent = request.config().timeout_global(Some(within)).build().send(body);
        let mut answer = sent.map_err(|error| failure(&error))?;
        let status = answer.status().as_u16();
        match status {
            200 => {}
            // Nobody at the other end has read a call that is answered so.
            300..=499 => {
                let why = format!("HTTP {status}: is {} the address of a front-end?", self.endpoint.as_str());
                return Err(Failure {
                    sent: Sent::No,
                    passing: false,
                    answered: true,
                    timed_out: false,
                    why,
                });
            }
            // A front-end that is broken, or a proxy before one that is gone.
            _ => {
                let why = format!("HTTP {status}");
                return Err(Failure {
                    sent: Sent::Maybe,
                    passing: true,
                    answered: false,
                    timed_out: false,
                    why,
                });
            }
        }
        answer
            .body_mut()
            .with_config()
            .limit(self.body_max)
            .read_to_string()
            .map_err(|error| Failure { sent: Sent::Maybe, ..failure(&error) })
    }
}

fn is_bad_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

fn failure(error: &Error) -> Failure {
    use Sent::{Maybe, No};
    let (sent, passing) = match error {
        Error::HostNotFound | Error::ConnectionFailed | Error::BadUri(_) | Error::Http(_) | Error::Pem(_) => {
            (No, false)
        }
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => (No, false),
        // Time is up: it is not asked for longer.
        Error::Timeout(_) => (Maybe, false),
        // The handshake comes before the request.
        Error::Io(error) if is_bad_certificate(error) => (No, false),
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable => (No, false),
            ErrorKind::InvalidData | ErrorKind::TimedOut => (Maybe, false),
            _ => (Maybe, true),
        },
        Error::BodyExceedsLimit(_) | Error::Tls(_) | Error::Rustls(_) => (Maybe, false),
        _ => (Maybe, true),
    };
    let why = match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => "no connection in time".to_owned(),
        Error::Timeout(_) => "no answer in time".to_owned(),
        Error::BodyExceedsLimit(limit) => format!("the answer exceeds {limit} bytes"),
        error => error.to_string(),
    };
    let answered = matches!(error, Error::BodyExceedsLimit(_))
        || matches!(error, Error::Io(io) if is_bad_certificate(io));
    let timed_out = match error {
        Error::Timeout(_) => true,
        Error::Io(error) => error.kind() == ErrorKind::TimedOut,
        _ => false,
    };
    Failure { sent, passing, answered, timed_out, why }
}
