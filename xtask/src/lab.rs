//! `cargo xtask lab`: two real Ceph sites on this machine, by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use lab::front_end::{FrontEnd, Setup};
use lab::{Daemon, Lab, Options, Peering, SiteId, State, Teardown, Timers};

use crate::sites;

/// What to do with which lab.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the lab lies [default: $LAB_DIR, else one place per user among the temporary files]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bring both sites up, healthy and peered; what runs already stays
    Up(Up),
    /// Stop both sites and remove everything
    Down {
        /// Keep the data: the next `up` goes on with it
        #[arg(long)]
        keep_data: bool,
    },
    /// Show what each daemon does
    Status,
    /// Print shell exports for a client: eval "$(cargo xtask lab env)"
    Env,
    /// Start daemons of a site and wait until they answer
    Start(Whom),
    /// End daemons of a site in good order
    Stop(Whom),
    /// End daemons of a site at once: a power cut
    Kill(Whom),
    /// Make daemons of a site stand still: connections stay, nothing answers
    Freeze(Whom),
    /// Let frozen daemons go on
    Thaw(Whom),
    /// Cut the sites from each other; clients of this machine reach both
    Cut,
    /// Let packets between the sites get lost
    Loss {
        /// How many of a hundred, in each direction
        #[arg(value_parser = clap::value_parser!(u8).range(1..=100))]
        percent: u8,
    },
    /// Mend the way between the sites
    Heal,
    /// A stand-in for OpenNebula's oned, without a lab, until it is killed
    FrontEnd {
        /// How it is set up: the fields of lab::front_end::Setup as JSON [default: one new site]
        setup: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct Up {
    #[command(flatten)]
    sites: sites::Arguments,
    /// How fast rbd-mirror reacts
    #[arg(long, value_enum, default_value_t = Pace::Fast)]
    timers: Pace,
    /// Make pools and start daemons, but set up nothing of mirroring
    #[arg(long)]
    unpeered: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pace {
    /// In seconds, for tests
    Fast,
    /// As packaged: up to half a minute
    Stock,
}

#[derive(Debug, clap::Args)]
struct Whom {
    /// a or b
    site: SiteId,
    /// mon, mgr, osd, rbd-mirror [default: all four]
    daemons: Vec<Daemon>,
}

impl Whom {
    fn daemons(&self) -> &[Daemon] {
        if self.daemons.is_empty() { &Daemon::ALL } else { &self.daemons }
    }
}

/// Runs one verb.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut options = Options::default();
    if let Some(dir) = arguments.dir {
        options.dir = dir;
    }
    let start = Instant::now();
    let open = || Lab::open(&options.dir);
    match arguments.verb {
        Verb::Up(up) => {
            options.timers = match up.timers {
                Pace::Fast => Timers::Fast,
                Pace::Stock => Timers::Stock,
            };
            if up.unpeered {
                options.peering = Peering::None;
            }
            options.backend = up.sites.ready()?;
            let lab = Lab::up(options)?;
            println!("up in {:.1} s: {}", start.elapsed().as_secs_f64(), lab.dir().display());
        }
        Verb::Down { keep_data } => match open() {
            Ok(lab) => {
                lab.down(if keep_data { Teardown::KeepData } else { Teardown::Everything })?;
                println!("down in {:.1} s", start.elapsed().as_secs_f64());
            }
            Err(error @ lab::Error::NoLab { .. }) => println!("{error}"),
            Err(error) => return Err(error.into()),
        },
        Verb::Status => return Ok(status(&open()?)),
        Verb::Env => env(&open()?),
        Verb::Start(whom) => open()?.start(whom.site, whom.daemons())?,
        Verb::Stop(whom) => open()?.stop(whom.site, whom.daemons())?,
        Verb::Kill(whom) => open()?.kill(whom.site, whom.daemons())?,
        Verb::Freeze(whom) => open()?.freeze(whom.site, whom.daemons())?,
        Verb::Thaw(whom) => open()?.thaw(whom.site, whom.daemons())?,
        Verb::Cut => open()?.cut()?,
        Verb::Loss { percent } => open()?.lose(percent)?,
        Verb::Heal => open()?.heal()?,
        Verb::FrontEnd { setup } => serve(setup.as_deref())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(setup: Option<&Path>) -> Result<()> {
    let setup: Setup = match setup {
        Some(path) => serde_json::from_str(&fs::read_to_string(path)?)?,
        None => Setup::default(),
    };
    let oned = FrontEnd::start(setup)?;
    println!("export ONE_XMLRPC='{}'", oned.url());
    oned.serve();
    Ok(())
}

/// A line per daemon. Fails if one that belongs up does not run.
fn status(lab: &Lab) -> ExitCode {
    let mut all_run = true;
    for line in lab.status() {
        let belongs_up = !lab.options().absent.contains(&(line.site, line.daemon));
        all_run &= line.state == State::Running || !belongs_up;
        let state = format!("{:?}", line.state).to_lowercase();
        let pid = line.pid.map_or_else(String::new, |pid| format!("pid {pid}"));
        let memory = line.resident_bytes.map_or_else(String::new, |bytes| format!("{} MiB", bytes >> 20));
        println!("{} {:10} {state:8} {pid:12} {memory}", line.site, line.daemon.name());
    }
    if all_run { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a client needs, as shell exports.
fn env(lab: &Lab) {
    let export = |name: &str, value: &str| println!("export {name}='{}'", value.replace('\'', r"'\''"));
    export("LAB_DIR", &lab.dir().to_string_lossy());
    for id in SiteId::ALL {
        let (site, letter) = (lab.site(id), id.letter().to_uppercase());
        export(&format!("SITE_{letter}_CONF"), &site.conf().to_string_lossy());
        export(&format!("SITE_{letter}_KEYRING"), &site.keyring().to_string_lossy());
    }
    if let Some(pool) = lab.options().pools.first() {
        export("LAB_POOL", &pool.name);
    }
}
