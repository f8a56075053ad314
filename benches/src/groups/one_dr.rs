//! The operator's command over many VMs: `one-dr status`, the command itself, as an operator runs it. It has no peer.
//!
//! The catalog is captured from a stand-in for OpenNebula with `one-dr capture`. The pools of both sites hold entries alone, with the
//! words of both daemons, as [`synthetic`] writes them: that is all that the command reads of them.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::front_end::{FrontEnd, Setup};
use lab::{Lab, SiteId};
use rbd_mirror::PoolMode;
use serde_json::Value;

use crate::groups::Size;
use crate::measure::{Spread, paired, seconds, side};
use crate::peers;
use crate::record::Record;
use crate::sites;
use crate::synthetic::{self, Word};
use ceph_plain as c;

const WITHIN: Duration = Duration::from_secs(60);

/// Of each VM.
const DISKS: usize = 3;

/// A VM of OpenNebula 6.10.3 with a clone, a persistent image and a volatile disk.
const DOCUMENT: &str = include_str!(
    "../../../opennebula-meta/testdata/documents/6.10.3-ceph-site-a/vm-0-running-three-kinds-of-disk.xml"
);

/// The largest resident set of a command, in KiB.
const PEAK: &str = "
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
";

pub(crate) fn run(size: Size, record: &mut Record) -> Result<()> {
    let counts = size.pick([250, 500, 1_000], [25, 50, 100]);
    let pools = counts.map(|count| format!("vms{count}"));
    let lab = sites::two("bench-one-dr", &pools.each_ref().map(String::as_str))?;
    record.settings = sites::settings(&lab);
    record.remark(
        "`one-dr status` over what was captured of VMs with three disks each. Both pools hold entries alone, with the words of both \
         daemons; of each site it reads the statuses and the names, 1,024 at a time; of the recovery site the \
         catalog as well: its index, and the record, 4 MiB at a time, each after a look at its size.",
    );
    for (count, pool) in counts.into_iter().zip(&pools) {
        let folder = Folder::make(count)?;
        measure(&lab, record, size, pool, count, &folder.0)?;
    }
    Ok(())
}

fn measure(
    lab: &Lab,
    record: &mut Record,
    size: Size,
    pool: &str,
    count: usize,
    folder: &Path,
) -> Result<()> {
    let names: Vec<String> = (0..count).flat_map(disks).collect();
    let clusters = [
        c::Cluster::connect(&lab.site(SiteId::A).conf())?,
        c::Cluster::connect(&lab.site(SiteId::B).conf())?,
    ];
    let opened = [clusters[0].pool(pool)?, clusters[1].pool(pool)?];
    let mut alive = Vec::new();
    for (id, there) in [SiteId::A, SiteId::B].into_iter().zip(&opened) {
        sites::pool(&lab.site(id), pool)?.set_mirror_mode(PoolMode::Image)?;
        let at_home = id == SiteId::A;
        let own = Word { of: "", primary: at_home };
        let others = Word { of: "7b0ff8c6-6e5c-4e5c-9a53-0d7d2c6a0b11", primary: !at_home };
        synthetic::fill(there, &names, &[own, others])?;
        // A daemon is alive while it watches.
        alive.push(there.watch("rbd_mirroring")?);
    }
    let front_end = front_end(pool, count)?;
    let config = configure(lab, pool, &front_end, folder)?;
    let one_dr = |words: &[&str]| -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.arg("--config").arg(&config).args(words);
        Ok(command)
    };
    let took = seconds(|| peers::run(&mut one_dr(&["capture", &format!("0..{}", count - 1)])?, WITHIN))?;
    record.figure(format!("`one-dr capture` of {count} VMs"), took, "s", None);

    let shown: Value = serde_json::from_str(&peers::run(&mut one_dr(&["status", "-o", "json"])?, WITHIN)?)?;
    let vms = shown["vms"].as_array().context("no VMs")?;
    let well = vms
        .iter()
        .filter(|vm| vm["state"] == "protected" && vm["disks"] == serde_json::json!([DISKS, DISKS]));
    ensure!(well.count() == count, "not every VM is protected: {}", vms.first().unwrap_or(&shown));

    let what = format!("`one-dr status` of {count} VMs with {DISKS} disks each");
    let status = || seconds(|| peers::run(&mut one_dr(&["status"])?, WITHIN));
    let runs = paired(size.pick(9, 3), vec![side("ours", status)])?;
    let costs = runs.first().and_then(|runs| runs.costs.as_deref().ok()).unwrap_or_default();
    record.figure(what.as_str(), Spread::of(costs).median, "s", (count == 1_000).then_some(2.0));
    for id in [SiteId::A, SiteId::B] {
        let site = lab.site(id);
        let cost = sites::cost(&site, || peers::run(&mut one_dr(&["status"])?, WITHIN))?;
        record.figure(format!("{what}: operations of {id}'s OSD"), cost.ops as f64, "", None);
    }
    let mut peak = Command::new("/usr/bin/python3");
    peak.args(["-c", PEAK]).arg(binary()?).arg("--config").arg(&config).arg("status");
    let kib: f64 = peers::run(&mut peak, WITHIN)?.trim().parse()?;
    record.figure(format!("{what}: peak resident set"), kib / 1024.0, "MiB", None);
    record.save();
    Ok(())
}

