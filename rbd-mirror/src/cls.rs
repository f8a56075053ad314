//! Ceph's encoding, as far as the object classes that this crate reads need it.
//!
//! Little endian; a string is a `u32` length and bytes; a structure is version, oldest reader, length, body. What is longer
//! than we know is skipped by its length, so that a newer Ceph's fields do no harm. Every read is checked: `None` is the
//! answer to a buffer that is too short.

use crate::raw::call::to_text;

/// Writes an object class method's input.
#[derive(Debug, Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn string(mut self, text: &str) -> Self {
        // Longer than 4 GiB it is no id or name; librbd would refuse it.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(crate) fn u64(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(crate) fn u8(mut self, number: u8) -> Self {
        self.0.push(number);
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads an object class method's output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    pub(crate) fn blob(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.bytes(length)
    }

    pub(crate) fn string(&mut self) -> Option<String> {
        self.blob().map(to_text)
    }

    /// The body of a structure, cut out by its length.
    pub(crate) fn envelope(&mut self) -> Option<Decoder<'a>> {
        let _version = self.u8()?;
        let _oldest_reader = self.u8()?;
        self.blob().map(Decoder)
    }

    /// `count` items, none of which is shorter than a byte: a count that lies about the buffer costs nothing.
    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.u32()?).ok()?;
        let mut items = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Decoder, Encoder};

    #[test]
    fn a_string_is_read_as_it_was_written() {
        let bytes = Encoder::new().string("one-0-0-0").u64(7).u8(1).finish();
        let mut decoder = Decoder::new(&bytes);
        assert_eq!(decoder.string().as_deref(), Some("one-0-0-0"));
        assert_eq!(decoder.u64(), Some(7));
        assert_eq!(decoder.u8(), Some(1));
        assert_eq!(decoder.u8(), None);
    }

    #[test]
    fn fields_that_a_newer_ceph_appends_are_skipped() {
        // version 2, readable from 1, a body of 8 bytes of which we know 4, then the next structure.
        let bytes = [2, 1, 8, 0, 0, 0, 5, 0, 0, 0, 9, 9, 9, 9, 42];
        let mut decoder = Decoder::new(&bytes);
        assert_eq!(decoder.envelope().and_then(|mut body| body.u32()), Some(5));
        assert_eq!(decoder.u8(), Some(42));
    }

    #[test]
    fn a_count_larger_than_the_buffer_is_refused_and_reserves_nothing() {
        let bytes = [255, 255, 255, 255, 1];
        assert_eq!(Decoder::new(&bytes).list(|item| item.u64()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in any::<Vec<u8>>()) {
            let mut decoder = Decoder::new(&bytes);
            let _ = decoder.list(|item| item.envelope().and_then(|mut body| body.string()));
            let _ = decoder.string();
        }
    }
}
