//! The OpenNebula of one site as [`FrontEnd`]: what it checks, and what it does not.

use std::net::IpAddr;

use opennebula_meta::id::{DatastoreId, GroupId, ImageId, NetworkId, TemplateId, UserId, VmId};
use opennebula_meta::owner::Permissions;
use opennebula_meta::version::Version;
use opennebula_meta::{Datastore, Image, Network, StoredTemplate, Template, Vm};

use super::call::{Call, Kind, Service};
use super::one::{OneImage, OneTemplate, OneVm, OpenNebula, make_vm, refused, singles, text};
use super::{Model, State, xml};
use crate::frontend::{FrontEnd, Group, Host, LockLevel, Object, Power, Result, Update, User, VmAction};
use crate::site::Side;

/// One site's OpenNebula.
#[derive(Clone, Debug)]
pub struct ModelFrontEnd {
    pub(super) model: Model,
    pub(super) side: Side,
}

impl ModelFrontEnd {
    fn call<T>(
        &self,
        kind: Kind,
        op: &'static str,
        on: &str,
        change: impl FnOnce(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let call = Call { side: self.side, service: Service::FrontEnd, op, on: on.to_owned(), kind };
        self.model.call(&call, change)
    }

    fn read<T: 'static>(
        &self,
        op: &'static str,
        read: impl FnOnce(&mut OpenNebula) -> T + Send + 'static,
    ) -> Result<T> {
        let side = self.side;
        self.call(Kind::Read, op, "", move |state| Ok(read(state.one(side))))
    }

    /// A change of an object that is there.
    fn change(
        &self,
        op: &'static str,
        object: Object,
        change: impl FnOnce(&mut OpenNebula) -> std::result::Result<(), String> + Send + 'static,
    ) -> Result<()> {
        let side = self.side;
        self.call(Kind::Change, op, &object.to_string(), move |state| {
            let one = state.one(side);
            if let Object::Image(id) = object
                && let Some(image) = one.images.iter().find(|image| image.id == id.0)
                && image.lock.is_some_and(|lock| lock < 3)
                && !matches!(op, "one.image.lock" | "one.image.unlock")
            {
                return refused(side, op, 512, format!("User [0] : IMAGE is locked. [{id}]."));
            }
            change(one).or_else(|text| refused(side, op, 2048, text))
        })
    }
}

impl FrontEnd for ModelFrontEnd {
    fn version(&self) -> Result<Version> {
        self.read("one.system.version", |_| Version::new(6, 10, 3))
    }

    fn vms(&self) -> Result<Vec<Vm>> {
        let alive = |vm: &&OneVm| vm.power != Power::Done;
        self.read("one.vmpool.infoextended", move |one| one.vms.iter().filter(alive).map(xml::vm).collect())
    }

    fn vm(&self, id: VmId) -> Result<Option<Vm>> {
        self.read("one.vm.info", move |one| one.vms.iter().find(|vm| vm.id == id.0).map(xml::vm))
    }

    fn images(&self) -> Result<Vec<Image>> {
        self.read("one.imagepool.info", |one| one.images.iter().map(xml::image).collect())
    }

    fn image(&self, id: ImageId) -> Result<Option<Image>> {
        self.read("one.image.info", move |one| {
            one.images.iter().find(|image| image.id == id.0).map(xml::image)
        })
    }

    fn templates(&self) -> Result<Vec<StoredTemplate>> {
        self.read("one.templatepool.info", |one| one.templates.iter().map(xml::template).collect())
    }

    fn networks(&self) -> Result<Vec<Network>> {
        self.read("one.vnpool.info", |_| vec![xml::network()])
    }

    fn datastores(&self) -> Result<Vec<Datastore>> {
        self.read("one.datastorepool.info", |_| vec![xml::datastore()])
    }

    fn hosts(&self) -> Result<Vec<Host>> {
        let host = |name: &str| Host {
            id: 0,
            name: name.to_owned(),
            usable: true,
            free_cpu_percent: 800,
            free_memory_kib: 1 << 24,
        };
        self.read("one.hostpool.info", move |_| vec![host("node")])
    }

    fn users(&self) -> Result<Vec<User>> {
        self.read("one.userpool.info", |one| {
            let users = (0..).zip(&one.users);
            users.map(|(id, name)| User { id: UserId(id), name: (*name).to_owned() }).collect()
        })
    }

    fn groups(&self) -> Result<Vec<Group>> {
        let group = |id, name: &str| Group { id: GroupId(id), name: name.to_owned() };
        self.read("one.grouppool.info", move |_| vec![group(0, "oneadmin"), group(1, "users")])
    }

