//! One entry of a journal object, as far as its order and its time go.
//!
//! src/journal/Entry.cc of Ceph 16: a magic number, a version, the entry's and the tag's number, its data, and a checksum. The data is
//! `librbd::journal::EventEntry`, which ends with the time at which the event was made (src/librbd/journal/Types.cc).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cls::Decoder;
use crate::journal::Position;

const MAGIC: u64 = 0x3141_5926_5358_9793;
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;

/// An entry, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) written: SystemTime,
    pub(super) length: usize,
    /// The length of its data.
    pub(super) data: usize,
}

impl Entry {
    /// Whether it is a promotion or a demotion: librbd gives these no time (`Journal.cc`), and they hold no data.
    pub(super) fn is_mark(&self) -> bool {
        self.written < UNIX_EPOCH + Duration::from_secs(1)
    }
}

/// Reads the entry with which `bytes` begin; `None` if they do not begin with a whole one.
pub(super) fn read(bytes: &[u8]) -> Option<Entry> {
    let mut decoder = Decoder::new(bytes);
    if decoder.u64()? != MAGIC || decoder.u8()? != VERSION {
        return None;
    }
    let (entry_tid, tag_tid) = (decoder.u64()?, decoder.u64()?);
    let data = decoder.blob()?;
    decoder.bytes(CHECKSUM)?;
    let mut time = Decoder::new(data.last_chunk::<8>()?);
    let written = UNIX_EPOCH.checked_add(Duration::from_secs(u64::from(time.u32()?)))?
        + Duration::from_nanos(u64::from(time.u32()?));
    let length = 8 + 1 + 8 + 8 + 4 + data.len() + CHECKSUM;
    Some(Entry { position: Position { tag_tid, entry_tid }, written, length, data: data.len() })
}

/// Reads entries from the beginning of `bytes` to their end. A torn entry at the end, which a writer has not finished, is left out.
pub(super) fn all(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some(entry) = read(rest) {
        rest = rest.get(entry.length..).unwrap_or_default();
        entries.push(entry);
    }
    entries
}

/// Where in `bytes`, which begin somewhere inside an object and reach to its end, a chain of entries begins that reaches to the end
/// too.
pub(super) fn find_chain(bytes: &[u8]) -> Option<usize> {
    let magic = MAGIC.to_le_bytes();
    let mut from = 0;
    while let Some(found) = bytes.get(from..)?.windows(magic.len()).position(|window| window == magic) {
        let start = from + found;
        let chain = bytes.get(start..).map(all).unwrap_or_default();
        if start + chain.iter().map(|entry| entry.length).sum::<usize>() == bytes.len() {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::{any, proptest};

    use super::{MAGIC, all, find_chain, read};

    /// An entry as Ceph writes it.
    pub(crate) fn entry(tag: u64, number: u64, payload: &[u8], second: u32) -> Vec<u8> {
        let data = [payload, &second.to_le_bytes(), &500_000_000_u32.to_le_bytes()].concat();
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&MAGIC.to_le_bytes()[..], &[1], &number.to_le_bytes(), &tag.to_le_bytes(), &length, &data, &[0; 4]]
            .concat()
    }

    #[test]
    fn an_entry_is_read_with_its_number_and_its_time() {
        let bytes = entry(3, 7, b"event", 1_700_000_000);
        let read = read(&bytes).unwrap();
        assert_eq!((read.position.tag_tid, read.position.entry_tid), (3, 7));
        assert_eq!(read.written, UNIX_EPOCH + Duration::from_millis(1_700_000_000_500));
        assert_eq!(read.length, bytes.len());
    }

    #[test]
    fn an_entry_without_a_time_is_a_mark_and_no_write() {
        assert!(read(&entry(1, 0, b"demoted", 0)).unwrap().is_mark());
        assert!(!read(&entry(1, 0, b"write", 1_700_000_000)).unwrap().is_mark());
    }

    #[test]
    fn a_torn_entry_at_the_end_is_left_out() {
        let bytes = [entry(1, 0, b"a", 1), entry(1, 4, b"b", 2)].concat();
        assert_eq!(all(&bytes).len(), 2);
        assert_eq!(all(&bytes[..bytes.len() - 1]).len(), 1);
    }

    #[test]
    fn a_chain_is_found_from_the_middle_of_an_object_past_a_look_alike() {
        // A guest may write anything, the magic number included.
        let hostile = [&MAGIC.to_le_bytes()[..], &[1; 40]].concat();
        let first = entry(1, 0, &hostile, 1);
        let bytes = [first.clone(), entry(1, 4, b"b", 2), entry(1, 8, b"c", 3)].concat();
        let cut = &bytes[10..];
        assert_eq!(find_chain(cut), Some(first.len() - 10));
        assert_eq!(find_chain(b"nothing of the kind"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = all(&bytes);
            let _ = find_chain(&bytes);
        }
    }
}
