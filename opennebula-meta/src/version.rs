//! The version of a front-end, as `one.system.version` tells it.

use std::{
    fmt::{Display, Formatter, Result as Fmt},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// `6.10.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// 6
    pub major: u16,
    /// 10
    pub minor: u16,
    /// 3
    pub patch: u16,
}

/// Not a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version such as 6.10.3")]
pub struct VersionError;

impl Version {
    /// A version.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut parts = text.trim().split('.');
        let mut number = || parts.next().map_or(Ok(0), |part| part.parse().map_err(|_| VersionError));
        let (major, minor, patch) = (number()?, number()?, number()?);
        if text.trim().is_empty() { Err(VersionError) } else { Ok(Self { major, minor, patch }) }
    }
}

impl Display for Version {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}
