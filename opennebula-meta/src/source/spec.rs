//! Names of RBD images and snapshots.

use std::{
    fmt::{Display, Formatter, Result as Fmt},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{
    id::{DiskId, SnapshotId, VmId},
    template::Text,
};

/// `pool/image`, or `pool/namespace/image`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RbdImage {
    pool: Text,
    namespace: Option<Text>,
    name: Text,
}

/// A snapshot of an RBD image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RbdSnapshot {
    /// The image.
    pub image: RbdImage,
    /// The snapshot's name.
    pub name: String,
}

/// Not the name of an RBD image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// No name, or an empty part.
    #[error("an RBD image needs a pool and a name")]
    Empty,
    /// More than pool, namespace and image.
    #[error("too many parts for an RBD image")]
    Parts,
    /// A snapshot, a blank or a control character: a path or a name of something else.
    #[error("a character that no RBD image of OpenNebula has")]
    Character,
}

impl RbdImage {
    /// Reads `pool/image` or `pool/namespace/image`; a bare name is in `pool`.
    ///
    /// # Errors
    /// See [`SpecError`].
    pub fn parse(text: &str, pool: Option<&str>) -> Result<Self, SpecError> {
        let mut parts = text.splitn(4, '/');
        let (pool, namespace, name) = match ([parts.next(), parts.next(), parts.next(), parts.next()], pool) {
            ([Some(name), None, ..], Some(pool)) => (pool, None, name),
            ([Some(pool), Some(name), None, _], _) => (pool, None, name),
            ([Some(pool), Some(namespace), Some(name), None], _) => (pool, Some(namespace), name),
            ([_, None, ..], None) => return Err(SpecError::Empty),
            _ => return Err(SpecError::Parts),
        };
        for part in [Some(pool), namespace, Some(name)].into_iter().flatten() {
            if part.is_empty() {
                return Err(SpecError::Empty);
            }
            if part.contains(|one: char| one == '@' || one == '/' || one.is_whitespace() || one.is_control())
            {
                return Err(SpecError::Character);
            }
        }
        Ok(Self { pool: pool.into(), namespace: namespace.map(Text::from), name: name.into() })
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// The namespace, if it is in one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The image's name within pool and namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The clone of this image that is disk `disk` of VM `vm`.
    #[must_use]
    pub fn clone_for(mut self, vm: VmId, disk: DiskId) -> Self {
        for number in [vm.0, disk.0] {
            self.name.push('-');
            self.name.push_str(&number.to_string());
        }
        self
    }

    /// The volatile disk `disk` of VM `vm`, in the pool of its system datastore.
    ///
    /// # Errors
    /// See [`SpecError`].
    pub fn volatile(pool: &str, vm: VmId, disk: DiskId) -> Result<Self, SpecError> {
        Self::parse(&format!("one-sys-{vm}-{disk}"), Some(pool))
    }

    /// The name that this image gets when its disk is reverted while it holds these snapshots.
    #[must_use]
    pub fn carrier(&self, snapshots: &[SnapshotId]) -> Self {
        let ids: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
        self.with_suffix(&format!("-{}", ids.join(":")))
    }

    /// Whether this name is one that a revert gave to the former head of `disk`: the disk's name, `-`, and numbers
    /// of snapshots with `:` between them; `snapshot`, if given, among them.
    #[must_use]
    pub fn is_carrier_of(&self, disk: &Self, snapshot: Option<SnapshotId>) -> bool {
        if (&self.pool, &self.namespace) != (&disk.pool, &disk.namespace) {
            return false;
        }
        let ids = self.name.strip_prefix(disk.name.as_str()).and_then(|rest| rest.strip_prefix('-'));
        let Some(ids) = ids else { return false };
        let ids: Result<Vec<SnapshotId>, _> = ids.split(':').map(str::parse).collect();
        ids.is_ok_and(|ids| snapshot.is_none_or(|wanted| ids.contains(&wanted)))
    }

    /// As [`Display`] writes it.
    pub(crate) fn to_text(&self) -> Text {
        let mut text = self.pool.clone();
        for part in self.namespace.iter().chain([&self.name]) {
            text.push('/');
            text.push_str(part);
        }
        text
    }

    fn with_suffix(&self, suffix: &str) -> Self {
        Self {
            pool: self.pool.clone(),
            namespace: self.namespace.clone(),
            name: [self.name.as_str(), suffix].concat().into(),
        }
    }
}

impl Display for RbdImage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        f.write_str(&self.to_text())
    }
}

impl Display for RbdSnapshot {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "{}@{}", self.image, self.name)
    }
}

impl FromStr for RbdImage {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::parse(text, None)
    }
}

impl TryFrom<String> for RbdImage {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        Self::parse(&text, None)
    }
}

impl From<RbdImage> for String {
    fn from(image: RbdImage) -> Self {
        image.to_string()
    }
}
