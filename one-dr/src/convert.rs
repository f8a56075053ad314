//! A captured VM as the recovery site gets it, with our stamps in it.

use opennebula_meta::capture::Capture;
use opennebula_meta::id::{EpochSeconds, VmId};
use opennebula_meta::reregister::{self, NewVm};
use opennebula_meta::site_map::Inventory;
use opennebula_meta::source::RbdImage;
use sha2::{Digest, Sha256};

use crate::clock::Moment;
use crate::journal::hex;
use crate::settings::Settings;
use crate::stamp;

/// The VM for the recovery site, or everything that stands in the way. With an inventory every name is checked against it.
///
/// # Errors
/// The problems, in words.
pub fn convert(
    captured: &Capture,
    settings: &Settings,
    home: &str,
    vm: VmId,
    now: Moment,
    at_b: Option<Inventory>,
) -> Result<NewVm, Vec<String>> {
    let Some(source) = captured.vm(vm) else {
        return Err(vec![format!("VM {vm} is not in the captured metadata")]);
    };
    let mut map = settings.site_map.clone();
    map.now = Some(EpochSeconds(now.seconds()));
    map.at_b = at_b;
    let mut new = reregister::vm(source, &captured.images, &map)
        .map_err(|error| error.problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    for image in &mut new.images {
        let id = global_id(captured, &image.source).unwrap_or_default();
        stamp::put(&mut image.template, stamp::IMAGE, &id);
    }
    let content = new.template.to_xml().map_err(|refused| vec![refused.to_string()])?;
    stamp::put(&mut new.template, stamp::VM, &stamp::vm(home, vm.0));
    stamp::put(&mut new.template, stamp::CONTENT, &hex(&Sha256::digest(content.as_bytes())));
    Ok(new)
}

/// The identity under which an RBD image was mirrored when it was captured.
#[must_use]
pub fn global_id(captured: &Capture, image: &RbdImage) -> Option<String> {
    captured.mirrored.as_ref()?.get(image).map(|mirror| mirror.global_id.clone())
}
