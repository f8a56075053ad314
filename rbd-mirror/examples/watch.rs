//! Shows what changes in the statuses of a pool, for so many seconds.
//!
//! `cargo run --example watch -- CONF POOL [SECONDS]`

use std::process::ExitCode;
use std::time::Duration;

use rbd_mirror::watch::Change;
use rbd_mirror::{Cluster, Connect, Deadline, Error, Result, wait};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(conf), Some(pool)) = (arguments.first(), arguments.get(1)) else {
        eprintln!("watch CONF POOL [SECONDS]");
        return Ok(ExitCode::from(64));
    };
    let seconds = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(60);
    let connect = Connect::conf(conf).client("admin").within(Duration::from_secs(10));
    let pool = Cluster::connect(connect.operations_within(Duration::from_secs(30)))?.pool(pool)?;

    let (mut watch, end) = (pool.watch(), Deadline::after(Duration::from_secs(seconds)));
    while !end.is_over() {
        match wait::changed(&mut watch, end.left()) {
            Ok(changes) => changes.iter().for_each(show),
            // Nothing more has changed until the end.
            Err(Error::TimedOut { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(change: &Change) {
    match change {
        Change::Appeared(status) => println!("+ {}: {status}", status.name),
        Change::Changed { after, .. } => println!("  {}: {after}", after.name),
        Change::Gone(status) => println!("- {}", status.name),
    }
}
