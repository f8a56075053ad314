//! Scheduled actions. One whose time has passed is accepted by OpenNebula and done at once (observed), so the time
//! decides: past ones are left out, repeated ones move to their next time.

use super::{Change, Job, Reason};
use crate::{document::Element, id::EpochSeconds, known::Known, template::Vector};

const HOUR: u64 = 3600;
const WEEK: u64 = 7 * 24 * HOUR;

/// An action for B; `None` where it must not be done any more.
pub(super) fn action(
    job: &mut Job<'_>,
    action: Element<'_>,
    printed: Option<EpochSeconds>,
) -> Option<Vector> {
    let mut vector = Vector::new();
    for field in action.children() {
        let reason = match field.known() {
            Known::ID | Known::PARENT_ID => Reason::SiteNumber,
            Known::TYPE | Known::DONE | Known::MESSAGE | Known::WARNING => Reason::OfTheRun,
            _ => {
                // An element without text would be dropped by OpenNebula anyway (DAYS of an action that is done once).
                if !field.text().is_empty() || !field.is_leaf() {
                    job.keep(&mut vector, field, None);
                }
                continue;
            }
        };
        job.changes.drop_field(field, reason);
    }
    let time = vector.get("TIME").unwrap_or_default().to_owned();
    // A time such as +3600 counts from the VM's start.
    let due = if time.starts_with('+') { None } else { time.parse::<u64>().ok() };
    let (Some(due), Some(now)) = (due, job.map.now.or(printed)) else { return Some(vector) };
    if due > now.0 {
        return Some(vector);
    }
    let field = action.get(Known::TIME).unwrap_or(action);
    match next(&vector, due, now.0) {
        Some(next) => {
            let next = next.to_string();
            job.changes.push(Change::changed(field, Reason::NextTime, &next));
            vector.set(Known::TIME.into(), next);
            Some(vector)
        }
        None => {
            job.changes.drop_field(action, Reason::PastTime);
            None
        }
    }
}

/// The next time of a repeated action whose step has a fixed length. `REPEAT`: 0 weekly, 1 monthly, 2 yearly, 3 every
/// `DAYS` hours (`include/ScheduledAction.h`). Months and years need a calendar; such an action is left out, and said.
fn next(action: &Vector, due: u64, now: u64) -> Option<u64> {
    let step = match action.get("REPEAT")? {
        "0" => WEEK,
        "3" => action.get("DAYS")?.parse::<u64>().ok()?.checked_mul(HOUR).filter(|step| *step > 0)?,
        _ => return None,
    };
    // An end by number of repetitions counts those that were done; they are not known here, so it is left as it is.
    let steps = (now - due) / step + 1;
    let next = steps.checked_mul(step)?.checked_add(due)?;
    let over = action.get("END_TYPE") == Some("2")
        && action.get("END_VALUE").and_then(|end| end.parse::<u64>().ok()).is_some_and(|end| next > end);
    (!over).then_some(next)
}
