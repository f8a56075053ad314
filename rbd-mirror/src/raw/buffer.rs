//! Buffers that librbd wants larger: asked again while it answers `ERANGE`.

use std::ffi::c_char;

use zeroize::Zeroizing;

use crate::errno::Errno;

/// More rounds than a list that grows between two calls can take; a bound, because every loop has one.
pub(crate) const ROUNDS_MAX: usize = 16;

/// Fills a string of unknown length. `ask` gets the buffer and its length, which librbd overwrites when it is too short.
pub(crate) fn string(ask: impl FnMut(*mut c_char, &mut usize) -> Result<(), Errno>) -> Result<String, Errno> {
    secret(ask).map(|text| text.as_str().to_owned())
}

/// [`string`] for what must not be left in memory.
pub(crate) fn secret(
    mut ask: impl FnMut(*mut c_char, &mut usize) -> Result<(), Errno>,
) -> Result<Zeroizing<String>, Errno> {
    fill(&mut ask)
}

fn fill(
    ask: &mut dyn FnMut(*mut c_char, &mut usize) -> Result<(), Errno>,
) -> Result<Zeroizing<String>, Errno> {
    let mut capacity = 256;
    for _ in 0..ROUNDS_MAX {
        let mut buffer = Zeroizing::new(vec![0_u8; capacity]);
        let mut length = capacity;
        match ask(buffer.as_mut_ptr().cast(), &mut length) {
            Ok(()) => {
                // Some calls count the trailing NUL in, some do not, some leave `length` alone: the first NUL decides.
                let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(buffer.len());
                return Ok(Zeroizing::new(String::from_utf8_lossy(&buffer[..end]).into_owned()));
            }
            Err(Errno::ERANGE) => capacity = larger(capacity, length),
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ERANGE)
}

/// Fills an array of unknown length with structures whose zeroed state is valid; answers those that librbd filled.
///
/// `ask` gets the buffer and its length; on success it leaves the number of filled entries there.
pub(crate) fn list<T: Copy>(
    empty: T,
    mut ask: impl FnMut(*mut T, &mut usize) -> Result<(), Errno>,
) -> Result<Vec<T>, Errno> {
    let mut capacity = 16;
    for _ in 0..ROUNDS_MAX {
        let mut buffer = vec![empty; capacity];
        let mut length = capacity;
        match ask(buffer.as_mut_ptr(), &mut length) {
            Ok(()) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::ERANGE) => capacity = larger(capacity, length),
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ERANGE)
}

/// What librbd asks for, or twice as much where it does not say.
fn larger(had: usize, asked: usize) -> usize {
    if asked > had { asked } else { had.saturating_mul(2) }
}

#[cfg(test)]
mod tests {
    use super::{list, string};
    use crate::errno::Errno;

    #[test]
    fn a_string_is_asked_for_again_with_the_length_that_librbd_names() {
        let mut asked = Vec::new();
        let answer = string(|at, length| {
            asked.push(*length);
            if *length < 300 {
                *length = 300;
                return Err(Errno::ERANGE);
            }
            // SAFETY: the buffer has at least 300 bytes, zeroed.
            unsafe { at.cast::<u8>().write_bytes(b'x', 299) };
            *length = 300;
            Ok(())
        });
        assert_eq!(answer.unwrap().len(), 299);
        assert_eq!(asked, [256, 300]);
    }

    #[test]
    fn a_trailing_nul_that_is_counted_in_is_not_part_of_the_string() {
        let answer = string(|at, length| {
            // SAFETY: the buffer has 256 bytes.
            unsafe { at.cast::<u8>().write_bytes(b'u', 36) };
            *length = 37;
            Ok(())
        });
        assert_eq!(answer.unwrap(), "u".repeat(36));
    }

    #[test]
    fn a_list_that_never_fits_ends_with_an_error_and_not_in_an_endless_loop() {
        let mut asked = 0;
        let answer = list(0_u8, |_, length| {
            asked += 1;
            *length += 1;
            Err(Errno::ERANGE)
        });
        assert_eq!(answer, Err(Errno::ERANGE));
        assert_eq!(asked, super::ROUNDS_MAX);
    }
}
