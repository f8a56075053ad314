//! A page of statuses from librbd's own list, for who does not want the object class, and for a class we cannot read.

use ceph_sys as sys;

use super::list::Page;
use crate::error::{Error, Result};
use crate::name::ImageId;
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::mirror_image::RawStatus;

/// Up to `count` images after that id. The texts that librbd's list overwrites are read again, image by image.
pub(super) fn page(pool: &Pool, after: &str, count: usize) -> Result<Page> {
    let start = after.to_owned();
    let mut statuses = pool.run(Op::StatusList, move |io| io.status_page(&start, count))?;
    for (id, status) in statuses.iter_mut().filter(|(_, status)| has_lost(status)) {
        match pool.open_by_id_read_only(&ImageId::new(id.as_str())).and_then(|image| image.status_slot()) {
            Ok(whole) => *status = whole.copy(),
            // Gone since: what the list said still stands.
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let last = statuses.last().map(|(last, _)| last.clone());
    // librbd counts those that are being disabled and leaves them out: a page may be shorter than asked for, or empty, without being
    // the last. The directory, which has them, says what comes next.
    let next = if statuses.len() == count { last } else { after_short(pool, last, after, count)? };
    Ok(Page { statuses, next })
}

/// Whether a text is missing: a status that somebody wrote has a time.
fn has_lost(status: &RawStatus) -> bool {
    let lost = |state, written| state == sys::MIRROR_IMAGE_STATUS_STATE_UNKNOWN && written != 0;
    status.sites.iter().any(|site| lost(site.state, site.last_update))
}

/// Where the page after a short one begins; `None` at the end.
fn after_short(pool: &Pool, last: Option<String>, after: &str, count: usize) -> Result<Option<String>> {
    let (from, count) = match &last {
        Some(last) => (last.as_str(), 1),
        None => (after, count),
    };
    let rest = pool.mirrored_ids_after(from, u64::try_from(count).unwrap_or(u64::MAX))?;
    let Some((skipped, _)) = rest.last() else { return Ok(None) };
    Ok(last.or_else(|| Some(skipped.as_str().to_owned())))
}