    fn allocate_image(&self, template: &Template, _: DatastoreId, _: bool) -> Result<ImageId> {
        let (side, template) = (self.side, template.clone());
        let name = text(&template, "NAME");
        self.call(Kind::Change, "one.image.allocate", &name.clone(), move |state| {
            let one = state.one(side);
            if let Some(taken) =
                one.images.iter().find(|image| image.name == name && image.owner.0 == "oneadmin")
            {
                let text = format!("NAME is already taken by IMAGE {}.", taken.id);
                return refused(side, "one.image.allocate", 16384, text);
            }
            // Not whether SOURCE is there, is primary, or is registered already.
            let id = one.number();
            one.images.push(OneImage {
                id,
                name,
                owner: ("oneadmin".to_owned(), "oneadmin".to_owned()),
                mode: [6, 0, 0],
                source: text(&template, "SOURCE"),
                mebibytes: text(&template, "SIZE").parse().unwrap_or(0),
                persistent: text(&template, "PERSISTENT").eq_ignore_ascii_case("YES"),
                used_by: None,
                broken: false,
                lock: None,
                attributes: singles(&template),
            });
            Ok(ImageId(id))
        })
    }

    fn allocate_template(&self, template: &Template) -> Result<TemplateId> {
        let (side, content) = (self.side, template.clone());
        let name = text(template, "NAME");
        self.call(Kind::Change, "one.template.allocate", &name.clone(), move |state| {
            let one = state.one(side);
            if let Some(taken) = one.templates.iter().find(|template| template.name == name) {
                let text = format!("NAME is already taken by TEMPLATE {}.", taken.id);
                return refused(side, "one.template.allocate", 16384, text);
            }
            let id = one.number();
            one.templates.push(OneTemplate { id, name, content });
            Ok(TemplateId(id))
        })
    }

    fn instantiate(&self, template: TemplateId, name: &str, hold: bool, _: &Template) -> Result<VmId> {
        let (side, text) = (self.side, name.to_owned());
        self.call(Kind::Change, "one.template.instantiate", name, move |state| {
            let found = state.one(side).templates.iter().find(|one| one.id == template.0).cloned();
            match found {
                Some(found) => make_vm(state, side, &found.content, &text, hold),
                None => refused(side, "one.template.instantiate", 1024, "Error getting template"),
            }
        })
    }

    fn allocate_vm(&self, template: &Template, hold: bool) -> Result<VmId> {
        let (side, content) = (self.side, template.clone());
        let name = text(template, "NAME");
        self.call(Kind::Change, "one.vm.allocate", &name.clone(), move |state| {
            make_vm(state, side, &content, &name, hold)
        })
    }

    fn chown(&self, object: Object, user: UserId, group: GroupId) -> Result<()> {
        self.change("one.X.chown", object, move |one| {
            let index = usize::try_from(user.0).unwrap_or(usize::MAX);
            let user = one.users.get(index).copied().ok_or("no such user")?.to_owned();
            let group = ["oneadmin", "users"].get(usize::from(group.0 == 1)).copied().unwrap_or_default();
            let owner = (user, group.to_owned());
            match object {
                Object::Image(id) => {
                    let name =
                        one.images.iter().find(|image| image.id == id.0).map(|image| image.name.clone());
                    if one.images.iter().any(|other| {
                        other.id != id.0 && Some(&other.name) == name.as_ref() && other.owner.0 == owner.0
                    }) {
                        return Err("NAME is already taken".to_owned());
                    }
                    one.images
                        .iter_mut()
                        .filter(|image| image.id == id.0)
                        .for_each(|image| image.owner = owner.clone());
                }
                Object::Vm(id) => {
                    one.vms.iter_mut().filter(|vm| vm.id == id.0).for_each(|vm| vm.owner = owner.clone());
                }
                Object::Template(_) => {}
            }
            Ok(())
        })
    }

    fn chmod(&self, object: Object, permissions: Permissions) -> Result<()> {
        let mode = [permissions.owner, permissions.group, permissions.other];
        self.change("one.X.chmod", object, move |one| {
            match object {
                Object::Image(id) => {
                    one.images
                        .iter_mut()
                        .filter(|image| image.id == id.0)
                        .for_each(|image| image.mode = mode);
                }
                Object::Vm(id) => one.vms.iter_mut().filter(|vm| vm.id == id.0).for_each(|vm| vm.mode = mode),
                Object::Template(_) => {}
            }
            Ok(())
        })
    }

