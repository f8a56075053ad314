//! Stage: site A fails in the middle of writes, Ceph, front-end and machines, and B takes over. What is lost is measured.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::SiteId;
use rbd_mirror::Cluster;
use rbd_mirror::wait::{self, Seen};
use tests::connect;

use crate::relocate::under_load;
use crate::run::{Disk, Run};

/// How long a site that may be dead is waited for. In a disaster this is announced and bounded.
const PROOF_WITHIN: Duration = Duration::from_secs(3);

/// Entries of the guest's journal that B is to have replayed before the blow, so that it falls in the middle of a replay.
const REPLAYED_ENTRIES: u64 = 50;

/// B polls A's journal every second here, every five as packaged.
const REPLAYED_WITHIN: Duration = Duration::from_secs(90);

/// What happens to site A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// A power cut: connections are refused.
    Killed,
    /// Everything stands still: connections stay, and nothing answers.
    Frozen,
}

impl Blow {
    fn word(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Frozen => "frozen",
        }
    }
}

pub(crate) fn stage(run: &Run<'_>, blow: Blow) -> Result<()> {
    let word = blow.word();
    run.stage(&format!("disaster: site A {word}"))?;
    under_load(run)?;
    run.step("B replays what is written", || {
        for disk in run.disks(SiteId::A)? {
            await_replay(run, &disk)?;
        }
        Ok(((), format!("{REPLAYED_ENTRIES} entries and more of each journal")))
    })?;
    let struck = run.step(&format!("site A is {word}"), || {
        run.expect_down(SiteId::A, true);
        let struck = match blow {
            Blow::Killed => run.office.kill(SiteId::A)?,
            Blow::Frozen => run.office.freeze(SiteId::A)?,
        };
        Ok((struck, "Ceph, the front-end and the machines, in the middle of writes".to_owned()))
    })?;
    run.report.event(&format!("site A {word}"), struck);
    run.one_dr_all(&["failover", "--yes"], 0)?;
    let losses: Vec<_> =
        run.machines.iter().map(|machine| run.office.losses(&machine.name, struck)).collect::<Result<_>>()?;
    run.check(&format!("the VMs run at B, on what A had written in order ({word})"), || {
        for machine in &run.machines {
            let boot = run.office.guests().last_boot(&machine.name)?;
            ensure!(boot.site == SiteId::B && boot.up > struck, "{} was not started at B", machine.name);
        }
        for disk in run.machines.iter().flat_map(|machine| &machine.disks) {
            let primary = run.office.site(SiteId::B).image_info(disk)?.mirroring.is_some_and(|it| it.primary);
            ensure!(primary, "{disk} at B is not primary, by `rbd info`");
        }
        let missing: u64 = losses.iter().map(|losses| losses.missing()).sum();
        let slowest = losses.iter().map(|losses| losses.seconds_until_writing).fold(0.0, f64::max);
        Ok(format!("every disk a prefix; {missing} acknowledged writes lost in all; written again after {slowest:.1} s"))
    })?;
    run.report.disaster(word, struck, losses);
    run.check(&format!("A does not answer, and a planned move says so ({word})"), || {
        let asked = Cluster::connect(connect::to(&run.office.site(SiteId::A)).within(PROOF_WITHIN));
        match asked {
            Err(error) if error.is_unreachable() => Ok(error.to_string()),
            Err(error) => bail!("A answers, though with an error: {error}"),
            Ok(_) => bail!("A can still be connected to"),
        }
    })?;
    run.one_dr_all(&["relocate", "--yes"], 6)?;
    run.one_dr(&["status"], 0)?;
    under_load(run)
}

/// Waits until B has replayed writes of the guest that is at work now.
fn await_replay(run: &Run<'_>, disk: &Disk) -> Result<()> {
    let follower = run.pool(SiteId::B).mirror_uuid()?;
    let on = run.pool(SiteId::A).spec().image(disk.rbd.as_str()).into();
    wait::until("replayed at B while it is written", &on, REPLAYED_WITHIN.into(), || {
        let journal = run.pool(SiteId::A).open_by_global_id_read_only(&disk.id)?.journal()?;
        let epoch = journal.newest_tag.as_ref().map(|tag| tag.tid);
        let at = journal.peer(&follower).and_then(|peer| peer.position);
        let replayed = at.is_some_and(|at| Some(at.tag_tid) == epoch && at.entry_tid >= REPLAYED_ENTRIES);
        Ok(if replayed { Seen::Done(()) } else { Seen::NotYet(format!("B is at {at:?}")) })
    })?;
    Ok(())
}
