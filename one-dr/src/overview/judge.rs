//! What two reports make of a disk, and disks of a VM.

use opennebula_meta::Vm;
use serde::Serialize;

use super::{Reports, VmLine};
use crate::site::{Side, SitePair};
use crate::storage::ceph::{Report, Word};

/// How a VM, or a disk, stands. In order: the worst of its disks is the VM's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// One site is primary, the other follows.
    Protected,
    /// The first copy, or the copy after a resync, is under way.
    Syncing,
    /// The active site is silent, or the other one is: it goes on alone.
    Alone,
    /// Primary at the recovery site, and home does not follow.
    FailedOver,
    /// The home site is silent, and the replica waits.
    HomeSilent,
    /// Nobody is primary: a switch that stopped part-way.
    NobodyPrimary,
    /// A disk is not mirrored, or its replica does not follow.
    Degraded,
    /// The copies have diverged.
    SplitBrain,
    /// Primary at both sites.
    TwoPrimaries,
}

impl State {
    /// As it is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Protected => "Protected",
            Self::Syncing => "Syncing",
            Self::Alone => "ALONE",
            Self::FailedOver => "FailedOver",
            Self::HomeSilent => "HOME SILENT",
            Self::NobodyPrimary => "NOBODY PRIMARY",
            Self::Degraded => "DEGRADED",
            Self::SplitBrain => "SPLIT BRAIN",
            Self::TwoPrimaries => "TWO PRIMARIES",
        }
    }
}

/// One disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its image's name at home.
    pub image: String,
    /// How it stands.
    pub state: State,
    /// Where it is primary.
    pub active: Option<Side>,
    /// The age of the last confirmed contact, where one follows the other.
    pub rpo_seconds: Option<u64>,
    /// What is wrong.
    pub note: Option<String>,
}

pub(super) fn disk(image: &str, id: Option<&str>, reports: &Reports<'_>) -> Disk {
    let bare = |state, active, note: String| {
        let (image, note) = (image.to_owned(), Some(note));
        Disk { image, state, active, rpo_seconds: None, note }
    };
    let Some(id) = id else {
        return bare(State::Degraded, None, format!("{image} was not mirrored when it was captured"));
    };
    let (home, recovery) = (reports.of(Side::Home, id), reports.of(Side::Recovery, id));
    let word = |report: Option<&Report>| report.map(|report| report.word);
    let said = |report: Option<&Report>| report.map_or("no image", |report| report.text.as_str()).to_owned();
    // A revert to a snapshot renames what is mirrored: the VM's disk is another image then.
    if let Some(there) = home.filter(|there| there.name != image) {
        let note = format!("{image}: the protection is with {} (a snapshot was reverted)", there.name);
        return bare(State::Degraded, Some(Side::Home), note);
    }
    match (word(home), word(recovery)) {
        (Some(Word::Primary), Some(Word::Primary)) => {
            bare(State::TwoPrimaries, None, format!("{image} is primary at both sites"))
        }
        (Some(Word::SplitBrain), _) | (_, Some(Word::SplitBrain)) => {
            bare(State::SplitBrain, None, format!("{image}: the copies have diverged"))
        }
        (Some(Word::Primary), Some(_)) => following(image, Side::Home, home, recovery, reports),
        (Some(_), Some(Word::Primary)) => following(image, Side::Recovery, recovery, home, reports),
        (Some(Word::Primary), None) if reports.answers(Side::Recovery) => {
            bare(State::Degraded, Some(Side::Home), format!("{image} has no replica"))
        }
        (Some(Word::Primary), None) => {
            bare(State::Alone, Some(Side::Home), format!("{image}: the recovery site is silent"))
        }
        (None, Some(Word::Primary | Word::Stopping)) if reports.answers(Side::Home) => {
            bare(State::FailedOver, Some(Side::Recovery), format!("{image} has no copy at home"))
        }
        (None, Some(Word::Primary | Word::Stopping)) => {
            bare(State::FailedOver, Some(Side::Recovery), format!("{image}: home is silent"))
        }
        (None, Some(_)) if !reports.answers(Side::Home) => {
            let contact = recovery.and_then(|report| report.peer_at).map(|at| reports.at.since(at).as_secs());
            let mut disk = bare(State::HomeSilent, None, format!("{image}: {}", said(recovery)));
            disk.rpo_seconds = contact;
            disk
        }
        (Some(Word::NobodyPrimary), Some(Word::NobodyPrimary)) => {
            bare(State::NobodyPrimary, None, format!("{image} is demoted at both sites"))
        }
        (None, None) => bare(State::Degraded, None, format!("{image} is not mirrored at either site")),
        _ => {
            bare(State::Degraded, None, format!("{image}: home {}; recovery {}", said(home), said(recovery)))
        }
    }
}

