//! What our own record of the last switch, and the roles themselves, make of reports that are older than it. Daemons report every
//! half minute: right after a switch they tell of two primaries that are not, and of a dead home they tell for ever.

use super::{Reports, State, VmLine};
use crate::clock::Moment;
use crate::epoch::{self, Epoch};
use crate::site::{Side, SitePair};
use crate::storage::{GlobalImageId, Role};

/// For how long after the beginning of a switch, which is what its record tells, reports may be from before its end: the seconds
/// that it takes, and the daemons' half minute.
const SETTLING_MS: u64 = 60_000;

/// Weighs a line that is not well. One that is costs nothing.
pub(super) fn weigh(pair: &SitePair, line: VmLine, ids: &[String], reports: &Reports<'_>) -> VmLine {
    if matches!(line.state, State::Protected | State::Alone) {
        return line;
    }
    let answering = [Side::Home, Side::Recovery].into_iter().filter(|side| reports.answers(*side));
    let epochs = answering.filter_map(|side| epoch::read(pair.storage(side), line.vm.0).ok().flatten());
    let Some(last) = epochs.max_by_key(|epoch| epoch.number) else { return line };
    if !is_older(ids, reports, &last) {
        return line;
    }
    let two = ids.iter().any(|id| is_primary_at_both(pair, id, line.state == State::TwoPrimaries));
    corrected(line, two, &last, reports, &pair.at(last.active).name, &pair.home.name)
}

/// Whether a report on one of these is from before the switch.
fn is_older(ids: &[String], reports: &Reports<'_>, last: &Epoch) -> bool {
    let settled = last.at.0.saturating_add(SETTLING_MS);
    let before = |at: Option<Moment>| at.map_or(reports.at.0 < settled, |at| at.0 < settled);
    [Side::Home, Side::Recovery]
        .into_iter()
        .flat_map(|side| ids.iter().filter_map(move |id| reports.of(side, id)))
        .any(|report| before(report.at))
}

/// By the roles themselves; where one cannot be read, by the reports.
fn is_primary_at_both(pair: &SitePair, id: &str, reports_two: bool) -> bool {
    let id = GlobalImageId::new(id);
    [Side::Home, Side::Recovery].into_iter().all(|side| {
        // One that cannot be asked is not what clears an alarm.
        pair.storage(side)
            .image_by_id(&id)
            .map_or(reports_two, |view| view.is_some_and(|view| view.role == Role::Primary))
    })
}

