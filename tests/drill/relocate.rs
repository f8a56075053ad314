//! Stage: a planned move, with a writer at work until it begins, and without losing a write.
//!
//! Order of one move: stop the writer, prove that nobody has a disk open, make sure the way back is registered, demote, wait until
//! the demotion has arrived, look at both sites, promote without force.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::SiteId;
use rbd_mirror::{CreateOptions, MirrorImageMode, wait};
use tests::stamped::Stamps;

use crate::disk::{Disk, expect_unused, start_writers, stop_writers};
use crate::guards;
use crate::run::Run;

/// A demotion arrives after the next poll of the journal: seconds.
const ARRIVED_WITHIN: Duration = Duration::from_secs(90);

/// The daemon at the old primary begins to follow after its next look: 30 s as packaged.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(180);

/// From A to B under load, with writes at B, and home again.
pub(crate) fn there_and_back(run: &Run<'_>, disks: &mut [Disk]) -> Result<()> {
    guards::force_while_alive(run, disks)?;
    write_until_the_move(run, disks, SiteId::A)?;
    demote(run, disks, SiteId::A)?;
    guards::resync_without_primary(run, disks, SiteId::B)?;
    promote(run, disks, SiteId::B)?;
    under_load(run, disks, SiteId::B)
}

/// An image that was mirrored a moment ago is moved at once: where the old primary's daemon has not yet registered with the new
/// primary's journal, that ends in a split brain with identical data.
pub(crate) fn right_after_enable(run: &Run<'_>, disks: &mut Vec<Disk>) -> Result<()> {
    const BYTES: u64 = 32 << 20;
    const NAME: &str = "one-3";
    let mut fresh = run.step("mirror a new disk", || {
        let pool = &run.a.pool;
        pool.create(NAME, BYTES, &CreateOptions::default())?;
        let (image, stamps) = (pool.open(NAME)?, Stamps::new(4, BYTES));
        image.write_at(stamps.offset(1), &stamps.block(1))?;
        image.flush()?;
        let id = image.enable(MirrorImageMode::Journal)?;
        image.close()?;
        wait::caught_up(pool, &run.b.pool, &id, FOLLOWED_WITHIN)?;
        let disk = Disk { name: NAME.to_owned(), id, bytes: BYTES, stamps, written: 1 };
        Ok(([disk], "32 MiB, caught up a moment ago".to_owned()))
    })?;
    relocate(run, &fresh, SiteId::A)?;
    under_load(run, &mut fresh, SiteId::B)?;
    disks.extend(fresh);
    Ok(())
}

/// Writers at `from` until the move, then the move.
pub(crate) fn under_load(run: &Run<'_>, disks: &mut [Disk], from: SiteId) -> Result<()> {
    write_until_the_move(run, disks, from)?;
    relocate(run, disks, from)
}

/// Moves disks that nobody writes to any more from `from` to the other site.
fn relocate(run: &Run<'_>, disks: &[Disk], from: SiteId) -> Result<()> {
    demote(run, disks, from)?;
    promote(run, disks, from.other())
}

fn write_until_the_move(run: &Run<'_>, disks: &mut [Disk], from: SiteId) -> Result<()> {
    let writers = run.step(&format!("write at {from}"), || {
        let writers = start_writers(run, disks, from)?;
        Ok((writers, format!("{} writers at work", disks.len())))
    })?;
    run.step(&format!("stop the writers at {from}"), || {
        let detail = stop_writers(run, disks, from, writers)?;
        Ok(((), detail))
    })
}

fn demote(run: &Run<'_>, disks: &[Disk], from: SiteId) -> Result<()> {
    let to = from.other();
    let (source, target) = (&run.party(from).pool, &run.party(to).pool);
    run.step(&format!("{from} will be able to follow {to}"), || {
        for disk in disks {
            expect_unused(run, disk, from)?;
            wait::caught_up(source, target, &disk.id, FOLLOWED_WITHIN)?;
            wait::reverse_registered(source, target, &disk.id, FOLLOWED_WITHIN)?;
        }
        Ok(((), format!("{from}'s daemon is a client of the journals at {to}")))
    })?;
    run.step(&format!("demote at {from}"), || {
        for disk in disks {
            let image = source.open_by_global_id(&disk.id)?;
            image.demote()?;
            image.close()?;
        }
        Ok(((), format!("{} disks", disks.len())))
    })
}

fn promote(run: &Run<'_>, disks: &[Disk], to: SiteId) -> Result<()> {
    let from = to.other();
    let (source, target) = (&run.party(from).pool, &run.party(to).pool);
    run.step(&format!("the demotions arrive at {to}"), || {
        for disk in disks {
            wait::demotion_arrived(source, target, &disk.id, ARRIVED_WITHIN)?;
        }
        Ok(((), "nobody owns the images now".to_owned()))
    })?;
    run.step(&format!("promote at {to}"), || {
        let pair = run.pair(to);
        for disk in disks {
            pair.promote(&disk.id)?;
            run.expect_primary(disk, to, true)?;
            run.expect_primary(disk, from, false)?;
        }
        Ok(((), "without force".to_owned()))
    })?;
    run.step(&format!("{from} follows {to}"), || {
        for disk in disks {
            wait::settled(target, source, &disk.id, FOLLOWED_WITHIN)?;
            let status = run.party(from).pool.open_by_global_id_read_only(&disk.id)?.status()?;
            ensure!(!status.is_split_brain(), "{} at {from} reports {status}", disk.name);
        }
        run.verify(disks, to)?;
        Ok(((), "nothing lost: every acknowledged write at both sites, by checksum".to_owned()))
    })
}
