//! What a stand-in begins with: an OpenNebula as an administrator has set it up, before the first VM.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::hook::Hook;
use super::tree::Node;
use super::world::{Caller, Release, World, digest, head};

/// How a stand-in is made. A process reads it from JSON; see the program `front-end`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// Where it listens. Port 0: any free one.
    pub listen: SocketAddr,
    /// `6.10.3` or `7.4.0`.
    pub release: Release,
    /// In the names of its hosts.
    pub site: String,
    /// Name and password. The first is `oneadmin`; the others are in group `users`.
    pub users: Vec<(String, String)>,
    /// Name, and RBD pool, of each image datastore; the first is number 1.
    pub image_datastores: Vec<(String, String)>,
    /// The RBD pool of the system datastore, number 0.
    pub system_pool: String,
    /// What each datastore says is free.
    pub free_mb: u64,
    /// Names of hosts, all monitored. Without a host VMs stay PENDING, as without a scheduler.
    pub hosts: Vec<String>,
    /// Name, first address and size of each network.
    pub networks: Vec<(String, Ipv4Addr, u32)>,
    /// Documents as oned prints them, objects or pools, on top. With any, nothing above but `listen` and `release` counts:
    /// the documents must bring users.
    pub documents: Vec<String>,
    /// The time that every step of a VM takes. Zero without a hook: VMs are where they go before the call is answered.
    pub pace_ms: u64,
    /// Where the state is kept over a restart.
    pub state: Option<PathBuf>,
    /// A program that does the drivers' work: `PROGRAM KIND ID NAME`, the whole of it as JSON on its standard input.
    pub hook_program: Option<PathBuf>,
    /// The same within this process.
    #[serde(skip)]
    pub hook: Option<Hook>,
}

impl Default for Setup {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            release: Release::V6,
            site: text("a"),
            users: vec![(text("oneadmin"), text("opennebula"))],
            image_datastores: vec![(text("default"), text("one"))],
            system_pool: text("one"),
            free_mb: 96_768,
            hosts: vec![text("node0")],
            networks: vec![(text("service"), Ipv4Addr::new(192, 168, 150, 100), 50)],
            documents: Vec::new(),
            pace_ms: 0,
            state: None,
            hook_program: None,
            hook: None,
        }
    }
}

impl Setup {
    /// The time that every step takes.
    pub(crate) fn pace(&self) -> Duration {
        Duration::from_millis(self.pace_ms)
    }

    /// The world as set up.
    ///
    /// # Errors
    /// A document that cannot be read.
    pub(crate) fn world(&self) -> Result<World, String> {
        let mut world = World::new(self.release, configuration());
        for document in &self.documents {
            let node = Node::parse(document)?;
            let name = node.name.clone();
            if !world.add(node) {
                return Err(format!("{name} is no object of OpenNebula"));
            }
        }
        if self.documents.is_empty() {
            self.fill(&mut world);
        }
        Ok(world)
    }

    fn fill(&self, world: &mut World) {
        for (id, name) in [(0, "oneadmin"), (1, "users")] {
            let of_group = |at: usize| (at == 0) == (id == 0);
            let users =
                (0..self.users.len()).filter(|at| of_group(*at)).map(|at| Node::plain("ID", user_id(at)));
            let children = vec![
                Node::plain("ID", id),
                Node::plain("NAME", name),
                Node::of("TEMPLATE", Vec::new()),
                Node::of("USERS", users.collect()),
                Node::of("ADMINS", Vec::new()),
            ];
            world.groups.insert(Node::of("GROUP", children));
        }
        for (at, (name, password)) in self.users.iter().enumerate() {
            world.users.insert(user(at, name, password));
        }
        let admin = Caller { uid: 0, name: "oneadmin".to_owned(), gid: 0, group: "oneadmin".to_owned() };
        world.datastores.insert(self.datastore(&admin, 0, "system", 1, &self.system_pool));
        for (at, (name, pool)) in (1..).zip(&self.image_datastores) {
            // Number 2 is the files datastore's, everywhere.
            let id = if at == 1 { 1 } else { at + 98 };
            world.datastores.insert(self.datastore(&admin, id, name, 0, pool));
        }
        world.datastores.insert(self.datastore(&admin, 2, "files", 2, ""));
        for (at, name) in (0..).zip(&self.hosts) {
            world.hosts.insert(host(at, &format!("{name}-site-{}", self.site)));
        }
        for (at, (name, first, size)) in (0..).zip(&self.networks) {
            world.networks.insert(network(&admin, at, name, *first, *size));
        }
    }

