//! The disks of the drill's virtual machine.

use anyhow::{Result, ensure};
use lab::{SiteId, until};
use rbd_mirror::GlobalImageId;
use std::time::Duration;
use tests::stamped::Stamps;
use tests::writer::Writer;

use crate::POOL;
use crate::run::Run;

/// A disk, and what has been written to it so far.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) name: String,
    pub(crate) id: GlobalImageId,
    pub(crate) bytes: u64,
    pub(crate) stamps: Stamps,
    /// The last write that was acknowledged, and that no disaster took back.
    pub(crate) written: u64,
}

/// Writes to each disk before anything is done to it under load.
const WRITES_UNDER_LOAD: u64 = 40;

/// How long that many writes may take on a busy machine.
const WRITES_WITHIN: Duration = Duration::from_secs(90);

impl Disk {
    /// `pool/name`, as Ceph's tools take it.
    pub(crate) fn path(&self) -> String {
        format!("{POOL}/{}", self.name)
    }
}

/// Writers on all disks at a site, each with some writes behind it.
pub(crate) fn start_writers(run: &Run<'_>, disks: &[Disk], site: SiteId) -> Result<Vec<Writer>> {
    let witness = &run.party(site).witness;
    let start = |disk: &Disk| Writer::start(witness, POOL, &disk.name, disk.stamps, disk.written);
    let writers = disks.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    until("writers at work", WRITES_WITHIN, &run.lab.logs(), || {
        let done: Vec<u64> =
            writers.iter().zip(disks).map(|(writer, disk)| writer.acknowledged() - disk.written).collect();
        Ok(lab::Seen::when(done.iter().all(|done| *done >= WRITES_UNDER_LOAD), || {
            format!("writes done: {done:?}")
        }))
    })?;
    Ok(writers)
}

/// Stops writers in good order, notes what they wrote, and proves that nobody has a disk open any more.
pub(crate) fn stop_writers(
    run: &Run<'_>,
    disks: &mut [Disk],
    site: SiteId,
    writers: Vec<Writer>,
) -> Result<String> {
    writers.iter().for_each(Writer::stop);
    let mut written = 0;
    for (disk, writer) in disks.iter_mut().zip(writers) {
        let ended = writer.join();
        if let Some(error) = ended.failed {
            return Err(error.into());
        }
        written += ended.acknowledged - disk.written;
        disk.written = ended.acknowledged;
    }
    for disk in disks.iter() {
        expect_unused(run, disk, site)?;
    }
    Ok(format!("{written} writes acknowledged, no watcher left"))
}

/// Fails if anybody besides rbd-mirror has the disk open, by our library and by the witness.
pub(crate) fn expect_unused(run: &Run<'_>, disk: &Disk, site: SiteId) -> Result<()> {
    let party = run.party(site);
    let image = party.pool.open_by_global_id_read_only(&disk.id)?;
    let (watchers, users) = (image.watchers()?, image.users()?);
    ensure!(users.is_empty(), "{} at {site} is still open at {users:?}", disk.name);
    let seen = party.witness.watchers(&disk.path())?;
    ensure!(seen.len() == watchers.len(), "`rbd status` of {} at {site} shows {seen:?}", disk.name);
    Ok(())
}
