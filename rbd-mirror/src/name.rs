//! Names and ids: who is meant, and at which site.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(transparent))]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id from its text, as Ceph prints it.
            #[inline]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id as Ceph prints it.
            #[must_use]
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id! {
    /// The identity of a mirrored image, the same at every site, and the same after a resync.
    ///
    /// The image's own id ([`ImageId`]) differs between sites and changes with every resync.
    GlobalImageId
}
id! {
    /// The id of an image in its pool. A resync replaces the image, and the id with it.
    ImageId
}
id! {
    /// The id by which one pool of one site is known to the other (`rbd_mirror_uuid_get`).
    MirrorUuid
}
id! {
    /// The id of a peer entry of a pool, made up when the peer is added.
    PeerUuid
}

/// A pool and namespace of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolSpec {
    /// The cluster as this program calls it: the stem of its configuration file, or what [`crate::Connect::named`] said.
    pub cluster: Arc<str>,
    /// The pool's name.
    pub pool: Arc<str>,
    /// The namespace's name, empty for the default one.
    pub namespace: Arc<str>,
}

impl PoolSpec {
    /// The spec of an image in this pool.
    #[must_use]
    #[inline]
    pub fn image(&self, image: impl Into<Arc<str>>) -> ImageSpec {
        ImageSpec { pool: self.clone(), image: image.into() }
    }

    fn path(&self) -> impl fmt::Display {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        format!("{}{slash}{}", self.pool, self.namespace)
    }
}

impl fmt::Display for PoolSpec {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.path(), self.cluster)
    }
}

/// An image by its name (or `id:` and its id, where it was opened by that), with its pool and cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageSpec {
    /// Where the image is.
    pub pool: PoolSpec,
    /// The image's name.
    pub image: Arc<str>,
}

impl fmt::Display for ImageSpec {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} at {}", self.pool.path(), self.image, self.pool.cluster)
    }
}

/// What an operation was done on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A cluster, by the name this program has for it.
    Cluster(Arc<str>),
    /// A pool and namespace.
    Pool(PoolSpec),
    /// An image.
    Image(ImageSpec),
}

impl fmt::Display for Subject {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(cluster) => f.write_str(cluster),
            Self::Pool(pool) => pool.fmt(f),
            Self::Image(image) => image.fmt(f),
        }
    }
}

impl From<ImageSpec> for Subject {
    #[inline]
    fn from(spec: ImageSpec) -> Self {
        Self::Image(spec)
    }
}

impl From<PoolSpec> for Subject {
    #[inline]
    fn from(spec: PoolSpec) -> Self {
        Self::Pool(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::{GlobalImageId, PoolSpec};

    #[test]
    fn a_spec_is_shown_as_rbd_writes_it_and_says_at_which_site() {
        let pool = PoolSpec { cluster: "site-b".into(), pool: "one".into(), namespace: "".into() };
        assert_eq!(pool.image("one-0-0-0").to_string(), "one/one-0-0-0 at site-b");
        let inner = PoolSpec { namespace: "blue".into(), ..pool };
        assert_eq!(inner.image("one-0-0-0").to_string(), "one/blue/one-0-0-0 at site-b");
    }

    #[test]
    fn two_ids_are_equal_when_their_texts_are() {
        assert_eq!(GlobalImageId::new("f0523ef9"), GlobalImageId::new(String::from("f0523ef9")));
    }
}
