//! The features of an image.

use std::fmt;

bitflags::bitflags! {
    /// The features of an image (`rbd/features.h`). Bits that this crate has no name for are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Features: u64 {
        /// Clones can be made of it, and it can be one.
        const LAYERING = 1;
        /// Striped otherwise than object by object.
        const STRIPING = 1 << 1;
        /// One client at a time writes.
        const EXCLUSIVE_LOCK = 1 << 2;
        /// A map of the objects that exist.
        const OBJECT_MAP = 1 << 3;
        /// The map tells what changed since a snapshot.
        const FAST_DIFF = 1 << 4;
        /// Flattening reaches its snapshots too.
        const DEEP_FLATTEN = 1 << 5;
        /// Every write goes to a journal first. What journal mode needs; not for kernel (krbd) clients.
        const JOURNALING = 1 << 6;
        /// The data is in another pool.
        const DATA_POOL = 1 << 7;
        /// Set by librbd while an operation of a newer kind is in use.
        const OPERATIONS = 1 << 8;
        /// Being migrated.
        const MIGRATING = 1 << 9;
        /// A replica of snapshot mode.
        const NON_PRIMARY = 1 << 10;
        /// A persistent cache holds writes.
        const DIRTY_CACHE = 1 << 11;

        /// Features of newer releases.
        const _ = !0;
    }
}

impl Features {
    /// What a new image gets by default: 61.
    pub const DEFAULT: Self = Self::LAYERING
        .union(Self::EXCLUSIVE_LOCK)
        .union(Self::OBJECT_MAP)
        .union(Self::FAST_DIFF)
        .union(Self::DEEP_FLATTEN);
}

#[cfg(feature = "serde")]
impl serde::Serialize for Features {
    /// As [`Display`](fmt::Display): `"layering, exclusive-lock"`.
    #[inline]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Features {
    /// As `rbd info` prints them: `layering, exclusive-lock`.
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter_names().map(|(name, _)| name.to_lowercase().replace('_', "-"));
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::Features;

    #[test]
    fn a_feature_of_a_newer_ceph_survives() {
        let features = Features::from_bits_retain(1 << 40 | 1);
        assert_eq!(features.bits(), 1 << 40 | 1);
        assert!(features.contains(Features::LAYERING));
    }

    #[test]
    fn features_are_shown_as_rbd_prints_them() {
        assert_eq!(
            Features::DEFAULT.to_string(),
            "layering, exclusive-lock, object-map, fast-diff, deep-flatten"
        );
        assert_eq!(Features::DEFAULT.bits(), 61);
    }
}