/// The RBD images of a VM, as OpenNebula's drivers name them.
fn disks(vm: usize) -> [String; DISKS] {
    [format!("one-0-{vm}-0"), format!("one-{}", persistent(vm)), format!("one-0-{vm}-2")]
}

/// The number of the persistent image of a VM.
fn persistent(vm: usize) -> usize {
    10 + vm
}

/// The document of a VM.
fn document(vm: usize) -> Result<String> {
    let disks: Vec<&str> = DOCUMENT.split_inclusive("</DISK>").collect();
    let [clone, own, _volatile, rest] = disks.as_slice() else { anyhow::bail!("not three disks") };
    let (head, clone) = clone.split_at(clone.find("<DISK>").context("no disk")?);
    let head = head.replacen("<ID>0</ID>", &format!("<ID>{vm}</ID>"), 1);
    let own = own.replace("one/one-1", &format!("one/one-{}", persistent(vm)));
    let second = clone.replace("<DISK_ID><![CDATA[0]]>", "<DISK_ID><![CDATA[2]]>");
    Ok(format!("{head}{clone}{own}{second}{rest}"))
}

/// A stand-in for the home site's OpenNebula that has the VMs.
fn front_end(pool: &str, count: usize) -> Result<FrontEnd> {
    let usual = FrontEnd::start(Setup::default())?;
    let around = [("user", 0), ("group", 0), ("datastore", 0), ("datastore", 1), ("host", 0), ("vn", 0)];
    let mut documents: Vec<String> =
        around.iter().filter_map(|(kind, id)| usual.document(kind, *id)).collect();
    for vm in 0..count {
        documents.push(document(vm)?.replace("[one/", &format!("[{pool}/")));
    }
    Ok(FrontEnd::start(Setup { documents, ..Setup::default() })?)
}

/// Writes the configuration, and the credentials that it names.
fn configure(lab: &Lab, pool: &str, front_end: &FrontEnd, folder: &Path) -> Result<PathBuf> {
    let auth = folder.join("one_auth");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&auth)?;
    file.write_all(front_end.session().as_bytes())?;
    let mut text = String::new();
    for place in ["runs", "catalog"] {
        text.push_str(&format!("{place} = {:?}\n", folder.join(place).display().to_string()));
    }
    for (side, id) in [("home", SiteId::A), ("recovery", SiteId::B)] {
        text.push_str(&format!(
            "[{side}]\nname = \"{id}\"\n[{side}.ceph]\nconf = {:?}\nclient = \"admin\"\npool = {pool:?}\n\
             [{side}.opennebula]\nendpoint = {:?}\nauth_file = {:?}\n",
            lab.site(id).conf().display().to_string(),
            front_end.url(),
            auth.display().to_string(),
        ));
    }
    let config = folder.join("one-dr.toml");
    fs::write(&config, text)?;
    Ok(config)
}

/// The command, which `cargo xtask bench` builds beside this program.
fn binary() -> Result<PathBuf> {
    let binary = env::current_exe()?.with_file_name("one-dr");
    ensure!(binary.exists(), "{} is not built: cargo build --release --package one-dr", binary.display());
    Ok(binary)
}

/// A folder that is removed at the end: it holds credentials and a catalog.
struct Folder(PathBuf);

impl Folder {
    fn make(count: usize) -> Result<Self> {
        let folder = Self(env::temp_dir().join(format!("bench-one-dr-{}-{count}", process::id())));
        fs::create_dir_all(&folder.0)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