/// One is primary: what is the other?
fn following(
    image: &str,
    primary: Side,
    source: Option<&Report>,
    copy: Option<&Report>,
    reports: &Reports<'_>,
) -> Disk {
    let text = copy.map(|copy| copy.text.clone()).unwrap_or_default();
    let (state, note) = match copy.map(|copy| (copy.word, copy.up)) {
        Some((Word::Replaying, true)) => (State::Protected, None),
        Some((Word::Replaying, false)) => {
            (State::Degraded, Some(format!("{image}: the follower's rbd-mirror is down")))
        }
        // Right after a protection or a resync: its daemon tells of all its images every half minute.
        Some(_) if copy.is_some_and(|copy| copy.at.is_none()) => {
            (State::Syncing, Some(format!("{image}: the follower's rbd-mirror has not reported on it yet")))
        }
        Some((Word::Syncing, _)) => (State::Syncing, Some(format!("{image}: the first copy is under way"))),
        _ if primary == Side::Recovery => {
            (State::FailedOver, Some(format!("{image}: home does not follow: {text}")))
        }
        _ => (State::Degraded, Some(format!("{image}: the replica does not follow: {text}"))),
    };
    let behind = copy.and_then(|copy| copy.entries_behind).filter(|entries| *entries > 0);
    let note = note.or_else(|| behind.map(|entries| format!("{image}: {entries} entries behind")));
    // What the follower says of itself is as old as its report; the source's own word there is the contact between the two.
    let contact =
        [copy.and_then(|copy| copy.at), copy.and_then(|copy| copy.peer_at).or(source.and_then(|s| s.at))];
    let oldest = contact.into_iter().flatten().min();
    let rpo_seconds = oldest.filter(|_| state == State::Protected).map(|at| reports.at.since(at).as_secs());
    Disk { image: image.to_owned(), state, active: Some(primary), rpo_seconds, note }
}

