//! Protects a disk: flattens it if it is a clone, mirrors it, and waits for the proof that the other site has all of it.
//!
//! `cargo run --example protect -- CONF PEER_CONF POOL IMAGE`

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use rbd_mirror::{Cluster, Connect, MirrorImageMode, Pool, Result, wait};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [conf, peer_conf, pool, image] = arguments.as_slice() else {
        eprintln!("protect CONF PEER_CONF POOL IMAGE");
        return Ok(ExitCode::from(64));
    };
    let (here, there) = (open(conf, pool)?, open(peer_conf, pool)?);

    let disk = here.open(image)?;
    if let Some(parent) = disk.parent()? {
        println!("flattening: a clone of {parent}");
        disk.flatten(|progress| {
            println!("  {} of {} objects", progress.done, progress.total);
            ControlFlow::Continue(())
        })?;
    }
    let id = disk.enable(MirrorImageMode::Journal)?;
    println!("mirrored as {id}");
    // A handle that may write is not kept while sites are waited for.
    disk.close()?;

    wait::caught_up(&here, &there, &id, Duration::from_secs(600))?;
    println!("the peer has all of it");
    wait::reverse_registered(&here, &there, &id, Duration::from_secs(120))?;
    println!("and is ready for the way back");
    Ok(ExitCode::SUCCESS)
}

fn open(conf: &str, pool: &str) -> Result<Pool> {
    let connect = Connect::conf(conf).client("admin").within(Duration::from_secs(10));
    Cluster::connect(connect.operations_within(Duration::from_secs(60)))?.pool(pool)
}
