//! Why a document cannot be read, and where: line, column and path, never a bare text.

use std::{
    fmt::{Display, Formatter, Result as Fmt},
    io::Error as IoError,
    sync::Arc,
};

/// Where in a document something is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in bytes, counted from 1. OpenNebula prints a document as one line, so this can be large.
    pub column: u32,
    /// Element names from the root, `VM/TEMPLATE/DISK[1]/SOURCE`; the index counts from 0 where equal names stand
    /// together, as OpenNebula writes them. Empty before the root.
    pub path: String,
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ", {}", self.path) }
    }
}

/// A document that cannot be read, or that lacks what was asked of it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why} at {at}")]
pub struct Error {
    /// Where.
    pub at: Place,
    /// What.
    #[source]
    pub why: Why,
}

impl Error {
    pub(crate) fn new(at: Place, why: Why) -> Self {
        Self { at, why }
    }
}

/// What is wrong with a document. One variant a decision: truncated input is read again, a missing field means the
/// wrong call was used at the front-end, hostile input is thrown away.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The input ends before the document does: an interrupted download, a full disk.
    #[error("the document ends too early")]
    Truncated,
    /// Not UTF-8. OpenNebula writes nothing else.
    #[error("not UTF-8")]
    NotUtf8,
    /// Not well-formed XML.
    #[error("not well-formed XML")]
    Xml(#[source] Syntax),
    /// Not JSON.
    #[error("not JSON")]
    Json(#[source] Arc<serde_json::Error>),
    /// JSON of a shape that OpenNebula does not print, such as a list as the whole document.
    #[error("JSON of an unexpected shape")]
    Shape,
    /// A document type declaration. OpenNebula never writes one, and it is where entity bombs live.
    #[error("a document type declaration is refused")]
    Doctype,
    /// An entity that XML does not define by itself; nothing else is expanded.
    #[error("the entity &{0}; is refused")]
    Entity(String),
    /// A reference to a character that XML does not have.
    #[error("a reference to no character")]
    CharacterReference,
    /// Deeper than [`Limits::depth`](super::Limits::depth).
    #[error("nested deeper than {0}")]
    TooDeep(usize),
    /// Longer than [`Limits::bytes`](super::Limits::bytes).
    #[error("longer than {0} bytes")]
    TooLong(u64),
    /// More elements than [`Limits::elements`](super::Limits::elements).
    #[error("more than {0} elements")]
    TooMany(usize),
    /// JSON with a name that no element can have.
    #[error("a name that no element can have")]
    Name,
    /// Text beside elements: no document of OpenNebula has that, and one of the two would be lost.
    #[error("text beside elements")]
    Mixed,
    /// Something follows the root element.
    #[error("something follows the document")]
    Trailing,
    /// Another root than expected, such as a VM where an image was asked for.
    #[error("expected <{expected}>, found <{found}>")]
    Root {
        /// The element asked for.
        expected: &'static str,
        /// The element found.
        found: String,
    },
    /// A field that must be there is not, or is empty. For `SOURCE` and `TARGET` of a disk the usual cause is
    /// `one.vmpool.info`, whose VMs are short: use `one.vm.info` or `one.vmpool.infoextended`.
    #[error("{0} is missing or empty")]
    Missing(&'static str),
    /// A field that must be a number is not, or does not fit.
    #[error("{field} is not a number in range: {text:?}")]
    Number {
        /// The field.
        field: &'static str,
        /// What it holds.
        text: String,
    },
    /// `SOURCE` or `POOL_NAME` of a disk on Ceph is no name of an RBD image or pool.
    #[error("not the name of an RBD image")]
    Source,
    /// The reader under a stream failed.
    #[error("reading failed")]
    Io(#[source] Arc<IoError>),
}

/// What is not well-formed about XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Syntax {
    /// An end tag that closes another element than the innermost.
    #[error("an end tag of another element")]
    Mismatched,
    /// An end tag where nothing is open.
    #[error("an end tag without its start")]
    UnexpectedEnd,
    /// A tag without a name, or with one that cannot be.
    #[error("not the name of an element")]
    Name,
    /// `<` within a tag.
    #[error("a tag within a tag")]
    Tag,
    /// `<!` that starts nothing.
    #[error("an unknown declaration")]
    Declaration,
    /// `&` that starts no reference.
    #[error("an & that starts no reference")]
    Reference,
}
