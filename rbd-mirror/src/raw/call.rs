//! A C `int` becomes a `Result` here and nowhere else; strings cross the border here.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_int};

use zeroize::Zeroizing;

use crate::errno::Errno;

/// Zero or a count is success, a negative number is an errno.
#[inline]
pub(crate) fn check(rc: c_int) -> Result<c_int, Errno> {
    if rc < 0 { Err(Errno::from_negative(rc)) } else { Ok(rc) }
}

/// As [`check`], for calls that return a size.
#[inline]
pub(crate) fn check_size(rc: isize) -> Result<usize, Errno> {
    usize::try_from(rc).map_err(|_| c_int::try_from(rc).map_or(Errno::EIO, Errno::from_negative))
}

/// A string for C. A NUL inside is `EINVAL`, which is what librbd would say if it could see it.
#[inline]
pub(crate) fn to_c(text: &str) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}

/// A secret for C, with its NUL, wiped when dropped.
#[inline]
pub(crate) fn secret_to_c(text: &str) -> Result<Zeroizing<Vec<u8>>, Errno> {
    if text.as_bytes().contains(&0) {
        return Err(Errno::EINVAL);
    }
    // Of the right size from the start, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    Ok(bytes)
}

/// A copy of a C string, as whatever holds text; empty for null. Bytes that are not UTF-8 are replaced: Ceph's names are UTF-8 by
/// convention only.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives for this call, and that nobody writes to meanwhile.
#[inline]
pub(crate) unsafe fn from_c<T: for<'a> From<Cow<'a, str>>>(text: *const c_char) -> T {
    if text.is_null() {
        return Cow::Borrowed("").into();
    }
    // SAFETY: not null, and NUL-terminated by the caller's word.
    text_of(unsafe { CStr::from_ptr(text) }.to_bytes()).into()
}

/// Bytes as text. Whether there is anything to replace is found out first, word by word: to look for it in a text of status takes ten
/// times as long.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A copy of bytes as text.
#[inline]
pub(crate) fn to_text(bytes: &[u8]) -> String {
    text_of(bytes).into_owned()
}

/// The strings of a buffer, each ended by NUL; none of an empty one. Behind the last one, unused room counts as empty strings.
#[inline]
pub(crate) fn strings(buffer: &[u8]) -> Vec<String> {
    if buffer.is_empty() {
        return Vec::new();
    }
    let ended = buffer.strip_suffix(b"\0").unwrap_or(buffer);
    ended.split(|byte| *byte == 0).map(to_text).collect()
}

#[cfg(test)]
mod tests {
    use super::strings;

    #[test]
    fn as_many_strings_are_read_as_there_are_ends() {
        assert_eq!(strings(b""), [""; 0]);
        assert_eq!(strings(b"\0"), [""]);
        assert_eq!(strings(b"a\0\0b\0"), ["a", "", "b"]);
    }
}
