//! Which librbd is loaded.

use std::fmt;

use crate::raw::rados;

/// A version of librbd. Ceph 16 has 1.16, Ceph 18 has 1.18, Ceph 20 has 1.20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 1 in every release so far.
    pub major: i32,
    /// The number of the Ceph release, since 16.
    pub minor: i32,
    /// The patch level of the interface.
    pub extra: i32,
}

impl Version {
    /// The oldest librbd this crate works with, the one its bindings were made from.
    pub const FLOOR: Self = Self { major: 1, minor: 16, extra: 0 };

    /// The librbd that this process has loaded.
    ///
    /// Implements: `void rbd_version(int *major, int *minor, int *extra);`
    #[must_use]
    #[inline]
    pub fn loaded() -> Self {
        let (major, minor, extra) = rados::rbd_version();
        Self { major, minor, extra }
    }
}

impl fmt::Display for Version {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.extra)
    }
}
