//! Each call of the trait, as XML-RPC has it.

use std::net::IpAddr;

use opennebula_meta::id::{DatastoreId, ImageId, NetworkId, TemplateId, UserId, VmId};
use opennebula_meta::owner::Permissions;
use opennebula_meta::template::{Key, Vector};
use opennebula_meta::version::Version;
use opennebula_meta::{Datastore, Image, Network, StoredTemplate, Template, Vm};

use super::super::xmlrpc::Value;
use super::super::{Error, FrontEnd, Group, Host, LockLevel, Object, Result, Update, User, VmAction};
use super::lists::Filtered;
use super::{NO_CALL, Oned};
use opennebula_meta::document::{Document, Element};
use opennebula_meta::id::GroupId;

/// From here on `true` skips the check of capacity; before, it asked for it.
const FLAG_SKIPS: Version = Version::new(6, 8, 3);
/// From here on an image can be deleted by force.
const FORCE: Version = Version::new(6, 6, 0);

/// The method for a kind of object.
macro_rules! method {
    ($object:expr, $verb:literal) => {
        match $object {
            Object::Image(_) => concat!("one.image.", $verb),
            Object::Template(_) => concat!("one.template.", $verb),
            Object::Vm(_) => concat!("one.vm.", $verb),
        }
    };
}

fn id_of(object: Object) -> Value {
    match object {
        Object::Image(id) => Value::id(id.0),
        Object::Template(id) => Value::id(id.0),
        Object::Vm(id) => Value::id(id.0),
    }
}

impl Oned {
    /// A template as OpenNebula is given it: in XML, which carries every value that can be carried at all.
    fn written(&self, method: &'static str, template: &Template) -> Result<Value> {
        if template.attributes().is_empty() {
            return Ok(Value::text(""));
        }
        let text = template.to_xml();
        text.map(Value::Text)
            .map_err(|error| self.refused(method, NO_CALL, &format!("{error}; nothing was sent")))
    }

    fn id_and_name<T>(
        &self,
        method: &'static str,
        element: &str,
        make: impl Fn(u32, String) -> T,
    ) -> Result<Vec<T>> {
        let read = |document: &Document| {
            let root = document.root();
            let id = root.required_number("ID").map_err(|error| self.unreadable(method, error))?;
            let name = root.required("NAME").map_err(|error| self.unreadable(method, error))?;
            Ok(make(id, name.to_owned()))
        };
        self.whole_pool(method, element)?.iter().map(read).collect()
    }

    fn lease(&self, method: &'static str, network: NetworkId, address: IpAddr) -> Result<()> {
        let key = |name| Key::new(name).map_err(|error| self.refused(method, NO_CALL, &error.to_string()));
        let mut lease = Vector::new();
        lease.push(key(if address.is_ipv4() { "IP" } else { "IP6" })?, address.to_string());
        let mut template = Template::new();
        template.push_vector(key("LEASES")?, lease);
        self.change(method, &[Value::id(network.0), self.written(method, &template)?]).map(drop)
    }
}

impl FrontEnd for Oned {
    fn version(&self) -> Result<Version> {
        self.ask_version()
    }

    fn vms(&self) -> Result<Vec<Vm>> {
        self.pool(Filtered { method: "one.vmpool.infoextended", of_vms: true })
    }

    fn vm(&self, id: VmId) -> Result<Option<Vm>> {
        self.object("one.vm.info", &[Value::id(id.0), Value::Bool(true)])
    }

    fn images(&self) -> Result<Vec<Image>> {
        self.pool(Filtered { method: "one.imagepool.info", of_vms: false })
    }

    fn image(&self, id: ImageId) -> Result<Option<Image>> {
        self.object("one.image.info", &[Value::id(id.0), Value::Bool(false)])
    }

    fn templates(&self) -> Result<Vec<StoredTemplate>> {
        self.pool(Filtered { method: "one.templatepool.info", of_vms: false })
    }

    /// The pool shows no leases: each network is asked for by itself.
    fn networks(&self) -> Result<Vec<Network>> {
        let pool: Vec<Network> = self.pool(Filtered { method: "one.vnpool.info", of_vms: false })?;
        let mut found = Vec::with_capacity(pool.len());
        for network in pool {
            // One that is gone by now is left out.
            let arguments = [Value::id(network.id().0), Value::Bool(false)];
            found.extend(self.object("one.vn.info", &arguments)?);
        }
        Ok(found)
    }

    fn datastores(&self) -> Result<Vec<Datastore>> {
        let method = "one.datastorepool.info";
        let read = |document| Datastore::try_from(document).map_err(|error| self.unreadable(method, error));
        self.whole_pool(method, "DATASTORE")?.into_iter().map(read).collect()
    }

    fn hosts(&self) -> Result<Vec<Host>> {
        let method = "one.hostpool.info";
        let read =
            |document: &Document| host(document.root()).map_err(|error| self.unreadable(method, error));
        self.whole_pool(method, "HOST")?.iter().map(read).collect()
    }

    fn users(&self) -> Result<Vec<User>> {
        self.id_and_name("one.userpool.info", "USER", |id, name| User { id: UserId(id), name })
    }

    fn groups(&self) -> Result<Vec<Group>> {
        self.id_and_name("one.grouppool.info", "GROUP", |id, name| Group { id: GroupId(id), name })
    }

    fn allocate_image(
        &self,
        template: &Template,
        datastore: DatastoreId,
        skip_capacity: bool,
    ) -> Result<ImageId> {
        let method = "one.image.allocate";
        let mut arguments = vec![self.written(method, template)?, Value::id(datastore.0)];
        if skip_capacity {
            arguments.push(Value::Bool(self.known_version()? >= FLAG_SKIPS));
        }
        self.change_id(method, &arguments).map(ImageId)
    }

