//! What a front-end answers when it does not do what it was asked.

/// `Result` with this module's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A call that was not done, as a decision for the caller. No text of it carries a credential or a `CONTEXT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection, or no answer to a read. Nothing was changed.
    #[error("the front-end of site {site} does not answer ({method}): {why}")]
    Unreachable {
        /// The site.
        site: String,
        /// `one.vm.info`.
        method: &'static str,
        /// In words.
        why: String,
    },
    /// A change was sent and its answer lost, cut off, or a server error: it may have been made. Look before anything else.
    #[error("{method} at site {site}: the answer was lost ({why}); it may have happened")]
    InDoubt {
        /// The site.
        site: String,
        /// `one.image.allocate`.
        method: &'static str,
        /// In words.
        why: String,
    },
    /// OpenNebula says no. Nothing was changed.
    #[error("{method} at site {site} was refused: {text} (code {code})")]
    Refused {
        /// The site.
        site: String,
        /// `one.image.allocate`.
        method: &'static str,
        /// OpenNebula's code: 256 authentication, 512 authorization, 1024 no such object, 2048 action, 8192 internal,
        /// 16384 allocate; negative for a fault of XML-RPC.
        code: i64,
        /// OpenNebula's words, secrets taken out.
        text: String,
    },
    /// The answer is none that OpenNebula gives to a read.
    #[error("{method} at site {site}: the answer cannot be read: {why}")]
    Unreadable {
        /// The site.
        site: String,
        /// `one.vmpool.infoextended`.
        method: &'static str,
        /// In words.
        why: String,
    },
}

impl Error {
    /// Whether the front-end is silent, rather than unwilling.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether the change may have been made.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt { .. })
    }
}
