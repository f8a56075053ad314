//! The lab's own promises, kept on real sites. Each test has a lab of its own; without Ceph each fails.

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::{
    Daemon, Lab, MirrorMode, Options, Owner, Pattern, Peering, Pool, Seen, SiteId, State, Teardown, until,
};
use rustix::process::getuid;

type Outcome = Result<(), Box<dyn Error>>;

const SOON: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

/// The pids of the processes that have `dir` in their command line.
fn processes_of(dir: &Path) -> Vec<u32> {
    let dir = dir.to_string_lossy();
    let entries = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let of_dir = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*dir)
    };
    pids.filter(of_dir).collect()
}

fn pids(lab: &Lab) -> Vec<Option<i32>> {
    lab.status().into_iter().map(|line| line.pid).collect()
}

/// Waits until `image` has the same content at both sites, by the checksums of its exports.
fn await_equal(lab: &Lab, image: &str) -> Result<String, lab::Error> {
    let (a, b) = (lab.site(SiteId::A), lab.site(SiteId::B));
    let expected = a.sha256_of_export(image)?;
    until(&format!("{image} to be the same at both sites"), SOON, &lab.logs(), || {
        if !b.image_exists(image)? {
            return Ok(Seen::NotYet("not at site-b".to_owned()));
        }
        let there = b.sha256_of_export(image)?;
        Ok(if there == expected { Seen::Done(there) } else { Seen::NotYet(there) })
    })
}

/// Goal: `up` ends with sites that replicate; `down` ends with nothing.
/// Method: one image through the peering, checked against the pattern it was made of; then `/proc` and the directory.
#[test]
fn an_image_arrives_at_the_other_site_and_down_leaves_no_process_and_no_file() -> Outcome {
    let start = Instant::now();
    let lab = Lab::up(Options::temporary("arrives"))?;
    println!("up in {:?}", start.elapsed());
    for site in SiteId::ALL {
        let info = lab.site(site).pool_info("one")?;
        assert_eq!(info["mode"], "image");
        let peers = info["peers"].as_array().ok_or("no peers")?;
        assert_eq!(peers.len(), 1, "{info}");
        assert_eq!(peers[0]["direction"], "rx-tx", "{info}");
        assert_eq!(peers[0]["site_name"], site.other().name(), "{info}");
    }
    let (a, pattern) = (lab.site(SiteId::A), Pattern::new(1, 8 * MIB));
    let before = a.osd_counters()?;
    a.import("one/disk", pattern.clone())?;
    assert!((a.osd_counters()? - before).bytes_in >= 8 * MIB);
    a.rbd_text(["mirror", "image", "enable", "one/disk", "journal"])?;
    assert_eq!(await_equal(&lab, "one/disk")?, pattern.sha256());
    let (here, there) = (a.image_info("one/disk")?, lab.site(SiteId::B).image_info("one/disk")?);
    let (here, there) = (here.mirroring.ok_or("off at A")?, there.mirroring.ok_or("off at B")?);
    assert_eq!((here.primary, there.primary), (true, false));
    assert_eq!(here.global_id, there.global_id);

    // Keys are in keyrings and in the monitors' databases: nobody else may enter.
    assert_eq!(fs::metadata(lab.dir())?.permissions().mode() & 0o077, 0);
    let dir = lab.dir().to_owned();
    assert!(processes_of(&dir).len() >= 8);
    let start = Instant::now();
    lab.down(Teardown::Everything)?;
    println!("down in {:?}", start.elapsed());
    assert_eq!(processes_of(&dir), [0; 0]);
    assert!(!dir.exists());
    Ok(())
}

/// Goal: `up` changes nothing where all is well, and mends what is not, with the data kept.
/// Method: the same lab through up, up, a killed and a frozen daemon, up, down with kept data, up.
#[test]
fn up_leaves_a_healthy_lab_alone_and_mends_a_broken_one() -> Outcome {
    let options = Options { owner: Owner::Nobody, ..Options::temporary("mends") };
    let lab = Lab::up(options.clone())?;
    let _cleanup = Cleanup(&options);
    let first = pids(&lab);
    lab.site(SiteId::A).import("one/disk", Pattern::new(2, MIB))?;

    let start = Instant::now();
    let lab = Lab::up(options.clone())?;
    println!("up again in {:?}", start.elapsed());
    assert_eq!(pids(&lab), first);

    lab.kill(SiteId::A, &[Daemon::Osd])?;
    assert_eq!(lab.state(SiteId::A, Daemon::Osd), State::Dead);
    lab.freeze(SiteId::B, &[Daemon::Mon])?;
    assert_eq!(lab.state(SiteId::B, Daemon::Mon), State::Frozen);
    let lab = Lab::up(options.clone())?;
    assert!(lab.status().iter().all(|line| line.state == State::Running), "{:?}", lab.status());
    assert_ne!(pids(&lab), first);

    lab.down(Teardown::KeepData)?;
    assert_eq!(processes_of(&options.dir), [0; 0]);
    let start = Instant::now();
    let lab = Lab::up(options.clone())?;
    println!("up on kept data in {:?}", start.elapsed());
    let kept = lab.site(SiteId::A).sha256_of_export("one/disk")?;
    assert_eq!(kept, Pattern::new(2, MIB).sha256());

    let other = Lab::up(Options { pools: vec![Pool::plain("two")], ..options.clone() });
    assert!(matches!(other, Err(lab::Error::OtherOptions { .. })), "{other:?}");
    Ok(())
}

