//! The commands: each reads its arguments, calls the library, and prints.

pub(crate) mod capture;
pub(crate) mod change;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod init;
pub(crate) mod runs;
pub(crate) mod status;
