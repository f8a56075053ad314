//! The texts that librbd's list of statuses loses.
//!
//! `rbd_mirror_image_global_status_list` overwrites the description of every status whose state is "unknown" with "status not
//! found", also where a daemon wrote one: "remote image demoted", "remote image is not primary". The object class has them:
//! `mirror_image_status_list` and `mirror_image_status_get` of the class `rbd` (src/cls/rbd/cls_rbd_types.h, `MirrorImageStatus`).

use std::collections::HashMap;

use ceph_sys as sys;

use crate::cls::{Decoder, Encoder};
use crate::errno::Errno;
use crate::error::Result;
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::mirror_image::RawStatus;

/// Up to so many on a page are asked for singly; more are read with the page's one read.
pub(super) const FEW: usize = 4;

const OBJECT: &str = "rbd_mirroring";

/// An image with the texts of two sites takes a few hundred bytes, and more while it replays.
const IMAGE_BYTES: usize = 1024;

/// The text of each site by its mirror uuid, which is empty for the local one.
type Texts = HashMap<String, String>;

/// Whether a text is missing: a status that somebody wrote has a time.
pub(super) fn has_lost(status: &RawStatus) -> bool {
    status
        .sites
        .iter()
        .any(|site| site.state == sys::MIRROR_IMAGE_STATUS_STATE_UNKNOWN && site.last_update != 0)
}

pub(super) fn put_back(status: &mut RawStatus, texts: &Texts) {
    for site in &mut status.sites {
        if site.state == sys::MIRROR_IMAGE_STATUS_STATE_UNKNOWN
            && site.last_update != 0
            && let Some(text) = texts.get(&site.mirror_uuid)
        {
            site.description.clone_from(text);
        }
    }
}

/// The texts of the images after that id, by image id; `None` if the class's answer cannot be read.
pub(super) fn of_page(pool: &Pool, after: &str, count: u64) -> Result<Option<HashMap<String, Texts>>> {
    let input = Encoder::new().string(after).u64(count).finish();
    let expected = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(IMAGE_BYTES);
    let answer = ask(pool, "mirror_image_status_list", input, expected)?;
    Ok(answer.as_deref().and_then(decode_page))
}

/// The texts of one image; `None` if the class's answer cannot be read, or the status is gone.
pub(super) fn of_image(pool: &Pool, global_id: &str) -> Result<Option<Texts>> {
    let answer =
        ask(pool, "mirror_image_status_get", Encoder::new().string(global_id).finish(), IMAGE_BYTES)?;
    Ok(answer.as_deref().and_then(|bytes| decode_status(&mut Decoder::new(bytes))))
}

fn ask(pool: &Pool, method: &'static str, input: Vec<u8>, expected: usize) -> Result<Option<Vec<u8>>> {
    let _span = tracing::debug_span!("pool", op = Op::StatusList.word(), pool = %pool.spec()).entered();
    match pool.attempt(move |io| io.exec_sized(OBJECT, "rbd", method, &input, expected)) {
        Ok(bytes) => Ok(Some(bytes)),
        // Gone, or a class that lacks the method: the caller has another way.
        Err(failure) if matches!(failure.errno(), Some(Errno::ENOENT | Errno::EOPNOTSUPP)) => Ok(None),
        Err(failure) => Err(pool.error(Op::StatusList, failure)),
    }
}

/// Two maps by image id: of `MirrorImage`, and of `MirrorImageStatus`.
fn decode_page(bytes: &[u8]) -> Option<HashMap<String, Texts>> {
    let mut decoder = Decoder::new(bytes);
    decoder.list(|item| {
        item.string()?;
        item.envelope().map(drop)
    })?;
    let statuses = decoder.list(|item| Some((item.string()?, decode_status(item)?)))?;
    Some(statuses.into_iter().collect())
}

fn decode_status(decoder: &mut Decoder<'_>) -> Option<Texts> {
    let mut body = decoder.envelope()?;
    let mut texts = Texts::new();
    let local = decode_site(&mut body)?;
    let has_local = body.u8()? != 0;
    if has_local {
        texts.insert(String::new(), local);
    }
    let others = body.list(|item| Some((item.string()?, decode_site(item)?)))?;
    texts.extend(others);
    Some(texts)
}

/// State, text, time (seconds and nanoseconds), up.
fn decode_site(body: &mut Decoder<'_>) -> Option<String> {
    let _state = body.u8()?;
    let text = body.string()?;
    let _written = body.u64()?;
    let _up = body.u8()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Decoder, decode_page, decode_status};
    use crate::cls::Encoder;

    fn site(text: &str) -> Vec<u8> {
        Encoder::new().u8(0).string(text).u64(1_700_000_000).u8(1).finish()
    }

    /// `MirrorImageStatus` of version 2 with a local status and one of a peer.
    fn status(local: &str, peer: &str) -> Vec<u8> {
        let mut body = site(local);
        body.extend([1]);
        body.extend(1_u32.to_le_bytes());
        body.extend(Encoder::new().string("peer-uuid").finish());
        body.extend(site(peer));
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&[2, 1][..], &length, &body].concat()
    }

    #[test]
    fn the_texts_of_all_sites_are_read() {
        let bytes = status("remote image is not primary", "remote image demoted");
        let texts = decode_status(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(texts[""], "remote image is not primary");
        assert_eq!(texts["peer-uuid"], "remote image demoted");
    }

    #[test]
    fn a_page_is_read_by_image_id() {
        // One MirrorImage of version 2 with an empty body that has grown a field, then one status.
        let mut bytes = 1_u32.to_le_bytes().to_vec();
        bytes.extend(Encoder::new().string("10ab").finish());
        bytes.extend([2, 1, 1, 0, 0, 0, 9]);
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(Encoder::new().string("10ab").finish());
        bytes.extend(status("a", "b"));
        assert_eq!(decode_page(&bytes).unwrap()["10ab"][""], "a");
        assert_eq!(decode_page(&bytes[..bytes.len() - 1]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode_page(&bytes);
            let _ = decode_status(&mut Decoder::new(&bytes));
        }
    }
}