    fn allocate_template(&self, template: &Template) -> Result<TemplateId> {
        let method = "one.template.allocate";
        self.change_id(method, &[self.written(method, template)?]).map(TemplateId)
    }

    fn instantiate(&self, template: TemplateId, name: &str, hold: bool, extra: &Template) -> Result<VmId> {
        let method = "one.template.instantiate";
        let extra = self.written(method, extra)?;
        let arguments =
            [Value::id(template.0), Value::text(name), Value::Bool(hold), extra, Value::Bool(false)];
        self.change_id(method, &arguments).map(VmId)
    }

    fn allocate_vm(&self, template: &Template, hold: bool) -> Result<VmId> {
        let method = "one.vm.allocate";
        self.change_id(method, &[self.written(method, template)?, Value::Bool(hold)]).map(VmId)
    }

    fn chown(&self, object: Object, user: UserId, group: GroupId) -> Result<()> {
        let arguments = [id_of(object), Value::id(user.0), Value::id(group.0)];
        self.change(method!(object, "chown"), &arguments).map(drop)
    }

    fn chmod(&self, object: Object, permissions: Permissions) -> Result<()> {
        let mut arguments = vec![id_of(object)];
        arguments.extend(permissions.flags().map(|flag| Value::Int(flag.into())));
        self.change(method!(object, "chmod"), &arguments).map(drop)
    }

    fn lock(&self, object: Object, level: LockLevel) -> Result<()> {
        let level = match level {
            LockLevel::Use => 1,
            LockLevel::Manage => 2,
            LockLevel::Admin => 3,
        };
        let arguments = [id_of(object), Value::Int(level), Value::Bool(false)];
        self.change(method!(object, "lock"), &arguments).map(drop)
    }

    fn unlock(&self, object: Object) -> Result<()> {
        self.change(method!(object, "unlock"), &[id_of(object)]).map(drop)
    }

    fn rename(&self, object: Object, name: &str) -> Result<()> {
        self.change(method!(object, "rename"), &[id_of(object), Value::text(name)]).map(drop)
    }

    fn update(&self, object: Object, template: &Template, how: Update) -> Result<()> {
        let method = method!(object, "update");
        let how = match how {
            Update::Replace => 0,
            Update::Merge => 1,
        };
        self.change(method, &[id_of(object), self.written(method, template)?, Value::Int(how)]).map(drop)
    }

    fn delete(&self, object: Object, force: bool) -> Result<()> {
        let method = method!(object, "delete");
        let mut arguments = vec![id_of(object)];
        match object {
            Object::Vm(_) => {
                let text = "a VM is terminated, not deleted; nothing was sent";
                return Err(self.refused(method, NO_CALL, text));
            }
            Object::Image(_) if force => {
                let version = self.known_version()?;
                if version < FORCE {
                    let text =
                        format!("OpenNebula {version} cannot delete by force, 6.6 can; nothing was sent");
                    return Err(self.refused(method, NO_CALL, &text));
                }
                arguments.push(Value::Bool(true));
            }
            // For a template the flag would delete its images too.
            Object::Image(_) | Object::Template(_) => {}
        }
        self.change(method, &arguments).map(drop)
    }

    fn enable_image(&self, image: ImageId, enabled: bool) -> Result<()> {
        self.change("one.image.enable", &[Value::id(image.0), Value::Bool(enabled)]).map(drop)
    }

    fn act(&self, vm: VmId, action: VmAction) -> Result<()> {
        self.change("one.vm.action", &[Value::text(action.word()), Value::id(vm.0)]).map(drop)
    }

    fn hold_address(&self, network: NetworkId, address: IpAddr) -> Result<()> {
        self.lease("one.vn.hold", network, address)
    }

    fn release_address(&self, network: NetworkId, address: IpAddr) -> Result<()> {
        self.lease("one.vn.release", network, address)
    }
}

fn host(root: Element<'_>) -> std::result::Result<Host, opennebula_meta::document::Error> {
    let state: u32 = root.required_number("STATE")?;
    let share = root.child("HOST_SHARE");
    let number = |name: &'static str| share.map_or(Ok(None), |share| share.number::<i64>(name));
    let left = |all: Option<i64>, used: Option<i64>| all.unwrap_or(0).saturating_sub(used.unwrap_or(0));
    Ok(Host {
        id: root.required_number("ID")?,
        name: root.required("NAME")?.to_owned(),
        // MONITORING_MONITORED and MONITORED of include/Host.h.
        usable: matches!(state, 1 | 2),
        free_cpu_percent: left(number("MAX_CPU")?, number("CPU_USAGE")?),
        free_memory_kib: left(number("MAX_MEM")?, number("MEM_USAGE")?),
    })
}

/// Kept where the codes are turned into decisions.
impl Error {
    /// `NO_EXISTS`: no object of this number.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: 1024, .. })
    }

    /// `AUTHENTICATION`: a wrong user or password.
    #[must_use]
    pub fn is_wrong_password(&self) -> bool {
        matches!(self, Self::Refused { code: 256, .. })
    }

    /// `AUTHORIZATION`: the user may not, or the object is locked.
    #[must_use]
    pub fn is_not_allowed(&self) -> bool {
        matches!(self, Self::Refused { code: 512, .. })
    }

    /// The name that was asked for is taken by another object of the same owner.
    #[must_use]
    pub fn is_name_taken(&self) -> bool {
        matches!(self, Self::Refused { code: 8192 | 16384, text, .. } if text.contains("NAME is already taken"))
    }
}
