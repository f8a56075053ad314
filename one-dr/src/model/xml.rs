//! The documents that the model's OpenNebula prints, read by the same code that reads the real ones.

use std::fmt::Write;

use opennebula_meta::{Datastore, Image, Network, StoredTemplate, Vm};

use super::one::{OneImage, OneTemplate, OneVm};
use crate::frontend::Power;

fn permissions(mode: [u8; 3]) -> String {
    let mut text = String::from("<PERMISSIONS>");
    for (who, digit) in ["OWNER", "GROUP", "OTHER"].iter().zip(mode) {
        for (flag, weight) in [("U", 4), ("M", 2), ("A", 1)] {
            _ = write!(text, "<{who}_{flag}>{}</{who}_{flag}>", u8::from(digit & weight != 0));
        }
    }
    text + "</PERMISSIONS>"
}

fn attributes(all: &[(String, String)]) -> String {
    all.iter().map(|(key, value)| format!("<{key}><![CDATA[{value}]]></{key}>")).collect()
}

#[allow(clippy::expect_used, reason = "the model prints what the crate reads, or its tests fail at once")]
pub(super) fn vm(vm: &OneVm) -> Vm {
    let (state, lcm) = match vm.power {
        Power::Held => (2, 0),
        Power::Starting => (1, 0),
        Power::Running => (3, 3),
        Power::Unknown => (3, 16),
        Power::Stopping => (3, 18),
        Power::Busy => (3, 69),
        Power::Off => (8, 0),
        Power::Suspended => (5, 0),
        Power::Done => (6, 0),
        Power::Failed => (3, 36),
    };
    let mut disks = String::new();
    for disk in &vm.disks {
        let (clone, persistent) =
            if disk.clone { ("YES", "") } else { ("NO", "<PERSISTENT>YES</PERSISTENT>") };
        _ = write!(
            disks,
            "<DISK><CLONE>{clone}</CLONE><DATASTORE>ceph</DATASTORE><DEV_PREFIX>vd</DEV_PREFIX><DISK_ID>{}</DISK_ID>\
             <DISK_TYPE>RBD</DISK_TYPE><FORMAT>raw</FORMAT><IMAGE>img-{}</IMAGE><IMAGE_ID>{}</IMAGE_ID>\
             <IMAGE_UNAME>oneadmin</IMAGE_UNAME>{persistent}<SIZE>{}</SIZE><SOURCE>{}</SOURCE><TYPE>RBD</TYPE></DISK>",
            disk.id, disk.image, disk.image, disk.mebibytes, disk.source
        );
    }
    let text = format!(
        "<VM><ID>{}</ID><UID>0</UID><GID>0</GID><UNAME>{}</UNAME><GNAME>{}</GNAME><NAME><![CDATA[{}]]></NAME>{}\
         <STATE>{state}</STATE><LCM_STATE>{lcm}</LCM_STATE><TEMPLATE><CONTEXT><DISK_ID>9</DISK_ID>\
         <PASSWORD>s3cret-of-the-guest</PASSWORD><TARGET>hda</TARGET></CONTEXT><CPU>1</CPU>{disks}<MEMORY>512</MEMORY>\
         <VMID>{}</VMID></TEMPLATE><USER_TEMPLATE>{}</USER_TEMPLATE></VM>",
        vm.id,
        vm.owner.0,
        vm.owner.1,
        vm.name,
        permissions(vm.mode),
        vm.id,
        attributes(&vm.attributes)
    );
    Vm::parse(&text).expect("a VM of the model")
}

#[allow(clippy::expect_used, reason = "as above")]
pub(super) fn image(image: &OneImage) -> Image {
    let state = match (image.broken, image.used_by, image.persistent) {
        (true, _, _) => 5,
        (_, Some(_), true) => 8,
        (_, Some(_), false) => 2,
        _ => 1,
    };
    let lock = image.lock.map_or_else(String::new, |level| {
        format!(
            "<LOCK><LOCKED>{level}</LOCKED><OWNER>0</OWNER><TIME>1795346407</TIME><REQ_ID>1</REQ_ID></LOCK>"
        )
    });
    let text = format!(
        "<IMAGE><ID>{}</ID><UID>0</UID><GID>0</GID><UNAME>{}</UNAME><GNAME>{}</GNAME><NAME><![CDATA[{}]]></NAME>{lock}{}\
         <TYPE>0</TYPE><DISK_TYPE>3</DISK_TYPE><PERSISTENT>{}</PERSISTENT><SOURCE>{}</SOURCE><FORMAT>raw</FORMAT>\
         <SIZE>{}</SIZE><STATE>{state}</STATE><DATASTORE_ID>1</DATASTORE_ID><DATASTORE>ceph</DATASTORE>\
         <TEMPLATE>{}</TEMPLATE><SNAPSHOTS></SNAPSHOTS></IMAGE>",
        image.id,
        image.owner.0,
        image.owner.1,
        image.name,
        permissions(image.mode),
        u8::from(image.persistent),
        image.source,
        image.mebibytes,
        attributes(&image.attributes)
    );
    Image::parse(&text).expect("an image of the model")
}

#[allow(clippy::expect_used, reason = "as above")]
pub(super) fn template(template: &OneTemplate) -> StoredTemplate {
    let content = template.content.to_xml().expect("a template of the model");
    let inner = content.split_once('>').map_or("", |(_, rest)| rest);
    let inner = inner.rsplit_once("</").map_or("", |(inner, _)| inner);
    let text = format!(
        "<VMTEMPLATE><ID>{}</ID><UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME><NAME>{}</NAME>\
         <TEMPLATE>{inner}</TEMPLATE></VMTEMPLATE>",
        template.id, template.name
    );
    StoredTemplate::parse(&text).expect("a template of the model")
}

#[allow(clippy::expect_used, reason = "as above")]
pub(super) fn datastore() -> Datastore {
    Datastore::parse(
        "<DATASTORE><ID>1</ID><UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME><NAME>ceph</NAME>\
         <TYPE>0</TYPE><DISK_TYPE>3</DISK_TYPE><TOTAL_MB>100000</TOTAL_MB><FREE_MB>90000</FREE_MB><USED_MB>10000</USED_MB>\
         <TEMPLATE><POOL_NAME>one</POOL_NAME><TM_MAD>ceph</TM_MAD><DS_MAD>ceph</DS_MAD></TEMPLATE></DATASTORE>",
    )
    .expect("a datastore of the model")
}

#[allow(clippy::expect_used, reason = "as above")]
pub(super) fn network() -> Network {
    Network::parse(
        "<VNET><ID>0</ID><UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME><NAME>prod</NAME>\
         <TEMPLATE/></VNET>",
    )
    .expect("a network of the model")
}
