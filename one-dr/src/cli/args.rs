//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use one_dr::select::Selection;
use one_dr::{Guard, Verb};

use super::output::Format;

const EXITS: &str = "\
Exit codes:
  0   done, or nothing to do
  1   error
  2   the plan has changes (plan --detailed-exitcode)
  3   a check failed (status --check, doctor, drill)
  4   a guard refused, and nothing was changed
  5   stopped part-way: `one-dr resume RUN`
  6   a site that is needed does not answer
  7   split brain, or two primaries
  64  usage

Words for people go to standard error, data to standard output.";

/// Disaster recovery of OpenNebula VMs on Ceph.
#[derive(Debug, Parser)]
#[command(name = "one-dr", version, after_help = EXITS, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// The configuration.
    #[arg(long, short, global = true, env = "ONE_DR_CONFIG", default_value = "/etc/one-dr/one-dr.toml")]
    pub(crate) config: PathBuf,
    /// How data is printed: table, json, csv or yaml. Of `plan` and `doctor` also where to: a file, a directory.
    #[arg(long, short, global = true, value_name = "FORMAT|PATH", value_parser = output_of)]
    pub(crate) output: Vec<Output>,
    /// Print what happens on standard output as it does, one JSON object a line.
    #[arg(long, global = true, value_enum)]
    pub(crate) events: Option<Events>,
    /// The directory of the journals, instead of the configuration's.
    #[arg(long, global = true, env = "ONE_DR_RUNS")]
    pub(crate) runs: Option<PathBuf>,
    /// The address of the home site's front-end, instead of the configuration's.
    #[arg(long, global = true, env = "ONE_DR_HOME_ENDPOINT", value_name = "URL")]
    pub(crate) home_endpoint: Option<String>,
    /// The address of the recovery site's front-end, instead of the configuration's.
    #[arg(long, global = true, env = "ONE_DR_RECOVERY_ENDPOINT", value_name = "URL")]
    pub(crate) recovery_endpoint: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A format, or a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    As(Format),
    Into(PathBuf),
}

fn output_of(text: &str) -> Result<Output, String> {
    match Format::from_str(text, true) {
        Ok(format) => Ok(Output::As(format)),
        Err(_) if text.is_empty() => Err("a format or a path".to_owned()),
        Err(_) => Ok(Output::Into(text.into())),
    }
}

impl Cli {
    /// The format that was asked for last.
    pub(crate) fn format(&self) -> Format {
        let mut formats = self.output.iter().filter_map(|output| match output {
            Output::As(format) => Some(*format),
            Output::Into(_) => None,
        });
        formats.next_back().unwrap_or(Format::Table)
    }

    /// The place that was asked for last.
    pub(crate) fn place(&self) -> Option<&Path> {
        let mut places = self.output.iter().filter_map(|output| match output {
            Output::As(_) => None,
            Output::Into(place) => Some(place.as_path()),
        });
        places.next_back()
    }

