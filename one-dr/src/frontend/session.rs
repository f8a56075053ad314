//! Who calls, and where: as OpenNebula's own commands find them.

use std::env;
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Longer than any credential; a file that exceeds it is none.
const BYTES_MAX: u64 = 64 << 10;
/// oned on the same machine.
const DEFAULT_ENDPOINT: &str = "http://localhost:2633/RPC2";

/// `user:password`, or `user:token`. Wiped when dropped; its `Debug` shows the user alone.
pub struct Session(Zeroizing<String>);

/// Why credentials, or the address of a front-end, cannot be used. It never quotes them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A file that is not there, or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Everybody could use the credentials.
    #[error("{} can be read by others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Somebody else put the file there.
    #[error("{} belongs to user {owner}, neither to this user nor to root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner's UID.
        owner: u32,
    },
    /// Not `user:password`.
    #[error("{what} does not hold user:password")]
    NoCredentials {
        /// The file, or what else they came from.
        what: String,
    },
    /// Neither `ONE_AUTH` nor a home folder.
    #[error("no credentials: set ONE_AUTH to a file that holds user:password, or make ~/.one/one_auth")]
    Nowhere,
    /// Not an address of a front-end.
    #[error("{what} is no address of a front-end: {why}; one looks like https://one.example.org:2633/RPC2")]
    Endpoint {
        /// Where it came from.
        what: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The certificates of an own authority cannot be read.
    #[error("{} holds no certificate that can be read: {why}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
}

impl Session {
    /// From a text. White space around it does not count.
    ///
    /// # Errors
    /// [`SetupError::NoCredentials`]
    pub fn new(text: impl Into<String>) -> Result<Self, SetupError> {
        Self::from_text(&Zeroizing::new(text.into()), "the text given")
    }

    fn from_text(text: &str, what: &str) -> Result<Self, SetupError> {
        let text = text.trim();
        let (user, password) = text.split_once(':').unwrap_or_default();
        if user.is_empty() || password.is_empty() || text.chars().any(char::is_control) {
            return Err(SetupError::NoCredentials { what: what.to_owned() });
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// From a file that nobody else may read.
    ///
    /// # Errors
    /// [`SetupError::Read`], [`SetupError::Mode`], [`SetupError::Owner`], [`SetupError::NoCredentials`]
    pub fn from_file(path: &Path) -> Result<Self, SetupError> {
        let at = |source| SetupError::Read { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(at)?;
        // Of what was opened, not of what bears the name by now.
        let metadata = file.metadata().map_err(at)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SetupError::Mode { path: path.to_owned(), mode });
        }
        let owner = metadata.uid();
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Err(SetupError::Owner { path: path.to_owned(), owner });
        }
        let mut text = Zeroizing::new(String::with_capacity(1 << 10));
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(at)?;
        Self::from_text(&text, &path.display().to_string())
    }

    /// As `oneuser` and the others find them: the file that `ONE_AUTH` names, else `~/.one/one_auth`.
    ///
    /// # Errors
    /// [`SetupError::Nowhere`], and those of [`Self::from_file`]
    pub fn from_environment() -> Result<Self, SetupError> {
        Self::from_file(&found("ONE_AUTH", "one_auth").ok_or(SetupError::Nowhere)?)
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// The whole of it, for the first argument of a call.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}:..)", self.user())
    }
}

/// The file that a variable names, else one of `~/.one`.
fn found(variable: &str, file: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(env::home_dir()?.join(".one").join(file)))
}

/// The address of a front-end's XML-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// An address. `http` sends credentials in the clear: see [`Self::is_cleartext`].
    ///
    /// # Errors
    /// [`SetupError::Endpoint`]
    pub fn new(url: &str) -> Result<Self, SetupError> {
        Self::from_text(url, "the address given")
    }

    fn from_text(url: &str, what: &str) -> Result<Self, SetupError> {
        let url = url.trim();
        let bad = |why| Err(SetupError::Endpoint { what: what.to_owned(), why });
        let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
            return bad("it begins with neither http:// nor https://");
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            return bad("credentials do not belong into it");
        }
        if host.is_empty() || url.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return bad("it has no host, or blanks");
        }
        Ok(Self(url.to_owned()))
    }

    /// As OpenNebula's commands find it: `ONE_XMLRPC`, else the text of `~/.one/one_endpoint`, else oned on this machine.
    ///
    /// # Errors
    /// [`SetupError::Endpoint`]
    pub fn from_environment() -> Result<Self, SetupError> {
        if let Some(url) = env::var("ONE_XMLRPC").ok().filter(|url| !url.is_empty()) {
            return Self::from_text(&url, "ONE_XMLRPC");
        }
        let path = env::home_dir().map(|home| home.join(".one/one_endpoint"));
        match path.and_then(|path| Some((fs::read_to_string(&path).ok()?, path))) {
            Some((url, path)) => Self::from_text(&url, &path.display().to_string()),
            None => Self::new(DEFAULT_ENDPOINT),
        }
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether credentials travel unencrypted to another machine.
    #[must_use]
    pub fn is_cleartext(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("http://") else { return false };
        let host = rest.split('/').next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        !matches!(name, "localhost" | "[::1]") && !name.starts_with("127.")
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Session, SetupError};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn credentials_are_shown_without_the_password() {
        let session = Session::new(" alice:pass:word\n").unwrap();
        assert_eq!((session.user(), session.expose()), ("alice", "alice:pass:word"));
        assert_eq!(format!("{session:?}"), "Session(alice:..)");
    }

    #[test]
    fn what_is_no_credential_is_refused_and_not_quoted() {
        for text in ["", "secret", ":secret", "alice:", "alice:se\u{0}cret"] {
            let error = Session::new(text).unwrap_err();
            let shown = error.to_string();
            assert!(
                matches!(error, SetupError::NoCredentials { .. }) && !shown.contains("secret"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("one_auth");
        fs::write(&path, "oneadmin:opennebula\n").unwrap();
        for (mode, allowed) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o666, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = Session::from_file(&path);
            assert_eq!(read.is_ok(), allowed, "{mode:o}");
            if let Err(error) = read {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn an_address_is_checked() {
        for good in ["http://localhost:2633/RPC2", "https://one.example.org/RPC2", "http://[::1]:2633/RPC2\n"]
        {
            assert!(Endpoint::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", "one:2633", "ftp://one/RPC2", "http://user:secret@one/RPC2", "http:///RPC2", "http://o ne/"]
        {
            let error = Endpoint::new(bad).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let cleartext = |url| Endpoint::new(url).unwrap().is_cleartext();
        assert!(cleartext("http://10.0.0.1:2633/RPC2") && cleartext("http://one/RPC2"));
        assert!(
            !cleartext("https://one/RPC2")
                && !cleartext("http://127.0.0.1:1/RPC2")
                && !cleartext("http://[::1]:1/")
        );
    }
}
