//! How a pool and an image mirror.

use std::fmt;

use ceph_sys as sys;

/// Which images of a pool are mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum PoolMode {
    /// None.
    Disabled,
    /// Those that are enabled one by one. What a disaster-recovery set-up wants.
    Image,
    /// All that have the journaling feature. A clone with an unmirrored parent counts as enabled and never arrives.
    Pool,
    /// A mode this crate has no name for (Ceph 20 has `init-only`, 3).
    Other(u32),
}

impl PoolMode {
    pub(crate) const fn from_raw(raw: u32) -> Self {
        match raw {
            sys::RBD_MIRROR_MODE_DISABLED => Self::Disabled,
            sys::RBD_MIRROR_MODE_IMAGE => Self::Image,
            sys::RBD_MIRROR_MODE_POOL => Self::Pool,
            other => Self::Other(other),
        }
    }

    pub(crate) const fn to_raw(self) -> u32 {
        match self {
            Self::Disabled => sys::RBD_MIRROR_MODE_DISABLED,
            Self::Image => sys::RBD_MIRROR_MODE_IMAGE,
            Self::Pool => sys::RBD_MIRROR_MODE_POOL,
            Self::Other(raw) => raw,
        }
    }
}

impl fmt::Display for PoolMode {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::Image => f.write_str("image"),
            Self::Pool => f.write_str("pool"),
            Self::Other(raw) => write!(f, "mode {raw}"),
        }
    }
}

/// How an image's changes reach the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum MirrorImageMode {
    /// Every write is journaled and replayed: seconds behind, in order.
    Journal,
    /// Snapshots are taken and their differences copied: as far behind as the schedule is wide.
    Snapshot,
    /// A mode this crate has no name for.
    Other(u32),
}

impl MirrorImageMode {
    pub(crate) const fn from_raw(raw: u32) -> Self {
        match raw {
            sys::RBD_MIRROR_IMAGE_MODE_JOURNAL => Self::Journal,
            sys::RBD_MIRROR_IMAGE_MODE_SNAPSHOT => Self::Snapshot,
            other => Self::Other(other),
        }
    }

    pub(crate) const fn to_raw(self) -> u32 {
        match self {
            Self::Journal => sys::RBD_MIRROR_IMAGE_MODE_JOURNAL,
            Self::Snapshot => sys::RBD_MIRROR_IMAGE_MODE_SNAPSHOT,
            Self::Other(raw) => raw,
        }
    }
}

impl fmt::Display for MirrorImageMode {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal => f.write_str("journal"),
            Self::Snapshot => f.write_str("snapshot"),
            Self::Other(raw) => write!(f, "mode {raw}"),
        }
    }
}