    fn lock(&self, object: Object, level: LockLevel) -> Result<()> {
        let level = match level {
            LockLevel::Use => 1,
            LockLevel::Manage => 2,
            LockLevel::Admin => 3,
        };
        self.change("one.image.lock", object, move |one| {
            if let Object::Image(id) = object {
                one.images
                    .iter_mut()
                    .filter(|image| image.id == id.0)
                    .for_each(|image| image.lock = Some(level));
            }
            Ok(())
        })
    }

    fn unlock(&self, object: Object) -> Result<()> {
        self.change("one.image.unlock", object, move |one| {
            if let Object::Image(id) = object {
                one.images.iter_mut().filter(|image| image.id == id.0).for_each(|image| image.lock = None);
            }
            Ok(())
        })
    }

    fn rename(&self, object: Object, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.change("one.X.rename", object, move |one| {
            if let Object::Image(id) = object {
                one.images
                    .iter_mut()
                    .filter(|image| image.id == id.0)
                    .for_each(|image| image.name.clone_from(&name));
            }
            Ok(())
        })
    }

    fn update(&self, object: Object, template: &Template, _: Update) -> Result<()> {
        let content = template.clone();
        self.change("one.X.update", object, move |one| {
            if let Object::Template(id) = object {
                let found = one.templates.iter_mut().filter(|template| template.id == id.0);
                found.for_each(|template| template.content = content.clone());
            }
            Ok(())
        })
    }

    fn delete(&self, object: Object, force: bool) -> Result<()> {
        let side = self.side;
        self.call(Kind::Change, "one.X.delete", &object.to_string(), move |state| {
            let Object::Image(id) = object else {
                if let Object::Template(id) = object {
                    state.one(side).templates.retain(|template| template.id != id.0);
                }
                return Ok(());
            };
            let image = state.one(side).images.iter().find(|image| image.id == id.0).cloned();
            let Some(image) = image else { return refused(side, "one.image.delete", 1024, "no such image") };
            if image.used_by.is_some() || image.lock.is_some_and(|lock| lock < 3) {
                return refused(side, "one.image.delete", 2048, "in use, or locked");
            }
            let name = image.source.rsplit('/').next().unwrap_or_default().to_owned();
            let held = state
                .pool(side)
                .images
                .iter()
                .any(|rbd| rbd.name == name && rbd.global_id.is_some() && !rbd.primary);
            if held && !force {
                state
                    .one(side)
                    .images
                    .iter_mut()
                    .filter(|one| one.id == id.0)
                    .for_each(|one| one.broken = true);
                return Ok(());
            }
            if !held {
                let lost =
                    state.pool(side).images.iter().any(|rbd| rbd.name == name && rbd.global_id.is_some());
                if lost {
                    state.violate(format!("the data of {name} was deleted with its registration"));
                }
                state.pool(side).images.retain(|rbd| rbd.name != name);
            }
            state.one(side).images.retain(|one| one.id != id.0);
            Ok(())
        })
    }

    fn enable_image(&self, image: ImageId, _: bool) -> Result<()> {
        self.change("one.image.enable", Object::Image(image), |_| Ok(()))
    }

    fn act(&self, vm: VmId, action: VmAction) -> Result<()> {
        let side = self.side;
        self.call(Kind::Change, "one.vm.action", &format!("{} {vm}", action.word()), move |state| {
            let now = state.now;
            let Some(there) = state.one(side).vm(vm.0) else {
                return refused(
                    side,
                    "one.vm.action",
                    1024,
                    format!("Error getting virtual machine [{vm}]."),
                );
            };
            let next = match (action, there.power) {
                (VmAction::Release, Power::Held) | (VmAction::Resume, Power::Off | Power::Suspended) => {
                    Power::Starting
                }
                (VmAction::Poweroff, Power::Running) => Power::Stopping,
                (VmAction::PoweroffHard, Power::Running | Power::Stopping | Power::Unknown) => Power::Off,
                (VmAction::Terminate | VmAction::TerminateHard, _) => Power::Done,
                (_, power) => {
                    let text = format!("This action is not available for state {power}");
                    return refused(side, "one.vm.action", 2048, text);
                }
            };
            there.power = next;
            there.since = now;
            if next == Power::Done {
                for image in state.one(side).images.iter_mut().filter(|image| image.used_by == Some(vm.0)) {
                    image.used_by = None;
                    image.lock = None;
                }
            }
            Ok(())
        })
    }

    fn hold_address(&self, _: NetworkId, _: IpAddr) -> Result<()> {
        self.call(Kind::Change, "one.vn.hold", "", |_| Ok(()))
    }

    fn release_address(&self, _: NetworkId, _: IpAddr) -> Result<()> {
        self.call(Kind::Change, "one.vn.release", "", |_| Ok(()))
    }
}
