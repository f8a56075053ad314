//! The objects of OpenNebula at site A that a recovery is about: made through its XML-RPC, on images that really exist.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Seen, Site, until};
use one_dr::FrontEnd;
use one_dr::frontend::{Object, Oned, Power};
use opennebula_meta::Template;
use opennebula_meta::id::{DatastoreId, GroupId, ImageId, UserId, VmId};
use opennebula_meta::source::disks;
use rbd_mirror::Image;

use super::front::OWNER;
use crate::connect;
use crate::stamped::Stamps;

const MIB: u64 = 1 << 20;

/// The image datastore of site A.
const DATASTORE: DatastoreId = DatastoreId(1);

/// A VM's way from nothing to RUNNING, on a busy machine.
const RUNNING_WITHIN: Duration = Duration::from_secs(120);

/// A machine of site A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its number at site A.
    pub vm: VmId,
    /// Its name.
    pub name: String,
    /// `pool/image` of each disk, in order.
    pub disks: Vec<String>,
}

impl Machine {
    /// Its number as a word, for the command.
    #[must_use]
    pub fn number(&self) -> String {
        self.vm.to_string()
    }
}

/// Makes two machines: one with a clone, a persistent and a volatile disk, one on a persistent image alone; and waits until they run.
pub(super) fn make(one: &Oned, site: &Site) -> Result<Vec<Machine>> {
    image(one, site, "base-os", "OS", 64, false)?;
    image(one, site, "erp-data", "DATABLOCK", 32, true)?;
    image(one, site, "ledger-db", "OS", 48, true)?;
    let erp = vm(
        one,
        site,
        "erp-app",
        "DISK=[IMAGE=\"base-os\",IMAGE_UNAME=\"oneadmin\"]\n\
         DISK=[IMAGE=\"erp-data\",IMAGE_UNAME=\"alice\"]\n\
         DISK=[TYPE=\"FS\",FORMAT=\"raw\",SIZE=\"16\",DEV_PREFIX=\"vd\"]\n",
    )?;
    let ledger = vm(one, site, "ledger", "DISK=[IMAGE=\"ledger-db\",IMAGE_UNAME=\"alice\"]\n")?;
    Ok(vec![erp, ledger])
}

/// An image as `oneimage create` makes it: the record in OpenNebula, and the datastore driver's RBD image behind it, full of stamps.
fn image(one: &Oned, site: &Site, name: &str, kind: &str, mib: u64, persistent: bool) -> Result<()> {
    let persists = if persistent { "YES" } else { "NO" };
    let template = template(&format!(
        "NAME=\"{name}\"\nTYPE={kind}\nSIZE={mib}\nFORMAT=raw\nDEV_PREFIX=vd\nPERSISTENT={persists}\n"
    ))?;
    let id = one.allocate_image(&template, DATASTORE, false)?;
    let source = source(one, id)?;
    site.rbd_text(["create", &source, "--size", &format!("{mib}M")])?;
    let (pool, image) = source.split_once('/').context("no pool/image")?;
    let stamps = Stamps::new(super::mark(image), mib * MIB);
    fill(&connect::pool(site, pool)?.open(image)?, stamps, stamps.blocks)?;
    if persistent {
        give(one, Object::Image(id))?;
    }
    Ok(())
}

fn source(one: &Oned, id: ImageId) -> Result<String> {
    let image = one.image(id)?.with_context(|| format!("image {id} is not there"))?;
    Ok(image.source()?.to_owned())
}

fn vm(one: &Oned, site: &Site, name: &str, its_disks: &str) -> Result<Machine> {
    let template = template(&format!(
        "NAME=\"{name}\"\nCPU=0.5\nMEMORY=256\nLABELS=\"dr\"\n{its_disks}\
         NIC=[NETWORK=\"service\",NETWORK_UNAME=\"oneadmin\"]\n\
         GRAPHICS=[TYPE=\"VNC\",LISTEN=\"127.0.0.1\"]\nOS=[ARCH=\"x86_64\"]\n\
         CONTEXT=[NETWORK=\"YES\",PASSWORD=\"s3cret word\",SET_HOSTNAME=\"$NAME\"]\n"
    ))?;
    let vm = one.allocate_vm(&template, false)?;
    give(one, Object::Vm(vm))?;
    let read = until("the VM runs", RUNNING_WITHIN, std::path::Path::new("the front-end"), || {
        let read = one.vm(vm).ok().flatten();
        let power = read.as_ref().map(Power::of);
        Ok(match (read, power) {
            (Some(read), Some(Power::Running)) => Seen::Done(read),
            (Some(read), Some(Power::Failed)) => {
                let error = read.user_template().and_then(|user| user.value("ERROR").map(ToOwned::to_owned));
                Seen::NotYet(format!("failed: {error:?}"))
            }
            (_, power) => Seen::NotYet(format!("{power:?}")),
        })
    })?;
    let sources = disks(&read)?;
    let named: Vec<_> = sources.iter().filter_map(|disk| disk.rbd().map(ToString::to_string)).collect();
    for disk in &named {
        ensure!(site.image_exists(disk)?, "{disk} of VM {vm} is not in the pool");
    }
    Ok(Machine { vm, name: name.to_owned(), disks: named })
}

/// To the user who owns the machines.
fn give(one: &Oned, object: Object) -> Result<()> {
    let owner = one.users()?.into_iter().find(|user| user.name == OWNER).map(|user| user.id);
    Ok(one.chown(object, owner.unwrap_or(UserId(0)), GroupId(1))?)
}

fn template(text: &str) -> Result<Template> {
    Ok(text.parse()?)
}

/// The writes 1 to `last`, many blocks at a time.
fn fill(image: &Image, stamps: Stamps, last: u64) -> Result<()> {
    let mut number = 1;
    while number <= last {
        let count = (last - number + 1).min(512);
        let data: Vec<u8> = (number..number + count).flat_map(|number| stamps.block(number)).collect();
        image.write_at(stamps.offset(number), &data)?;
        number += count;
    }
    image.flush()?;
    Ok(())
}
