//! A virtual machine, as far as its disks can tell: it mounts them, writes to each without end, and notes what is acknowledged.
//!
//! ```text
//!   guest --conf CONF --notes DIR POOL/IMAGE...
//! ```
//! It prints a line of JSON for each disk ([`tests::office::Mounted`]) and `up` when every disk has taken a write; it goes down in
//! order when its standard input ends; it fails, with words, when a disk cannot be mounted or written. What a disk holds tells
//! itself: its first block carries its mark, and an empty disk is given one.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use rbd_mirror::{Cluster, Connect, Image};
use tests::office::notes::Notes;
use tests::office::{self, Mounted};
use tests::stamped::{BLOCK_BYTES, Found, Stamps};

/// How long a write may take before the machine gives up, as a kernel does: long for a busy site, short for a dead one.
const WRITE_WITHIN: Duration = Duration::from_secs(12);

/// A machine that writes to real disks.
#[derive(Debug, Parser)]
struct Arguments {
    /// The site's configuration file
    #[arg(long)]
    conf: PathBuf,
    /// Where each acknowledged write is noted
    #[arg(long)]
    notes: PathBuf,
    /// Between two writes to a disk, in milliseconds
    #[arg(long, default_value_t = 5)]
    pace_ms: u64,
    /// `POOL/IMAGE` of each disk
    disks: Vec<String>,
}

/// A disk at work.
struct Disk {
    image: Image,
    mounted: Mounted,
    notes: Notes,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    // The client's cache is off, so that an acknowledged write is one that the journal has.
    let connect = Connect::conf(&arguments.conf)
        .client("admin")
        .option("rbd_cache", "false")
        .operations_within(WRITE_WITHIN);
    let cluster = Cluster::connect(connect)?;
    let disks = arguments
        .disks
        .iter()
        .map(|rbd| mount(&cluster, rbd, &arguments.notes).with_context(|| format!("cannot mount {rbd}")))
        .collect::<Result<Vec<_>>>()?;
    for disk in &disks {
        println!("{}", serde_json::to_string(&disk.mounted)?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (says, heard) = mpsc::channel();
    let pace = Duration::from_millis(arguments.pace_ms);
    let count = disks.len();
    let writers: Vec<_> = disks
        .into_iter()
        .map(|disk| {
            let (stop, says) = (Arc::clone(&stop), says.clone());
            thread::spawn(move || {
                let ended = write(disk, pace, &stop, &says);
                // Nobody listens any more where the machine is going down.
                drop(says.send(ended.map(|()| Said::Ended)));
            })
        })
        .collect();
    thread::spawn(move || {
        drop(io::stdin().read_to_end(&mut Vec::new()));
        drop(says.send(Ok(Said::GoDown)));
    });
    let (mut up, mut ended) = (0, 0);
    while ended < count {
        match heard.recv()?? {
            Said::FirstWrite => {
                up += 1;
                if up == count {
                    println!("up");
                    io::stdout().flush()?;
                }
            }
            Said::Ended => ended += 1,
            Said::GoDown => stop.store(true, Ordering::Relaxed),
        }
    }
    writers.into_iter().for_each(|writer| drop(writer.join()));
    Ok(())
}

/// What the machine's threads tell it.
enum Said {
    FirstWrite,
    Ended,
    GoDown,
}

/// Reads what a disk holds, like a file system that is mounted after a power cut.
fn mount(cluster: &Cluster, rbd: &str, notes: &Path) -> Result<Disk> {
    let (pool, name) = rbd.split_once('/').context("no POOL/IMAGE")?;
    let image = cluster.pool(pool)?.open(name)?;
    let bytes = image.size()?;
    let first = image.read_at(0, BLOCK_BYTES)?;
    let carried = first.get(8..16).and_then(|mark| mark.try_into().ok()).map_or(0, u64::from_le_bytes);
    let mark = if carried == 0 { office::mark(name) } else { carried };
    let held = match Stamps::new(mark, bytes).read(&image)? {
        Found::Prefix(held) => held,
        Found::Torn(why) => bail!("its data is torn: {why}"),
    };
    let mounted = Mounted { rbd: rbd.to_owned(), mark, bytes, held };
    Ok(Disk { image, notes: Notes::create(&office::notes::file(notes, rbd))?, mounted })
}

fn write(disk: Disk, pace: Duration, stop: &AtomicBool, says: &mpsc::Sender<Result<Said>>) -> Result<()> {
    let Disk { image, mounted, mut notes } = disk;
    let (stamps, mut number) = (mounted.stamps(), mounted.held);
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        image
            .write_at(stamps.offset(number), &stamps.block(number))
            .with_context(|| format!("write {number} to {}", mounted.rbd))?;
        notes.add(number)?;
        if number == mounted.held + 1 {
            says.send(Ok(Said::FirstWrite))?;
        }
        thread::sleep(pace);
    }
    image.flush()?;
    image.close()?;
    Ok(())
}
