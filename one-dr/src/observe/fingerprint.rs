//! The hash of what a plan depends on. Times, watchers, space and words are left out: they change by themselves.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, DiskView, Observation, SideImage, SiteView, VmView};
use crate::journal::hex;

/// A hash; shown short.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn of(seen: &Observation) -> Self {
        let matters = json!({
            "home": site(&seen.home),
            "recovery": site(&seen.recovery),
            "catalog": seen.catalog.get().map(|catalog| &catalog.address),
            "vms": seen.vms.iter().map(vm).collect::<Vec<_>>(),
        });
        Self(hex(&Sha256::digest(matters.to_string().as_bytes())))
    }

    /// All its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

fn site(site: &SiteView) -> Value {
    let pool = match &site.pool {
        Answer::Silent(_) => Value::Null,
        Answer::Answers(pool) => {
            json!([pool.identity.fsid, pool.identity.mirror_uuid, pool.identity.pool_mode])
        }
    };
    json!([site.name, pool, site.frontend.answers()])
}

fn vm(vm: &VmView) -> Value {
    let at = |at: &Option<super::VmAt>| at.as_ref().map(|at| json!([at.id, at.power]));
    let epoch = |epoch: &Option<crate::epoch::Epoch>| {
        epoch.as_ref().map(|epoch| json!([epoch.number, epoch.active, epoch.forced]))
    };
    json!({
        "id": vm.id,
        "name": vm.name,
        "definition": vm.definition,
        "home": at(&vm.at_home),
        "recovery": at(&vm.at_recovery),
        "duplicates": vm.duplicates,
        "template": vm.template,
        "disks": vm.disks.iter().map(disk).collect::<Vec<_>>(),
        "out_of_reach": vm.out_of_reach,
        "unmapped": vm.unmapped,
        "drift": vm.drift,
        "epochs": [epoch(&vm.home_epoch), epoch(&vm.recovery_epoch)],
    })
}

fn disk(disk: &DiskView) -> Value {
    let side = |side: &SideImage| match side {
        SideImage::Silent => json!("silent"),
        SideImage::Absent => json!("absent"),
        SideImage::Present(view) => json!([
            view.name,
            view.image_id,
            view.global_id,
            view.role,
            view.mode,
            view.bytes,
            view.parent.as_ref().map(ToString::to_string),
        ]),
    };
    let registered = disk.registered.iter().map(|image| json!([image.id, image.name, image.ours]));
    json!([
        disk.disk,
        disk.image,
        disk.elsewhere,
        disk.global_id,
        side(&disk.home),
        side(&disk.recovery),
        disk.namesake,
        registered.collect::<Vec<_>>(),
    ])
}
