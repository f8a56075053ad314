//! XML as OpenNebula writes it: `<NAME>`, `</NAME>`, and on the way from one to the other `<![CDATA[value]]>`, a bare
//! value, nothing, or elements. Anything else (attributes, references, comments, what the window has not read yet) is
//! left where it is, for the reader that knows all of XML.
//!
//! Text is looked at in words of sixteen bytes: most names and values are shorter, and then no branch depends on how long.

use std::io::BufRead;

use memchr::{memchr, memchr2};

use super::super::{
    Span, Why,
    build::{Builder, Named},
    narrow,
};
use super::word::{WORD, first_difference, first_of};
use super::{CDATA_END, OF_NAME, starts_name, window::Window};
use crate::known::{Known, LENGTH_MAX, Words};

/// A name in its tag.
#[derive(Clone, Copy)]
struct Name {
    length: usize,
    known: Known,
}

/// The value of an element with nothing below it, and where the element ends. All places are counted from its `<`.
#[derive(Clone, Copy)]
struct Leaf {
    from: usize,
    to: usize,
    stated: bool,
    end: usize,
}

impl<R: BufRead> Window<R> {
    /// Takes what is written so, to the end of the object's last element but not of the object itself.
    pub(super) fn as_written(&mut self, builder: &mut Builder) -> Result<(), Why> {
        let mut at = self.at;
        let done = self.tokens(&mut at, builder);
        self.at = at;
        done
    }

    /// Moves `at` on with every token that was taken, so that an error is reported where it is.
    fn tokens(&self, at: &mut usize, builder: &mut Builder) -> Result<(), Why> {
        let (raw, bytes) = (self.object(), self.bytes());
        while let Some(element) = bytes.get(*at..) {
            let Some(name) = opening(element) else {
                let open = builder.innermost().and_then(|name| name.of(raw)).unwrap_or_default();
                if builder.depth() == 1 || !is_end_tag(element, open.as_bytes()) {
                    return Ok(());
                }
                builder.close();
                *at += open.len() + 3;
                continue;
            };
            let start = self.in_object(*at);
            let span = |from: usize, to: usize| Span { from: start + narrow(from), to: start + narrow(to) };
            let named = Named { raw, name: span(1, 1 + name.length), known: name.known, offset: start };
            if let Some(leaf) = leaf(element, name, self.has_returns) {
                builder.leaf(named, span(leaf.from, leaf.to), leaf.stated)?;
                *at += leaf.end;
            } else {
                builder.open(named)?;
                *at += name.length + 2;
            }
        }
        Ok(())
    }
}

/// `<NAME>`
#[inline(always)]
fn opening(element: &[u8]) -> Option<Name> {
    let near: &[u8; LENGTH_MAX + 2] = element.first_chunk()?;
    let (b'<', tag) = (near[0], &near[1..]) else { return None };
    let (words, length) = name_in_words(tag)?;
    let known = Known::of(words);
    if known == Known::Unlisted {
        let name = tag.get(..length)?;
        if !starts_name(name) || !is_of_name(name) {
            return None;
        }
    }
    Some(Name { length, known })
}

/// The value, where there is nothing but one up to the end tag.
#[inline(always)]
fn leaf(element: &[u8], name: Name, has_returns: bool) -> Option<Leaf> {
    const CDATA: &[u8; 9] = b"<![CDATA[";
    let start = name.length + 2;
    let behind = element.get(start..)?;
    let (from, to, end) = if let Some(value) = behind.strip_prefix(CDATA) {
        let from = start + CDATA.len();
        let first = from + find(value, [b']'], |rest| memchr(b']', rest))?;
        match end::<5, { 5 + LENGTH_MAX + 1 }>(element, first, b"]]></", name) {
            Some(end) => (from, first, end),
            // A bracket of the value.
            None => {
                let to = first + CDATA_END.find(element.get(first..)?)?;
                (from, to, end::<5, { 5 + LENGTH_MAX + 1 }>(element, to, b"]]></", name)?)
            }
        }
    } else if behind.first() == Some(&b'<') {
        let end = end::<2, { 2 + LENGTH_MAX + 1 }>(element, start, b"</", name)?;
        return Some(Leaf { from: start, to: start, stated: false, end });
    } else {
        // Blanks alone may be indentation.
        if behind.first()?.is_ascii_whitespace() {
            return None;
        }
        let to = start + bare_end(behind)?;
        (start, to, end::<2, { 2 + LENGTH_MAX + 1 }>(element, to, b"</", name)?)
    };
    // Line ends within values are not kept as they are.
    if has_returns && element.get(from..to)?.contains(&b'\r') {
        return None;
    }
    Some(Leaf { from, to, stated: true, end })
}

/// Where the element ends, if at `at` there is this tail of a value and the end tag of this name.
#[inline(always)]
fn end<const TAIL: usize, const BOTH: usize>(
    element: &[u8],
    at: usize,
    tail: &[u8; TAIL],
    name: Name,
) -> Option<usize> {
    let near: &[u8; BOTH] = element.get(at..)?.first_chunk()?;
    let tag = near.strip_prefix(tail)?;
    is_same_name(element.get(1..)?, tag, name.length).then_some(at + TAIL + name.length + 1)
}

