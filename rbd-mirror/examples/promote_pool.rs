//! Promotes every mirrored image of a pool, all at once, and says what became of each.
//!
//! `cargo run --example promote_pool -- CONF POOL [--force]`; with `--demote` the other way round.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rbd_mirror::fleet::{Fleet, Outcomes};
use rbd_mirror::{Cluster, Connect, Promote, Result};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(conf), Some(pool)) = (arguments.first(), arguments.get(1)) else {
        eprintln!("promote_pool CONF POOL [--force | --demote]");
        return Ok(ExitCode::from(64));
    };
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let connect = Connect::conf(conf).client("admin").within(Duration::from_secs(10));
    let pool = Cluster::connect(connect.operations_within(Duration::from_secs(60)))?.pool(pool)?;

    let fleet = Fleet::of_pool(&pool)?;
    let started = Instant::now();
    let failed = if has("--demote") {
        report(fleet.demote())
    } else {
        report(fleet.promote(if has("--force") { Promote::Force } else { Promote::Clean }))
    };
    println!("{:.2} s in all, {failed} failed", started.elapsed().as_secs_f64());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(outcomes: Outcomes<()>) -> usize {
    let mut failed = 0;
    for outcome in outcomes {
        match outcome.result {
            Ok(()) => println!("{:8.3} s  {}", outcome.took.as_secs_f64(), outcome.image),
            Err(error) => {
                failed += 1;
                println!("failed      {}: {error}", outcome.image);
            }
        }
    }
    failed
}
