//! Protection of many clones, and their failover after the loss of their site, from the first command to the last proof.
//!
//! Sets of clones are protected in turns, ours first. Then site A is killed, and the same sets are failed over in the same turns: each
//! image is promoted by force and written to, which is when its VM could start.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Daemon, Lab, Options, Proposals, SiteId};
use rbd_mirror::fleet::{Fleet, Target};
use rbd_mirror::pair::{Completeness, Pair};
use rbd_mirror::{CloneFormat, CreateOptions, GlobalImageId, MirrorImageMode, Op, Pool, wait};

use crate::groups::Size;
use crate::measure::{Runs, seconds};
use crate::peers;
use crate::record::Record;
use crate::sites::{self, MIB};

const POOL: &str = "one";
const WITHIN: Duration = Duration::from_secs(170);
/// Waiting costs a thread and no processor: all at once.
const AT_ONCE: usize = 50;
const XARGS: &str = "the guide's commands, `xargs -P16`";

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let (count, rounds) = (size.pick(50, 4), size.pick(2, 1));
    let lab = Lab::up(Options {
        proposals: Proposals::Stock,
        osd_bytes: 24 << 30,
        ..Options::temporary("bench-protect")
    })?;
    record.settings = sites::settings(&lab);
    let (site_a, site_b) = (lab.site(SiteId::A), lab.site(SiteId::B));
    let (a, b) = (sites::pool(&site_a, POOL)?, sites::pool(&site_b, POOL)?);
    parent(&a)?;
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..rounds)
        .map(|round| {
            (sites::names(&format!("ours-{round}"), count), sites::names(&format!("guide-{round}"), count))
        })
        .unzip();

    let (mut our_costs, mut their_costs) = (Vec::new(), Ok(Vec::new()));
    let mut ids: HashMap<String, GlobalImageId> = HashMap::new();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        clones(&a, ours)?;
        clones(&a, theirs)?;
        our_costs.push(seconds(|| protect(&a, &b, ours))?);
        turn(&mut their_costs, || {
            let confs = [site_a.conf(), site_b.conf()];
            guide("protect.sh", &[confs[0].as_os_str(), confs[1].as_os_str(), OsStr::new(POOL)], theirs)
        });
    }
    let runs = [Runs { name: "ours", costs: Ok(our_costs) }, Runs { name: XARGS, costs: their_costs }];
    record.compare(&format!("protect {count} clones end to end"), "s", &runs, &[(XARGS, 3.0)]);

    for entry in b.mirrored_ids()?.into_iter().map(|(_, global)| global) {
        let image = b.open_by_global_id_read_only(&entry)?;
        ids.insert(image.name().to_owned(), entry);
    }
    lab.kill(SiteId::A, &Daemon::ALL)?;
    drop(a);
    let silence = match rbd_mirror::Cluster::connect(
        rbd_mirror::Connect::conf(site_a.conf()).client("admin").within(Duration::from_secs(3)),
    ) {
        Err(error) => error,
        Ok(_) => bail!("site A still answers"),
    };
    let (mut our_costs, mut their_costs) = (Vec::new(), Ok(Vec::new()));
    let conf = site_b.conf();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let globals = ours
            .iter()
            .map(|name| ids.get(name).cloned().with_context(|| format!("{name} never arrived")))
            .collect::<Result<Vec<_>>>()?;
        our_costs.push(seconds(|| fail_over(&b, &silence, &globals))?);
        turn(&mut their_costs, || guide("failover.sh", &[conf.as_os_str(), OsStr::new(POOL)], theirs));
    }
    let runs = [Runs { name: "ours", costs: Ok(our_costs) }, Runs { name: XARGS, costs: their_costs }];
    record.compare(
        &format!("fail {count} images over, until each was written to"),
        "s",
        &runs,
        &[(XARGS, 3.0)],
    );
    record.remark(
        "Ours looks at each image before it promotes and proves that writes go through; the guide's script promotes by force unseen and \
         writes once. Where rbd-mirror keeps the locks of its images, ours has them broken, once for all of its images; the script has \
         no cure for that and profits from ours, which went first. The wait for a protected image is mostly rbd-mirror's: it finds, copies (five at once) and replays.",
    );
    Ok(())
}

/// A peer's turn, unless it has failed before.
fn turn(costs: &mut Result<Vec<f64>, String>, work: impl FnOnce() -> Result<()>) {
    let Ok(known) = costs else { return };
    match seconds(work) {
        Ok(cost) => known.push(cost),
        Err(error) => {
            eprintln!("bench: {error:#}");
            *costs = Err(format!("{error:#}"));
        }
    }
}

/// Small, with data: what costs here is not the copying.
fn parent(pool: &Pool) -> Result<()> {
    pool.create("parent", 16 * MIB, &sites::plain())?;
    let image = pool.open("parent")?;
    for at in 0..4 {
        image.write_at(at * 4 * MIB, &[7; 65_536])?;
    }
    image.create_snapshot("snap")?;
    Ok(image.close()?)
}

fn clones(pool: &Pool, names: &[String]) -> Result<()> {
    let made = Fleet::new(pool, names.iter().cloned()).each(Op::CloneImage, |pool, target| {
        let options = CreateOptions { clone_format: Some(CloneFormat::V2), ..sites::plain() };
        pool.clone_image("parent", "snap", pool, &target.to_string(), &options)
    });
    sites::all(made, names.len()).map(drop)
}

/// Flatten, enable, wait for the proof: each image goes its own way, all at once.
fn protect(a: &Pool, b: &Pool, names: &[String]) -> Result<()> {
    let there = b.clone();
    let done = Fleet::new(a, names.iter().cloned()).at_once(AT_ONCE).each(Op::Enable, move |here, target| {
        let image = here.open(&target.to_string())?;
        image.flatten(|_| ControlFlow::Continue(()))?;
        let id = image.enable(MirrorImageMode::Journal)?;
        image.close()?;
        wait::caught_up(here, &there, &id, WITHIN)
    });
    sites::all(done, names.len()).map(drop)
}

fn fail_over(b: &Pool, silence: &rbd_mirror::Error, ids: &[GlobalImageId]) -> Result<()> {
    let pair = Pair::without_peer(b, silence);
    // Sixteen at once, as many as the guide's: of fifty, all would ask a daemon that keeps its locks before the first of them is broken.
    let done = Fleet::new(b, ids.iter().cloned()).each(Op::Promote, move |_, target| {
        let Target::Global(id) = target else { return Ok(()) };
        pair.fail_over(id, Completeness::Proven, WITHIN).map(drop)
    });
    sites::all(done, ids.len()).map(drop)
}

/// The guide's script for each name, sixteen at once.
fn guide(script: &str, arguments: &[&OsStr], names: &[String]) -> Result<()> {
    let path = peers::script(script);
    // The list of names goes by the input of xargs, after the words that all runs have.
    let text = format!(
        "n={}; words=; i=0; while [ $i -lt $n ]; do words=\"$words $1\"; shift; i=$((i + 1)); done; \
         printf '%s\\n' \"$@\" | xargs -P16 -n1 sh {} $words",
        arguments.len(),
        Path::new(&path).display()
    );
    let mut words = arguments.to_vec();
    words.extend(names.iter().map(OsStr::new));
    peers::run(&mut peers::shell(&text, &words), WITHIN).map(drop)
}
