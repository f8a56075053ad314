//! Flattening: one large clone, and many of which all, some or nothing was written.

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Proposals, SiteId};
use rbd_mirror::fleet::Fleet;
use rbd_mirror::{CloneFormat, CreateOptions, Op, Pool};

use crate::groups::Size;
use crate::measure::{paired, seconds, side};
use crate::peers;
use crate::record::Record;
use crate::sites::{self, MIB};
use ceph_plain as c;

const POOL: &str = "one";
const SNAPSHOT: &str = "snap";
const OBJECT: u64 = 4 * MIB;
const WITHIN: Duration = Duration::from_secs(120);

const CLI: &str = "`rbd flatten`";
const C: &str = "C";
const C_REPORTED: &str = "C, with a callback";
const LOOP: &str = "`rbd flatten` in a loop";
const XARGS: &str = "`xargs -P4 rbd flatten`";
const C_LOOP: &str = "C calls, one by one";

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let lab = sites::one("bench-flatten", &[POOL], Proposals::Quick)?;
    record.settings = sites::settings(&lab);
    let site = lab.site(SiteId::A);
    let pool = sites::pool(&site, POOL)?;
    let cluster = c::Cluster::connect(&site.conf())?;
    let work = Work { conf: site.conf(), c: cluster.pool(POOL)?, pool };

    let (bytes, many) = (size.pick(1024 * MIB, 128 * MIB), size.pick(50, 8));
    work.parent("large", bytes, 1)?;
    work.one(record, bytes / MIB, size.pick(16, 2))?;
    work.pool.open("large")?.remove_snapshot(SNAPSHOT)?;
    work.pool.remove("large")?;
    for (what, every, bars, rounds) in [
        ("dense", 1, [1.3, 1.0], size.pick(2, 1)),
        ("sparse (one object of 16)", 16, [3.0, 1.0], size.pick(3, 1)),
        ("empty", u64::MAX, [3.0, 1.0], size.pick(3, 1)),
    ] {
        let parent = format!("parent-{every}");
        work.parent(&parent, 64 * MIB, every)?;
        work.many(record, what, &parent, many, bars, rounds)?;
    }
    Ok(())
}

struct Work<'a> {
    conf: PathBuf,
    c: c::Pool<'a>,
    pool: Pool,
}

impl Work<'_> {
    /// An image in which every so many-th object was written, with a snapshot to clone.
    fn parent(&self, name: &str, bytes: u64, every: u64) -> Result<()> {
        self.pool.create(name, bytes, &sites::plain())?;
        let image = self.pool.open(name)?;
        if every <= bytes / OBJECT {
            let data: Vec<u8> = (0..OBJECT).map(|at| u8::try_from(at * 131 % 251).unwrap_or(0)).collect();
            let step = usize::try_from(OBJECT * every)?;
            for at in (0..bytes).step_by(step) {
                image.write_at(at, &data)?;
            }
        }
        image.create_snapshot(SNAPSHOT)?;
        Ok(image.close()?)
    }

    fn clones(&self, parent: &str, names: &[String]) -> Result<()> {
        let parent = parent.to_owned();
        let made = Fleet::new(&self.pool, names.iter().cloned()).each(Op::CloneImage, move |pool, target| {
            let options = CreateOptions { clone_format: Some(CloneFormat::V2), ..sites::plain() };
            pool.clone_image(&parent, SNAPSHOT, pool, &target.to_string(), &options)
        });
        sites::all(made, names.len()).map(drop)
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        let gone = Fleet::new(&self.pool, names.iter().cloned())
            .each(Op::RemoveImage, |pool, target| pool.remove(&target.to_string()));
        sites::all(gone, names.len()).map(drop)
    }

    /// The seconds of `flatten` on fresh clones, which are taken away afterwards, flat.
    fn timed(&self, parent: &str, names: &[String], flatten: impl FnOnce() -> Result<()>) -> Result<f64> {
        self.clones(parent, names)?;
        let took = seconds(flatten);
        let flat = names.iter().try_for_each(|name| {
            let left = self.pool.open_read_only(name)?.parent()?;
            ensure!(left.is_none(), "{name} still has a parent");
            Ok(())
        });
        self.remove(names)?;
        flat.and(took)
    }

    fn one(&self, record: &mut Record, mib: u64, rounds: usize) -> Result<()> {
        let names = [String::from("clone")];
        let timed = |flatten: &dyn Fn() -> Result<()>| self.timed("large", &names, flatten);
        let ours = || -> Result<()> {
            let image = self.pool.open("clone")?.bounded_by(WITHIN);
            image.flatten(|_| ControlFlow::Continue(()))?;
            Ok(image.close()?)
        };
        let cli = || {
            peers::run(&mut peers::rbd(&self.conf, ["flatten", "--no-progress", "one/clone"]), WITHIN)
                .map(drop)
        };
        let runs = paired(
            rounds,
            vec![
                side("ours", || timed(&ours)),
                side(C, || timed(&|| self.c.open("clone")?.flatten(false))),
                side(C_REPORTED, || timed(&|| self.c.open("clone")?.flatten(true))),
                side(CLI, || timed(&cli)),
            ],
        )?;
        let work = format!("flatten one dense clone of {mib} MiB (ours reports every object)");
        record.compare(&work, "s", &runs, &[(C, 0.97)]);
        Ok(())
    }

    fn many(
        &self,
        record: &mut Record,
        what: &str,
        parent: &str,
        count: usize,
        bars: [f64; 2],
        rounds: usize,
    ) -> Result<()> {
        let names = sites::names("clone", count);
        let timed = |flatten: &dyn Fn() -> Result<()>| self.timed(parent, &names, flatten);
        let ours = || {
            let pool = self.pool.bounded_by(WITHIN);
            let fleet = Fleet::new(&pool, names.iter().cloned());
            sites::all(fleet.flatten(|_, _| ControlFlow::Continue(())), count).map(drop)
        };
        let one_by_one = || names.iter().try_for_each(|name| self.c.open(name)?.flatten(false));
        let script = |text: &str| -> Result<()> {
            let mut arguments: Vec<&OsStr> = vec![self.conf.as_os_str()];
            arguments.extend(names.iter().map(OsStr::new));
            peers::run(&mut peers::shell(text, &arguments), WITHIN).map(drop)
        };
        let in_a_loop = "conf=$1; shift; for name; do rbd --conf \"$conf\" --id admin flatten --no-progress one/$name || exit; done";
        let with_xargs = "conf=$1; shift; printf 'one/%s\\n' \"$@\" | \
                          xargs -P4 -n1 rbd --conf \"$conf\" --id admin flatten --no-progress";
        let runs = paired(
            rounds,
            vec![
                side("ours", || timed(&ours)),
                side(LOOP, || timed(&|| script(in_a_loop))),
                side(XARGS, || timed(&|| script(with_xargs))),
                side(C_LOOP, || timed(&one_by_one)),
            ],
        )?;
        let work = format!("flatten {count} clones of 64 MiB, {what}");
        record.compare(&work, "s", &runs, &[(LOOP, bars[0]), (XARGS, bars[1])]);
        Ok(())
    }
}
