//! Stage: site A fails in the middle of writes, and B takes over by force. What is lost is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab::{Daemon, SiteId};
use rbd_mirror::pair::{Completeness, Pair};
use rbd_mirror::wait::{self, Seen};
use rbd_mirror::{Cluster, Error};
use tests::connect;
use tests::stamped::Found;

use crate::disk::{Disk, start_writers, stop_writers};
use crate::report::{Disaster, Loss, rounded};
use crate::run::Run;

/// How long a site that may be dead is waited for. In a disaster this is announced and bounded.
const PROOF_WITHIN: Duration = Duration::from_secs(3);

/// Entries of the writer's journal that B is to have replayed before the blow.
const REPLAYED_ENTRIES: u64 = 50;

/// B polls A's journal every second here, every five as packaged.
const REPLAYED_WITHIN: Duration = Duration::from_secs(90);

/// Making an image writable after a forced promotion.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(90);

/// Every daemon of A is killed at once: connections are refused from then on.
pub(crate) fn killed(run: &Run<'_>, disks: &mut [Disk]) -> Result<()> {
    strike(run, disks, "killed", || run.lab.kill(SiteId::A, &Daemon::ALL))
}

/// Every daemon of A stands still: connections stay, and nothing answers.
pub(crate) fn frozen(run: &Run<'_>, disks: &mut [Disk]) -> Result<()> {
    strike(run, disks, "frozen", || run.lab.freeze(SiteId::A, &Daemon::ALL))
}

fn strike(
    run: &Run<'_>,
    disks: &mut [Disk],
    disaster: &str,
    blow: impl FnOnce() -> lab::Result<()>,
) -> Result<()> {
    let writers = run.step("write at A", || {
        let writers = start_writers(run, disks, SiteId::A)?;
        for disk in disks.iter() {
            await_replay(run, disk)?;
        }
        Ok((writers, format!("{} writers at work, and B replays what they write", disks.len())))
    })?;
    let struck = Instant::now();
    let acknowledged = run.step(&format!("site A is {disaster}"), || {
        run.expect_down(SiteId::A, true);
        blow()?;
        // From here on nothing can be acknowledged; a writer that waits for an answer is told not to begin another write.
        writers.iter().for_each(|writer| writer.stop());
        let acknowledged: Vec<u64> = writers.iter().map(|writer| writer.acknowledged()).collect();
        let sum: u64 = acknowledged.iter().zip(disks.iter()).map(|(last, disk)| last - disk.written).sum();
        Ok((
            acknowledged,
            format!("in the middle of writes, {sum} of them acknowledged since the stage began"),
        ))
    })?;
    let silence = run.step("A does not answer", || {
        let asked = Cluster::connect(connect::to(&run.a.witness).within(PROOF_WITHIN));
        match asked {
            Err(error) if error.is_unreachable() => {
                let text = error.to_string();
                Ok((error, text))
            }
            Err(error) => bail!("A answers, though with an error: {error}"),
            Ok(_) => bail!("A can still be connected to"),
        }
    })?;
    take_over(run, disks, &silence)?;
    let seconds_until_writable = rounded(struck.elapsed());
    let losses = measure(run, disks, &acknowledged)?;
    run.report.disaster(Disaster { site_a: disaster.to_owned(), seconds_until_writable, disks: losses });
    let writers_at_b = run.step("write at B", || {
        let writers = start_writers(run, disks, SiteId::B)?;
        Ok((writers, "B works on".to_owned()))
    })?;
    run.step("stop the writers at B", || {
        let detail = stop_writers(run, disks, SiteId::B, writers_at_b)?;
        Ok(((), detail))
    })?;
    run.step("the writers at A have ended", || {
        // Each was in the middle of a write and had its own limit. What it says is what a VM at A would have seen.
        let ends: Vec<_> = writers.into_iter().map(|writer| writer.join().failed).collect();
        let seen =
            ends.iter().flatten().next().map_or_else(|| "without an error".to_owned(), ToString::to_string);
        Ok(((), seen))
    })
}

/// Waits until B has replayed writes of the writer that is at work now, so that the blow falls in the middle of a replay.
fn await_replay(run: &Run<'_>, disk: &Disk) -> Result<()> {
    let follower = run.b.pool.mirror_uuid()?;
    let on = run.a.pool.spec().image(disk.name.as_str()).into();
    wait::until("replayed at B while it is written", &on, REPLAYED_WITHIN.into(), || {
        let journal = run.a.pool.open_by_global_id_read_only(&disk.id)?.journal()?;
        let epoch = journal.newest_tag.as_ref().map(|tag| tag.tid);
        let at = journal.peer(&follower).and_then(|peer| peer.position);
        let replayed = at.is_some_and(|at| Some(at.tag_tid) == epoch && at.entry_tid >= REPLAYED_ENTRIES);
        Ok(if replayed { Seen::Done(()) } else { Seen::NotYet(format!("B is at {at:?}")) })
    })?;
    Ok(())
}

fn take_over(run: &Run<'_>, disks: &[Disk], silence: &Error) -> Result<()> {
    run.step("promote at B by force, until writes go through", || {
        let pair = Pair::without_peer(&run.b.pool, silence);
        let mut broken = 0;
        for disk in disks {
            pair.promote_by_force(&disk.id, Completeness::Proven)?;
            let taken = run.b.pool.open_by_global_id(&disk.id)?.take_over(TAKEN_OVER_WITHIN)?;
            broken += taken.broken.len();
            let info = run.b.witness.image_info(&disk.path())?;
            ensure!(
                info.mirroring.is_some_and(|mirroring| mirroring.primary),
                "{} is not primary by `rbd info`",
                disk.name
            );
        }
        let locks = match broken {
            0 => "no lock in the way".to_owned(),
            broken => format!("{broken} locks of B's hanging rbd-mirror broken"),
        };
        Ok(((), format!("{} disks; {locks}", disks.len())))
    })
}

/// What B holds must be a prefix of what A acknowledged: the same writes in the same order, cut off somewhere.
fn measure(run: &Run<'_>, disks: &mut [Disk], acknowledged: &[u64]) -> Result<Vec<Loss>> {
    run.step("what B holds of it", || {
        let mut losses = Vec::new();
        for (disk, acknowledged) in disks.iter_mut().zip(acknowledged.iter().copied()) {
            let found = run.b.read(disk)?;
            let Found::Prefix(held) = found else {
                bail!("{} at B is no prefix of what A acknowledged: {found}", disk.name);
            };
            // One write was under way and not acknowledged: it may have arrived.
            ensure!(
                held <= acknowledged + 1,
                "{} at B holds write {held}, A acknowledged {acknowledged}",
                disk.name
            );
            let seen = run.b.witness.sha256_of_export(&disk.path()).context("the witness")?;
            ensure!(
                seen == disk.stamps.sha256(disk.bytes, held),
                "`rbd export` of {} is not writes 1 to {held}",
                disk.name
            );
            let (name, missing) = (disk.name.clone(), acknowledged.saturating_sub(held));
            losses.push(Loss { disk: name, acknowledged, held, missing });
            disk.written = held;
        }
        let missing: u64 = losses.iter().map(|loss| loss.missing).sum();
        Ok((losses, format!("a prefix on every disk; {missing} acknowledged writes are lost in all")))
    })
}
