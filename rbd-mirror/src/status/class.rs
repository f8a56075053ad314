//! A page of statuses from Ceph's object class `rbd`, which librbd's own list is made of.
//!
//! librbd's list reads the names of the whole pool for every page, overwrites the text of every "unknown" with "status not found",
//! and does not say whether a short page was the last. The class does none of that: `mirror_image_status_list`
//! (src/cls/rbd/cls_rbd.cc) answers a map of `MirrorImage` and one of `MirrorImageStatus` (src/cls/rbd/cls_rbd_types.h), both by image
//! id, and goes on until it has as many as it was asked for or there are no more. The names are entries of the pool's directory in the
//! same order (`id_…` in `rbd_directory`).

use ceph_sys as sys;

use super::list::Page;
use crate::cls::{Decoder, Encoder};
use crate::errno::Errno;
use crate::raw::call::text_of;
use crate::raw::mirror_image::{RawInfo, RawSiteStatus, RawStatus};
use crate::raw::rados::RawIoCtx;

/// Up to `count` images after that id: one read, and as a rule one for 1,024 names. `None` if the class answers otherwise than the ones we know.
pub(super) fn page(io: &RawIoCtx, after: &str, count: usize) -> Result<Option<Page>, Errno> {
    let input = Encoder::new().string(after).u64(u64::try_from(count).unwrap_or(u64::MAX)).finish();
    let answer = match io.exec("rbd_mirroring", "rbd", "mirror_image_status_list", &input) {
        Ok(answer) => answer,
        // A pool that was never mirrored has no such object.
        Err(Errno::ENOENT) => return Ok(Some(Page::default())),
        Err(Errno::EOPNOTSUPP) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let Some(mut statuses) = decode_page(&answer) else { return Ok(None) };
    drop(answer);
    let next = (statuses.len() >= count).then(|| statuses.last().map(|(last, _)| last.clone())).flatten();
    // librbd leaves these out too.
    statuses.retain(|(_, status)| status.info.state != sys::RBD_MIRROR_IMAGE_DISABLED);
    name(io, after, &mut statuses)?;
    Ok(Some(Page { statuses, next }))
}

const DIRECTORY: &str = "rbd_directory";
const OF_ID: &str = "id_";

/// What an OSD gives at once (`osd_max_omap_entries_per_request`).
const ENTRIES_MAX: usize = 1024;

/// Gives the images after that id their names. One that has none is called by its id, as by librbd.
///
/// The directory is read on from there, which costs the OSD a third of what a look for each key does; where most of what was read
/// are others' names, the rest is looked for.
fn name(io: &RawIoCtx, after: &str, statuses: &mut [(String, RawStatus)]) -> Result<(), Errno> {
    let keys: Vec<String> = statuses.iter().map(|(id, _)| format!("{OF_ID}{id}")).collect();
    let mut images = statuses.iter_mut().zip(&keys).peekable();
    let (mut after, mut scattered) = (format!("{OF_ID}{after}"), false);
    while images.peek().is_some() {
        let unnamed = images.len();
        let read = if scattered {
            io.entries_of(DIRECTORY, &keys[keys.len() - unnamed..]).map(|entries| (entries, false))
        } else {
            io.entries(DIRECTORY, &after, OF_ID, unnamed.min(ENTRIES_MAX))
        };
        let (entries, more) = match read {
            Err(Errno::ENOENT) => break,
            read => read?,
        };
        let (count, mut ours) = (entries.len(), 0);
        for (key, value) in entries {
            // Both are in the order of the ids: what is passed over has no name.
            while images.next_if(|(_, of)| **of < key).is_some() {}
            if let Some(((_, status), _)) = images.next_if(|(_, of)| **of == key) {
                status.name = Decoder::new(&value).string().unwrap_or_default();
                ours += 1;
            }
            after = key;
        }
        if !more || count == 0 {
            break;
        }
        scattered = ours * 3 < count;
    }
    for (id, status) in statuses.iter_mut().filter(|(_, status)| status.name.is_empty()) {
        status.name.clone_from(id);
    }
    Ok(())
}

/// Two maps by image id: of `MirrorImage`, and of `MirrorImageStatus`, where there is one.
fn decode_page(bytes: &[u8]) -> Option<Vec<(String, RawStatus)>> {
    let mut decoder = Decoder::new(bytes);
    let mut images = decoder.list(|item| {
        let id = item.string()?;
        let mut image = item.envelope()?;
        let global_id = text_of(image.blob()?).into();
        let info = RawInfo { global_id, state: u32::from(image.u8()?), primary: false };
        Some((id, RawStatus { name: String::new(), info, sites: Vec::new() }))
    })?;
    let mut rest = images.iter_mut();
    decoder.list(|item| {
        let id = item.blob()?;
        let sites = decode_status(item)?;
        // Both are in the order of the ids.
        let (_, status) = rest.find(|(image, _)| image.as_bytes() == id)?;
        status.sites = sites;
        Some(())
    })?;
    Some(images)
}

/// The local site's word and whether there is one, and the words of the others with their mirror uuids.
fn decode_status(decoder: &mut Decoder<'_>) -> Option<Vec<RawSiteStatus>> {
    let mut body = decoder.envelope()?;
    let local = decode_site(&mut body, String::new())?;
    let has_local = body.u8()? != 0;
    let mut sites = body.list(|item| {
        let uuid = item.string()?;
        decode_site(item, uuid)
    })?;
    if has_local {
        sites.insert(0, local);
    }
    Some(sites)
}

/// State, text, time (seconds and nanoseconds), up.
fn decode_site(body: &mut Decoder<'_>, mirror_uuid: String) -> Option<RawSiteStatus> {
    let state = u32::from(body.u8()?);
    let description = body.string()?;
    let last_update = i64::from(body.u32()?);
    let _nanoseconds = body.u32()?;
    let up = body.u8()? != 0;
    Some(RawSiteStatus { mirror_uuid, state, description, last_update, up })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Decoder, decode_page, decode_status};
    use crate::cls::Encoder;

    fn site(text: &str) -> Vec<u8> {
        let mut bytes = Encoder::new().u8(4).string(text).finish();
        bytes.extend(1_700_000_000_u32.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 1]);
        bytes
    }

    fn envelope(body: &[u8]) -> Vec<u8> {
        [&[2, 1][..], &u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
    }

    /// `MirrorImageStatus` of version 2 with one of a peer.
    fn status(has_local: bool, local: &str, peer: &str) -> Vec<u8> {
        let mut body = site(local);
        body.extend([u8::from(has_local)]);
        body.extend(1_u32.to_le_bytes());
        body.extend(Encoder::new().string("peer-uuid").finish());
        body.extend(site(peer));
        envelope(&body)
    }

    #[test]
    fn the_words_of_all_sites_are_read() {
        let bytes = status(true, "remote image is not primary", "remote image demoted");
        let sites = decode_status(&mut Decoder::new(&bytes)).unwrap();
        let seen: Vec<_> =
            sites.iter().map(|site| (site.mirror_uuid.as_str(), site.description.as_str())).collect();
        assert_eq!(seen, [("", "remote image is not primary"), ("peer-uuid", "remote image demoted")]);
        assert!(sites.iter().all(|site| (site.state, site.last_update, site.up) == (4, 1_700_000_000, true)));
    }

    #[test]
    fn a_local_word_that_is_none_is_none() {
        let bytes = status(false, "", "local image is primary");
        let sites = decode_status(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(sites.iter().map(|site| site.mirror_uuid.as_str()).collect::<Vec<_>>(), ["peer-uuid"]);
    }

    #[test]
    fn an_image_without_a_status_is_on_the_page_and_takes_nobody_elses() {
        // Two MirrorImages of version 2 that have grown a field; the second has a status.
        let image =
            |global: &str| envelope(&[Encoder::new().string(global).finish(), vec![1, 0, 9]].concat());
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (id, global) in [("10ab", "g1"), ("10ac", "g2")] {
            bytes.extend(Encoder::new().string(id).finish());
            bytes.extend(image(global));
        }
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(Encoder::new().string("10ac").finish());
        bytes.extend(status(true, "a", "b"));
        let page = decode_page(&bytes).unwrap();
        let seen: Vec<_> = page
            .iter()
            .map(|(id, status)| (id.as_str(), &*status.info.global_id, status.sites.len()))
            .collect();
        assert_eq!(seen, [("10ab", "g1", 0), ("10ac", "g2", 2)]);
        assert!(decode_page(&bytes[..bytes.len() - 1]).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode_page(&bytes);
            let _ = decode_status(&mut Decoder::new(&bytes));
        }
    }
}