/// Goal: frozen is hung, not refused; thawed is healed.
#[test]
fn a_frozen_site_does_not_answer_and_a_thawed_one_does() -> Outcome {
    let lab = Lab::up(Options::temporary("frozen"))?;
    let a = lab.site(SiteId::A);
    lab.freeze(SiteId::A, &Daemon::ALL)?;
    let asked = a.within(Duration::from_secs(2)).ceph(["status"]);
    assert!(matches!(asked, Err(lab::Error::ToolTimedOut { .. })), "{asked:?}");
    lab.thaw(SiteId::A, &Daemon::ALL)?;
    lab.wait_osd_up(SiteId::A, SOON)?;
    a.import("one/after", Pattern::new(3, MIB))?;
    lab.wait_healthy(SOON)?;
    Ok(())
}

/// Goal: what is written while the sites are cut from each other arrives when they are healed, and not before; clients
/// reach both all the while. Where nobody may filter packets, the lab says so.
#[test]
fn sites_that_are_cut_from_each_other_answer_clients_and_not_each_other() -> Outcome {
    const NEVER: Duration = Duration::from_secs(8);
    let lab = Lab::up(Options::temporary("apart"))?;
    let (a, b) = (lab.site(SiteId::A), lab.site(SiteId::B));
    let cut = lab.cut();
    if matches!(cut, Err(lab::Error::NoCut { .. })) && !may_filter() {
        return Ok(());
    }
    cut?;
    a.import("one/disk", Pattern::new(8, MIB))?;
    a.rbd_text(["mirror", "image", "enable", "one/disk", "journal"])?;
    b.import("one/other", Pattern::new(9, MIB))?;
    let arrived = until("the image", NEVER, &lab.logs(), || {
        Ok(Seen::when(b.image_exists("one/disk")?, || "not there".to_owned()))
    });
    assert!(matches!(arrived, Err(lab::Error::TimedOut { .. })), "{arrived:?}");
    lab.heal()?;
    await_equal(&lab, "one/disk")?;
    lab.lose(10)?;
    a.rbd_text(["bench", "--io-type", "write", "--io-size", "64K", "--io-total", "1M", "one/disk"])?;
    await_equal(&lab, "one/disk")?;
    Ok(())
}

/// Whether this process may filter packets, or has the containers of somebody who may.
fn may_filter() -> bool {
    getuid().is_root() || env::var_os("LAB_CONTAINERS").is_some_and(|asked| !asked.is_empty())
}

/// Goal: labs do not meet. Method: the same image name in two of them, with other content.
#[test]
fn two_labs_side_by_side_have_their_own_ports_and_data() -> Outcome {
    let without_mirrors = |name| Options {
        absent: SiteId::ALL.map(|site| (site, Daemon::RbdMirror)).to_vec(),
        ..Options::temporary(name)
    };
    let first = Lab::up(without_mirrors("first"))?;
    let second = Lab::up(without_mirrors("second"))?;
    for (lab, seed) in [(&first, 4), (&second, 5)] {
        assert_eq!(lab.state(SiteId::A, Daemon::RbdMirror), State::Stopped);
        lab.site(SiteId::A).import("one/disk", Pattern::new(seed, MIB))?;
    }
    for (lab, seed) in [(&first, 4), (&second, 5)] {
        let seen = lab.site(SiteId::A).sha256_of_export("one/disk")?;
        assert_eq!(seen, Pattern::new(seed, MIB).sha256());
    }
    let taken = Lab::up(first.options().clone());
    assert!(matches!(taken, Err(lab::Error::InUse { .. })), "{taken:?}");
    Ok(())
}

