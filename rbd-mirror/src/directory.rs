//! The pool's directory of mirrored images: which image id belongs to which global id.
//!
//! Rests on `mirror_image_list` of Ceph's object class `rbd` (src/cls/rbd/cls_rbd.cc): a string and a number in, a map of strings
//! out. librbd has no call for it that does not read each image as well.

use crate::cls::{Decoder, Encoder};
use crate::error::{Error, Result};
use crate::name::{GlobalImageId, ImageId};
use crate::op::Op;
use crate::pool::Pool;

/// As many as the class gives at once.
const PAGE: u64 = 1024;

impl Pool {
    /// The mirrored images of the pool by both their ids, in the order of their image ids: one read for each 1,024 of them. Images
    /// whose mirroring is being disabled are among them.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::InDoubt`] if the pool's OSDs do not answer.
    #[inline]
    pub fn mirrored_ids(&self) -> Result<Vec<(ImageId, GlobalImageId)>> {
        let mut found: Vec<(ImageId, GlobalImageId)> = Vec::new();
        loop {
            let after = found.last().map_or("", |(id, _)| id.as_str());
            let page = self.mirrored_ids_after(after, PAGE)?;
            // A page may be shorter than asked for without being the last: only an empty one is.
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }

    /// Up to so many of them, after that id.
    pub(crate) fn mirrored_ids_after(
        &self,
        after: &str,
        count: u64,
    ) -> Result<Vec<(ImageId, GlobalImageId)>> {
        let op = Op::ListMirrored;
        let input = Encoder::new().string(after).u64(count).finish();
        let answer = self.run(op, move |io| io.exec("rbd_mirroring", "rbd", "mirror_image_list", &input));
        let answer = match answer {
            // A pool that was never mirrored has no such object.
            Err(Error::NotFound { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        let unreadable =
            || Error::Unreadable { op, on: self.subject(), what: "the directory of mirrored images" };
        decode(&answer).ok_or_else(unreadable)
    }
}

fn decode(bytes: &[u8]) -> Option<Vec<(ImageId, GlobalImageId)>> {
    Decoder::new(bytes).list(|item| Some((ImageId::new(item.string()?), GlobalImageId::new(item.string()?))))
}
