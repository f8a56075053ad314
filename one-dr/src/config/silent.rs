//! A front-end that cannot even be asked: its credentials or its address are missing. It is silent, and says why.

use std::net::IpAddr;

use opennebula_meta::id::{DatastoreId, GroupId, ImageId, NetworkId, TemplateId, UserId, VmId};
use opennebula_meta::owner::Permissions;
use opennebula_meta::version::Version;
use opennebula_meta::{Datastore, Image, Network, StoredTemplate, Template, Vm};

use crate::frontend::{Error, FrontEnd, Group, Host, LockLevel, Object, Result, Update, User, VmAction};

/// One that does not answer.
#[derive(Clone, Debug)]
pub(super) struct Silent {
    pub(super) site: String,
    pub(super) why: String,
}

impl Silent {
    fn silent<T>(&self, method: &'static str) -> Result<T> {
        Err(Error::Unreachable { site: self.site.clone(), method, why: self.why.clone() })
    }
}

impl FrontEnd for Silent {
    fn version(&self) -> Result<Version> {
        self.silent("version")
    }

    fn vms(&self) -> Result<Vec<Vm>> {
        self.silent("vms")
    }

    fn vm(&self, _: VmId) -> Result<Option<Vm>> {
        self.silent("vm")
    }

    fn images(&self) -> Result<Vec<Image>> {
        self.silent("images")
    }

    fn image(&self, _: ImageId) -> Result<Option<Image>> {
        self.silent("image")
    }

    fn templates(&self) -> Result<Vec<StoredTemplate>> {
        self.silent("templates")
    }

    fn networks(&self) -> Result<Vec<Network>> {
        self.silent("networks")
    }

    fn datastores(&self) -> Result<Vec<Datastore>> {
        self.silent("datastores")
    }

    fn hosts(&self) -> Result<Vec<Host>> {
        self.silent("hosts")
    }

    fn users(&self) -> Result<Vec<User>> {
        self.silent("users")
    }

    fn groups(&self) -> Result<Vec<Group>> {
        self.silent("groups")
    }

    fn allocate_image(&self, _: &Template, _: DatastoreId, _: bool) -> Result<ImageId> {
        self.silent("allocate_image")
    }

    fn allocate_template(&self, _: &Template) -> Result<TemplateId> {
        self.silent("allocate_template")
    }

    fn instantiate(&self, _: TemplateId, _: &str, _: bool, _: &Template) -> Result<VmId> {
        self.silent("instantiate")
    }

    fn allocate_vm(&self, _: &Template, _: bool) -> Result<VmId> {
        self.silent("allocate_vm")
    }

    fn chown(&self, _: Object, _: UserId, _: GroupId) -> Result<()> {
        self.silent("chown")
    }

    fn chmod(&self, _: Object, _: Permissions) -> Result<()> {
        self.silent("chmod")
    }

    fn lock(&self, _: Object, _: LockLevel) -> Result<()> {
        self.silent("lock")
    }

    fn unlock(&self, _: Object) -> Result<()> {
        self.silent("unlock")
    }

    fn rename(&self, _: Object, _: &str) -> Result<()> {
        self.silent("rename")
    }

    fn update(&self, _: Object, _: &Template, _: Update) -> Result<()> {
        self.silent("update")
    }

    fn delete(&self, _: Object, _: bool) -> Result<()> {
        self.silent("delete")
    }

    fn enable_image(&self, _: ImageId, _: bool) -> Result<()> {
        self.silent("enable_image")
    }

    fn act(&self, _: VmId, _: VmAction) -> Result<()> {
        self.silent("act")
    }

    fn hold_address(&self, _: NetworkId, _: IpAddr) -> Result<()> {
        self.silent("hold_address")
    }

    fn release_address(&self, _: NetworkId, _: IpAddr) -> Result<()> {
        self.silent("release_address")
    }
}
