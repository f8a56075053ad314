//! XML as OpenNebula writes it: `<NAME>`, `</NAME>`, and on the way from one to the other `<![CDATA[value]]>`, a bare
//! value, nothing, or elements. Anything else (attributes, references, comments, what the window has not read yet) is
//! left where it is, for the reader that knows all of XML.

use std::io::BufRead;

use memchr::memchr;

use super::super::{
    Why,
    build::{Builder, Named},
};
use super::{CDATA_END, OF_NAME, starts_name, window::Window};

/// One token, and where it ends. All places are counted from the element's `<`.
enum Token {
    /// `<NAME>`, and elements in it.
    Open { name: usize },
    /// `<NAME>value</NAME>`
    Leaf { name: usize, from: usize, to: usize, stated: bool, end: usize },
    /// `</`
    Close,
}

impl<R: BufRead> Window<R> {
    /// Takes what is written so, to the end of the object's last element but not of the object itself.
    pub(super) fn as_written(&mut self, builder: &mut Builder) -> Result<(), Why> {
        let mut at = self.at;
        let done = self.tokens(&mut at, builder);
        self.at = at;
        done
    }

    fn tokens(&self, at: &mut usize, builder: &mut Builder) -> Result<(), Why> {
        let raw = self.object();
        loop {
            let bytes = self.bytes().get(*at..).unwrap_or_default();
            let Some(token) = token(bytes, self.has_returns) else { return Ok(()) };
            let named = |name: usize| Named {
                raw,
                name: self.span(*at + 1, *at + 1 + name),
                offset: self.offset(*at),
            };
            match token {
                Token::Open { name } => {
                    builder.open(named(name))?;
                    *at += name + 2;
                }
                Token::Leaf { name, from, to, stated, end } => {
                    builder.leaf(named(name), self.span(*at + from, *at + to), stated)?;
                    *at += end;
                }
                Token::Close => {
                    let open = builder.innermost().and_then(|name| name.of(raw)).unwrap_or_default();
                    let tag = bytes.get(2..).unwrap_or_default();
                    if builder.depth() == 1 || !closes(tag, open.as_bytes()) {
                        return Ok(());
                    }
                    builder.close();
                    *at += open.len() + 3;
                }
            }
        }
    }
}

#[inline]
fn token(bytes: &[u8], has_returns: bool) -> Option<Token> {
    const CDATA: &[u8] = b"<![CDATA[";
    let tag = bytes.strip_prefix(b"<")?;
    if tag.first() == Some(&b'/') {
        return Some(Token::Close);
    }
    let length = tag.iter().position(|byte| !OF_NAME[usize::from(*byte)])?;
    let (name, behind) = tag.split_at_checked(length)?;
    let behind = behind.strip_prefix(b">")?;
    if !starts_name(name) {
        return None;
    }
    let start = length + 2;
    let leaf = |from: usize, value: &[u8], behind: &[u8], stated| {
        let to = from + value.len();
        // Line ends within values are not kept as they are.
        if has_returns && value.contains(&b'\r') {
            return None;
        }
        let lead = if stated && from > start { "]]></" } else { "</" };
        let behind = behind.strip_prefix(lead.as_bytes())?;
        let end = to + lead.len() + length + 1;
        closes(behind, name).then_some(Token::Leaf { name: length, from, to, stated, end })
    };
    let leaf = match behind {
        [b'<', b'/', ..] => leaf(start, b"", behind, false),
        [b'<', ..] => behind.strip_prefix(CDATA).and_then(|value| {
            let (value, behind) = value.split_at_checked(cdata_end(value)?)?;
            leaf(start + CDATA.len(), value, behind, true)
        }),
        // Blanks alone may be indentation.
        [first, ..] if !first.is_ascii_whitespace() => find(behind, b'<').and_then(|length| {
            let (value, behind) = behind.split_at_checked(length)?;
            if value.contains(&b'&') { None } else { leaf(start, value, behind, true) }
        }),
        _ => None,
    };
    Some(leaf.unwrap_or(Token::Open { name: length }))
}

/// Whether an end tag, from its name on, is of this name.
#[inline]
fn closes(tag: &[u8], name: &[u8]) -> bool {
    tag.strip_prefix(name).and_then(<[u8]>::first) == Some(&b'>')
}

#[inline]
fn cdata_end(value: &[u8]) -> Option<usize> {
    let first = find(value, b']')?;
    let rest = value.get(first..)?;
    if rest.starts_with(b"]]>") { Some(first) } else { CDATA_END.find(rest).map(|further| first + further) }
}

/// The first `byte`. Most are near, and then a search that is made for long texts costs more than this one.
#[inline]
fn find(text: &[u8], byte: u8) -> Option<usize> {
    const NEAR: usize = 32;
    let mut at = 0;
    while at < NEAR {
        let eight = text.get(at..)?.first_chunk::<8>();
        let Some(eight) = eight else { break };
        let found = equal(u64::from_le_bytes(*eight), byte);
        if found != 0 {
            return Some(at + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0));
        }
        at += 8;
    }
    memchr(byte, text.get(at..)?).map(|further| at + further)
}

/// A word whose lowest bit that is set is in the first of these bytes that is equal to `byte`; 0 where none is.
#[inline]
fn equal(eight: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let zero = eight ^ u64::from_le_bytes([byte; 8]);
    zero.wrapping_sub(LOW) & !zero & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for length in 0..80 {
            for at in 0..length {
                let mut text = vec![b'x'; length];
                text[at] = b']';
                assert_eq!(find(&text, b']'), Some(at), "{at} of {length}");
                text[length - 1] = b']';
                assert_eq!(find(&text, b']'), Some(at), "{at} of {length}");
            }
            assert_eq!(find(&vec![0xDD; length], b']'), None);
            assert_eq!(find(&vec![b'\\'; length], b']'), None);
        }
    }
}
