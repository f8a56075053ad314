//! Calls every function of our library once, and those that are given up half-way too: for `cargo xtask valgrind`, which looks for
//! memory that is lost or misused meanwhile. What the calls answer is tested elsewhere.
//!
//! `every CONF PEER_CONF POOL`: two sites that mirror each other, with images of this program alone in the pool.

mod image;
mod mirror;
mod site;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rbd_mirror::{Cluster, Connect, CreateOptions, Error, Features, Image, Pool, Progress, wait};

const MIB: u64 = 1 << 20;

/// Everything takes its time under a memory checker.
const WITHIN: Duration = Duration::from_secs(240);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [conf, peer_conf, pool] = arguments.as_slice() else { bail!("every CONF PEER_CONF POOL") };
    let here = connect(conf)?.pool(pool)?;
    let there = connect(peer_conf)?.pool(pool)?;
    site::connections(Path::new(conf), &here)?;
    site::pools(&here)?;
    site::objects(&here)?;
    site::schedules(&here)?;
    image::data(&here)?;
    image::snapshots(&here)?;
    image::clones(&here)?;
    image::holders(&here)?;
    image::trash(&here)?;
    image::given_up(&here)?;
    mirror::one_site(&here)?;
    mirror::both_sites(&here, &there)?;
    mirror::many(&here, &there)?;
    println!("every function was called");
    Ok(())
}

fn connect(conf: &str) -> Result<Cluster> {
    let connect = Connect::conf(conf).client("admin").within(WITHIN).operations_within(WITHIN);
    Cluster::connect(connect).with_context(|| format!("cannot connect by {conf}"))
}

/// A new image of 8 MiB, open.
fn disk(pool: &Pool, name: &str) -> Result<Image> {
    pool.create(name, 8 * MIB, &plain())?;
    Ok(pool.open(name)?)
}

fn plain() -> CreateOptions {
    CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() }
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Who has an image lets it go a moment later: rbd-mirror what is no longer mirrored, a call that was left behind what it worked on.
fn wait_until_removed(pool: &Pool, name: &str) -> Result<()> {
    let on = pool.spec().image(name).into();
    Ok(wait::until("removed", &on, WITHIN.into(), || match pool.remove(name) {
        Ok(()) => Ok(wait::Seen::Done(())),
        Err(error @ Error::Refused { .. }) => Ok(wait::Seen::NotYet(error.to_string())),
        Err(error) => Err(error),
    })?)
}