pub(super) fn vm(pair: &SitePair, vm: &Vm, disks: Vec<Disk>, mut notes: Vec<String>, age: u64) -> VmLine {
    let id = vm.id();
    let well = disks.iter().filter(|disk| disk.state == State::Protected).count();
    let mut state = disks.iter().map(|disk| disk.state).max().unwrap_or(State::Protected);
    if !notes.is_empty() {
        state = state.max(State::Degraded);
    }
    let actives: Vec<Side> = disks.iter().filter_map(|disk| disk.active).collect();
    let active = actives.first().copied().filter(|first| actives.iter().all(|side| side == first));
    if actives.len() > 1 && active.is_none() {
        state = state.max(State::Degraded);
        notes.push("its disks are primary at different sites".to_owned());
    }
    let worst = disks.iter().map(|disk| disk.rpo_seconds).collect::<Option<Vec<u64>>>();
    let rpo_seconds = worst.and_then(|all| all.into_iter().max());
    let of = disks.len();
    notes.extend(disks.into_iter().filter_map(|disk| disk.note));
    let next = match (state, active) {
        (State::Protected, Some(Side::Recovery)) => Some(format!("one-dr failback {id}")),
        (State::Protected, _) if age > pair.settings.targets.metadata_age_seconds => {
            Some("one-dr capture".to_owned())
        }
        (State::Protected | State::Syncing | State::Alone, _) => None,
        (State::FailedOver, _) => Some(format!("one-dr reprotect {id}     when {} is back", pair.home.name)),
        (State::HomeSilent, _) => Some(format!("one-dr plan failover {id}")),
        (State::NobodyPrimary, _) => Some("one-dr history     then: one-dr resume RUN".to_owned()),
        (State::Degraded, _) => Some(format!("one-dr doctor     then: one-dr protect {id}")),
        (State::SplitBrain | State::TwoPrimaries, _) => Some(format!("one-dr plan reprotect {id}")),
    };
    VmLine {
        vm: id,
        name: vm.name().to_owned(),
        state,
        disks: (well, of),
        active,
        rpo_seconds,
        metadata_age_seconds: age,
        notes,
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reports, Side, State, disk};
    use crate::Moment;
    use crate::storage::GlobalImageId;
    use crate::storage::ceph::{Report, Word};

    fn report(word: Word, name: &str) -> Report {
        Report {
            name: name.to_owned(),
            global_id: GlobalImageId::new("g"),
            word,
            up: true,
            text: String::new(),
            at: Some(Moment(90_000)),
            peer_at: Some(Moment(80_000)),
            entries_behind: Some(0),
        }
    }

    fn judged(home: Option<Report>, recovery: Option<Report>, answers: [bool; 2]) -> super::Disk {
        let side = |report: &'_ Option<Report>, answers: bool| {
            answers.then(|| report.clone().into_iter().collect::<Vec<_>>())
        };
        let (home, recovery) = (side(&home, answers[0]), side(&recovery, answers[1]));
        let map = |list: &'static Option<Vec<Report>>| {
            list.as_ref().map(|list| list.iter().map(|report| (report.global_id.as_str(), report)).collect())
        };
        let leaked: &'static [Option<Vec<Report>>; 2] = Box::leak(Box::new([home, recovery]));
        let reports = Reports { at: Moment(100_000), sides: [map(&leaked[0]), map(&leaked[1])] };
        disk("one-0", Some("g"), &reports)
    }

    #[test]
    fn two_reports_make_the_state_that_neither_site_says() {
        let some = |word| Some(report(word, "one-0"));
        let both = [true, true];
        let table = [
            (some(Word::Primary), some(Word::Replaying), both, State::Protected),
            (some(Word::Replaying), some(Word::Primary), both, State::Protected),
            (some(Word::Primary), some(Word::Primary), both, State::TwoPrimaries),
            (some(Word::SplitBrain), some(Word::Primary), both, State::SplitBrain),
            (some(Word::Primary), None, both, State::Degraded),
            (some(Word::Primary), None, [true, false], State::Alone),
            (None, some(Word::Replaying), [false, true], State::HomeSilent),
            (None, some(Word::Primary), [false, true], State::FailedOver),
            (None, some(Word::Stopping), [false, true], State::FailedOver),
            (some(Word::NobodyPrimary), some(Word::Primary), both, State::FailedOver),
            (some(Word::NobodyPrimary), some(Word::NobodyPrimary), both, State::NobodyPrimary),
            (some(Word::Primary), some(Word::Syncing), both, State::Syncing),
            (None, None, both, State::Degraded),
        ];
        for (home, recovery, answers, state) in table {
            assert_eq!(judged(home.clone(), recovery.clone(), answers).state, state, "{home:?} {recovery:?}");
        }
    }

    #[test]
    fn the_age_of_the_last_contact_bounds_the_loss_and_is_never_nothing_behind() {
        let protected =
            judged(Some(report(Word::Primary, "one-0")), Some(report(Word::Replaying, "one-0")), [true; 2]);
        assert_eq!(protected.rpo_seconds, Some(20));
        assert_eq!(protected.active, Some(Side::Home));
        let silent = judged(None, Some(report(Word::Replaying, "one-0")), [false, true]);
        assert_eq!(silent.rpo_seconds, Some(20));
    }

    #[test]
    fn a_disk_whose_protection_went_with_a_renamed_carrier_is_degraded() {
        let reverted = judged(
            Some(report(Word::Primary, "one-0-0")),
            Some(report(Word::Replaying, "one-0-0")),
            [true; 2],
        );
        assert_eq!(reverted.state, State::Degraded);
        assert!(reverted.note.unwrap().contains("reverted"));
    }
}