/// Goal: without any of our doing, an unpeered lab has no mirroring, and bootstrap tokens are all it needs.
/// Method: Ceph's own tool makes and imports the tokens; the daemons see no file of the other site.
#[test]
fn an_unpeered_lab_needs_nothing_but_bootstrap_tokens() -> Outcome {
    let sockets_before = entries(Path::new("/run/ceph"));
    let lab = Lab::up(Options { peering: Peering::None, ..Options::temporary("tokens") })?;
    for site in SiteId::ALL {
        assert_eq!(lab.site(site).pool_info("one")?["mode"], "disabled");
        let enable =
            ["mirror", "pool", "enable", "--site-name", site.name(), "one", MirrorMode::Image.name()];
        lab.site(site).rbd_text(enable)?;
    }
    let (a, b) = (lab.site(SiteId::A), lab.site(SiteId::B));
    let token = lab.dir().join("run").join("token");
    fs::write(&token, a.rbd_text(["mirror", "pool", "peer", "bootstrap", "create", "one"])?)?;
    let import = ["mirror", "pool", "peer", "bootstrap", "import", "--direction", "rx-tx", "one"];
    b.rbd_text(import.into_iter().map(Into::into).chain([token.into_os_string()]))?;
    a.import("one/disk", Pattern::new(6, MIB))?;
    a.rbd_text(["mirror", "image", "enable", "one/disk", "journal"])?;
    await_equal(&lab, "one/disk")?;
    lab.down(Teardown::Everything)?;
    assert_eq!(entries(Path::new("/run/ceph")), sockets_before);
    Ok(())
}

/// Goal: an owner that is killed takes its lab with it, whatever the lab was doing.
/// Method: kill it while the sites are being made, and once they are complete.
#[test]
fn a_lab_whose_owner_is_killed_is_cleared_away() -> Outcome {
    let moments = ["run/site-b.osd.pid", "made", "run/between"];
    for moment in moments.into_iter().filter(|moment| may_filter() || *moment != "run/between") {
        let dir = Options::temporary("killed").dir;
        let mut owner = Command::new(env!("CARGO_BIN_EXE_hold-lab"))
            .arg(&dir)
            .arg(if moment == "run/between" { "cut" } else { "whole" })
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let reached = until(moment, SOON, &dir, || {
            Ok(Seen::when(dir.join(moment).exists(), || "not there".to_owned()))
        });
        let port = first_port(&dir);
        owner.kill()?;
        owner.wait()?;
        reached?;
        until("the lab to be gone", SOON, &dir, || {
            let left = processes_of(&dir);
            Ok(Seen::when(left.is_empty() && !dir.exists(), || format!("processes {left:?}")))
        })?;
        if may_filter() {
            let tables = Command::new("nft").args(["list", "tables"]).output()?;
            let name = format!("ceph_lab_{}", port.ok_or("no port on record")?);
            assert!(!String::from_utf8_lossy(&tables.stdout).contains(&name), "{name} still stands");
        }
    }
    Ok(())
}

/// The first port in a lab's record.
fn first_port(dir: &Path) -> Option<u64> {
    let record = fs::read_to_string(dir.join("lab.json")).ok()?;
    serde_json::from_str::<serde_json::Value>(&record).ok()?["first_port"].as_u64()
}

/// Goal: a half-made lab whose guardian died too is no obstacle.
/// Method: a complete lab with the marks of a crash: no mark of completeness, a dead daemon, a torn pid file.
#[test]
fn what_a_crashed_run_has_left_is_rebuilt_by_the_next_up() -> Outcome {
    let options = Options { owner: Owner::Nobody, ..Options::temporary("crashed") };
    let lab = Lab::up(options.clone())?;
    let _cleanup = Cleanup(&options);
    lab.site(SiteId::A).import("one/disk", Pattern::new(7, MIB))?;
    lab.kill(SiteId::B, &[Daemon::Osd])?;
    fs::write(options.dir.join("run/site-b.osd.pid"), "12")?;
    fs::remove_file(options.dir.join("made"))?;
    let old = pids(&lab);

    let lab = Lab::up(options.clone())?;
    assert!(pids(&lab).iter().all(|pid| !old.contains(pid)), "{old:?}");
    assert!(!lab.site(SiteId::A).image_exists("one/disk")?);
    Ok(())
}

#[test]
fn a_directory_that_is_not_a_labs_is_left_alone() -> Outcome {
    let options = Options::temporary("foreign");
    fs::create_dir_all(options.dir.join("etc"))?;
    fs::write(options.dir.join("etc").join("passwd"), "precious")?;
    let refused = Lab::up(options.clone());
    assert!(matches!(refused, Err(lab::Error::NotALab { .. })), "{refused:?}");
    assert_eq!(fs::read_to_string(options.dir.join("etc").join("passwd"))?, "precious");
    fs::remove_dir_all(options.dir)?;
    Ok(())
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Takes an unowned lab down at the end of a test, however that ends.
struct Cleanup<'a>(&'a Options);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        if let Ok(lab) = Lab::open(&self.0.dir) {
            lab.down(Teardown::Everything).unwrap_or_else(|error| eprintln!("{error}"));
        }
    }
}
