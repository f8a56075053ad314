//! Stage: the disks of a virtual machine as OpenNebula makes them, protected in the right order: flatten, enable, proof.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use lab::SiteId;
use rbd_mirror::{CreateOptions, Image, MirrorImageMode, Pool, Refusal, wait};
use tests::stamped::Stamps;

use crate::disk::Disk;
use crate::run::Run;

const MIB: u64 = 1 << 20;

/// The first copy of the largest disk on a busy machine.
const COPIED_WITHIN: Duration = Duration::from_secs(180);

/// What OpenNebula keeps: an image and its protected snapshot, from which each VM's disk is cloned.
struct Source {
    parent: &'static str,
    disk: &'static str,
    bytes: u64,
}

const CLONES: [Source; 2] = [
    Source { parent: "one-0", disk: "one-0-0-0", bytes: 256 * MIB },
    Source { parent: "one-1", disk: "one-1-0-1", bytes: 64 * MIB },
];

/// A persistent image: the VM's disk is the image itself.
const PERSISTENT: (&str, u64) = ("one-2", 128 * MIB);

pub(crate) fn stage(run: &Run<'_>) -> Result<Vec<Disk>> {
    run.stage("protect")?;
    let pool = &run.a.pool;
    run.step("make a VM's disks", || {
        for (source, mark) in CLONES.iter().zip(1_u64..) {
            make_clone(pool, source, Stamps::new(mark, source.bytes))?;
        }
        let (name, bytes) = PERSISTENT;
        pool.create(name, bytes, &CreateOptions::default())?;
        fill(&pool.open(name)?, Stamps::new(3, bytes), PERSISTENT_WRITES)?;
        Ok(((), "two clones of 256 and 64 MiB, a persistent image of 128 MiB, stamped throughout".to_owned()))
    })?;
    run.step("a clone is refused before it is flat", || {
        let error = pool.open(CLONES[0].disk)?.enable(MirrorImageMode::Journal).err();
        let reason = error.as_ref().and_then(|error| error.refusal());
        ensure!(matches!(reason, Some(Refusal::ParentNotMirrored { .. })), "enable answered {error:?}");
        Ok(((), error.map(|error| error.to_string()).unwrap_or_default()))
    })?;
    for source in &CLONES {
        run.step(&format!("flatten {}", source.disk), || flatten(&pool.open(source.disk)?))?;
    }

    let clones = CLONES.iter().zip(1_u64..).map(|(source, mark)| {
        let stamps = Stamps::new(mark, source.bytes);
        (source.disk, source.bytes, stamps, stamps.blocks)
    });
    let (name, bytes) = PERSISTENT;
    let persistent = (name, bytes, Stamps::new(3, bytes), PERSISTENT_WRITES);
    let all: Vec<_> = clones.chain([persistent]).collect();
    let disks = run.step("enable", || {
        let enable = |(name, bytes, stamps, written): &(&str, u64, Stamps, u64)| -> Result<Disk> {
            let id = pool.open(name)?.enable(MirrorImageMode::Journal)?;
            Ok(Disk { name: (*name).to_owned(), id, bytes: *bytes, stamps: *stamps, written: *written })
        };
        let disks = all.iter().map(enable).collect::<Result<Vec<_>>>()?;
        Ok((disks, "journal mode; exclusive-lock and journaling on".to_owned()))
    })?;
    run.step("wait until B has every disk and follows", || {
        for disk in &disks {
            wait::caught_up(pool, &run.b.pool, &disk.id, COPIED_WITHIN)?;
        }
        Ok(((), "by the journals of A: B replays, and is done with all that is committed".to_owned()))
    })?;
    run.step("B holds what A holds", || {
        run.verify(&disks, SiteId::A)?;
        for disk in &disks {
            let parent = run.a.witness.image_info(&disk.path())?.parent;
            ensure!(parent.is_none(), "{} still has the parent {parent:?}", disk.name);
        }
        Ok(((), "checksums of `rbd export` equal at both sites, no parent left".to_owned()))
    })?;
    Ok(disks)
}

/// Less than the image has room for, so that part of it has never been written.
const PERSISTENT_WRITES: u64 = 7_000;

fn make_clone(pool: &Pool, source: &Source, stamps: Stamps) -> Result<()> {
    pool.create(source.parent, source.bytes, &CreateOptions::default())?;
    let parent = pool.open(source.parent)?;
    fill(&parent, stamps, stamps.blocks)?;
    parent.create_snapshot("snap")?;
    parent.protect_snapshot("snap")?;
    pool.clone_image(source.parent, "snap", pool, source.disk, &CreateOptions::default())?;
    Ok(())
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

fn flatten(image: &Image) -> Result<((), String)> {
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("         {bar:40} {pos}/{len} objects {eta}")?);
    let mut objects = 0;
    image.flatten(|progress| {
        objects = progress.total;
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    ensure!(image.parent()?.is_none(), "{} still has a parent", image.name());
    Ok(((), format!("{objects} objects copied up")))
}
