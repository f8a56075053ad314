//! The data of images: known patterns in, checksums out, both through `rbd` alone.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::Site;
use crate::error::Result;

/// A stream of bytes that everybody can make again: no two blocks alike, nothing to compress, nothing to leave out.
#[derive(Clone, Debug)]
pub struct Pattern {
    state: u64,
    word: [u8; 8],
    used: usize,
    left: u64,
}

impl Pattern {
    /// `length` bytes that depend on `seed`.
    #[must_use]
    pub fn new(seed: u64, length: u64) -> Self {
        Self { state: seed, word: [0; 8], used: 8, left: length }
    }

    /// The checksum of what is left of the stream.
    #[must_use]
    pub fn sha256(mut self) -> String {
        let mut hash = Sha256::new();
        let mut piece = vec![0; 1 << 16];
        while let Ok(length @ 1..) = self.read(&mut piece) {
            hash.update(&piece[..length]);
        }
        hexadecimal(hash)
    }

    /// The next word of splitmix64 (Steele, Lea, Flood 2014): small, and good enough to be incompressible.
    fn next_word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Read for Pattern {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let mut rest = &mut buffer[..length];
        while !rest.is_empty() {
            if self.used == self.word.len() {
                self.word = self.next_word().to_le_bytes();
                self.used = 0;
            }
            let (piece, after) = rest.split_at_mut(rest.len().min(self.word.len() - self.used));
            piece.copy_from_slice(&self.word[self.used..self.used + piece.len()]);
            self.used += piece.len();
            rest = after;
        }
        self.left -= length as u64;
        Ok(length)
    }
}

impl Site {
    /// Makes an image that holds exactly `data`.
    pub fn import(&self, image: &str, data: impl Read + Send + 'static) -> Result<()> {
        let tool = self.tool("rbd").args(["import", "--no-progress", "-", image]);
        tool.input(Box::new(data)).text().map(drop)
    }

    /// The checksum of an image or of a snapshot (`pool/name@snapshot`), from its export.
    pub fn sha256_of_export(&self, image: &str) -> Result<String> {
        let hash = Arc::new(Mutex::new(Sha256::new()));
        let shared = Arc::clone(&hash);
        self.tool("rbd").args(["export", "--no-progress", image, "-"]).run(Box::new(move |piece| {
            shared.lock().unwrap_or_else(PoisonError::into_inner).update(piece);
        }))?;
        let hash = hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(hexadecimal(hash))
    }
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::Pattern;

    #[test]
    fn a_pattern_does_not_depend_on_how_it_is_read() {
        let mut whole = Vec::new();
        Pattern::new(7, 1_000).read_to_end(&mut whole).expect("reading memory cannot fail");
        let mut pattern = Pattern::new(7, 1_000);
        let mut pieces = Vec::new();
        let mut piece = [0; 13];
        while let Ok(length @ 1..) = pattern.read(&mut piece) {
            pieces.extend_from_slice(&piece[..length]);
        }
        assert_eq!((whole.len(), &whole), (1_000, &pieces));
        assert_ne!(Pattern::new(7, 1_000).sha256(), Pattern::new(8, 1_000).sha256());
    }

    #[test]
    fn nothing_has_the_checksum_that_everybody_knows() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Pattern::new(1, 0).sha256(), empty);
    }
}
