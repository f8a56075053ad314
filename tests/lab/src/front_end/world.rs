//! What oned keeps: users, groups, hosts, datastores, images, templates, VMs, networks. Each object is its document.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::refusal::Refusal;
use super::template::Template;
use super::tree::Node;

/// Which OpenNebula is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum Release {
    /// 6.10.3
    #[default]
    #[serde(rename = "6.10.3")]
    V6,
    /// 7.4.0
    #[serde(rename = "7.4.0")]
    V7,
}

impl Release {
    /// What `one.system.version` answers.
    pub fn number(self) -> &'static str {
        match self {
            Self::V6 => "6.10.3",
            Self::V7 => "7.4.0",
        }
    }

    /// Whether white space around values is cut.
    pub(crate) fn trims(self) -> bool {
        self == Self::V7
    }
}

/// All objects of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    /// In messages: `image`.
    pub(crate) what: &'static str,
    /// In messages of authorization: `IMAGE`.
    pub(crate) kind: &'static str,
    /// Around a list: `IMAGE_POOL`.
    pub(crate) root: &'static str,
    /// The number that the next one gets. Failed attempts use numbers up, for VMs.
    pub(crate) next: i32,
    pub(crate) objects: BTreeMap<i32, Node>,
}

impl Pool {
    fn new(what: &'static str, kind: &'static str, root: &'static str) -> Self {
        Self { what, kind, root, next: 0, objects: BTreeMap::new() }
    }

    /// # Errors
    /// `NO_EXISTS`
    pub(crate) fn get(&self, id: i32) -> Result<&Node, Refusal> {
        self.objects.get(&id).ok_or(Refusal::NoExists { what: self.what, id })
    }

    /// # Errors
    /// `NO_EXISTS`
    pub(crate) fn get_mut(&mut self, id: i32) -> Result<&mut Node, Refusal> {
        self.objects.get_mut(&id).ok_or(Refusal::NoExists { what: self.what, id })
    }

    /// The number of the object of this name and owner.
    pub(crate) fn named(&self, name: &str, uid: i32) -> Option<i32> {
        let found = |node: &Node| node.at(&["NAME"]) == name && node.number(&["UID"]) == Some(uid.into());
        self.objects.iter().find_map(|(id, node)| found(node).then_some(*id))
    }

    /// Adds an object under its own number.
    pub(crate) fn insert(&mut self, node: Node) {
        let id = node.number(&["ID"]).and_then(|id| i32::try_from(id).ok()).unwrap_or(self.next);
        self.next = self.next.max(id + 1);
        self.objects.insert(id, node);
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) uid: i32,
    pub(crate) name: String,
    pub(crate) gid: i32,
    pub(crate) group: String,
}

impl Caller {
    /// The user `oneadmin`, and members of its group.
    pub(crate) fn is_admin(&self) -> bool {
        self.uid == 0 || self.gid == 0
    }
}

/// What an operation needs: the order is that of lock levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    Use = 1,
    Manage = 2,
    Admin = 3,
}

impl Right {
    fn word(self) -> &'static str {
        match self {
            Self::Use => "USE",
            Self::Manage => "MANAGE",
            Self::Admin => "ADMIN",
        }
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) release: Release,
    pub(crate) users: Pool,
    pub(crate) groups: Pool,
    pub(crate) hosts: Pool,
    pub(crate) datastores: Pool,
    pub(crate) images: Pool,
    pub(crate) templates: Pool,
    pub(crate) vms: Pool,
    pub(crate) networks: Pool,
    /// `one.system.config`.
    pub(crate) config: Node,
    pub(crate) requests: i64,
}

impl World {
    /// An oned that was never used.
    pub(crate) fn new(release: Release, config: Node) -> Self {
        Self {
            release,
            users: Pool::new("user", "USER", "USER_POOL"),
            groups: Pool::new("group", "GROUP", "GROUP_POOL"),
            hosts: Pool::new("host", "HOST", "HOST_POOL"),
            datastores: Pool::new("datastore", "DATASTORE", "DATASTORE_POOL"),
            images: Pool::new("image", "IMAGE", "IMAGE_POOL"),
            templates: Pool::new("virtual machine template", "TEMPLATE", "VMTEMPLATE_POOL"),
            vms: Pool::new("virtual machine", "VM", "VM_POOL"),
            networks: Pool::new("virtual network", "NET", "VNET_POOL"),
            config,
            requests: 0,
        }
    }

