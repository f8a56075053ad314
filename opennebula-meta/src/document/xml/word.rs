//! Sixteen bytes at once: where one of them is, and how far two of these are the same.

use wide::u8x16;

/// Bytes in a word, and what stands for "nowhere" in it.
pub(super) const WORD: usize = crate::known::WORD;

/// Where the first byte is that is one of these; [`WORD`] where there is none.
#[inline(always)]
pub(super) fn first_of<const N: usize>(word: [u8; WORD], bytes: [u8; N]) -> usize {
    let word = u8x16::new(word);
    let found = bytes.into_iter().fold(u8x16::ZERO, |found, byte| found | word.cmp_eq(u8x16::splat(byte)));
    place(found.move_mask())
}

/// Where the first byte is that differs; [`WORD`] where there is none.
#[inline(always)]
pub(super) fn first_difference(one: [u8; WORD], other: [u8; WORD]) -> usize {
    place(!u8x16::new(one).cmp_eq(u8x16::new(other)).move_mask())
}

/// The lowest bit that is set, of as many as there are bytes.
#[inline(always)]
fn place(bits: i32) -> usize {
    usize::try_from((bits | 1 << WORD).trailing_zeros()).unwrap_or(WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_bytes_is_found_wherever_it_is_and_no_other() {
        assert_eq!(first_of([b'x'; WORD], [b'<', b'&']), WORD);
        assert_eq!(first_of([0xBC; WORD], [b'<']), WORD);
        for at in 0..WORD {
            let mut word = [b'x'; WORD];
            word[at..].fill(b'<');
            assert_eq!(first_of(word, [b'&', b'<']), at);
            word[at] = b'&';
            assert_eq!(first_of(word, [b'&', b'<']), at);
        }
    }

    #[test]
    fn two_words_are_the_same_up_to_their_first_difference() {
        let word = *b"0123456789ABCDEF";
        assert_eq!(first_difference(word, word), WORD);
        for at in 0..WORD {
            let mut other = word;
            other[at] ^= 0x80;
            other[WORD - 1] ^= 1;
            assert_eq!(first_difference(word, other), at);
        }
    }
}
