//! What a disaster cost: what the guest that took over found, against what was acknowledged to the one before it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::guests::Boot;

/// What became of one disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// `pool/image`
    pub disk: String,
    /// The last write that was acknowledged before the blow.
    pub acknowledged: u64,
    /// The disk that took over held the writes 1 to this one.
    pub held: u64,
    /// Acknowledged and not held.
    pub missing: u64,
    /// From the acknowledgement of the first missing write to the blow; 0 where nothing is missing.
    pub seconds: f64,
}

/// What became of a machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Losses {
    /// Its name.
    pub machine: String,
    /// From the blow until every disk had taken a write again.
    pub seconds_until_writing: f64,
    /// Its disks.
    pub disks: Vec<Loss>,
}

impl Losses {
    /// Acknowledged writes that are missing, on all disks.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.disks.iter().map(|disk| disk.missing).sum()
    }
}

/// Of the last start of a machine, and the one before it. A disk that holds more than was acknowledged and the one write that may have
/// been under way is an error: somebody else has written to it.
pub(super) fn of(boots: &[Boot], machine: &str, struck: Duration) -> Result<Losses> {
    let mut of_machine = boots.iter().rev().filter(|boot| boot.name == machine);
    let now = of_machine.next().with_context(|| format!("{machine} was never started"))?;
    let before = of_machine.next().with_context(|| format!("{machine} was started only once"))?;
    let mut disks = Vec::new();
    for disk in &now.disks {
        let acknowledged = before.acknowledged(&disk.rbd, struck)?;
        ensure!(
            disk.held <= acknowledged + 1,
            "{} held write {}, and {acknowledged} were acknowledged",
            disk.rbd,
            disk.held
        );
        let missing = acknowledged.saturating_sub(disk.held);
        let first = before.notes(&disk.rbd)?.into_iter().find(|note| note.number == disk.held + 1);
        let lost_since = first.filter(|_| missing > 0).map_or(struck, |note| note.at);
        disks.push(Loss {
            disk: disk.rbd.clone(),
            acknowledged,
            held: disk.held,
            missing,
            seconds: struck.saturating_sub(lost_since).as_secs_f64(),
        });
    }
    let seconds_until_writing = now.up.saturating_sub(struck).as_secs_f64();
    Ok(Losses { machine: machine.to_owned(), seconds_until_writing, disks })
}
