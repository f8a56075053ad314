//! Promotion and demotion of many images of one pool, in both modes.

use std::time::{Duration, Instant};

use anyhow::Result;
use lab::{Proposals, Site, SiteId};
use rbd_mirror::fleet::Fleet;
use rbd_mirror::{MirrorImageMode, Pool, Promote};

use crate::groups::Size;
use crate::measure::{Runs, in_turn};
use crate::peers::{self, Python};
use crate::record::Record;
use crate::sites;
use ceph_plain as c;

const WITHIN: Duration = Duration::from_secs(120);
const CLI: &str = "`rbd mirror pool promote`/`demote`";
const PYTHON: &str = "python3-rbd, one by one";
const C: &str = "C calls, one by one";

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let count = size.pick(200, 20);
    // One by one each costs a decision of the monitors, about a second.
    let few = size.pick(4, 2);
    let lab = sites::one("bench-verbs", &["snapshots", "few", "journals"], Proposals::Stock)?;
    record.settings = sites::settings(&lab);
    let site = lab.site(SiteId::A);

    let mut many = Work::new(&site, "snapshots", MirrorImageMode::Snapshot, count)?;
    let (demoted, promoted) = many.turns(&["ours", CLI], size.pick(2, 1))?;
    record.compare(&format!("demote {count} images, snapshot mode"), "s", &demoted, &[(CLI, 3.0)]);
    record.compare(&format!("promote {count} images, snapshot mode"), "s", &promoted, &[(CLI, 3.0)]);

    many.counted(record, "snapshot")?;

    let mut single = Work::new(&site, "few", MirrorImageMode::Snapshot, few)?;
    let (mut demoted_singly, mut promoted_singly) = single.turns(&[PYTHON, C], size.pick(2, 1))?;
    record.remark(format!(
        "In snapshot mode the loops were measured on {few} images, and stand for {count} in proportion: each image waits for a \
         decision of its own."
    ));
    demoted_singly.insert(0, first(demoted));
    promoted_singly.insert(0, first(promoted));
    let scale = f64::from(u32::try_from(count)?) / f64::from(u32::try_from(few)?);
    record.compare_per(&format!("demote {count} images, snapshot mode"), "s", &demoted_singly, &[], scale);
    record.compare_per(&format!("promote {count} images, snapshot mode"), "s", &promoted_singly, &[], scale);

    let mut journals = Work::new(&site, "journals", MirrorImageMode::Journal, count)?;
    let (demoted, promoted) = journals.turns(&["ours", CLI, PYTHON, C], size.pick(3, 1))?;
    record.compare(&format!("demote {count} images, journal mode"), "s", &demoted, &[(CLI, 1.0)]);
    record.compare(&format!("promote {count} images, journal mode"), "s", &promoted, &[(CLI, 1.0)]);
    journals.counted(record, "journal")?;
    Ok(())
}

fn first(runs: Vec<Runs>) -> Runs {
    runs.into_iter().next().unwrap_or(Runs { name: "ours", costs: Ok(Vec::new()) })
}

struct Work<'a> {
    site: &'a Site,
    cluster: c::Cluster,
    python: Option<Python>,
    pool: Pool,
    name: &'static str,
    names: Vec<String>,
}

impl<'a> Work<'a> {
    fn new(site: &'a Site, name: &'static str, mode: MirrorImageMode, count: usize) -> Result<Self> {
        let pool = sites::pool(site, name)?;
        let names = sites::names("one", count);
        sites::mirrored(&pool, &names, mode, 200)?;
        let cluster = c::Cluster::connect(&site.conf())?;
        Ok(Self { site, cluster, python: None, pool, name, names })
    }

    /// What each verb of ours costs the OSD, an image.
    fn counted(&mut self, record: &mut Record, mode: &str) -> Result<()> {
        let site = self.site;
        let count = f64::from(u32::try_from(self.names.len())?);
        for (word, promote) in [("demote", false), ("promote", true)] {
            let ops = sites::cost(site, || self.verb("ours", promote))?.ops as f64 / count;
            record.figure(format!("{word}, {mode} mode: operations of the OSD, an image"), ops, "", None);
        }
        Ok(())
    }

    /// Each side demotes all and promotes all, then the next; that for so many rounds.
    fn turns(&mut self, sides: &[&'static str], rounds: usize) -> Result<(Vec<Runs>, Vec<Runs>)> {
        let none = || sides.iter().map(|name| Runs { name, costs: Ok(Vec::new()) }).collect::<Vec<_>>();
        let (mut demoted, mut promoted) = (none(), none());
        for round in 0..rounds {
            for number in in_turn(round, sides.len()) {
                let side = &sides[number];
                let (Ok(down), Ok(up)) = (&mut demoted[number].costs, &mut promoted[number].costs) else {
                    continue;
                };
                let turn = self.verb(side, false).and_then(|first| Ok((first, self.verb(side, true)?)));
                match turn {
                    Ok((first, second)) => {
                        down.push(first);
                        up.push(second);
                    }
                    Err(error) if *side == "ours" => return Err(error),
                    Err(error) => {
                        eprintln!("bench: {side}: {error:#}");
                        demoted[number].costs = Err(format!("{error:#}"));
                        promoted[number].costs = Err(format!("{error:#}"));
                        // Whatever it left half done is done, for those who come next.
                        for promote in [false, true] {
                            let fleet = Fleet::new(&self.pool, self.names.iter().cloned());
                            let outcomes =
                                if promote { fleet.promote(Promote::Clean) } else { fleet.demote() };
                            outcomes.for_each(drop);
                        }
                    }
                }
            }
        }
        Ok((demoted, promoted))
    }

    fn verb(&mut self, side: &str, promote: bool) -> Result<f64> {
        let word = if promote { "promote" } else { "demote" };
        let start = Instant::now();
        match side {
            CLI => {
                peers::run(&mut peers::rbd(&self.site.conf(), ["mirror", "pool", word, self.name]), WITHIN)?;
            }
            PYTHON => {
                let python = match &mut self.python {
                    Some(python) => python,
                    none => none.insert(Python::start(&self.site.conf())?),
                };
                return Ok(python.ask(&format!("{word} {} {}", self.name, self.names.join(" ")), WITHIN)?.0);
            }
            C => {
                let pool = self.cluster.pool(self.name)?;
                for name in &self.names {
                    let image = pool.open(name)?;
                    if promote { image.promote() } else { image.demote() }?;
                }
            }
            _ => {
                let fleet = Fleet::new(&self.pool, self.names.iter().cloned());
                let outcomes = if promote { fleet.promote(Promote::Clean) } else { fleet.demote() };
                sites::all(outcomes, self.names.len())?;
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}
