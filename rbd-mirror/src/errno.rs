//! The error number of a C call: never lost, never the whole story.

use std::ffi::c_int;
use std::fmt;
use std::io;

/// A positive errno as librbd or librados returned it (they return it negated).
///
/// One errno has many causes in librbd; [`crate::Error`] says which. The number stays with every error that had one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(i32);

macro_rules! errnos {
    ($($name:ident = $number:literal),+ $(,)?) => {
        impl Errno {
            $(
                #[doc = concat!("`", stringify!($name), "` (", stringify!($number), ").")]
                pub const $name: Self = Self($number);
            )+

            fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }
    };
}

// Linux numbers on every architecture Ceph is packaged for; Ceph's own wire protocol uses them too.
errnos! {
    EPERM = 1, ENOENT = 2, EIO = 5, EBADF = 9, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EBUSY = 16, EEXIST = 17, EINVAL = 22,
    ENOSPC = 28, EROFS = 30, EDOM = 33, ERANGE = 34, ENOSYS = 38, ENOTEMPTY = 39, EILSEQ = 84, EOPNOTSUPP = 95, ENOTCONN = 107, ESHUTDOWN = 108,
    ETIMEDOUT = 110, ESTALE = 116, EDQUOT = 122, ECANCELED = 125,
}

impl Errno {
    /// From the negative return value of a C call.
    pub(crate) const fn from_negative(rc: c_int) -> Self {
        Self(rc.wrapping_neg())
    }

    /// The positive number.
    #[must_use]
    #[inline]
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Debug for Errno {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl fmt::Display for Errno {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        match self.name() {
            Some(name) => write!(f, "{text} ({name} {})", self.0),
            None => write!(f, "{text} ({})", self.0),
        }
    }
}

impl From<Errno> for io::Error {
    #[inline]
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn an_errno_is_shown_with_its_text_its_name_and_its_number() {
        assert_eq!(Errno::from_negative(-16).to_string(), "Device or resource busy (EBUSY 16)");
        assert_eq!(format!("{:?}", Errno::from_negative(-16)), "EBUSY");
    }

    #[test]
    fn an_errno_without_a_name_here_keeps_its_number() {
        assert_eq!(Errno::from_negative(-9999).number(), 9999);
        assert!(Errno::from_negative(-9999).to_string().ends_with("(9999)"));
    }
}
