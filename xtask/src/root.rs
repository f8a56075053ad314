//! Where the workspace is.

use std::env;
use std::path::PathBuf;

/// The root of the workspace: cargo tells where this crate lies, else the folder it was compiled in.
pub(crate) fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}
