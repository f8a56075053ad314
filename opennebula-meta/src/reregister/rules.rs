//! Which attributes of a VM stay behind, and why. What is in no list is kept: users add attributes of their own, and
//! newer versions of OpenNebula add theirs.
//!
//! The lists were tried on real front-ends: applied to VMs of a 6.10.3, they re-created the VMs on an empty second
//! site, and nothing else than these fields differed.

use super::Reason;
use crate::lookup::Lookup;

fn reason<const SLOTS: usize>(rules: &Lookup<Reason, SLOTS>, key: &str) -> Option<Reason> {
    rules.get(key).map(|(_, reason)| reason)
}

/// Attributes of `TEMPLATE` and `USER_TEMPLATE` that no template for B may have.
static TOP: Lookup<Reason, 64> = Lookup::new(&[
    (
        Reason::MadeThere,
        &[
            "VMID",
            "AUTOMATIC_REQUIREMENTS",
            "AUTOMATIC_DS_REQUIREMENTS",
            "AUTOMATIC_NIC_REQUIREMENTS",
            "SECURITY_GROUP_RULE",
            "NUMA_NODE",
            "TM_MAD_SYSTEM",
        ],
    ),
    // TEMPLATE_ID is taken over blindly at B, and points at an unrelated template of B (observed).
    (Reason::SiteNumber, &["TEMPLATE_ID", "CLONING_TEMPLATE_ID", "CREATED_BY"]),
    (Reason::Snapshots, &["SNAPSHOT"]),
    // DEPLOY_ID makes an imported VM, or is refused (observed).
    (Reason::OfTheRun, &["SUBMIT_ON_HOLD", "IMPORTED", "RESIZE", "ERROR", "SCHED_MESSAGE", "DEPLOY_ID"]),
]);

/// See [`TOP`].
pub(super) fn top(key: &str) -> Option<Reason> {
    let prefixed = || key.starts_with("VROUTER_").then_some(Reason::SiteNumber);
    reason(&TOP, key).or_else(prefixed)
}

/// Attributes that OpenNebula acts on in a template and that therefore cannot be a user's own. In `USER_TEMPLATE`
/// they had no effect at A (`onevm update` puts them there).
static ACTS: Lookup<(), 64> = Lookup::new(&[(
    (),
    &[
        "NAME",
        "CPU",
        "VCPU",
        "VCPU_MAX",
        "MEMORY",
        "MEMORY_MAX",
        "MEMORY_SLOTS",
        "MEMORY_RESIZE_MODE",
        "DISK",
        "NIC",
        "NIC_ALIAS",
        "NIC_DEFAULT",
        "PCI",
        "CONTEXT",
        "OS",
        "GRAPHICS",
        "VIDEO",
        "FEATURES",
        "INPUT",
        "RAW",
        "CPU_MODEL",
        "TOPOLOGY",
        "HYPERV_OPTIONS",
        "SPICE_OPTIONS",
        "EMULATOR",
        "TPM",
        "VMGROUP",
        "BACKUP_CONFIG",
    ],
)]);

/// See [`ACTS`].
pub(super) fn acts(key: &str) -> bool {
    ACTS.get(key).is_some()
}

/// Attributes of a `DISK`. `TYPE`, `SIZE`, `FORMAT` and `FS` of a volatile one are asked for before.
static DISK: Lookup<Reason, 128> = Lookup::new(&[
    (Reason::SiteNumber, &["DISK_ID", "IMAGE_ID", "IMAGE_UID", "DATASTORE_ID", "CLUSTER_ID"]),
    (
        Reason::FromImage,
        &[
            "SOURCE",
            "CLONE",
            "SAVE",
            "DRIVER",
            "FORMAT",
            "TYPE",
            "PERSISTENT",
            "SIZE",
            "ORIGINAL_SIZE",
            "FS",
            "LUKS_SECRET",
            "IMAGE_STATE",
        ],
    ),
    (
        Reason::FromDatastore,
        &[
            "DATASTORE",
            "POOL_NAME",
            "EC_POOL_NAME",
            "RBD_FORMAT",
            "ALLOW_ORPHANS",
            "PERSISTENT_SNAPSHOTS",
            "BRIDGE_LIST",
            "SPARSE",
            "QCOW2_STANDALONE",
        ],
    ),
    (
        Reason::OfTheRun,
        &[
            "ORDER",
            "CLONING",
            "ATTACH",
            "RESIZE",
            "SIZE_PREV",
            "DISK_SNAPSHOT_TOTAL_SIZE",
            "DISK_SNAPSHOT_ACTIVE",
            "DISK_SNAPSHOT_ID",
            "OPENNEBULA_MANAGED",
        ],
    ),
]);

/// See [`DISK`].
pub(super) fn disk(key: &str) -> Option<Reason> {
    reason(&DISK, key).or_else(|| {
        if key.starts_with("HOTPLUG_SAVE_AS") {
            return Some(Reason::OfTheRun);
        }
        let prefixes = ["CEPH_", "TM_MAD", "DISK_TYPE", "CLONE_TARGET", "LN_TARGET", "ISCSI_", "GLUSTER_"];
        prefixes.iter().any(|prefix| key.starts_with(prefix)).then_some(Reason::FromDatastore)
    })
}

