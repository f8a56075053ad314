//! The cephx keys of a site: made before its monitor, which imports them all at its birth.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::directory::Directory;
use crate::error::{At, Result};
use crate::site::{Daemon, SiteId};
use crate::tool::Tool;

/// The name of the user that a site's own `rbd-mirror` logs in with, without `client.`.
pub(crate) fn mirror_user(site: SiteId) -> String {
    format!("rbd-mirror.{}", site.letter())
}

/// The name of the user that the other site's `rbd-mirror` logs in with, without `client.`.
pub(crate) fn peer_user(site: SiteId) -> String {
    format!("rbd-mirror-peer-{}", site.letter())
}

/// A cephx key. It is written to files of mode 0600 and nowhere else.
struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(..)")
    }
}

impl Key {
    fn generate(kind: &[&str]) -> Result<Self> {
        let tool = Tool::new("ceph-authtool").args(["--gen-print-key"]).args(kind);
        Ok(Self(tool.within(Duration::from_secs(30)).text()?.trim().to_owned()))
    }

    fn keyring(&self, entity: &str, caps: &[(&str, &str)]) -> String {
        let caps = caps.iter().map(|(service, cap)| format!("\tcaps {service} = \"{cap}\"\n"));
        format!("[{entity}]\n\tkey = {}\n{}", self.0, caps.collect::<String>())
    }
}

/// Makes every key of `site` and writes the keyrings. With `old_ciphers` they are keys that every release can read.
pub(crate) fn make(directory: &Directory, site: SiteId, old_ciphers: bool) -> Result<()> {
    let kind: &[&str] = if old_ciphers && chooses_ciphers()? { &["--key-type", "aes"] } else { &[] };
    let all = [("mon", "allow *"), ("mgr", "allow *"), ("osd", "allow *")];
    let client = |user: &str| directory.client_keyring(site, &format!("client.{user}"));
    let daemon = |daemon| directory.daemon_keyring(site, daemon);
    let (mirror, peer) = (mirror_user(site), peer_user(site));
    // The caps of the two mirroring users are those of the guide.
    let identities = [
        ("mon.".to_owned(), daemon(Daemon::Mon), vec![("mon", "allow *")]),
        ("mgr.x".to_owned(), daemon(Daemon::Mgr), vec![("mon", "allow profile mgr"), ("osd", "allow *")]),
        (
            "osd.0".to_owned(),
            daemon(Daemon::Osd),
            vec![("mon", "allow profile osd"), ("mgr", "allow profile osd"), ("osd", "allow *")],
        ),
        ("client.admin".to_owned(), client("admin"), all.to_vec()),
        (
            format!("client.{mirror}"),
            client(&mirror),
            vec![("mon", "profile rbd-mirror"), ("osd", "profile rbd")],
        ),
        (format!("client.{peer}"), client(&peer), vec![("mon", "profile rbd"), ("osd", "profile rbd")]),
    ];
    let mut initial = String::new();
    for (entity, file, caps) in identities {
        let keyring = Key::generate(kind)?.keyring(&entity, &caps);
        write_secret(&file, &keyring)?;
        initial.push_str(&keyring);
    }
    write_secret(&directory.initial_keyring(site), &initial)
}

/// Whether this machine's tool makes keys of another kind than the oldest, unless told otherwise: Tentacle's does.
fn chooses_ciphers() -> Result<bool> {
    let help = Tool::new("sh").args(["-c", "ceph-authtool --help 2>&1 || true"]).text()?;
    Ok(help.contains("--key-type"))
}

/// Writes a file that only its owner may read, from its first byte on.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .at("write", path)?;
    file.write_all(text.as_bytes()).at("write", path)
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn a_key_shows_itself_to_a_keyring_only() {
        let key = Key("AQsecret==".to_owned());
        assert!(!format!("{key:?}").contains("secret"));
        let keyring = key.keyring("osd.0", &[("mon", "allow profile osd")]);
        assert_eq!(keyring, "[osd.0]\n\tkey = AQsecret==\n\tcaps mon = \"allow profile osd\"\n");
    }
}
