//! Numbers that OpenNebula gives out, one type each, so that a VM's number can never be taken for an image's.
//!
//! All of them are counters of *one* front-end: the same number at the other site is another object, or none.
//! Nothing here looks anything up.

use std::{
    fmt::{Display, Formatter, Result as Fmt},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
                Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = <u32 as FromStr>::Err;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// `VM/ID`.
    VmId;
    /// `IMAGE/ID`.
    ImageId;
    /// `VNET/ID`.
    NetworkId;
    /// `DATASTORE/ID`.
    DatastoreId;
    /// `VMTEMPLATE/ID`.
    TemplateId;
    /// `CLUSTER/ID`.
    ClusterId;
    /// `UID` of a user.
    UserId;
    /// `GID` of a group.
    GroupId;
    /// `DISK/DISK_ID`, unique within a VM; may have gaps after a detach.
    DiskId;
    /// `NIC/NIC_ID`; NICs and aliases of a VM share one counter.
    NicId;
    /// `SNAPSHOTS/SNAPSHOT/ID`, unique within a disk.
    SnapshotId;
}

/// A size as OpenNebula states it: an integer number of MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mebibytes(pub u64);

impl Mebibytes {
    /// The smallest number of MiB that holds `bytes`: what to register for an RBD image of that size.
    #[must_use]
    pub fn holding(bytes: u64) -> Self {
        Self(bytes.div_ceil(1 << 20))
    }

    /// The same size in bytes; `None` past `u64`.
    #[must_use]
    pub fn bytes(self) -> Option<u64> {
        self.0.checked_mul(1 << 20)
    }
}

impl Display for Mebibytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        Display::fmt(&self.0, f)
    }
}

/// Seconds since 1970-01-01T00:00:00Z, as OpenNebula writes every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EpochSeconds(pub u64);