/// Attributes of a `NIC` or `NIC_ALIAS` on a network. Addresses, names and security groups are asked for before.
static NIC: Lookup<Reason, 128> = Lookup::new(&[
    (
        Reason::SiteNumber,
        &[
            "NETWORK_ID",
            "NIC_ID",
            "AR_ID",
            "CLUSTER_ID",
            "ALIAS_ID",
            "ALIAS_IDS",
            "PARENT_ID",
            "PARENT_NETWORK_ID",
            "NETWORK_UID",
        ],
    ),
    (Reason::OfTheRun, &["ORDER", "ATTACH", "DETACH", "UPDATE", "OPENNEBULA_MANAGED"]),
    (
        Reason::FromNetwork,
        &[
            "VN_MAD",
            "PHYDEV",
            "VLAN_ID",
            "OUTER_VLAN_ID",
            "GATEWAY",
            "GATEWAY6",
            "DNS",
            "NETWORK_ADDRESS",
            "NETWORK_MASK",
            "PREFIX_LENGTH",
            "GUEST_MTU",
            "SEARCH_DOMAIN",
            "METHOD",
            "METRIC",
            "EXTERNAL",
            "VROUTER_IP",
            "VROUTER_IP6",
            "MTU",
            "CONF",
            "OVS_BRIDGE_CONF",
            "IP_LINK_CONF",
            "VLAN_TAGGED_ID",
            "CVLANS",
            "QINQ_TYPE",
            "EXTERNAL_IP",
            "ROUTES",
            "NETWORK_MODE",
        ],
    ),
    (Reason::FromNetwork, &["IP6"]),
]);

/// See [`NIC`].
pub(super) fn nic(key: &str) -> Option<Reason> {
    reason(&NIC, key).or_else(|| {
        let prefixed = ["IP6_", "BRIDGE", "VXLAN_"].iter().any(|prefix| key.starts_with(prefix));
        (prefixed || key.ends_with("_AUTOMATIC")).then_some(Reason::FromNetwork)
    })
}

/// Attributes of a `NIC` that even a card without a network must not keep.
pub(super) fn bare_nic(key: &str) -> Option<Reason> {
    nic(key).filter(|reason| matches!(reason, Reason::SiteNumber | Reason::OfTheRun))
}

/// Attributes of a `PCI` device. `SHORT_ADDRESS` is asked for before: OpenNebula writes it for a device that it chose
/// (`src/host/HostSharePCI.cc`), and a user for a device of his choice.
static PCI: Lookup<Reason, 32> = Lookup::new(&[
    (Reason::MadeThere, &["PCI_ID"]),
    (
        Reason::OfTheHost,
        &["ADDRESS", "PREV_ADDRESS", "DOMAIN", "BUS", "SLOT", "FUNCTION", "NUMA_NODE", "UUID"],
    ),
]);

/// See [`PCI`].
pub(super) fn pci(key: &str) -> Option<Reason> {
    reason(&PCI, key).or_else(|| key.starts_with("VM_").then_some(Reason::MadeThere))
}

/// Attributes of `OS`. What `KERNEL_DS` and `INITRD_DS` resolved to at A.
pub(super) fn os(key: &str) -> Option<Reason> {
    (key.starts_with("KERNEL_DS_") || key.starts_with("INITRD_DS_")).then_some(Reason::SiteNumber)
}

/// Attributes of `IMAGE/TEMPLATE`.
static IMAGE: Lookup<Reason, 64> = Lookup::new(&[
    (Reason::FromDatastore, &["DISK_TYPE", "TM_MAD", "DRIVER"]),
    // Left by one.image.update or by a registration; they have no effect there, and would have one here.
    (
        Reason::WouldTakeEffect,
        &[
            "NAME",
            "TYPE",
            "PERSISTENT",
            "SOURCE",
            "PATH",
            "FORMAT",
            "SIZE",
            "DEV_PREFIX",
            "FS",
            "ID",
            "UID",
            "GID",
            "STATE",
            "REGTIME",
            "DATASTORE",
            "DATASTORE_ID",
            "USER",
            "GROUP",
            "UNAME",
            "GNAME",
            "PERMISSIONS",
            "SNAPSHOTS",
        ],
    ),
    (Reason::OfTheRun, &["ERROR", "FROM_BACKUP_DS", "FROM_APP", "FROM_APP_NAME", "MD5", "SHA1"]),
]);

/// See [`IMAGE`].
pub(super) fn image(key: &str) -> Option<Reason> {
    reason(&IMAGE, key)
}

/// Elements below the root of a VM that are no configuration.
static ROOT: Lookup<Reason, 64> = Lookup::new(&[
    (Reason::SiteNumber, &["ID", "UID", "GID"]),
    (Reason::LaterCall, &["UNAME", "GNAME", "PERMISSIONS"]),
    (
        Reason::OfTheRun,
        &[
            "LAST_POLL",
            "STATE",
            "LCM_STATE",
            "PREV_STATE",
            "PREV_LCM_STATE",
            "RESCHED",
            "STIME",
            "ETIME",
            "DEPLOY_ID",
            "MONITORING",
            "SCHED_ACTIONS",
            "HISTORY_RECORDS",
            "LOCK",
            "STATE_STR",
            "LCM_STATE_STR",
        ],
    ),
    (Reason::Snapshots, &["SNAPSHOTS"]),
]);

/// See [`ROOT`]; what is not known is said to be so, but for what is asked for elsewhere.
pub(super) fn root(key: &str) -> Option<Reason> {
    reason(&ROOT, key).or_else(|| {
        let read = matches!(key, "NAME" | "TEMPLATE" | "USER_TEMPLATE" | "BACKUPS");
        (!read).then_some(Reason::Unknown)
    })
}