/// `</NAME>`
#[inline]
fn is_end_tag(element: &[u8], name: &[u8]) -> bool {
    let tag = element.strip_prefix(b"</").and_then(|tag| tag.strip_prefix(name));
    tag.and_then(<[u8]>::first) == Some(&b'>')
}

/// What stands before the first `>`, which may be a name, with that `>`; and its length. `None` where that is far.
#[inline(always)]
fn name_in_words(tag: &[u8]) -> Option<(Words, usize)> {
    let [near, far] = *tag.as_chunks().0.first_chunk()?;
    let up_to = |word: [u8; WORD], last: usize| u128::from_le_bytes(word) & UP_TO[last % WORD];
    match first_of(near, [b'>']) {
        WORD => match first_of(far, [b'>']) {
            WORD => None,
            last => Some(([u128::from_le_bytes(near), up_to(far, last)], WORD + last)),
        },
        last => Some(([up_to(near, last), 0], last)),
    }
}

/// The bytes up to each of a word, itself included.
static UP_TO: [u128; WORD] = {
    let mut all = [u128::MAX; WORD];
    let mut last = 1;
    while last < WORD {
        all[WORD - 1 - last] = u128::MAX >> (8 * last);
        last += 1;
    }
    all
};

/// Whether these bytes can be in a name. Nearly all are `A` to `Z`, digits and `_`.
fn is_of_name(name: &[u8]) -> bool {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let usual = |eight: &[u8; 8]| {
        let word = u64::from_le_bytes(*eight);
        let at_least = |byte: u8| word.wrapping_add(u64::from_le_bytes([0x80 - byte; 8]));
        let letters = at_least(b'A') & !at_least(b'Z' + 1);
        let digits = at_least(b'0') & !at_least(b'9' + 1);
        let underscores = at_least(b'_') & !at_least(b'_' + 1);
        (letters | digits | underscores) & !word & HIGH == HIGH
    };
    name.last_chunk().is_some_and(usual) && name.as_chunks().0.iter().all(usual)
        || name.iter().all(|byte| OF_NAME[usize::from(*byte)])
}

/// Whether two tags, from their names on, are the same to the end of a name of this length, and the `>` behind it.
#[inline(always)]
fn is_same_name(one: &[u8], other: &[u8], length: usize) -> bool {
    let words = |tag: &[u8]| tag.as_chunks().0.first_chunk().copied();
    let (Some([first, second]), Some([third, fourth])) = (words(one), words(other)) else { return false };
    match first_difference(first, third) {
        WORD => length < WORD || WORD + first_difference(second, fourth) > length,
        differ => differ > length,
    }
}

/// How long a bare value is; `None` with a reference in it.
#[inline]
fn bare_end(value: &[u8]) -> Option<usize> {
    let end = find(value, [b'<', b'&'], |rest| memchr2(b'<', b'&', rest))?;
    (value.get(end) == Some(&b'<')).then_some(end)
}

/// The first of the bytes that are looked for. Most are near, and then a search that is made for long texts costs more than this one.
#[inline(always)]
fn find<const N: usize>(
    text: &[u8],
    bytes: [u8; N],
    in_rest: impl FnOnce(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let Some(near) = text.first_chunk() else { return in_rest(text) };
    match first_of(*near, bytes) {
        WORD => in_rest(text.get(WORD..)?).map(|further| WORD + further),
        found => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        let find = |text: &[u8]| find(text, [b']'], |rest| memchr(b']', rest));
        for length in 0..80 {
            for at in 0..length {
                let mut text = vec![b'x'; length];
                text[at] = b']';
                assert_eq!(find(&text), Some(at), "{at} of {length}");
                text[length - 1] = b']';
                assert_eq!(find(&text), Some(at), "{at} of {length}");
            }
            assert_eq!(find(&vec![0xDD; length]), None);
            assert_eq!(find(&vec![b'\\'; length]), None);
        }
    }

    #[test]
    fn a_name_of_any_length_is_read_and_closed() {
        let behind = "x".repeat(LENGTH_MAX + 1);
        for length in 1..=LENGTH_MAX {
            let name = "N".repeat(length);
            let read = opening(format!("<{name}>{behind}").as_bytes()).unwrap();
            assert_eq!(read.length, length);
            let tag = format!("{name}>{behind}");
            assert!(is_same_name(tag.as_bytes(), format!("{name}>{}", "y".repeat(32)).as_bytes(), length));
            for other in [
                format!("{name}N"),
                name[1..].to_owned(),
                format!("{}M", &name[1..]),
                format!("M{}", &name[1..]),
            ] {
                let other = format!("{other}>{behind}");
                assert!(!is_same_name(tag.as_bytes(), other.as_bytes(), length), "{other}");
            }
        }
        assert!(opening(format!("<{}>{behind}", "N".repeat(LENGTH_MAX + 1)).as_bytes()).is_none());
    }

    #[test]
    fn the_usual_bytes_of_names_are_told_from_others() {
        for byte in 0..=u8::MAX {
            for at in 0..12 {
                let mut name = *b"AZ09_BYCX18_";
                name[at] = byte;
                assert_eq!(is_of_name(&name), OF_NAME[usize::from(byte)], "{byte} at {at}");
            }
        }
    }
}
