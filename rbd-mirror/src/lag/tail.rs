//! The end of a journal: the first entry after a position.
//!
//! A journal is striped over a few objects at a time (a set), each up to 16 MiB. What is not replayed is at their ends as a rule, so
//! they are read from there, in parts that double until one reaches back far enough: the cost is that of what is missing.
//!
//! A part begins anywhere, inside an entry as a rule, where the guest's data may look like entries. So the first entries that are found
//! in a part are passed over, for as many bytes as the longest entry can have, before any is believed.

use std::time::SystemTime;

use super::entry::{self, Entry};
use crate::cls::Decoder;
use crate::errno::Errno;
use crate::error::Result;
use crate::image::Image;
use crate::journal::{Position, object_name};
use crate::op::Op;
use crate::raw::rados::RawIoCtx;

/// The first entry of a journal that a follower is not done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Unreplayed {
    /// Where it is.
    pub position: Position,
    /// When it was written, by the writer's clock.
    pub written: SystemTime,
}

/// The first part of an object that is read, from its end.
const PART: u64 = 128 * 1024;

/// Longer than any entry: librbd cuts writes at `rbd_journal_max_payload_bytes` (16 KiB).
const ENTRY_MAX: u64 = 64 * 1024;

/// Objects of a journal hold 16 MiB; more than this is not read of one.
const OBJECT_MAX: u64 = 256 << 20;

/// Sets that are looked through: a follower that is further behind is known to be far behind by the first.
const SETS_MAX: u64 = 1024;

/// The first entry after what the follower is done with (a position, and the object that has it). `None`: the journal cannot be
/// read, or lies elsewhere. `Some(None)`: there is nothing.
pub(super) fn first_after(
    image: &Image,
    done: Option<(Position, u64)>,
) -> Result<Option<Option<Unreplayed>>> {
    let id = image.id()?;
    let pool = image.pool().bounded_by(image.bound());
    let (header, pool_id) = (object_name(&id), pool.id());
    let _span = tracing::debug_span!("image", op = Op::Journal.word(), image = %image.spec()).entered();
    let found = pool.attempt(move |io| {
        let ask = |method: &str| io.exec(&header, "journal", method, &[]);
        let width = Decoder::new(&ask("get_splay_width")?).u8();
        let elsewhere = Decoder::new(&ask("get_pool_id")?).u64();
        let oldest = Decoder::new(&ask("get_minimum_set")?).u64();
        let active = Decoder::new(&ask("get_active_set")?).u64();
        let (Some(width), Some(elsewhere), Some(oldest), Some(active)) = (width, elsewhere, oldest, active)
        else {
            return Ok(None);
        };
        // -1 is "where the image is".
        if width == 0 || !(elsewhere == u64::MAX || i64::try_from(elsewhere) == Ok(pool_id)) {
            return Ok(None);
        }
        let width = u64::from(width);
        let first = done.map_or(oldest, |(_, object)| (object / width).max(oldest));
        let done = done.map(|(position, _)| position);
        for set in first..=active.min(first.saturating_add(SETS_MAX)) {
            let mut earliest: Option<Entry> = None;
            for object in set * width..(set + 1) * width {
                let name = format!("journal_data.{pool_id}.{id}.{object}");
                let Some(candidate) = first_in_object(io, &name, done)? else { continue };
                if earliest.is_none_or(|known| candidate.position < known.position) {
                    earliest = Some(candidate);
                }
            }
            if let Some(Entry { position, written, .. }) = earliest {
                return Ok(Some(Some(Unreplayed { position, written })));
            }
        }
        Ok(Some(None))
    });
    match found {
        Ok(found) => Ok(found),
        // Trimmed between two looks: what is there now is newer.
        Err(failure) if failure.errno() == Some(Errno::ENOENT) => Ok(None),
        Err(failure) => Err(image.error(Op::Journal, failure)),
    }
}

/// The first entry after `done` in one object.
fn first_in_object(io: &RawIoCtx, object: &str, done: Option<Position>) -> Result<Option<Entry>, Errno> {
    let size = match io.object_size(object) {
        // Not written yet, or trimmed since.
        Err(Errno::ENOENT) => return Ok(None),
        other => other?.min(OBJECT_MAX),
    };
    let mut part = if done.is_none() { size } else { PART };
    loop {
        let start = size.saturating_sub(part);
        let bytes = io.read_object(object, start, usize::try_from(size - start).unwrap_or(usize::MAX))?;
        let (entries, is_whole) = entries_of_part(&bytes, start);
        let after = entries.iter().position(|entry| Some(entry.position) > done);
        match after {
            // Whether it is the first shows only with the one before it.
            Some(at) if at > 0 || is_whole => {
                return Ok(entries.iter().skip(at).find(|entry| !entry.is_mark()).copied());
            }
            None if !entries.is_empty() || is_whole => return Ok(None),
            _ => part = part.saturating_mul(4),
        }
    }
}

/// The entries of a part that begins at `start` and reaches to the end of an object, and whether it is all of the object.
fn entries_of_part(bytes: &[u8], start: u64) -> (Vec<Entry>, bool) {
    if start == 0 {
        return (entry::all(bytes), true);
    }
    let Some(chain) = entry::find_chain(bytes) else { return (Vec::new(), false) };
    let mut at = chain;
    let believed = usize::try_from(ENTRY_MAX).unwrap_or(usize::MAX);
    let entries = entry::all(bytes.get(chain..).unwrap_or_default());
    // Longer entries than are known of: then only the whole object tells where they begin.
    if entries.iter().any(|entry| entry.data > believed) {
        return (Vec::new(), false);
    }
    let entries = entries.into_iter().filter(|entry| {
        let begins = at;
        at += entry.length;
        begins >= believed
    });
    (entries.collect(), false)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::{ENTRY_MAX, entries_of_part};

    #[test]
    fn of_a_part_only_what_lies_beyond_the_longest_entry_is_believed() {
        let payload = vec![7_u8; 16 * 1024];
        let object: Vec<u8> = (0..20_u32).flat_map(|n| entry(1, u64::from(n) * 4, &payload, n)).collect();
        let (whole, is_whole) = entries_of_part(&object, 0);
        assert!(is_whole && whole.len() == 20);
        let start = 100;
        let (part, is_whole) = entries_of_part(&object[start..], 100);
        assert!(!is_whole && !part.is_empty());
        let length = whole[0].length;
        let passed_over = 20 - part.len();
        assert!(u64::try_from(passed_over * length).unwrap() >= ENTRY_MAX, "{passed_over}");
        assert_eq!(part.last(), whole.last());
    }
}
