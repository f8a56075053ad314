//! The command line, as it is typed.

use std::time::Duration;

use clap::{CommandFactory, Parser};

use super::{Cli, Command, duration};

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn an_override_is_a_guard_that_there_is_and_a_reason() {
    let cli = parsed("one-dr failover 12 --override not-synced=ticket-4711").unwrap();
    let Command::Failover(args) = cli.command else { panic!("{cli:?}") };
    assert_eq!(args.overrides[0].1, "ticket-4711");
    for bad in ["not-synced", "not-synced=", "no-such=reason", "all=x"] {
        assert!(parsed(&format!("one-dr failover 12 --override {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn there_is_no_force() {
    for flag in ["--force", "-f"] {
        assert!(parsed(&format!("one-dr failover 12 {flag}")).is_err());
    }
}

#[test]
fn a_time_has_a_unit_and_is_not_nothing() {
    assert_eq!(duration("5m").unwrap(), Duration::from_secs(300));
    assert_eq!(duration("90").unwrap(), Duration::from_secs(90));
    for bad in ["0s", "m", "5w", "-1s", "99999999999999999999d"] {
        assert!(duration(bad).is_err(), "{bad}");
    }
}
