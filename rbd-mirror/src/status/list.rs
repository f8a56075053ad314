//! The statuses of a whole pool, page by page.

use std::vec;

use super::{ImageStatus, class, librbd};
use crate::error::Result;
use crate::name::ImageId;
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::mirror_image::RawStatus;

/// As many as names come with one read. A page is all that the list has in memory, in about three copies (the answer, what is read from
/// it, what the allocator keeps of the page before): 3.5 MiB, and 10 MiB with four times as many, which are no faster.
const PAGE: usize = 1024;

/// librbd's own list reads the names of the whole pool for each page.
const PAGE_OF_LIBRBD: usize = PAGE_MAX;

/// Small enough that no OSD operation takes long (60 ms were measured).
const PAGE_MAX: usize = 4096;

/// A page of the list, with the images' ids.
#[derive(Default)]
pub(super) struct Page {
    pub(super) statuses: Vec<(String, RawStatus)>,
    /// The id after which the next page begins; `None` at the end.
    pub(super) next: Option<String>,
}

/// The iterator of [`Pool::statuses`].
#[derive(Debug)]
pub struct Statuses {
    pool: Pool,
    page: vec::IntoIter<(String, RawStatus)>,
    page_size: Option<usize>,
    /// The id after which the next page begins; `None` at the end.
    after: Option<String>,
    by_librbd: bool,
}

impl Statuses {
    pub(super) fn new(pool: &Pool, after: &str) -> Self {
        Self {
            pool: pool.clone(),
            page: Vec::new().into_iter(),
            page_size: None,
            after: Some(after.to_owned()),
            by_librbd: false,
        }
    }

    /// With so many statuses read at once, from one to 4,096; without it 1,024. Small pages are for who wants only the first few, or has
    /// no room for more; large ones for who is far away and waits for each read.
    #[must_use]
    #[inline]
    pub fn page_size(mut self, count: usize) -> Self {
        self.page_size = Some(count.clamp(1, PAGE_MAX));
        self
    }

    /// By librbd's own list instead of the object class that it is made of. The statuses are the same; it reads the names of the whole
    /// pool again for every page, and each image whose daemon reports "unknown" once more.
    ///
    /// Implements: `int rbd_mirror_image_global_status_list(rados_ioctx_t io_ctx, const char *start_id, size_t max, char **image_ids, rbd_mirror_image_global_status_t *images, size_t *len);`
    #[must_use]
    #[inline]
    pub fn by_librbd(mut self) -> Self {
        self.by_librbd = true;
        self
    }

    fn fetch(&mut self) -> Result<()> {
        while self.page.as_slice().is_empty() {
            let Some(after) = self.after.take() else { return Ok(()) };
            let page = self.page_after(&after)?;
            self.page = page.statuses.into_iter();
            self.after = page.next;
        }
        Ok(())
    }

    fn page_after(&mut self, after: &str) -> Result<Page> {
        if !self.by_librbd {
            let (start, size) = (after.to_owned(), self.page_size.unwrap_or(PAGE));
            if let Some(page) = self.pool.run(Op::StatusList, move |io| class::page(io, &start, size))? {
                return Ok(page);
            }
            self.by_librbd = true;
        }
        librbd::page(&self.pool, after, self.page_size.unwrap_or(PAGE_OF_LIBRBD))
    }
}

impl Iterator for Statuses {
    type Item = Result<ImageStatus>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fetch() {
            self.after = None;
            return Some(Err(error));
        }
        let (id, status) = self.page.next()?;
        Some(Ok(ImageStatus::from_raw(Some(ImageId::new(id)), status)))
    }
}
