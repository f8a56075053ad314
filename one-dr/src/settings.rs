//! What the operator sets: targets, limits of waits, mappings, boot order. Data only.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use opennebula_meta::SiteMap;
use serde::{Deserialize, Serialize};

use crate::storage::MirrorMode;

/// Everything that may be set and has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How disks are mirrored.
    pub mirror_mode: MirrorMode,
    /// How long a replica whose primary was removed, and the old copy at a resync, stay in the trash of each site. In seconds.
    pub delete_delay_seconds: u64,
    /// What differs at site B.
    pub site_map: SiteMap,
    /// What is warned of or refused when it is exceeded.
    pub targets: Targets,
    /// How long each kind of wait may last.
    pub limits: Limits,
    /// The boot group of a VM by its number at home, `"12" = 1`; the others are in group [`Boot::DEFAULT_GROUP`].
    pub boot: Boot,
    /// The test beside production.
    pub drill: Drill,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mirror_mode: MirrorMode::default(),
            delete_delay_seconds: 7 * 24 * 3600,
            site_map: SiteMap::default(),
            targets: Targets::default(),
            limits: Limits::default(),
            boot: Boot::default(),
            drill: Drill::default(),
        }
    }
}

/// What is warned of, or refused, when it is exceeded. In seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Targets {
    /// How far a replica may be behind in normal operation.
    pub rpo_seconds: u64,
    /// The age of the last confirmed contact with the primary that a failover may rest on. It grows while the site is silent: it
    /// is the bound of what may be lost, not what is.
    pub last_contact_seconds: u64,
    /// The age of the metadata that a move may rest on.
    pub metadata_age_seconds: u64,
    /// How full the pool may be after a protection, in hundredths.
    pub pool_full_percent: u64,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            rpo_seconds: 60,
            last_contact_seconds: 3600,
            metadata_age_seconds: 24 * 3600,
            pool_full_percent: 85,
        }
    }
}

/// How long each kind of wait may last before a run stops at it. In seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// A guest that is asked to power off.
    pub poweroff_seconds: u64,
    /// The last writer of an image.
    pub no_writer_seconds: u64,
    /// The other site's daemon to register, to catch up with a switch, to hear of a demotion.
    pub mirror_seconds: u64,
    /// A first copy, a resync.
    pub copy_seconds: u64,
    /// A VM to run.
    pub start_seconds: u64,
    /// Any other step.
    pub step_seconds: u64,
    /// After a call whose outcome is in doubt: how long its effect is looked for.
    pub settle_seconds: u64,
    /// How long a lease lasts unless it is prolonged.
    pub lease_seconds: u64,
    /// The pause between two looks, in milliseconds.
    pub poll_milliseconds: u64,
    /// How many VMs a front-end is asked for at the same time by a capture.
    pub captured_at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            poweroff_seconds: 120,
            no_writer_seconds: 60,
            mirror_seconds: 180,
            copy_seconds: 24 * 3600,
            start_seconds: 600,
            step_seconds: 120,
            settle_seconds: 15,
            lease_seconds: 300,
            poll_milliseconds: 500,
            captured_at_once: 8,
        }
    }
}

impl Limits {
    /// How many VMs are asked for at the same time; at least one.
    #[must_use]
    pub fn at_once(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.captured_at_once).unwrap_or(NonZeroUsize::MIN)
    }

    /// The pause between two looks.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_milliseconds.max(10))
    }
}

/// The order in which VMs start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Boot {
    /// Group by VM number at home. Lower groups start first, and are running before the next one is released.
    pub groups: BTreeMap<String, u32>,
    /// Seconds to let pass before a group is released, by group number.
    pub delays: BTreeMap<String, u64>,
}

impl Boot {
    /// The group of a VM that is in none.
    pub const DEFAULT_GROUP: u32 = 100;

    /// The group of a VM.
    #[must_use]
    pub fn group(&self, vm: u32) -> u32 {
        self.groups.get(&vm.to_string()).copied().unwrap_or(Self::DEFAULT_GROUP)
    }

    /// What passes before a group is released.
    #[must_use]
    pub fn delay_seconds(&self, group: u32) -> u64 {
        self.delays.get(&group.to_string()).copied().unwrap_or(0)
    }
}

/// The test beside production.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drill {
    /// The pool at B that takes the clones; the mirrored pool itself if none is named.
    pub pool: Option<String>,
    /// The image datastore at B on that pool, by name.
    pub datastore: Option<String>,
    /// The isolated network at B, by name; without it the test VM gets no card.
    pub network: Option<String>,
}
