//! The statuses of a whole pool, page by page.

use std::collections::VecDeque;

use super::ImageStatus;
use super::lost::{self, FEW};
use crate::error::{Error, Result};
use crate::name::ImageId;
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::mirror_image::RawStatus;

/// Large enough that names are rarely read twice, small enough that no OSD operation takes long (60 ms were measured).
const PAGE: usize = 4096;

/// The iterator of [`Pool::statuses`].
#[derive(Debug)]
pub struct Statuses {
    pool: Pool,
    page: VecDeque<ImageStatus>,
    page_size: usize,
    /// The id after which the next page begins; `None` at the end.
    after: Option<String>,
}

impl Statuses {
    pub(super) fn new(pool: &Pool, after: &str) -> Self {
        Self { pool: pool.clone(), page: VecDeque::new(), page_size: PAGE, after: Some(after.to_owned()) }
    }

    /// With so many statuses read at once, at least one. Small pages are for who wants only the first few: librbd reads the names of
    /// the whole pool again for each page.
    #[must_use]
    pub fn page_size(mut self, count: usize) -> Self {
        self.page_size = count.clamp(1, PAGE);
        self
    }

    fn fetch(&mut self) -> Result<()> {
        while self.page.is_empty() {
            let Some(after) = self.after.take() else { return Ok(()) };
            let (start, size) = (after.clone(), self.page_size);
            let mut raw = self.pool.run(Op::StatusList, move |io| io.status_page(&start, size))?;
            let is_full = raw.len() == size;
            let last = raw.last().map(|(last, _)| last.clone());
            restore(&self.pool, &after, &mut raw)?;
            for (id, status) in raw {
                self.page.push_back(ImageStatus::from_raw(Some(ImageId::new(id)), status));
            }
            // librbd counts those that are being disabled and leaves them out: a page may be shorter than asked for, or empty, without
            // being the last. The directory, which has them, says what comes next, and costs less than another page.
            self.after = if is_full { last } else { self.next_page(last, &after)? };
        }
        Ok(())
    }

    /// Where the page after a short one begins; `None` at the end.
    fn next_page(&self, last: Option<String>, after: &str) -> Result<Option<String>> {
        let (from, count) = match &last {
            Some(last) => (last.as_str(), 1),
            None => (after, self.page_size),
        };
        let rest = self.pool.mirrored_ids_after(from, u64::try_from(count).unwrap_or(u64::MAX))?;
        let Some((skipped, _)) = rest.last() else { return Ok(None) };
        Ok(last.or_else(|| Some(skipped.as_str().to_owned())))
    }
}

impl Iterator for Statuses {
    type Item = Result<ImageStatus>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && let Err(error) = self.fetch()
        {
            self.after = None;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

/// Puts the texts back that librbd's list has overwritten.
fn restore(pool: &Pool, after: &str, page: &mut [(String, RawStatus)]) -> Result<()> {
    let lost: Vec<usize> =
        page.iter().enumerate().filter(|(_, (_, status))| lost::has_lost(status)).map(|(at, _)| at).collect();
    if lost.len() > FEW {
        let size = u64::try_from(page.len()).unwrap_or(u64::MAX);
        if let Some(texts) = lost::of_page(pool, after, size)? {
            for (id, status) in page {
                if let Some(texts) = texts.get(id) {
                    lost::put_back(status, texts);
                }
            }
            return Ok(());
        }
    } else {
        let mut all = true;
        for at in &lost {
            let Some((_, status)) = page.get_mut(*at) else { continue };
            match lost::of_image(pool, &status.info.global_id)? {
                Some(texts) => lost::put_back(status, &texts),
                None => all = false,
            }
        }
        if all {
            return Ok(());
        }
    }
    // A class that answers otherwise than the ones we know: librbd itself knows the text of an open image.
    for at in lost {
        let Some((id, status)) = page.get_mut(at) else { continue };
        match pool.open_by_id_read_only(&ImageId::new(id.as_str())).and_then(|image| image.raw_status()) {
            Ok(whole) => *status = whole,
            // Gone since: what the list said still stands.
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
