//! Which attributes of a VM stay behind, and why. What is in no list is kept: users add attributes of their own, and
//! newer versions of OpenNebula add theirs.
//!
//! The lists were tried on real front-ends: applied to VMs of a 6.10.3, they re-created the VMs on an empty second
//! site, and nothing else than these fields differed.

use super::Reason;

/// Attributes of `TEMPLATE` and `USER_TEMPLATE` that no template for B may have.
pub(super) fn top(key: &str) -> Option<Reason> {
    match key {
        "VMID"
        | "AUTOMATIC_REQUIREMENTS"
        | "AUTOMATIC_DS_REQUIREMENTS"
        | "AUTOMATIC_NIC_REQUIREMENTS"
        | "SECURITY_GROUP_RULE"
        | "NUMA_NODE"
        | "TM_MAD_SYSTEM" => Some(Reason::MadeThere),
        // TEMPLATE_ID is taken over blindly at B, and points at an unrelated template of B (observed).
        "TEMPLATE_ID" | "CLONING_TEMPLATE_ID" | "CREATED_BY" => Some(Reason::SiteNumber),
        "SNAPSHOT" => Some(Reason::Snapshots),
        // DEPLOY_ID makes an imported VM, or is refused (observed).
        "SUBMIT_ON_HOLD" | "IMPORTED" | "RESIZE" | "ERROR" | "SCHED_MESSAGE" | "DEPLOY_ID" => {
            Some(Reason::OfTheRun)
        }
        _ if key.starts_with("VROUTER_") => Some(Reason::SiteNumber),
        _ => None,
    }
}

/// Attributes that OpenNebula acts on in a template and that therefore cannot be a user's own. In `USER_TEMPLATE`
/// they had no effect at A (`onevm update` puts them there).
pub(super) fn acts(key: &str) -> bool {
    matches!(
        key,
        "NAME"
            | "CPU"
            | "VCPU"
            | "VCPU_MAX"
            | "MEMORY"
            | "MEMORY_MAX"
            | "MEMORY_SLOTS"
            | "MEMORY_RESIZE_MODE"
            | "DISK"
            | "NIC"
            | "NIC_ALIAS"
            | "NIC_DEFAULT"
            | "PCI"
            | "CONTEXT"
            | "OS"
            | "GRAPHICS"
            | "VIDEO"
            | "FEATURES"
            | "INPUT"
            | "RAW"
            | "CPU_MODEL"
            | "TOPOLOGY"
            | "HYPERV_OPTIONS"
            | "SPICE_OPTIONS"
            | "EMULATOR"
            | "TPM"
            | "VMGROUP"
            | "BACKUP_CONFIG"
    )
}

