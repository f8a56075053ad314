//! Names of elements and attributes as numbers. A document has hundreds of them, from a vocabulary of a few hundred: each is
//! looked up once, when it is read, and from then on compared, sorted and judged as a number.

mod list;

pub(crate) use list::Known;

/// How many there are, [`Known::Unlisted`] included.
pub(crate) const COUNT: usize = Known::ALL.len();

/// A name with the `>` that ends its tag, sixteen bytes in each word and zeros behind.
pub(crate) type Words = [u128; 2];

/// Bytes in a word.
pub(crate) const WORD: usize = 16;

/// The longest name in bytes that fits.
pub(crate) const LENGTH_MAX: usize = 31;

const SLOTS: usize = 1024;

/// Each name is at its hash, or at the next free slot behind. Two bytes each: all of it is two kilobytes.
static TABLE: [Known; SLOTS] = {
    let mut table = [Known::Unlisted; SLOTS];
    let mut at = 1;
    while at < COUNT {
        let (known, name) = Known::ALL[at];
        assert!(at == 1 || is_before(Known::ALL[at - 1].1, name), "the list is sorted, so that numbers are");
        let mut slot = slot_of(words_of(name.as_bytes()));
        while !matches!(table[slot], Known::Unlisted) {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = known;
        at += 1;
    }
    table
};

/// The first word of each.
static FIRST: [u128; COUNT] = word_of_each(0);

/// The second word of each.
static SECOND: [u128; COUNT] = word_of_each(1);

const fn word_of_each(word: usize) -> [u128; COUNT] {
    let mut all = [0; COUNT];
    let mut at = 1;
    while at < COUNT {
        all[at] = words_of(Known::ALL[at].1.as_bytes())[word];
        at += 1;
    }
    all
}

impl Known {
    /// The name; empty for [`Known::Unlisted`].
    #[inline]
    pub(crate) fn as_str(self) -> &'static str {
        Known::ALL.get(self.index()).map_or("", |(_, name)| name)
    }

    /// What stands before and behind the value of such an element in CDATA; `None` for [`Known::Unlisted`].
    #[inline]
    pub(crate) fn tags(self) -> Option<(&'static str, &'static str)> {
        if self == Self::Unlisted { None } else { Self::TAGS.get(self.index()).copied() }
    }

    /// For tables of [`COUNT`].
    #[inline]
    #[expect(clippy::as_conversions, reason = "the one way from an enumeration to its number")]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// This name, if it is listed.
    #[inline]
    pub(crate) fn find(name: &[u8]) -> Self {
        if name.len() > LENGTH_MAX { Self::Unlisted } else { Self::of(words_of(name)) }
    }

    /// As [`find`](Self::find), of a name that is in words.
    #[inline]
    pub(crate) fn of(words: Words) -> Self {
        let [first, second] = words;
        let mut slot = slot_of(words);
        loop {
            let known = TABLE[slot];
            let at = known.index();
            // A first word with the end of the tag in it has no second.
            if FIRST[at] == first && (second == 0 || second == SECOND[at]) || known == Self::Unlisted {
                return known;
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

#[inline]
#[expect(clippy::as_conversions, reason = "ten bits fit, and nothing else is const")]
const fn slot_of([first, _]: Words) -> usize {
    // Hardly any two names begin with the same sixteen bytes.
    let (low, high) = (first as u64, (first >> 64) as u64);
    let mixed = (low ^ high.wrapping_mul(0xC2B2_AE3D_27D4_EB4F)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 54) as usize % SLOTS
}

/// The words of a name of at most [`LENGTH_MAX`] bytes.
#[expect(clippy::as_conversions, reason = "a byte fits, and nothing else is const")]
const fn words_of(name: &[u8]) -> Words {
    assert!(name.len() <= LENGTH_MAX, "a name that fits, with its end");
    let mut words = [0; 2];
    let mut at = 0;
    while at <= name.len() {
        let byte = if at < name.len() { name[at] } else { b'>' };
        words[at / WORD] |= (byte as u128) << (at % WORD * 8);
        at += 1;
    }
    words
}

/// Whether one name sorts before another.
const fn is_before(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() {
        if one[at] != other[at] {
            return one[at] < other[at];
        }
        at += 1;
    }
    one.len() < other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_found_and_no_other() {
        for (known, name) in Known::ALL.iter().skip(1) {
            assert_eq!(Known::find(name.as_bytes()), *known);
            assert_eq!(known.as_str(), *name);
            // Templates take listed names as they are.
            assert!(
                name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                "{name}"
            );
            assert!(!name.starts_with("XML") && !name.starts_with(|first: char| first.is_ascii_digit()));
        }
        let long = "A".repeat(LENGTH_MAX + 1);
        for name in ["", "cpu", "CPUS", "ONE_KEY", "DISK>", "DISK\0", &long] {
            assert_eq!(Known::find(name.as_bytes()), Known::Unlisted, "{name}");
        }
        assert_eq!(Known::Unlisted.as_str(), "");
    }
}
