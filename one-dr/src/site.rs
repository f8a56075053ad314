//! The two sites, as one value: what every look and every step is given.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::frontend::FrontEnd;
use crate::settings::Settings;
use crate::storage::Storage;

/// Which of the two sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where the VMs live (A).
    Home,
    /// Where they go (B).
    Recovery,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Home => Self::Recovery,
            Self::Recovery => Self::Home,
        }
    }
}

/// One site.
#[derive(Clone)]
pub struct Site {
    /// Its name, as the operator has it.
    pub name: String,
    /// Its Ceph pool.
    pub storage: Arc<dyn Storage>,
    /// Its OpenNebula.
    pub frontend: Arc<dyn FrontEnd>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Both sites, time, and what the operator has set.
#[derive(Clone)]
pub struct SitePair {
    /// Site A.
    pub home: Site,
    /// Site B.
    pub recovery: Site,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Limits, targets, mappings.
    pub settings: Settings,
    /// Who acts, `user@host`: in the lease, and in the journal.
    pub operator: String,
}

impl fmt::Debug for SitePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SitePair")
            .field("home", &self.home)
            .field("recovery", &self.recovery)
            .finish_non_exhaustive()
    }
}

impl SitePair {
    /// The site of a side.
    #[must_use]
    pub fn at(&self, side: Side) -> &Site {
        match side {
            Side::Home => &self.home,
            Side::Recovery => &self.recovery,
        }
    }

    /// The pool of a side.
    #[must_use]
    pub fn storage(&self, side: Side) -> &dyn Storage {
        self.at(side).storage.as_ref()
    }

    /// The front-end of a side.
    #[must_use]
    pub fn frontend(&self, side: Side) -> &dyn FrontEnd {
        self.at(side).frontend.as_ref()
    }
}
