//! Shows what a pool mirrors, what the daemons of both sites say of it, and whether this site's daemons are well.
//!
//! `cargo run --example status -- CONF POOL`

use std::process::ExitCode;
use std::time::Duration;

use rbd_mirror::{Cluster, Connect, Result};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [conf, pool] = arguments.as_slice() else {
        eprintln!("status CONF POOL");
        return Ok(ExitCode::from(64));
    };
    let connect = Connect::conf(conf).client("admin").within(Duration::from_secs(10));
    let pool = Cluster::connect(connect.operations_within(Duration::from_secs(30)))?.pool(pool)?;

    println!("{}: mirrors in mode {}", pool.spec(), pool.mirror_mode()?);
    for peer in pool.peers()? {
        println!("  peer {} ({})", peer.site_name, peer.direction);
    }
    for daemon in pool.daemons()? {
        println!("  {daemon}");
    }
    for status in pool.statuses() {
        let status = status?;
        println!("{}: {status}", status.name);
        for (_, peer) in &status.peers {
            println!("  peer: {peer}");
        }
    }
    // Said by the daemons up to half a minute ago. What an image is, only the image itself knows.
    for entry in pool.images()? {
        let image = pool.open_by_id_read_only(&entry.id)?;
        println!("{}: {}", entry.name, image.role()?);
    }
    Ok(ExitCode::SUCCESS)
}
