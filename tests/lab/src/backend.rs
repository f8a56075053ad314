//! Where the daemons of a lab run: as plain processes of this machine, or in a container for each site.

use std::env;

use serde::{Deserialize, Serialize};

use crate::site::SiteId;

/// Where the daemons run. Everything else about a lab is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// As processes of this machine, from its own packages.
    #[default]
    Processes,
    /// Each site in a container with an address of its own on a network without a way out.
    Containers {
        /// The release at site A and at site B, as in `pacific`: `cargo xtask images` makes an image for each.
        releases: [String; 2],
    },
}

impl Backend {
    /// The variable by which tests and the drill are told: unset or empty for processes, else a release (`reef`) or the
    /// releases of A and of B (`pacific,reef`).
    pub const VARIABLE: &'static str = "LAB_CONTAINERS";

    /// The backend that [`Backend::VARIABLE`] asks for.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::parse(&env::var(Self::VARIABLE).unwrap_or_default())
    }

    /// What [`Backend::to_variable`] wrote. Whether there is an image for a release shows when the lab comes up.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "" => Self::Processes,
            text => {
                let (a, b) = text.split_once(',').unwrap_or((text, text));
                Self::Containers { releases: [a, b].map(|release| release.trim().to_owned()) }
            }
        }
    }

    /// The value of [`Backend::VARIABLE`] that asks for this backend.
    #[must_use]
    pub fn to_variable(&self) -> String {
        match self {
            Self::Processes => String::new(),
            Self::Containers { releases } => releases.join(","),
        }
    }

    /// The image of a release, by the name that `cargo xtask images` gives it.
    #[must_use]
    pub fn image(release: &str) -> String {
        format!("ceph-lab:{release}")
    }

    /// The release of a site, where that is chosen.
    #[must_use]
    pub fn release(&self, site: SiteId) -> Option<&str> {
        match self {
            Self::Processes => None,
            Self::Containers { releases } => Some(&releases[site as usize]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Backend;
    use crate::site::SiteId;

    #[test]
    fn the_variable_says_which_release_is_where() {
        assert_eq!(Backend::parse(" "), Backend::Processes);
        let both = Backend::parse("reef");
        assert_eq!((both.release(SiteId::A), both.release(SiteId::B)), (Some("reef"), Some("reef")));
        let mixed = Backend::parse("pacific, reef");
        assert_eq!((mixed.release(SiteId::A), mixed.release(SiteId::B)), (Some("pacific"), Some("reef")));
        for backend in [Backend::Processes, both, mixed] {
            assert_eq!(Backend::parse(&backend.to_variable()), backend);
        }
    }
}
