//! The options that every command takes which starts sites: on which backend, and of which releases.

use anyhow::{Result, bail};
use clap::ValueEnum;
use lab::Backend;

use crate::images;

/// Where sites run, unless told otherwise: the oldest release that we support.
const DEFAULT_RELEASE: &str = "pacific";

/// Where the two sites run.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "sites")]
pub(crate) struct Arguments {
    /// Where the sites run [default: processes; containers if a release is named]
    #[arg(long, value_enum)]
    backend: Option<Place>,
    /// The Ceph release of both sites, in containers: pacific, reef, tentacle, or what `cargo xtask images` has made
    #[arg(long)]
    release: Option<String>,
    /// The release of site A
    #[arg(long, value_name = "RELEASE")]
    release_a: Option<String>,
    /// The release of site B
    #[arg(long, value_name = "RELEASE")]
    release_b: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    /// As processes of this machine, from its own packages
    Processes,
    /// Each in a container with an address of its own
    Containers,
}

impl Arguments {
    /// The backend that is asked for: here, else by the variable of the lab.
    pub(crate) fn backend(&self) -> Result<Backend> {
        let named = [&self.release, &self.release_a, &self.release_b].into_iter().any(Option::is_some);
        match self.backend {
            Some(Place::Processes) if named => {
                bail!("a release can be chosen with --backend containers only")
            }
            Some(Place::Processes) => Ok(Backend::Processes),
            None if !named => Ok(Backend::from_environment()),
            _ => {
                let one = |site: &Option<String>| {
                    site.as_ref()
                        .or(self.release.as_ref())
                        .cloned()
                        .unwrap_or_else(|| DEFAULT_RELEASE.to_owned())
                };
                Ok(Backend::Containers { releases: [one(&self.release_a), one(&self.release_b)] })
            }
        }
    }

    /// [`Arguments::backend`], with the images that it needs.
    pub(crate) fn ready(&self) -> Result<Backend> {
        let backend = self.backend()?;
        if let Backend::Containers { releases } = &backend {
            images::ensure(releases)?;
        }
        Ok(backend)
    }
}

#[cfg(test)]
mod tests {
    use lab::Backend;

    use super::{Arguments, Place};

    fn releases(a: &str, b: &str) -> Backend {
        Backend::Containers { releases: [a.to_owned(), b.to_owned()] }
    }

    #[test]
    fn naming_a_release_means_containers() {
        let asked = Arguments { release: Some("reef".into()), ..Arguments::default() };
        assert_eq!(asked.backend().ok(), Some(releases("reef", "reef")));
        let asked = Arguments { release_b: Some("reef".into()), ..Arguments::default() };
        assert_eq!(asked.backend().ok(), Some(releases("pacific", "reef")));
        let asked = Arguments { backend: Some(Place::Processes), ..asked };
        assert!(asked.backend().is_err());
    }
}
