//! What every command is given: the configuration, the sites, the journals, and how to speak.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use one_dr::config::{Config, Sites};
use one_dr::journal::Directory;
use one_dr::overview::Reported;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::args::{Cli, Events};
use super::exit::{Exit, Failure};
use super::output::Format;

pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) sites: Sites,
    pub(crate) store: Directory,
    pub(crate) format: Format,
    pub(crate) events: Option<Events>,
    /// Set by Ctrl-C: a run stops after its step.
    pub(crate) stop: Arc<AtomicBool>,
}

impl World {
    pub(crate) fn open(cli: &Cli) -> Result<Self, Failure> {
        let mut config = Config::read(&cli.config)?;
        if let Some(runs) = &cli.runs {
            config.runs.clone_from(runs);
        }
        for (site, endpoint) in
            [(&mut config.home, &cli.home_endpoint), (&mut config.recovery, &cli.recovery_endpoint)]
        {
            if endpoint.is_some() {
                site.opennebula.endpoint.clone_from(endpoint);
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The second one ends the process at once: what was begun is journaled, and can be resumed.
            flag::register_conditional_default(signal, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
        }
        let sites = config.sites(&super::operator());
        let store = Directory::new(config.runs.clone());
        Ok(Self { config, sites, store, format: cli.format(), events: cli.events, stop })
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What the daemons of both sites report, asked for at the same time.
    pub(crate) fn reports(&self) -> (Reported, Reported) {
        thread::scope(|scope| {
            let home = scope.spawn(|| self.sites.home.reports());
            let recovery = self.sites.recovery.reports();
            let gone = || {
                let site = self.sites.home.site().to_owned();
                Err(one_dr::storage::Error::Unreachable {
                    site,
                    op: "read the statuses",
                    why: "gone".to_owned(),
                })
            };
            (home.join().unwrap_or_else(|_| gone()), recovery)
        })
    }
}

/// Asks on a terminal. Without one, `--yes` is the only consent.
pub(crate) fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Failure::new(
            Exit::Usage,
            "nobody to ask: there is no terminal. Nothing was changed; say --yes",
        ));
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new(Exit::Error, "not confirmed: nothing was changed"))
    }
}
