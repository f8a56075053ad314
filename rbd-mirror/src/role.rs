//! What an image is at one site.
//!
//! ```text
//!                     enable                          demote
//!   NotMirrored ───────────────> Primary ───────────────────────────> NonPrimary
//!        ^                        ^  ^                                  │    │
//!        └── disable (Disabling) ─┘  └──────── promote ────────────────┘    │ resync: the image is deleted and made
//!                                                                           └─ again from the primary, as NonPrimary
//! ```
//! `NonPrimary` does not promise a primary elsewhere: after a demotion both sites are non-primary. Who owns the image then
//! is in its journal ([`crate::journal::TagOwner`]).

use std::fmt;

use ceph_sys as sys;

use crate::name::GlobalImageId;
use crate::raw::mirror_image::RawInfo;

/// What an image is at this site, as this site's own cluster has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Role {
    /// Mirroring is not enabled for it.
    NotMirrored,
    /// Mirroring is being disabled, or an enable or disable was broken off.
    Disabling(GlobalImageId),
    /// Written here. Another site may believe the same of itself: Ceph does not say so.
    Primary(GlobalImageId),
    /// Not written here: a follower, or demoted.
    NonPrimary(GlobalImageId),
    /// A state this crate has no name for.
    Other {
        /// The image's global id.
        id: GlobalImageId,
        /// librbd's number for the state.
        state: u32,
        /// librbd's flag.
        primary: bool,
    },
}

impl Role {
    pub(crate) fn from_raw(raw: RawInfo) -> Self {
        let id = GlobalImageId::new(raw.global_id);
        match (raw.state, raw.primary) {
            (sys::RBD_MIRROR_IMAGE_DISABLED, _) => Self::NotMirrored,
            (sys::RBD_MIRROR_IMAGE_DISABLING, _) => Self::Disabling(id),
            (sys::RBD_MIRROR_IMAGE_ENABLED, true) => Self::Primary(id),
            (sys::RBD_MIRROR_IMAGE_ENABLED, false) => Self::NonPrimary(id),
            (state, primary) => Self::Other { id, state, primary },
        }
    }

    /// The image's identity across the sites, when it has one.
    #[must_use]
    #[inline]
    pub fn id(&self) -> Option<&GlobalImageId> {
        match self {
            Self::NotMirrored => None,
            Self::Disabling(id) | Self::Primary(id) | Self::NonPrimary(id) | Self::Other { id, .. } => {
                Some(id)
            }
        }
    }

    /// Whether the image is mirrored and primary here.
    #[must_use]
    #[inline]
    pub fn is_primary(&self) -> bool {
        matches!(self, Self::Primary(_))
    }
}

impl fmt::Display for Role {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMirrored => f.write_str("not mirrored"),
            Self::Disabling(_) => f.write_str("disabling"),
            Self::Primary(_) => f.write_str("primary"),
            Self::NonPrimary(_) => f.write_str("non-primary"),
            Self::Other { state, primary, .. } => write!(f, "state {state}, primary: {primary}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RawInfo, Role};

    fn role(state: u32, primary: bool) -> Role {
        Role::from_raw(RawInfo { global_id: "g".into(), state, primary })
    }

    #[test]
    fn an_image_that_is_not_mirrored_is_not_taken_for_a_follower() {
        assert_eq!(role(2, false), Role::NotMirrored);
        assert_eq!(role(2, false).id(), None);
    }

    #[test]
    fn a_state_of_a_newer_ceph_is_carried_and_is_not_primary() {
        let creating = role(3, true);
        assert!(matches!(creating, Role::Other { state: 3, primary: true, .. }));
        assert!(!creating.is_primary());
    }
}