/// Attributes of a `DISK`. `TYPE`, `SIZE`, `FORMAT` and `FS` of a volatile one are asked for before.
pub(super) fn disk(key: &str) -> Option<Reason> {
    match key {
        "DISK_ID" | "IMAGE_ID" | "IMAGE_UID" | "DATASTORE_ID" | "CLUSTER_ID" => Some(Reason::SiteNumber),
        "SOURCE" | "CLONE" | "SAVE" | "DRIVER" | "FORMAT" | "TYPE" | "PERSISTENT" | "SIZE"
        | "ORIGINAL_SIZE" | "FS" | "LUKS_SECRET" | "IMAGE_STATE" => Some(Reason::FromImage),
        "DATASTORE"
        | "POOL_NAME"
        | "EC_POOL_NAME"
        | "RBD_FORMAT"
        | "ALLOW_ORPHANS"
        | "PERSISTENT_SNAPSHOTS"
        | "BRIDGE_LIST"
        | "SPARSE"
        | "QCOW2_STANDALONE" => Some(Reason::FromDatastore),
        "ORDER"
        | "CLONING"
        | "ATTACH"
        | "RESIZE"
        | "SIZE_PREV"
        | "DISK_SNAPSHOT_TOTAL_SIZE"
        | "DISK_SNAPSHOT_ACTIVE"
        | "DISK_SNAPSHOT_ID"
        | "OPENNEBULA_MANAGED" => Some(Reason::OfTheRun),
        _ if key.starts_with("HOTPLUG_SAVE_AS") => Some(Reason::OfTheRun),
        _ => ["CEPH_", "TM_MAD", "DISK_TYPE", "CLONE_TARGET", "LN_TARGET", "ISCSI_", "GLUSTER_"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
            .then_some(Reason::FromDatastore),
    }
}

/// Attributes of a `NIC` or `NIC_ALIAS` on a network. Addresses, names and security groups are asked for before.
pub(super) fn nic(key: &str) -> Option<Reason> {
    match key {
        "NETWORK_ID" | "NIC_ID" | "AR_ID" | "CLUSTER_ID" | "ALIAS_ID" | "ALIAS_IDS" | "PARENT_ID"
        | "PARENT_NETWORK_ID" | "NETWORK_UID" => Some(Reason::SiteNumber),
        "ORDER" | "ATTACH" | "DETACH" | "UPDATE" | "OPENNEBULA_MANAGED" => Some(Reason::OfTheRun),
        "VN_MAD" | "PHYDEV" | "VLAN_ID" | "OUTER_VLAN_ID" | "GATEWAY" | "GATEWAY6" | "DNS"
        | "NETWORK_ADDRESS" | "NETWORK_MASK" | "PREFIX_LENGTH" | "GUEST_MTU" | "SEARCH_DOMAIN" | "METHOD"
        | "METRIC" | "EXTERNAL" | "VROUTER_IP" | "VROUTER_IP6" | "MTU" | "CONF" | "OVS_BRIDGE_CONF"
        | "IP_LINK_CONF" | "VLAN_TAGGED_ID" | "CVLANS" | "QINQ_TYPE" | "EXTERNAL_IP" | "ROUTES"
        | "NETWORK_MODE" => Some(Reason::FromNetwork),
        _ if key.starts_with("IP6_") && key != "IP6" => Some(Reason::FromNetwork),
        _ if key.starts_with("BRIDGE") || key.starts_with("VXLAN_") || key.ends_with("_AUTOMATIC") => {
            Some(Reason::FromNetwork)
        }
        _ => None,
    }
}

/// Attributes of a `NIC` that even a card without a network must not keep.
pub(super) fn bare_nic(key: &str) -> Option<Reason> {
    nic(key).filter(|reason| matches!(reason, Reason::SiteNumber | Reason::OfTheRun))
}

/// Attributes of a `PCI` device. `SHORT_ADDRESS` is asked for before: OpenNebula writes it for a device that it chose
/// (`src/host/HostSharePCI.cc`), and a user for a device of his choice.
pub(super) fn pci(key: &str) -> Option<Reason> {
    match key {
        "PCI_ID" => Some(Reason::MadeThere),
        "ADDRESS" | "PREV_ADDRESS" | "DOMAIN" | "BUS" | "SLOT" | "FUNCTION" | "NUMA_NODE" | "UUID" => {
            Some(Reason::OfTheHost)
        }
        _ if key.starts_with("VM_") => Some(Reason::MadeThere),
        _ => None,
    }
}

/// Attributes of `OS`. What `KERNEL_DS` and `INITRD_DS` resolved to at A.
pub(super) fn os(key: &str) -> Option<Reason> {
    (key.starts_with("KERNEL_DS_") || key.starts_with("INITRD_DS_")).then_some(Reason::SiteNumber)
}

/// Attributes of `IMAGE/TEMPLATE`.
pub(super) fn image(key: &str) -> Option<Reason> {
    match key {
        "DISK_TYPE" | "TM_MAD" | "DRIVER" => Some(Reason::FromDatastore),
        // Left by one.image.update or by a registration; they have no effect there, and would have one here.
        "NAME" | "TYPE" | "PERSISTENT" | "SOURCE" | "PATH" | "FORMAT" | "SIZE" | "DEV_PREFIX" | "FS"
        | "ID" | "UID" | "GID" | "STATE" | "REGTIME" | "DATASTORE" | "DATASTORE_ID" | "USER" | "GROUP"
        | "UNAME" | "GNAME" | "PERMISSIONS" | "SNAPSHOTS" => Some(Reason::WouldTakeEffect),
        "ERROR" | "FROM_BACKUP_DS" | "FROM_APP" | "FROM_APP_NAME" | "MD5" | "SHA1" => Some(Reason::OfTheRun),
        _ => None,
    }
}

/// Elements below the root of a VM that are no configuration.
pub(super) fn root(key: &str) -> Option<Reason> {
    match key {
        "ID" | "UID" | "GID" => Some(Reason::SiteNumber),
        "UNAME" | "GNAME" | "PERMISSIONS" => Some(Reason::LaterCall),
        "LAST_POLL" | "STATE" | "LCM_STATE" | "PREV_STATE" | "PREV_LCM_STATE" | "RESCHED" | "STIME"
        | "ETIME" | "DEPLOY_ID" | "MONITORING" | "SCHED_ACTIONS" | "HISTORY_RECORDS" | "LOCK"
        | "STATE_STR" | "LCM_STATE_STR" => Some(Reason::OfTheRun),
        "SNAPSHOTS" => Some(Reason::Snapshots),
        "NAME" | "TEMPLATE" | "USER_TEMPLATE" | "BACKUPS" => None,
        _ => Some(Reason::Unknown),
    }
}
