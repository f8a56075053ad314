//! Which attributes of a VM stay behind, and why. What is in no list is kept: users add attributes of their own, and
//! newer versions of OpenNebula add theirs.
//!
//! The lists were tried on real front-ends: applied to VMs of a 6.10.3, they re-created the VMs on an empty second
//! site, and nothing else than these fields differed.

use super::Reason;
use crate::{
    document::Element,
    known::{COUNT, Known},
};

/// A list of names that stay behind, each with its reason. Made by the compiler, one look an element.
struct Rules {
    listed: [Option<Reason>; COUNT],
    affixes: &'static [(Affix, Reason)],
}

/// How a name begins or ends.
#[derive(Clone, Copy)]
enum Affix {
    Prefix(&'static str),
    Suffix(&'static str),
}

impl Rules {
    /// The names of all groups, and after them whatever else begins or ends so.
    const fn new(groups: &[(Reason, &[Known])], affixes: &'static [(Affix, Reason)]) -> Self {
        let mut listed = [None; COUNT];
        let mut group = 0;
        while group < groups.len() {
            let (reason, names) = groups[group];
            let mut at = 0;
            while at < names.len() {
                listed[names[at].index()] = Some(reason);
                at += 1;
            }
            group += 1;
        }
        let mut at = 1;
        while at < COUNT {
            if listed[at].is_none() {
                listed[at] = of_affix(Known::ALL[at].1.as_bytes(), affixes);
            }
            at += 1;
        }
        Self { listed, affixes }
    }

    #[inline]
    fn reason(&self, field: Element<'_>) -> Option<Reason> {
        match field.known() {
            Known::Unlisted => of_affix(field.name().as_bytes(), self.affixes),
            known => self.listed[known.index()],
        }
    }
}

const fn of_affix(name: &[u8], affixes: &[(Affix, Reason)]) -> Option<Reason> {
    let mut at = 0;
    while at < affixes.len() {
        let (affix, reason) = affixes[at];
        let (part, from) = match affix {
            Affix::Prefix(part) => (part.as_bytes(), 0),
            Affix::Suffix(part) => (part.as_bytes(), name.len().saturating_sub(part.len())),
        };
        let mut byte = 0;
        while byte < part.len() && from + byte < name.len() && name[from + byte] == part[byte] {
            byte += 1;
        }
        if byte == part.len() {
            return Some(reason);
        }
        at += 1;
    }
    None
}

/// Attributes of `TEMPLATE` and `USER_TEMPLATE` that no template for B may have.
static TOP: Rules = Rules::new(
    &[
        (
            Reason::MadeThere,
            &[
                Known::VMID,
                Known::AUTOMATIC_REQUIREMENTS,
                Known::AUTOMATIC_DS_REQUIREMENTS,
                Known::AUTOMATIC_NIC_REQUIREMENTS,
                Known::SECURITY_GROUP_RULE,
                Known::NUMA_NODE,
                Known::TM_MAD_SYSTEM,
            ],
        ),
        // TEMPLATE_ID is taken over blindly at B, and points at an unrelated template of B (observed).
        (Reason::SiteNumber, &[Known::TEMPLATE_ID, Known::CLONING_TEMPLATE_ID, Known::CREATED_BY]),
        (Reason::Snapshots, &[Known::SNAPSHOT]),
        // DEPLOY_ID makes an imported VM, or is refused (observed).
        (
            Reason::OfTheRun,
            &[
                Known::SUBMIT_ON_HOLD,
                Known::IMPORTED,
                Known::RESIZE,
                Known::ERROR,
                Known::SCHED_MESSAGE,
                Known::DEPLOY_ID,
            ],
        ),
    ],
    &[(Affix::Prefix("VROUTER_"), Reason::SiteNumber)],
);

/// See [`TOP`].
#[inline]
pub(super) fn top(field: Element<'_>) -> Option<Reason> {
    TOP.reason(field)
}

/// Attributes that OpenNebula acts on in a template and that therefore cannot be a user's own. In `USER_TEMPLATE`
/// they had no effect at A (`onevm update` puts them there).
static ACTS: Rules = Rules::new(
    &[(
        Reason::WouldTakeEffect,
        &[
            Known::NAME,
            Known::CPU,
            Known::VCPU,
            Known::VCPU_MAX,
            Known::MEMORY,
            Known::MEMORY_MAX,
            Known::MEMORY_SLOTS,
            Known::MEMORY_RESIZE_MODE,
            Known::DISK,
            Known::NIC,
            Known::NIC_ALIAS,
            Known::NIC_DEFAULT,
            Known::PCI,
            Known::CONTEXT,
            Known::OS,
            Known::GRAPHICS,
            Known::VIDEO,
            Known::FEATURES,
            Known::INPUT,
            Known::RAW,
            Known::CPU_MODEL,
            Known::TOPOLOGY,
            Known::HYPERV_OPTIONS,
            Known::SPICE_OPTIONS,
            Known::EMULATOR,
            Known::TPM,
            Known::VMGROUP,
            Known::BACKUP_CONFIG,
        ],
    )],
    &[],
);

/// See [`ACTS`].
#[inline]
pub(super) fn acts(field: Element<'_>) -> Option<Reason> {
    ACTS.reason(field)
}

/// Attributes of a `DISK`. `TYPE`, `SIZE`, `FORMAT` and `FS` of a volatile one are asked for before.
static DISK: Rules = Rules::new(
    &[
        (
            Reason::SiteNumber,
            &[Known::DISK_ID, Known::IMAGE_ID, Known::IMAGE_UID, Known::DATASTORE_ID, Known::CLUSTER_ID],
        ),
        (
            Reason::FromImage,
            &[
                Known::SOURCE,
                Known::CLONE,
                Known::SAVE,
                Known::DRIVER,
                Known::FORMAT,
                Known::TYPE,
                Known::PERSISTENT,
                Known::SIZE,
                Known::ORIGINAL_SIZE,
                Known::FS,
                Known::LUKS_SECRET,
                Known::IMAGE_STATE,
            ],
        ),
        (
            Reason::FromDatastore,
            &[
                Known::DATASTORE,
                Known::POOL_NAME,
                Known::EC_POOL_NAME,
                Known::RBD_FORMAT,
                Known::ALLOW_ORPHANS,
                Known::PERSISTENT_SNAPSHOTS,
                Known::BRIDGE_LIST,
                Known::SPARSE,
                Known::QCOW2_STANDALONE,
            ],
        ),
        (
            Reason::OfTheRun,
            &[
                Known::ORDER,
                Known::CLONING,
                Known::ATTACH,
                Known::RESIZE,
                Known::SIZE_PREV,
                Known::DISK_SNAPSHOT_TOTAL_SIZE,
                Known::DISK_SNAPSHOT_ACTIVE,
                Known::DISK_SNAPSHOT_ID,
                Known::OPENNEBULA_MANAGED,
            ],
        ),
    ],
    &[
        (Affix::Prefix("HOTPLUG_SAVE_AS"), Reason::OfTheRun),
        (Affix::Prefix("CEPH_"), Reason::FromDatastore),
        (Affix::Prefix("TM_MAD"), Reason::FromDatastore),
        (Affix::Prefix("DISK_TYPE"), Reason::FromDatastore),
        (Affix::Prefix("CLONE_TARGET"), Reason::FromDatastore),
        (Affix::Prefix("LN_TARGET"), Reason::FromDatastore),
        (Affix::Prefix("ISCSI_"), Reason::FromDatastore),
        (Affix::Prefix("GLUSTER_"), Reason::FromDatastore),
    ],
);

/// See [`DISK`].
#[inline]
pub(super) fn disk(field: Element<'_>) -> Option<Reason> {
    DISK.reason(field)
}

/// Attributes of a `NIC` or `NIC_ALIAS` on a network. Addresses, names and security groups are asked for before.
static NIC: Rules = Rules::new(
    &[
        (
            Reason::SiteNumber,
            &[
                Known::NETWORK_ID,
                Known::NIC_ID,
                Known::AR_ID,
                Known::CLUSTER_ID,
                Known::ALIAS_ID,
                Known::ALIAS_IDS,
                Known::PARENT_ID,
                Known::PARENT_NETWORK_ID,
                Known::NETWORK_UID,
            ],
        ),
        (
            Reason::OfTheRun,
            &[Known::ORDER, Known::ATTACH, Known::DETACH, Known::UPDATE, Known::OPENNEBULA_MANAGED],
        ),
        (
            Reason::FromNetwork,
            &[
                Known::VN_MAD,
                Known::PHYDEV,
                Known::VLAN_ID,
                Known::OUTER_VLAN_ID,
                Known::GATEWAY,
                Known::GATEWAY6,
                Known::DNS,
                Known::NETWORK_ADDRESS,
                Known::NETWORK_MASK,
                Known::PREFIX_LENGTH,
                Known::GUEST_MTU,
                Known::SEARCH_DOMAIN,
                Known::METHOD,
                Known::METRIC,
                Known::EXTERNAL,
                Known::VROUTER_IP,
                Known::VROUTER_IP6,
                Known::MTU,
                Known::CONF,
                Known::OVS_BRIDGE_CONF,
                Known::IP_LINK_CONF,
                Known::VLAN_TAGGED_ID,
                Known::CVLANS,
                Known::QINQ_TYPE,
                Known::EXTERNAL_IP,
                Known::ROUTES,
                Known::NETWORK_MODE,
            ],
        ),
        (Reason::FromNetwork, &[Known::IP6]),
    ],
    &[
        (Affix::Prefix("IP6_"), Reason::FromNetwork),
        (Affix::Prefix("BRIDGE"), Reason::FromNetwork),
        (Affix::Prefix("VXLAN_"), Reason::FromNetwork),
        (Affix::Suffix("_AUTOMATIC"), Reason::FromNetwork),
    ],
);

/// See [`NIC`].
#[inline]
pub(super) fn nic(field: Element<'_>) -> Option<Reason> {
    NIC.reason(field)
}

/// Attributes of a `NIC` that even a card without a network must not keep.
pub(super) fn bare_nic(field: Element<'_>) -> Option<Reason> {
    nic(field).filter(|reason| matches!(reason, Reason::SiteNumber | Reason::OfTheRun))
}

/// Attributes of a `PCI` device. `SHORT_ADDRESS` is asked for before: OpenNebula writes it for a device that it chose
/// (`src/host/HostSharePCI.cc`), and a user for a device of his choice.
static PCI: Rules = Rules::new(
    &[
        (Reason::MadeThere, &[Known::PCI_ID]),
        (
            Reason::OfTheHost,
            &[
                Known::ADDRESS,
                Known::PREV_ADDRESS,
                Known::DOMAIN,
                Known::BUS,
                Known::SLOT,
                Known::FUNCTION,
                Known::NUMA_NODE,
                Known::UUID,
            ],
        ),
    ],
    &[(Affix::Prefix("VM_"), Reason::MadeThere)],
);

/// See [`PCI`].
pub(super) fn pci(field: Element<'_>) -> Option<Reason> {
    PCI.reason(field)
}

/// Attributes of `OS`: what `KERNEL_DS` and `INITRD_DS` resolved to at A.
static OS: Rules = Rules::new(
    &[],
    &[(Affix::Prefix("KERNEL_DS_"), Reason::SiteNumber), (Affix::Prefix("INITRD_DS_"), Reason::SiteNumber)],
);

/// See [`OS`].
pub(super) fn os(field: Element<'_>) -> Option<Reason> {
    OS.reason(field)
}

/// Attributes of `IMAGE/TEMPLATE`.
static IMAGE: Rules = Rules::new(
    &[
        (Reason::FromDatastore, &[Known::DISK_TYPE, Known::TM_MAD, Known::DRIVER]),
        // Left by one.image.update or by a registration; they have no effect there, and would have one here.
        (
            Reason::WouldTakeEffect,
            &[
                Known::NAME,
                Known::TYPE,
                Known::PERSISTENT,
                Known::SOURCE,
                Known::PATH,
                Known::FORMAT,
                Known::SIZE,
                Known::DEV_PREFIX,
                Known::FS,
                Known::ID,
                Known::UID,
                Known::GID,
                Known::STATE,
                Known::REGTIME,
                Known::DATASTORE,
                Known::DATASTORE_ID,
                Known::USER,
                Known::GROUP,
                Known::UNAME,
                Known::GNAME,
                Known::PERMISSIONS,
                Known::SNAPSHOTS,
            ],
        ),
        (
            Reason::OfTheRun,
            &[
                Known::ERROR,
                Known::FROM_BACKUP_DS,
                Known::FROM_APP,
                Known::FROM_APP_NAME,
                Known::MD5,
                Known::SHA1,
            ],
        ),
    ],
    &[],
);

/// See [`IMAGE`].
pub(super) fn image(field: Element<'_>) -> Option<Reason> {
    IMAGE.reason(field)
}

/// Elements below the root of a VM that are no configuration.
static ROOT: Rules = Rules::new(
    &[
        (Reason::SiteNumber, &[Known::ID, Known::UID, Known::GID]),
        (Reason::LaterCall, &[Known::UNAME, Known::GNAME, Known::PERMISSIONS]),
        (
            Reason::OfTheRun,
            &[
                Known::LAST_POLL,
                Known::STATE,
                Known::LCM_STATE,
                Known::PREV_STATE,
                Known::PREV_LCM_STATE,
                Known::RESCHED,
                Known::STIME,
                Known::ETIME,
                Known::DEPLOY_ID,
                Known::MONITORING,
                Known::SCHED_ACTIONS,
                Known::HISTORY_RECORDS,
                Known::LOCK,
                Known::STATE_STR,
                Known::LCM_STATE_STR,
            ],
        ),
        (Reason::Snapshots, &[Known::SNAPSHOTS]),
    ],
    &[],
);

/// See [`ROOT`]; what is not known is said to be so, but for what is asked for elsewhere.
pub(super) fn root(field: Element<'_>) -> Option<Reason> {
    ROOT.reason(field).or_else(|| {
        let read =
            matches!(field.known(), Known::NAME | Known::TEMPLATE | Known::USER_TEMPLATE | Known::BACKUPS);
        (!read).then_some(Reason::Unknown)
    })
}