/// A line by the record, where the reports are older. `two` is what the roles say.
fn corrected(
    mut line: VmLine,
    two: bool,
    last: &Epoch,
    reports: &Reports<'_>,
    active: &str,
    home: &str,
) -> VmLine {
    if two {
        if line.state != State::TwoPrimaries {
            line.state = State::TwoPrimaries;
            line.notes =
                vec!["a disk is primary at both sites; the daemons have not reported it yet".to_owned()];
            line.next = Some(format!("one-dr plan reprotect {}", line.vm));
            (line.active, line.rpo_seconds) = (None, None);
        }
        return line;
    }
    if line.state == State::Syncing {
        return line;
    }
    let seconds = reports.at.since(last.at).as_secs();
    if last.active == Side::Recovery && !reports.answers(Side::Home) {
        line.state = State::FailedOver;
        line.notes = vec![format!("switched to site {active} at {}: {home} is silent", last.at)];
        line.next = Some(format!("one-dr reprotect {}     when {home} is back", line.vm));
    } else {
        if line.state == State::TwoPrimaries {
            line.state = State::Degraded;
        }
        line.notes = vec![format!(
            "switched to site {active} {seconds} s ago: the daemons have not reported on all of it since"
        )];
        line.next = last.forced.then(|| format!("one-dr plan reprotect {}", line.vm));
    }
    line.active = Some(last.active);
    line.rpo_seconds = None;
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opennebula_meta::id::VmId;

    use super::{Epoch, Moment, Reports, Side, State, VmLine, corrected, is_older};
    use crate::storage::GlobalImageId;
    use crate::storage::ceph::{Report, Word};

    fn line(state: State) -> VmLine {
        VmLine {
            vm: VmId(7),
            name: "erp".to_owned(),
            state,
            disks: (0, 1),
            active: None,
            rpo_seconds: Some(40),
            metadata_age_seconds: 1,
            notes: vec!["one-0: replaying, {\"bytes_per_second\":0.0}".to_owned()],
            next: Some("one-dr plan failover 7".to_owned()),
        }
    }

    fn last(active: Side, forced: bool) -> Epoch {
        Epoch { number: 3, active, forced, at: Moment(100_000), run: "failover f".to_owned() }
    }

    fn report(at: Option<u64>) -> Report {
        Report {
            name: "one-0".to_owned(),
            global_id: GlobalImageId::new("g"),
            word: Word::Replaying,
            up: true,
            text: String::new(),
            at: at.map(Moment),
            peer_at: None,
            entries_behind: None,
        }
    }

    fn reports(report: &Report, home: bool, at: u64) -> Reports<'_> {
        let recovery = BTreeMap::from([("g", report)]);
        Reports { at: Moment(at), sides: [home.then(BTreeMap::new), Some(recovery)] }
    }

    #[test]
    fn a_vm_that_was_failed_over_is_not_said_to_wait_for_its_failover() {
        let old = report(Some(90_000));
        let reports = reports(&old, false, 500_000);
        assert!(is_older(&["g".to_owned()], &reports, &last(Side::Recovery, true)));
        let line = corrected(line(State::HomeSilent), false, &last(Side::Recovery, true), &reports, "b", "a");
        assert_eq!((line.state, line.active), (State::FailedOver, Some(Side::Recovery)));
        assert!(line.next.is_some_and(|next| next.starts_with("one-dr reprotect 7")));
    }

    #[test]
    fn two_primaries_of_old_reports_are_none_unless_the_roles_say_so() {
        let old = report(Some(100_500));
        let reports = reports(&old, true, 110_000);
        assert!(is_older(&["g".to_owned()], &reports, &last(Side::Home, false)));
        let (home, two) = (last(Side::Home, false), line(State::TwoPrimaries));
        let cleared = corrected(two.clone(), false, &home, &reports, "a", "a");
        assert_eq!((cleared.state, cleared.active), (State::Degraded, Some(Side::Home)));
        assert_eq!(cleared.next, None);
        assert_eq!(corrected(two.clone(), true, &home, &reports, "a", "a"), two);
        // A site that has come back as it was: its daemon takes half a minute to say so.
        let early = corrected(line(State::Degraded), true, &home, &reports, "a", "a");
        assert_eq!((early.state, early.active), (State::TwoPrimaries, None));
        assert!(early.next.is_some_and(|next| next.contains("plan reprotect 7")));
        assert_eq!(
            corrected(line(State::Syncing), true, &home, &reports, "a", "a").state,
            State::TwoPrimaries
        );
        assert_eq!(corrected(line(State::Syncing), false, &home, &reports, "a", "a"), line(State::Syncing));
    }

    #[test]
    fn a_report_from_after_the_switch_stands() {
        let new = report(Some(160_000));
        assert!(!is_older(&["g".to_owned()], &reports(&new, true, 170_000), &last(Side::Home, false)));
        // The record has the time at which the switch was planned; it takes a while.
        let during = report(Some(109_000));
        assert!(is_older(&["g".to_owned()], &reports(&during, true, 112_000), &last(Side::Home, false)));
        let never = report(None);
        assert!(is_older(&["g".to_owned()], &reports(&never, true, 140_000), &last(Side::Home, false)));
        assert!(!is_older(&["g".to_owned()], &reports(&never, true, 990_000), &last(Side::Home, false)));
    }
}
