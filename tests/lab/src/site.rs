//! The words for the two sites and their four daemons.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the two sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SiteId {
    /// Where the work is at the start.
    A,
    /// Where it goes in a disaster.
    B,
}

impl SiteId {
    /// Both sites.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The site at the other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The site's letter in file names: `a` or `b`.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The site's name in mirroring, which is also its cluster name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "site-a",
            Self::B => "site-b",
        }
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for SiteId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named =
            |site: &Self| text.eq_ignore_ascii_case(site.letter()) || text.eq_ignore_ascii_case(site.name());
        Self::ALL.into_iter().find(named).ok_or_else(|| format!("no site {text:?}; the sites are a and b"))
    }
}

/// One of the four daemons of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Daemon {
    /// `ceph-mon`, the monitor.
    Mon,
    /// `ceph-mgr`, the manager.
    Mgr,
    /// `ceph-osd`, the one that holds the data.
    Osd,
    /// `rbd-mirror`, which pulls from the other site.
    RbdMirror,
}

impl Daemon {
    /// All daemons, in the order in which they start.
    pub const ALL: [Self; 4] = [Self::Mon, Self::Mgr, Self::Osd, Self::RbdMirror];

    /// The daemon's word on command lines and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Mgr => "mgr",
            Self::Osd => "osd",
            Self::RbdMirror => "rbd-mirror",
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Daemon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|daemon| text == daemon.name())
            .ok_or_else(|| format!("no daemon {text:?}; the daemons are mon, mgr, osd and rbd-mirror"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Daemon, SiteId};

    #[test]
    fn every_name_is_read_back_as_what_it_names() {
        for site in SiteId::ALL {
            assert_eq!(site.letter().parse(), Ok(site));
            assert_eq!(site.name().parse(), Ok(site));
        }
        for daemon in Daemon::ALL {
            assert_eq!(daemon.name().parse(), Ok(daemon));
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        assert!("c".parse::<SiteId>().is_err_and(|text| text.contains("a and b")));
        assert!("mds".parse::<Daemon>().is_err_and(|text| text.contains("rbd-mirror")));
    }
}
