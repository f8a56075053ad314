//! The container engine: Docker, or Podman, which takes the same commands.

use std::sync::OnceLock;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::tool::Tool;

/// The engines, in the order in which they are tried.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// How long an engine may take over an answer: one that starts a container on a busy machine needs seconds.
const ANSWER_MAX: Duration = Duration::from_secs(90);

/// The engine that answers, if one does: its name, which is its command.
///
/// # Errors
/// [`Error::NoEngine`] with what each of them said.
pub fn engine() -> Result<&'static str> {
    static FOUND: OnceLock<Result<&'static str, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let mut why = Vec::new();
        for engine in ENGINES {
            match ask(engine, ["version", "--format", "{{.Server.Version}}"]) {
                Ok(_) => return Ok(engine),
                Err(error) => why.push(error.to_string()),
            }
        }
        Err(why.join("; "))
    });
    found.clone().map_err(|why| Error::NoEngine { why })
}

/// Whether the engine has an image of this name.
///
/// # Errors
/// [`Error::NoEngine`].
pub fn has_image(image: &str) -> Result<bool> {
    Ok(ask(engine()?, ["image", "inspect", "--format", "{{.Id}}", image]).is_ok())
}

/// Runs the engine for its output.
pub(crate) fn ask<const N: usize>(engine: &'static str, arguments: [&str; N]) -> Result<String> {
    Tool::new(engine).args(arguments).within(ANSWER_MAX).text()
}