    fn datastore(&self, admin: &Caller, id: i32, name: &str, kind: u8, pool: &str) -> Node {
        let word = ["IMAGE_DS", "SYSTEM_DS", "FILE_DS"][usize::from(kind)];
        let mad = if kind == 2 { "fs" } else { "ceph" };
        let mut template: Vec<(&str, &str)> = vec![("DS_MAD", mad), ("TM_MAD", mad), ("TYPE", word)];
        if kind != 2 {
            template.extend([
                ("ALLOW_ORPHANS", "mixed"),
                ("CEPH_HOST", "127.0.0.1"),
                ("CEPH_SECRET", "7ebb2445-e96e-44c6-b7c7-07dc7a50f311"),
                ("CEPH_USER", "oneadmin"),
                ("CLONE_TARGET", "SELF"),
                ("DISK_TYPE", "RBD"),
                ("DRIVER", "raw"),
                ("LN_TARGET", "NONE"),
                ("POOL_NAME", pool),
            ]);
        }
        template.sort_unstable();
        let mut children = head(id, admin, name);
        children.extend([
            Node::data("DS_MAD", mad),
            Node::data("TM_MAD", mad),
            Node::data("BASE_PATH", format!("/var/lib/one//datastores/{id}")),
            Node::plain("TYPE", kind),
            Node::plain("DISK_TYPE", if kind == 2 { 0 } else { 3 }),
            Node::plain("STATE", 0),
            Node::of("CLUSTERS", vec![Node::plain("ID", 0)]),
            Node::plain("TOTAL_MB", self.free_mb + 2048),
            Node::plain("FREE_MB", self.free_mb),
            Node::plain("USED_MB", 2048),
            Node::of("IMAGES", Vec::new()),
            Node::of("TEMPLATE", template.iter().map(|(key, text)| Node::data(key, *text)).collect()),
        ]);
        let mut node = Node::of("DATASTORE", children);
        // As oned makes datastores: their group may use them.
        if let Some(permissions) = node.child_mut("PERMISSIONS") {
            permissions.set("GROUP_U", 1);
            permissions.set("OTHER_U", 1);
        }
        node
    }
}

/// 1 is the user `serveradmin`, everywhere.
fn user_id(at: usize) -> usize {
    if at == 0 { 0 } else { at + 1 }
}

fn user(at: usize, name: &str, password: &str) -> Node {
    let (gid, group) = if at == 0 { (0, "oneadmin") } else { (1, "users") };
    let children = vec![
        Node::plain("ID", user_id(at)),
        Node::plain("GID", gid),
        Node::of("GROUPS", vec![Node::plain("ID", gid)]),
        Node::plain("GNAME", group),
        Node::plain("NAME", name),
        Node::data("PASSWORD", digest(password)),
        Node::data("AUTH_DRIVER", "core"),
        Node::plain("ENABLED", 1),
        Node::of("TEMPLATE", vec![Node::data("TOKEN_PASSWORD", digest(name))]),
    ];
    Node::of("USER", children)
}

fn host(id: i32, name: &str) -> Node {
    let share = [
        ("MEM_USAGE", 0_u64),
        ("CPU_USAGE", 0),
        ("TOTAL_MEM", 16_777_216),
        ("TOTAL_CPU", 800),
        ("MAX_MEM", 16_777_216),
        ("MAX_CPU", 800),
        ("RUNNING_VMS", 0),
    ];
    let children = vec![
        Node::plain("ID", id),
        Node::plain("NAME", name),
        Node::plain("STATE", 2),
        Node::plain("PREV_STATE", 2),
        Node::data("IM_MAD", "kvm"),
        Node::data("VM_MAD", "kvm"),
        Node::plain("CLUSTER_ID", 0),
        Node::plain("CLUSTER", "default"),
        Node::of("HOST_SHARE", share.iter().map(|(key, number)| Node::plain(key, number)).collect()),
        Node::of("VMS", Vec::new()),
        Node::of("TEMPLATE", vec![Node::data("HYPERVISOR", "kvm")]),
    ];
    Node::of("HOST", children)
}

fn network(admin: &Caller, id: i32, name: &str, first: Ipv4Addr, size: u32) -> Node {
    let [a, b, c, d] = first.octets();
    let mac = format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}");
    let template = [
        ("BRIDGE", "br0".to_owned()),
        ("BRIDGE_TYPE", "linux".to_owned()),
        ("DNS", "1.1.1.1 9.9.9.9".to_owned()),
        ("GATEWAY", format!("{a}.{b}.{c}.1")),
        ("GUEST_MTU", "1500".to_owned()),
        ("NETWORK_ADDRESS", format!("{a}.{b}.{c}.0")),
        ("NETWORK_MASK", "255.255.255.0".to_owned()),
        ("PHYDEV", "eth0".to_owned()),
        ("SECURITY_GROUPS", "0".to_owned()),
        ("VN_MAD", "bridge".to_owned()),
    ];
    let range = vec![
        Node::data("AR_ID", "0"),
        Node::data("IP", first.to_string()),
        Node::data("MAC", mac),
        Node::data("SIZE", size.to_string()),
        Node::data("TYPE", "IP4"),
        Node::plain("USED_LEASES", 0),
        Node::nothing("LEASES"),
    ];
    let mut children = head(id, admin, name);
    children.extend([
        Node::of("CLUSTERS", vec![Node::plain("ID", 0)]),
        Node::data("BRIDGE", "br0"),
        Node::data("BRIDGE_TYPE", "linux"),
        Node::data("STATE", "1"),
        Node::data("VN_MAD", "bridge"),
        Node::data("PHYDEV", "eth0"),
        Node::plain("USED_LEASES", 0),
        Node::of("UPDATED_VMS", Vec::new()),
        Node::of("TEMPLATE", template.into_iter().map(|(key, text)| Node::data(key, text)).collect()),
        Node::of("AR_POOL", vec![Node::of("AR", range)]),
    ]);
    Node::of("VNET", children)
}

/// What of `one.system.config` has an effect here.
fn configuration() -> Node {
    let vm =
        ["CONTEXT/FILES", "NIC/MAC", "NIC/VLAN_ID", "NIC/BRIDGE", "CPU_COST", "RAW/DATA", "PCI", "EMULATOR"];
    let mut children = vec![Node::data("IMAGE_RESTRICTED_ATTR", "SOURCE")];
    children.extend(vm.iter().map(|path| Node::data("VM_RESTRICTED_ATTR", *path)));
    Node::of("OPENNEBULA_CONFIGURATION", children)
}
