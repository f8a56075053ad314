//! Data that tells what is missing of it: blocks that carry the number of the write that made them.
//!
//! A disk is a ring of blocks. Write number `n` (from 1) goes to block `(n - 1) % blocks`, and every 16 bytes of it carry `n` and
//! the disk's own mark. So the content of a disk after any number of writes is known, and a copy that was cut off anywhere
//! shows the number of its last write, and whether all before it are there: whether it is a *prefix* of what was written.

use std::fmt;

use rbd_mirror::Image;
use sha2::{Digest, Sha256};

/// The size of a block in bytes: a write of this size is one entry of an image's journal.
///
/// librbd cuts larger writes into entries of somewhat less than 16 KiB (`rbd_journal_max_payload_bytes`), and a replay that is cut off
/// may end between two of them: a copy then holds half of a write, as any disk may after a power cut.
pub const BLOCK_BYTES: usize = 8 * 1024;

/// The layout of a stamped disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamps {
    /// Tells one disk's data from another's.
    pub mark: u64,
    /// How many blocks the disk has.
    pub blocks: u64,
}

/// What a look at all blocks of a disk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Exactly the writes 1 to this one, in order: nothing is missing before it, and nothing of later ones is there.
    Prefix(u64),
    /// Something else; the first thing that does not fit, in words.
    Torn(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(last) => write!(f, "writes 1 to {last}"),
            Self::Torn(why) => write!(f, "torn: {why}"),
        }
    }
}

impl Stamps {
    /// The layout for a disk of `bytes` bytes.
    #[must_use]
    pub fn new(mark: u64, bytes: u64) -> Self {
        let block = u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX);
        Self { mark, blocks: (bytes / block).max(1) }
    }

    /// Where write `number` goes, in bytes.
    #[must_use]
    pub fn offset(&self, number: u64) -> u64 {
        let block = u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX);
        (number - 1) % self.blocks * block
    }

    /// What write `number` writes.
    #[must_use]
    pub fn block(&self, number: u64) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        while block.len() < BLOCK_BYTES {
            block.extend_from_slice(&number.to_le_bytes());
            block.extend_from_slice(&self.mark.to_le_bytes());
        }
        block
    }

    /// The number of the write that a block carries: 0 for a block of zeroes, `None` for one that no write made whole.
    #[must_use]
    pub fn number(&self, block: &[u8]) -> Option<u64> {
        if block.iter().all(|byte| *byte == 0) {
            return Some(0);
        }
        let number = block.get(..8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)?;
        (block == self.block(number).as_slice()).then_some(number)
    }

    /// What the numbers of all blocks, in the disk's order, say together.
    #[must_use]
    pub fn judge(&self, numbers: &[Option<u64>]) -> Found {
        let Some(last) = numbers.iter().copied().flatten().max() else {
            return Found::Torn("no block can be read".to_owned());
        };
        for (block, found) in (0_u64..).zip(numbers) {
            let expected = self.expected(block, last);
            if *found != Some(expected) {
                let found = found.map_or_else(|| "a mixture".to_owned(), |number| format!("write {number}"));
                return Found::Torn(format!(
                    "block {block} holds {found}, and write {expected} was due before {last}"
                ));
            }
        }
        Found::Prefix(last)
    }

    /// The checksum of a disk of `bytes` bytes after the writes 1 to `last`.
    #[must_use]
    pub fn sha256(&self, bytes: u64, last: u64) -> String {
        let mut hash = Sha256::new();
        let mut left = bytes;
        for block in 0..self.blocks {
            let content = match self.expected(block, last) {
                0 => vec![0; BLOCK_BYTES],
                number => self.block(number),
            };
            hash.update(&content);
            left = left.saturating_sub(u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX));
        }
        hash.update(vec![0; usize::try_from(left).unwrap_or(0)]);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a disk and says which writes it holds.
    ///
    /// # Errors
    /// What reading the image answers.
    pub fn read(&self, image: &Image) -> rbd_mirror::Result<Found> {
        const BLOCKS_A_READ: u64 = 512;
        let mut numbers = Vec::new();
        let mut block = 0;
        while block < self.blocks {
            let count = BLOCKS_A_READ.min(self.blocks - block);
            let bytes = usize::try_from(count).unwrap_or(1) * BLOCK_BYTES;
            let data = image.read_at(self.offset(block + 1), bytes)?;
            numbers.extend(data.chunks(BLOCK_BYTES).map(|block| self.number(block)));
            block += count;
        }
        Ok(self.judge(&numbers))
    }

    /// The number that `block` carries after the writes 1 to `last`.
    fn expected(&self, block: u64, last: u64) -> u64 {
        if last <= block {
            return 0;
        }
        let rounds = (last - 1 - block) / self.blocks;
        rounds * self.blocks + block + 1
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Stamps};

    /// The numbers of a small disk after these writes, in this order.
    fn after(stamps: &Stamps, writes: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
        let mut numbers = vec![Some(0); usize::try_from(stamps.blocks).unwrap()];
        for number in writes {
            numbers[usize::try_from((number - 1) % stamps.blocks).unwrap()] = Some(number);
        }
        numbers
    }

    const SMALL: Stamps = Stamps { mark: 7, blocks: 5 };

    #[test]
    fn the_writes_up_to_any_number_are_a_prefix() {
        for last in 0..40 {
            assert_eq!(SMALL.judge(&after(&SMALL, 1..=last)), Found::Prefix(last));
        }
    }

    #[test]
    fn a_write_that_is_missing_in_the_middle_is_no_prefix() {
        for missing in 8..12 {
            let writes = (1..=12).filter(|number| *number != missing);
            assert!(matches!(SMALL.judge(&after(&SMALL, writes)), Found::Torn(_)), "{missing}");
        }
    }

    #[test]
    fn a_block_tells_its_write_and_a_torn_or_foreign_one_tells_none() {
        let block = SMALL.block(12);
        assert_eq!(SMALL.number(&block), Some(12));
        let mut torn = block.clone();
        torn[4_000] ^= 1;
        assert_eq!(SMALL.number(&torn), None);
        let other = Stamps { mark: 8, ..SMALL };
        assert_eq!(other.number(&block), None);
        assert_eq!(SMALL.number(&vec![0; super::BLOCK_BYTES]), Some(0));
    }
}
