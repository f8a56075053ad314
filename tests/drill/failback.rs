//! Stage: A comes back as a second primary. It is recognised, quarantined, demoted, resynced with proof, and the work goes home.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::{Daemon, SiteId};
use rbd_mirror::pair::{Side, Verdict};
use rbd_mirror::wait::{self, Seen};

use crate::POOL;
use crate::disk::{Disk, expect_unused};
use crate::guards;
use crate::relocate;
use crate::run::Run;

/// A site's daemons after a power cut: 13 s with short timers.
const BACK_WITHIN: Duration = Duration::from_secs(180);

/// rbd-mirror reports a split brain after its next look, and writes its report every 30 s.
const REPORTED_WITHIN: Duration = Duration::from_secs(180);

/// A resync copies every disk anew.
const RESYNCED_WITHIN: Duration = Duration::from_secs(300);

pub(crate) fn stage(run: &Run<'_>, disks: &mut [Disk]) -> Result<()> {
    bring_back(run)?;
    recognise_two_primaries(run, disks)?;
    run.step("quarantine A", || {
        for disk in disks.iter() {
            wait::until(
                "closed by its last user",
                &run.a.pool.spec().image(disk.name.as_str()).into(),
                BACK_WITHIN.into(),
                || {
                    Ok(match expect_unused(run, disk, SiteId::A) {
                        Ok(()) => Seen::Done(()),
                        Err(error) => Seen::NotYet(error.to_string()),
                    })
                },
            )?;
        }
        Ok(((), "no client has a disk open there".to_owned()))
    })?;
    run.step("demote at A", || {
        for disk in disks.iter() {
            let image = run.a.pool.open_by_global_id(&disk.id)?;
            image.demote()?;
            image.close()?;
        }
        Ok(((), "B is the only primary".to_owned()))
    })?;
    guards::promote_the_diverged(run, disks)?;
    recognise_split_brain(run, disks)?;
    resync(run, disks)?;
    relocate::under_load(run, disks, SiteId::B)?;
    run.step("B is protected by A's journal again", || {
        for disk in disks.iter() {
            wait::reverse_registered(&run.a.pool, &run.b.pool, &disk.id, REPORTED_WITHIN)?;
        }
        wait::daemon_healthy(&run.b.pool, REPORTED_WITHIN)?;
        Ok(((), "both directions are ready for the next disaster".to_owned()))
    })
}

fn bring_back(run: &Run<'_>) -> Result<()> {
    run.step("A comes back", || {
        // Frozen daemons go on, ended ones are started; what is neither stays as it is.
        run.lab.thaw(SiteId::A, &Daemon::ALL)?;
        run.lab.start(SiteId::A, &Daemon::ALL)?;
        run.lab.wait_osd_up(SiteId::A, BACK_WITHIN)?;
        run.expect_down(SiteId::A, false);
        wait::daemon_healthy(&run.a.pool, BACK_WITHIN)?;
        Ok(((), "its daemons run and answer".to_owned()))
    })
}

fn recognise_two_primaries(run: &Run<'_>, disks: &[Disk]) -> Result<()> {
    run.step("recognise two primaries", || {
        for disk in disks {
            let view = run.pair(SiteId::A).look(&disk.id)?;
            ensure!(
                view.verdict == Verdict::TwoPrimaries,
                "{}: {} (A {}, B {})",
                disk.name,
                view.verdict,
                view.here,
                view.there
            );
        }
        let health = |site| -> Result<String> {
            let status = run.party(site).witness.pool_status(POOL)?;
            Ok(status["summary"]["image_health"].as_str().unwrap_or("unknown").to_owned())
        };
        Ok((
            (),
            format!(
                "each disk primary twice, while `rbd` says {} and {}",
                health(SiteId::A)?,
                health(SiteId::B)?
            ),
        ))
    })
}

fn recognise_split_brain(run: &Run<'_>, disks: &[Disk]) -> Result<()> {
    run.step("recognise the split brain", || {
        for disk in disks {
            let on = run.a.pool.spec().image(disk.name.as_str()).into();
            wait::until("reported as split brain", &on, REPORTED_WITHIN.into(), || {
                let view = run.pair(SiteId::A).look(&disk.id)?;
                Ok(match view.verdict {
                    Verdict::SplitBrain { primary: Side::There } => Seen::Done(()),
                    verdict => Seen::NotYet(format!("{verdict}: A {}, B {}", view.here, view.there)),
                })
            })?;
            let seen = run.a.witness.image_status(&disk.path())?;
            ensure!(seen.description.starts_with("split-brain"), "`rbd mirror image status` shows {seen:?}");
        }
        Ok(((), "B is primary, A has diverged; `rbd mirror image status` says so too".to_owned()))
    })
}

fn resync(run: &Run<'_>, disks: &[Disk]) -> Result<()> {
    run.step("resync A from B", || {
        let pair = run.pair(SiteId::A);
        let old = disks.iter().map(|disk| pair.resync(&disk.id)).collect::<Result<Vec<_>, _>>()?;
        for (disk, old) in disks.iter().zip(&old) {
            let new = wait::resynced(&run.b.pool, &run.a.pool, &disk.id, old, RESYNCED_WITHIN)?;
            if new == *old {
                bail!("{} at A still has the image id {old}", disk.name);
            }
        }
        run.verify(disks, SiteId::B)?;
        Ok(((), "proved first: B is primary, nobody uses A's copy; new images at A, data equal".to_owned()))
    })
}
