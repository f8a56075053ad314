//! Which attributes are secrets. OpenNebula has no mark for them, so the name decides.
//!
//! Used wherever something is shown rather than written: `Debug`, the list of changes, findings. What is written for
//! OpenNebula, and what is kept in a record, carries them.

/// Parts of names under which OpenNebula, its context packages and its users keep secrets. `TOKEN` covers
/// `ONEGATE_TOKEN` and `TOKEN_PASSWORD`; that `TOKEN="YES"` is hidden too does no harm.
const MARKS: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "PRIVATE_KEY",
    "CEPH_KEY",
    "CREDENTIAL",
    "API_KEY",
];

/// Whether an attribute of this name must not be shown.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    let key = key.as_bytes();
    (0..key.len()).any(|at| {
        let rest = key.get(at..).unwrap_or_default();
        MARKS
            .iter()
            .any(|mark| rest.get(..mark.len()).is_some_and(|part| part.eq_ignore_ascii_case(mark.as_bytes())))
    })
}

/// The value to show for an attribute: `None` where the name says that it is a secret.
#[must_use]
pub fn shown<'a>(key: &str, value: &'a str) -> Option<&'a str> {
    (!is_secret(key)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_any_case() {
        for key in [
            "PASSWORD",
            "CRYPTED_PASSWORD",
            "PASSWD",
            "ONEGATE_TOKEN",
            "CEPH_SECRET",
            "vrouter_keepalived_password",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["SSH_PUBLIC_KEY", "NAME", "KEYMAP", "PASS"] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
