//! Parts of groups that need a process of their own: to be counted, or to be seen as a whole.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rbd_mirror::status::description::Description;
use rbd_mirror::{Cluster, Connect, Image, Version};

use crate::synthetic::description;
use ceph_plain as c;

/// The functions that callgrind counts, each in a run of its own.
pub(crate) const MARKED: [&str; 5] = ["ours_role", "c_info", "ours_status", "c_status", "ours_texts"];

/// How often each of them calls.
pub(crate) const CALLGRIND_CALLS: u32 = 200;

pub(crate) fn run(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["calls", which, conf, pool, image] => calls(which, conf, pool, image),
        ["peak", conf, pool] => peak(conf, pool),
        ["version"] => {
            println!("{}", Version::loaded());
            Ok(())
        }
        other => bail!("no such part: {other:?}"),
    }
}

fn calls(which: &str, conf: &str, pool: &str, image: &str) -> Result<()> {
    if which == "ours_texts" {
        // The text that the image's status has.
        return ours_texts(&description(0));
    }
    if which.starts_with("ours") {
        let image = Cluster::connect(Connect::conf(conf).client("admin"))?.pool(pool)?.open(image)?;
        // What is done once for all calls is done here.
        image.role()?;
        image.status()?;
        if which == "ours_role" { ours_role(&image) } else { ours_status(&image) }
    } else {
        let cluster = c::Cluster::connect(Path::new(conf))?;
        let pool = cluster.pool(pool)?;
        let image = pool.open(image)?;
        image.info()?;
        image.status()?;
        if which == "c_info" { c_info(&image) } else { c_status(&image) }
    }
}

#[inline(never)]
fn ours_role(image: &Image) -> Result<()> {
    for _ in 0..CALLGRIND_CALLS {
        black_box(image.role()?);
    }
    Ok(())
}

#[inline(never)]
fn ours_texts(text: &str) -> Result<()> {
    for _ in 0..CALLGRIND_CALLS {
        black_box(Description::new(black_box(text)).meaning());
    }
    Ok(())
}

#[inline(never)]
fn c_info(image: &c::Image<'_>) -> Result<()> {
    for _ in 0..CALLGRIND_CALLS {
        black_box(image.info()?);
    }
    Ok(())
}

#[inline(never)]
fn ours_status(image: &Image) -> Result<()> {
    for _ in 0..CALLGRIND_CALLS {
        black_box(image.status()?);
    }
    Ok(())
}

#[inline(never)]
fn c_status(image: &c::Image<'_>) -> Result<()> {
    for _ in 0..CALLGRIND_CALLS {
        black_box(image.status()?);
    }
    Ok(())
}

/// Reads all statuses of a pool and prints the largest resident set before and after, in KiB.
fn peak(conf: &str, pool: &str) -> Result<()> {
    let pool = Cluster::connect(Connect::conf(conf).client("admin"))?.pool(pool)?;
    pool.status_summary()?;
    let before = peak_kib()?;
    let mut count = 0_usize;
    for status in pool.statuses() {
        black_box(status?);
        count += 1;
    }
    println!("{before} {} {count}", peak_kib()?);
    Ok(())
}

fn peak_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