    /// A place is for the commands that have something to put there.
    pub(crate) fn misplaced(&self) -> Option<String> {
        let takes = matches!(self.command, Command::Plan { .. } | Command::Doctor { .. });
        let place = self.place().filter(|_| !takes)?;
        Some(format!("-o {}: this command prints table, json, csv or yaml", place.display()))
    }
}

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Events {
    /// One JSON object a line.
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set both sites up: names, pool mode, peers both ways, delete delay. What is so already is left.
    Init {
        /// Print a configuration to begin with, and do nothing.
        #[arg(long)]
        example: bool,
        /// Also write what rbd-mirror needs as files, as the guide does: SITE.conf and SITE.client.*.keyring.
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Look for everything that is wrong, or will be on the worst night. With -o DIR what was seen is written there, without
    /// secrets, to be attached to a report.
    Doctor {
        #[command(flatten)]
        vms: VmArgs,
    },
    /// Mirror all disks of VMs, and capture them.
    Protect(MoveArgs),
    /// The opposite: the replicas are removed.
    Unprotect(MoveArgs),
    /// Keep what OpenNebula knows at the recovery site. Says what changed since the last time, and what would fail there.
    Capture {
        /// Exit with 3 if a disk is not mirrored, or something would fail at the recovery site.
        #[arg(long)]
        check: bool,
        /// Again and again: 30s, 5m, 1h.
        #[arg(long, value_parser = duration, value_name = "TIME")]
        every: Option<Duration>,
        #[command(flatten)]
        vms: VmArgs,
    },
    /// Every protected VM at a glance.
    Status {
        /// Again and again, until Ctrl-C.
        #[arg(long, short)]
        watch: bool,
        /// Exit with 3 unless everything is protected and within its targets, with 7 on a split brain.
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        vms: VmArgs,
    },
    /// Say what would be done, why it may be done, and what it costs. Changes nothing. With -o FILE it is kept for `apply`.
    Plan {
        /// What for.
        #[arg(value_enum)]
        verb: PlanVerb,
        /// Exit with 2 if there is something to do.
        #[arg(long)]
        detailed_exitcode: bool,
        #[command(flatten)]
        move_args: MoveArgs,
    },
    /// Carry out a plan, if nothing has changed since it was made.
    Apply {
        /// The plan.
        file: PathBuf,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Planned, without loss: to the recovery site.
    Relocate(MoveArgs),
    /// Unplanned: to the recovery site, which is all that it needs.
    Failover(MoveArgs),
    /// Planned, without loss: home.
    Failback(MoveArgs),
    /// After a failover: the other site follows again. Its copies are given up.
    Reprotect(MoveArgs),
    /// Test a VM beside production: clones at the recovery site, apart, removed afterwards.
    Drill(MoveArgs),
    /// Go on with a run that stopped, or was killed.
    Resume {
        /// Its name, as `history` lists it.
        run: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Give a run up; a move that has not arrived is led back.
    Abort {
        /// Its name, as `history` lists it.
        run: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// The runs; or one run, step by step.
    History {
        /// Its name.
        run: Option<String>,
    },
    /// Print completions for a shell.
    Completions {
        /// Which.
        shell: Shell,
    },
    /// Print the manual page; or write it and those of all commands.
    Man {
        /// Where to.
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

/// What can be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanVerb {
    Init,
    Protect,
    Unprotect,
    Relocate,
    Failover,
    Failback,
    Reprotect,
    Drill,
}

impl From<PlanVerb> for Verb {
    fn from(verb: PlanVerb) -> Self {
        match verb {
            PlanVerb::Init => Self::Configure,
            PlanVerb::Protect => Self::Protect,
            PlanVerb::Unprotect => Self::Unprotect,
            PlanVerb::Relocate => Self::Relocate,
            PlanVerb::Failover => Self::Failover,
            PlanVerb::Failback => Self::Failback,
            PlanVerb::Reprotect => Self::Reprotect,
            PlanVerb::Drill => Self::Drill,
        }
    }
}

/// Which VMs.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct VmArgs {
    /// VMs by their number at home (12, 1..5) or by name.
    #[arg(value_name = "VM")]
    pub(crate) vms: Vec<String>,
    /// VMs with this label, or with this attribute: dr=gold.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// All that are protected.
    #[arg(long)]
    pub(crate) all: bool,
}

impl VmArgs {
    pub(crate) fn selection(&self) -> Selection {
        Selection { words: self.vms.clone(), label: self.label.clone(), all: self.all }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.vms.is_empty() && self.label.is_none() && !self.all
    }
}

/// How a run is begun.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ChangeArgs {
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Which VMs, and how they are moved.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct MoveArgs {
    #[command(flatten)]
    pub(crate) vms: VmArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// Pass a guard, with the reason, which is kept.
    #[arg(long = "override", value_name = "GUARD=REASON", value_parser = override_of)]
    pub(crate) overrides: Vec<(Guard, String)>,
    /// Pull the plug of guests instead of asking them.
    #[arg(long)]
    pub(crate) hard: bool,
    /// Stop all VMs when one fails.
    #[arg(long)]
    pub(crate) stop_at_first: bool,
    /// The other way round: a failover home, a reprotection of what was moved home by force.
    #[arg(long)]
    pub(crate) reversed: bool,
}

fn override_of(text: &str) -> Result<(Guard, String), String> {
    let (name, reason) = text.split_once('=').ok_or("GUARD=REASON: the reason is kept with the run")?;
    let guard = Guard::named(name).ok_or_else(|| {
        let names: Vec<&str> = Guard::ALL.iter().map(|guard| guard.name()).collect();
        format!("there is no guard {name:?}; there are: {}", names.join(", "))
    })?;
    if reason.trim().is_empty() {
        return Err("an override needs its reason, which is kept".to_owned());
    }
    Ok((guard, reason.to_owned()))
}

/// `90`, `30s`, `5m`, `1h`, `1d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("a time is a number with s, m, h or d".to_owned()),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)) {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("a time is a number above 0 with s, m, h or d".to_owned()),
    }
}

#[cfg(test)]
mod tests;
