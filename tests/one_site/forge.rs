//! What no daemon says on one site: entries and statuses written into a pool as rbd-mirror and librbd write them.
//!
//! Statuses go through the object class, called with Ceph's own Python binding, which `ceph-common` brings along: it is the one tool
//! that can.

use std::process::Command;

use anyhow::{Result, ensure};
use rbd_mirror::Pool;
use tests::encoded::{mirror_image, string};

use crate::site;

/// The pool's directory of mirrored images.
const MIRRORING: &str = "rbd_mirroring";

/// `cls::rbd::MIRROR_IMAGE_STATE_DISABLING`
pub(crate) const DISABLING: u8 = 0;
/// `cls::rbd::MIRROR_IMAGE_STATE_ENABLED`
pub(crate) const ENABLED: u8 = 1;
/// `cls::rbd::MIRROR_IMAGE_STATE_DISABLED`
pub(crate) const DISABLED: u8 = 2;

/// `cls::rbd::MIRROR_IMAGE_MODE_JOURNAL`
pub(crate) const JOURNAL: u8 = 0;
/// `cls::rbd::MIRROR_IMAGE_MODE_SNAPSHOT`
pub(crate) const SNAPSHOT: u8 = 1;

const WRITE_STATUS: &str = "
import rados, struct, sys
conf, pool, namespace, image, state, text = sys.argv[1:]
string = lambda text: struct.pack('<I', len(text.encode())) + text.encode()
body = struct.pack('<B', int(state)) + string(text) + struct.pack('<II', 0, 0) + b'\\0'
status = struct.pack('<BBI', 1, 1, len(body)) + body
with rados.Rados(conffile=conf, name='client.admin') as cluster:
    with cluster.open_ioctx(pool) as io:
        io.set_namespace(namespace)
        io.execute('rbd_mirroring', 'rbd', 'mirror_image_status_set', string(image) + status)
";

/// Writes the local site's status of an image, as its daemon would; the daemon counts as dead.
pub(crate) fn status(pool: &Pool, global_id: &str, state: u8, text: &str) -> Result<()> {
    let conf = site::site()?.conf();
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", WRITE_STATUS]).arg(conf).args([
        &*pool.spec().pool,
        &*pool.spec().namespace,
        global_id,
    ]);
    let done = python.args([&state.to_string(), text]).output()?;
    ensure!(done.status.success(), "no status was written: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// Writes an entry of the directory of images: for an image that need not exist.
pub(crate) fn named(pool: &Pool, image_id: &str, name: &str) -> Result<()> {
    let (of_id, of_name) = (format!("id_{image_id}"), format!("name_{name}"));
    pool.set_object_entries("rbd_directory", &[(&of_id, &string(name)), (&of_name, &string(image_id))])?;
    Ok(())
}

/// Writes an entry of the directory of mirrored images: for an image that need not exist.
pub(crate) fn mirrored(pool: &Pool, image_id: &str, global_id: &str, state: u8, mode: u8) -> Result<()> {
    let value = mirror_image(global_id, state, mode);
    let (of_image, of_global) = (format!("image_{image_id}"), format!("global_{global_id}"));
    pool.set_object_entries(MIRRORING, &[(&of_image, &value), (&of_global, &string(image_id))])?;
    Ok(())
}
