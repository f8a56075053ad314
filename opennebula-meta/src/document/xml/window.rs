//! The part of a stream that is being looked at: read in pieces, checked to be UTF-8, and bounded.

use std::io::{BufRead, ErrorKind};
use std::sync::Arc;

use memchr::{memchr, memchr2_iter, memmem::Finder};
use simdutf8::compat::from_utf8;

use super::super::{LONGEST, Span, Why, build::Lines, narrow};

/// The most that is read at once.
const PIECE: usize = 64 << 10;

/// Text from a reader. Offsets are within the window and stay valid until the next object starts.
#[derive(Debug)]
pub(super) struct Window<R> {
    input: R,
    text: String,
    /// Bytes of a character that was cut by the end of a piece.
    cut: Vec<u8>,
    /// Where the next token starts.
    pub(super) at: usize,
    /// How many bytes were let go.
    gone: u64,
    /// Where the current object starts.
    from: usize,
    /// How long it may be.
    limit: u64,
    /// Where lines end in the stream, since the current object's first.
    lines: Lines,
    /// A carriage return was seen: values must be looked at.
    pub(super) has_returns: bool,
    /// The input is at its end.
    ended: bool,
}

impl<R: BufRead> Window<R> {
    pub(super) fn new(input: R, limit: u64) -> Self {
        Self {
            input,
            text: String::with_capacity(2 * PIECE),
            cut: Vec::new(),
            at: 0,
            gone: 0,
            from: 0,
            limit: limit.min(LONGEST),
            lines: Lines::default(),
            has_returns: false,
            ended: false,
        }
    }

    /// What is there, from the next token on.
    pub(super) fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Where `at` is in the stream.
    pub(super) fn offset(&self, at: usize) -> u64 {
        self.gone + u64::try_from(at).unwrap_or(u64::MAX)
    }

    /// Where the current object's text begins in the stream.
    pub(super) fn object_offset(&self) -> u64 {
        self.offset(self.from)
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The current object, as far as it was read, and behind it what is not looked at yet.
    pub(super) fn object(&self) -> &str {
        self.text.get(self.from..).unwrap_or_default()
    }

    /// The current object, up to the next token.
    pub(super) fn object_read(&self) -> &str {
        self.slice(self.from, self.at)
    }

    /// A part of the window, as a part of the object.
    pub(super) fn span(&self, from: usize, to: usize) -> Span {
        Span::new(from - self.from, to - self.from)
    }

    /// A place in the window, as one in the object.
    #[inline]
    pub(super) fn in_object(&self, at: usize) -> u32 {
        narrow(at - self.from)
    }

    /// A new object starts at the next token; it has the whole limit. What was before is let go, where that is more than
    /// has to be moved for it.
    pub(super) fn start_object(&mut self) {
        self.lines.start_at(self.offset(self.at));
        if self.at / 4 > self.text.len() - self.at {
            self.gone = self.offset(self.at);
            self.text.drain(..self.at);
            self.at = 0;
        }
        self.from = self.at;
    }

    /// Makes sure that `count` bytes are there from the next token on; whether they are.
    #[inline]
    pub(super) fn want(&mut self, count: usize) -> Result<bool, Why> {
        while self.text.len() - self.at < count {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first `byte` at or behind `from`.
    pub(super) fn find(&mut self, byte: u8, mut from: usize) -> Result<Option<usize>, Why> {
        loop {
            if let Some(found) = memchr(byte, self.bytes().get(from..).unwrap_or_default()) {
                return Ok(Some(from + found));
            }
            from = self.text.len();
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// The first `needle` at or behind `from`.
    pub(super) fn find_text(&mut self, needle: &Finder<'_>, mut from: usize) -> Result<Option<usize>, Why> {
        loop {
            if let Some(found) = needle.find(self.bytes().get(from..).unwrap_or_default()) {
                return Ok(Some(from + found));
            }
            from = from.max(self.text.len().saturating_sub(needle.needle().len() - 1));
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Reads one more piece; whether there was one.
    pub(super) fn more(&mut self) -> Result<bool, Why> {
        if self.ended {
            return Ok(false);
        }
        if u64::try_from(self.object().len()).unwrap_or(u64::MAX) > self.limit {
            return Err(Why::TooLong(self.limit));
        }
        let before = self.text.len();
        let piece = loop {
            match self.input.fill_buf() {
                Ok(piece) => break piece,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Why::Io(Arc::new(error))),
            }
        };
        // A slice as input hands over everything at once.
        let piece = piece.get(..PIECE).unwrap_or(piece);
        let count = piece.len();
        if count == 0 {
            self.ended = true;
            return if self.cut.is_empty() { Ok(false) } else { Err(Why::NotUtf8) };
        }
        let joined;
        let piece = if self.cut.is_empty() {
            piece
        } else {
            joined = [self.cut.as_slice(), piece].concat();
            self.cut.clear();
            &joined
        };
        match from_utf8(piece) {
            Ok(text) => self.text.push_str(text),
            Err(wrong) => {
                let (good, bad) = piece.split_at(wrong.valid_up_to());
                self.text.push_str(str::from_utf8(good).unwrap_or_default());
                if wrong.error_len().is_some() || bad.len() > 3 {
                    return Err(Why::NotUtf8);
                }
                self.cut.extend_from_slice(bad);
            }
        }
        self.input.consume(count);
        let new = self.text.as_bytes().get(before..).unwrap_or_default();
        let from = self.gone + u64::try_from(before).unwrap_or(u64::MAX);
        for at in memchr2_iter(b'\n', b'\r', new) {
            match new.get(at) {
                Some(b'\n') => self.lines.push(from + u64::try_from(at).unwrap_or(u64::MAX)),
                _ => self.has_returns = true,
            }
        }
        Ok(true)
    }
}
