//! The guards, tried where they must hold: each refused with a typed error, and nothing changed by the attempt.

use anyhow::{Result, ensure};
use lab::SiteId;
use rbd_mirror::pair::Completeness;
use rbd_mirror::{Error, Refusal, Role};

use crate::disk::Disk;
use crate::run::Run;

/// Force at B while A is alive and primary.
pub(crate) fn force_while_alive(run: &Run<'_>, disks: &[Disk]) -> Result<()> {
    let disk = &disks[0];
    refused(run, "guard: force while A is alive", disk, Refusal::PeerAliveAndPrimary, || {
        run.pair(SiteId::B).promote_by_force(&disk.id, Completeness::Proven)
    })
}

/// A resync at `site` while its peer, like itself, is demoted: it would delete a copy with no primary to fetch it from.
pub(crate) fn resync_without_primary(run: &Run<'_>, disks: &[Disk], site: SiteId) -> Result<()> {
    let disk = &disks[0];
    refused(run, "guard: resync without a primary", disk, Refusal::PeerNotPrimary, || {
        run.pair(site).resync(&disk.id).map(drop)
    })
}

/// A promotion of the diverged old primary at A, which librbd itself would accept without force.
pub(crate) fn promote_the_diverged(run: &Run<'_>, disks: &[Disk]) -> Result<()> {
    let disk = &disks[0];
    refused(run, "guard: promote the diverged old primary", disk, Refusal::PeerIsPrimary, || {
        run.pair(SiteId::A).promote(&disk.id)
    })
}

/// Does what must be refused, and compares what the witness sees before and after.
fn refused(
    run: &Run<'_>,
    step: &str,
    disk: &Disk,
    reason: Refusal,
    attempt: impl FnOnce() -> Result<(), Error>,
) -> Result<()> {
    run.step(step, || {
        let before = look(run, disk)?;
        let answer = attempt();
        let after = look(run, disk)?;
        let error = answer.err();
        let refusal = error.as_ref().and_then(Error::refusal);
        ensure!(
            refusal == Some(&reason),
            "it should have been refused ({reason}), and was answered with {error:?}"
        );
        ensure!(before == after, "refused, and yet changed: {before:?} became {after:?}");
        Ok(((), format!("refused: {reason}")))
    })
}

/// Role and image id at both sites, by our library and by `rbd info`.
fn look(run: &Run<'_>, disk: &Disk) -> Result<Vec<(Role, String, bool)>> {
    let site = |id: SiteId| -> Result<(Role, String, bool)> {
        let party = run.party(id);
        let role = party.pool.open_by_global_id_read_only(&disk.id)?.role()?;
        let info = party.witness.image_info(&disk.path())?;
        Ok((role, info.id, info.mirroring.is_some_and(|mirroring| mirroring.primary)))
    };
    SiteId::ALL.into_iter().map(site).collect()
}
