//! TLS: the certificate is verified, and before it is nothing of a call leaves.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use lab::front_end::{FrontEnd as StandIn, Setup};
use one_dr::FrontEnd;
use one_dr::frontend::{Endpoint, Error, Object, Oned, Options, Session, SetupError};
use opennebula_meta::id::ImageId;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A stand-in behind a server that ends TLS, with a certificate for `name` by an authority of its own.
fn behind_tls(name: &str, ca_file: &Path) -> (StandIn, u16) {
    let oned = StandIn::start(Setup::default()).expect("a free port");
    let mut authority = CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("a CA");
    fs::write(ca_file, authority.pem()).expect("a folder of ours");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new([name.to_owned()]).expect("a name").signed_by(&key, &authority);
    let chain = vec![certificate.expect("signed").der().clone()];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("a key that fits");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let address = oned.url().trim_start_matches("http://").trim_end_matches("/RPC2").to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).expect("a configuration");
            // A client that hangs up is what some tests are about.
            drop(pass_on(StreamOwned::new(connection, stream), &address));
        }
    });
    (oned, port)
}

fn pass_on(mut client: StreamOwned<ServerConnection, TcpStream>, address: &str) -> io::Result<()> {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let count = client.read(&mut chunk)?;
        request.extend_from_slice(&chunk[..count]);
        if count == 0 || request.ends_with(b"</methodCall>\n") {
            break;
        }
    }
    let mut server = TcpStream::connect(address)?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)?;
    client.conn.send_close_notify();
    client.flush()
}

fn client(port: u16, ca_file: Option<&Path>) -> Result<Oned, SetupError> {
    let endpoint = Endpoint::new(&format!("https://localhost:{port}/RPC2"))?;
    let options = Options { ca_file: ca_file.map(ToOwned::to_owned), ..Options::default() };
    Oned::new("b", endpoint, Session::new("oneadmin:opennebula")?, options)
}

#[test]
fn a_certificate_of_the_given_authority_is_accepted() {
    let dir = tempfile::tempdir().expect("a folder");
    let ca_file = dir.path().join("ca.pem");
    let (oned, port) = behind_tls("localhost", &ca_file);
    client(port, Some(&ca_file)).expect("certificates").version().expect("an answer");
    assert_eq!(oned.calls(), ["one.system.version"]);
}

#[test]
fn a_certificate_of_nobody_we_trust_or_for_another_host_is_refused_and_nothing_is_sent() {
    let dir = tempfile::tempdir().expect("a folder");
    let (ca_file, other) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    let (oned, port) = behind_tls("localhost", &ca_file);
    let (elsewhere, another_port) = behind_tls("one.example.org", &other);
    let cases = [(port, None), (port, Some(other.as_path())), (another_port, Some(other.as_path()))];
    for (port, ca_file) in cases {
        let client = client(port, ca_file).expect("certificates");
        let error = client.version().expect_err("not to be trusted");
        // Somebody answers: this must not pass for a site that is down.
        assert!(
            matches!(error, Error::Unreadable { .. }) && error.to_string().contains("certificate"),
            "{error}"
        );
        let error = client.delete(Object::Image(ImageId(0)), false).expect_err("not to be trusted");
        assert!(matches!(error, Error::Refused { .. }), "a change that never left is no doubt: {error}");
    }
    assert!(oned.calls().is_empty() && elsewhere.calls().is_empty());
}

#[test]
fn plain_http_where_tls_is_expected_is_no_answer() {
    let oned = StandIn::start(Setup::default()).expect("a free port");
    let port = oned.url().trim_end_matches("/RPC2").rsplit(':').next().and_then(|port| port.parse().ok());
    let error =
        client(port.expect("a port"), None).expect("nothing to read").version().expect_err("no TLS there");
    assert!(error.is_unreachable(), "{error}");
    assert!(oned.calls().is_empty());
}

#[test]
fn a_file_without_certificates_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ca.pem");
    let error = client(1, Some(&path)).expect_err("no file");
    assert!(matches!(error, SetupError::Read { .. }), "{error}");
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nnot base64 at all!\n-----END CERTIFICATE-----\n"]
    {
        fs::write(&path, text).expect("a folder of ours");
        let error = client(1, Some(&path)).expect_err("no certificate");
        assert!(matches!(error, SetupError::Authority { .. }), "{text}: {error}");
    }
}
