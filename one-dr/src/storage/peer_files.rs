//! What the guide copies by hand: with these two files the other site's rbd-mirror reaches this one. Tokens need neither.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Token;

/// The two files. They hold a key: their `Debug` is silent.
pub struct PeerFiles {
    site: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    fsid: String,
    client_id: String,
    key: Zeroizing<String>,
    mon_host: String,
}

impl fmt::Debug for PeerFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerFiles").field("site", &self.site).finish_non_exhaustive()
    }
}

impl PeerFiles {
    /// The files that say the same as a token; `None` if it is none.
    #[must_use]
    pub fn of(site: &str, token: &Token) -> Option<Self> {
        let json = Zeroizing::new(STANDARD.decode(token.expose().trim()).ok()?);
        Some(Self { site: site.to_owned(), fields: serde_json::from_slice(&json).ok()? })
    }

    /// Names and contents: the configuration, and the keyring by the name under which rbd-mirror looks for it.
    #[must_use]
    pub fn files(&self) -> [(String, Zeroizing<String>); 2] {
        let Self { site, fields } = self;
        let conf = format!("[global]\nfsid = {}\nmon_host = {}\n", fields.fsid, fields.mon_host);
        let keyring = format!("[client.{}]\n\tkey = {}\n", fields.client_id, fields.key.as_str());
        [
            (format!("{site}.conf"), Zeroizing::new(conf)),
            (format!("{site}.client.{}.keyring", fields.client_id), Zeroizing::new(keyring)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{PeerFiles, Token};

    #[test]
    fn a_token_makes_a_configuration_without_a_key_and_a_keyring_with_it() {
        let json = r#"{"fsid":"6f00","client_id":"rbd-mirror-peer","key":"AQBsecret","mon_host":"[v2:10.0.0.1:3300/0]"}"#;
        let files = PeerFiles::of("a", &Token::new(STANDARD.encode(json))).unwrap();
        assert!(!format!("{files:?}").contains("AQB"));
        let [(conf_name, conf), (keyring_name, keyring)] = files.files();
        assert_eq!(
            (conf_name.as_str(), keyring_name.as_str()),
            ("a.conf", "a.client.rbd-mirror-peer.keyring")
        );
        assert!(conf.contains("fsid = 6f00") && !conf.contains("AQB"));
        assert!(keyring.contains("[client.rbd-mirror-peer]") && keyring.contains("key = AQBsecret"));
        assert!(PeerFiles::of("a", &Token::new("nonsense".to_owned())).is_none());
    }
}