    /// Adds objects as oned prints them: one, or a pool of them. `false` if that is no document it knows.
    pub(crate) fn add(&mut self, node: Node) -> bool {
        let pool = match node.name.as_str() {
            "USER" => &mut self.users,
            "GROUP" => &mut self.groups,
            "HOST" => &mut self.hosts,
            "DATASTORE" => &mut self.datastores,
            "IMAGE" => &mut self.images,
            "VMTEMPLATE" => &mut self.templates,
            "VM" => &mut self.vms,
            "VNET" => &mut self.networks,
            name if name.ends_with("_POOL") => {
                let is_object =
                    |child: &&Node| !matches!(child.name.as_str(), "QUOTAS") && child.child("ID").is_some();
                let objects: Vec<_> = node.children().iter().filter(is_object).cloned().collect();
                return objects.into_iter().all(|object| self.add(object));
            }
            "OPENNEBULA_CONFIGURATION" => {
                self.config = node;
                return true;
            }
            _ => return false,
        };
        pool.insert(node);
        true
    }

    /// The user behind `user:password`.
    ///
    /// # Errors
    /// `AUTHENTICATION`
    pub(crate) fn authenticate(&self, session: &str) -> Result<Caller, Refusal> {
        let (name, password) = session.split_once(':').ok_or(Refusal::Authentication)?;
        let user = self.users.objects.values().find(|user| user.at(&["NAME"]) == name);
        let user = user.filter(|user| user.at(&["PASSWORD"]) == digest(password));
        let user = user.ok_or(Refusal::Authentication)?;
        let number = |key| user.number(&[key]).and_then(|id| i32::try_from(id).ok()).unwrap_or(-1);
        Ok(Caller {
            uid: number("ID"),
            name: name.to_owned(),
            gid: number("GID"),
            group: user.at(&["GNAME"]).to_owned(),
        })
    }

    /// Whether the caller may do something that needs `right` with an object, its lock counted.
    ///
    /// # Errors
    /// `NO_EXISTS`, `AUTHORIZATION`
    pub(crate) fn authorize(pool: &Pool, id: i32, caller: &Caller, right: Right) -> Result<(), Refusal> {
        let node = pool.get(id)?;
        let level = node.number(&["LOCK", "LOCKED"]).unwrap_or(i64::MAX);
        let locked = level <= i64::from(right as u8);
        if caller.is_admin() {
            let why = format!("{} is locked. [{id}]", pool.kind);
            return if locked { Err(Refusal::Authorization(why)) } else { Ok(()) };
        }
        if locked || !permits(node, caller, right) {
            let why = format!("Not authorized to perform {} {} [{id}]", right.word(), pool.kind);
            return Err(Refusal::Authorization(why));
        }
        Ok(())
    }

    /// The first attribute that only administrators may give (`IMAGE_RESTRICTED_ATTR` and its like).
    pub(crate) fn restricted(&self, list: &str, template: &Template) -> Option<String> {
        let names = template.names();
        self.config.all(list).find_map(|restricted| {
            let found = names.iter().find(|(path, _)| path == restricted.text());
            found.map(|(_, name)| name.clone())
        })
    }

    /// Names are taken per owner, for images and templates.
    ///
    /// # Errors
    /// oned's words.
    pub(crate) fn check_name(name: &str) -> Result<(), String> {
        if name.is_empty() {
            return Err("Invalid NAME, it cannot be empty".to_owned());
        }
        if let Some(bad) = name.chars().find(|character| "&|:\\\";/'#{}$<>".contains(*character)) {
            return Err(format!("Invalid NAME, char '{bad}' is not allowed"));
        }
        if name.len() > 128 {
            return Err("Invalid NAME, max length is 128 chars".to_owned());
        }
        Ok(())
    }
}

fn permits(node: &Node, caller: &Caller, right: Right) -> bool {
    let letter = match right {
        Right::Use => "U",
        Right::Manage => "M",
        Right::Admin => "A",
    };
    let bit = |who: &str| node.at(&["PERMISSIONS", &format!("{who}_{letter}")]) == "1";
    (node.number(&["UID"]) == Some(caller.uid.into()) && bit("OWNER"))
        || (node.number(&["GID"]) == Some(caller.gid.into()) && bit("GROUP"))
        || bit("OTHER")
}

/// How oned keeps a password.
pub(crate) fn digest(password: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in Sha256::digest(password.as_bytes()) {
        _ = write!(out, "{byte:02x}");
    }
    out
}

/// The head of an object of this owner, as far as all kinds have it.
pub(crate) fn head(id: i32, caller: &Caller, name: &str) -> Vec<Node> {
    let bit = |who: &str| {
        ["U", "M", "A"].map(|right| {
            Node::plain(&format!("{who}_{right}"), if who == "OWNER" && right != "A" { "1" } else { "0" })
        })
    };
    vec![
        Node::plain("ID", id),
        Node::plain("UID", caller.uid),
        Node::plain("GID", caller.gid),
        Node::plain("UNAME", &caller.name),
        Node::plain("GNAME", &caller.group),
        Node::plain("NAME", name),
        Node::of("PERMISSIONS", ["OWNER", "GROUP", "OTHER"].iter().flat_map(|who| bit(who)).collect()),
    ]
}

/// Now, in seconds, as oned stamps objects.
pub(crate) fn now() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
