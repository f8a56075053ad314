//! Names that OpenNebula takes for an image or a VM (observed on 6.10.3).

use serde::Serialize;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Characters that a name must not have.
const REFUSED: [char; 15] = ['&', '|', ':', '\\', '"', ';', '/', '\'', '#', '{', '}', '$', '<', '>', '\n'];

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[non_exhaustive]
pub enum NameError {
    /// Empty, or nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// A character that is not allowed.
    #[error("{0:?} is not allowed")]
    Character(char),
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("it has {0} bytes, {NAME_BYTES_MAX} are allowed")]
    TooLong(usize),
}

/// Checks a name as OpenNebula would. Trailing blanks are cut there, and are not counted here.
///
/// # Errors
/// See [`NameError`].
pub fn check(name: &str) -> Result<(), NameError> {
    let name = name.trim_end();
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(refused) = name.chars().find(|one| REFUSED.contains(one) || one.is_control()) {
        return Err(NameError::Character(refused));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong(name.len()));
    }
    Ok(())
}
