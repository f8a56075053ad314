//! How two sites come up: from nothing, or from kept data; and what "healthy" means.

use std::fs;
use std::iter;
use std::os::unix::fs::symlink;
use std::panic;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::admin_socket::ask;
use crate::conf;
use crate::containers::Containers;
use crate::error::{At, Result};
use crate::keys::{self, peer_user};
use crate::lab::Lab;
use crate::options::Peering;
use crate::processes::State;
use crate::record::uuid;
use crate::site::{Daemon, SiteId};
use crate::wait::{Seen, until};

/// How long any one step may take: all steps together take less than 20 s on two cores.
const STEP_MAX: Duration = Duration::from_secs(60);

/// Makes a monitor of Tentacle take and give tickets that releases before it can read. Its health then names that.
const OLD_CIPHERS: [&str; 6] = [
    "--auth-service-cipher",
    "aes",
    "--auth-allowed-ciphers",
    "aes,aes256k",
    "--auth-preferred-cipher",
    "aes",
];

/// Makes both sites from nothing, side by side.
pub(crate) fn make(lab: &Lab) -> Result<()> {
    lab.directory().make()?;
    lab.containers().map_or(Ok(()), Containers::make)?;
    at_both(|site| site_from_nothing(lab, site))?;
    if lab.options().peering == Peering::Full {
        at_both(|site| add_peers(lab, site))?;
    }
    at_both(|site| settle(lab, site))?;
    await_healthy(lab, STEP_MAX)?;
    let made = lab.directory().made();
    fs::write(&made, "").at("write", &made)
}

/// Brings both sites back to what they were made as.
pub(crate) fn resume(lab: &Lab) -> Result<()> {
    lab.containers().map_or(Ok(()), Containers::ensure)?;
    lab.heal()?;
    at_both(|site| {
        lab.thaw(site, &Daemon::ALL)?;
        settle(lab, site)
    })?;
    await_healthy(lab, STEP_MAX)
}

/// Does the same at both sites at once. Both end before an error is reported.
fn at_both(work: impl Fn(SiteId) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let other = scope.spawn(|| work(SiteId::B));
        let first = work(SiteId::A);
        first.and(other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

/// Starts what belongs up and does not run, and stops what was needed only for the making.
fn settle(lab: &Lab, site: SiteId) -> Result<()> {
    let present: Vec<Daemon> = lab.options().present(site).collect();
    for daemon in Daemon::ALL {
        match present.contains(&daemon) {
            true => lab.start_only(site, daemon)?,
            false => lab.stop(site, &[daemon])?,
        }
    }
    present.iter().try_for_each(|daemon| await_answer(lab, site, *daemon, STEP_MAX))
}

fn site_from_nothing(lab: &Lab, id: SiteId) -> Result<()> {
    let (directory, site) = (lab.directory(), lab.site(id));
    let conf = directory.conf(id);
    fs::write(&conf, conf::text(directory, lab.record(), id)).at("write", &conf)?;
    show_confs(lab, id)?;
    keys::make(directory, id, lab.containers().is_some())?;
    make_monitor(lab, id)?;
    lab.start_only(id, Daemon::Mon)?;
    let osd = uuid()?;
    thread::scope(|scope| {
        // The OSD's file system and the monitor's birth take about as long; neither needs the other.
        let file_system = scope.spawn(|| make_osd(lab, id, &osd));
        lab.start_only(id, Daemon::Mgr)?;
        site.ceph_text(["osd", "new", osd.as_str(), "0"])?;
        file_system.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })?;
    lab.start_only(id, Daemon::Osd)?;
    for pool in &lab.options().pools {
        site.ceph_text(["osd", "pool", "create", pool.name.as_str(), "8"])?;
    }
    // A client's operation sent before the OSD is up waits for the next 5 s tick of the client.
    await_answer(lab, id, Daemon::Osd, STEP_MAX)?;
    for pool in &lab.options().pools {
        site.rbd_text(["pool", "init", pool.name.as_str()])?;
    }
    for (pool, mode) in lab.options().mirrored() {
        // Named before it is peered: a peer made without names never gets healthy.
        site.rbd_text(["mirror", "pool", "enable", "--site-name", id.name(), pool, mode.name()])?;
    }
    Ok(())
}

/// Lets the daemons of `site` find the files they are to find: a site's own always, the other's where peers name it.
///
/// The guide's peers need the other's. Peers made from bootstrap tokens must do without, and are not to be helped.
fn show_confs(lab: &Lab, site: SiteId) -> Result<()> {
    let folder = lab.directory().seen_by(site);
    fs::create_dir_all(&folder).at("make", &folder)?;
    let other = Some(site.other()).filter(|_| lab.options().peering == Peering::Full);
    for seen in iter::once(site).chain(other) {
        let link = folder.join(format!("{seen}.conf"));
        symlink(lab.directory().conf(seen), &link).at("make", &link)?;
    }
    Ok(())
}

fn make_monitor(lab: &Lab, site: SiteId) -> Result<()> {
    let (directory, record) = (lab.directory(), lab.record());
    for daemon in [Daemon::Mon, Daemon::Mgr, Daemon::Osd] {
        let data = directory.daemon_data(site, daemon);
        fs::create_dir_all(&data).at("make", &data)?;
    }
    let (monmap, address) =
        (directory.monmap(site), format!("[v2:{}:{}/0]", record.address(site), record.port(site)));
    let mut arguments = vec!["--create", "--clobber", "--fsid", record.fsid(site), "--addv", "a", &address];
    // Told its release, a monitor needs no upgrade right after its birth.
    let release = release(lab, site)?;
    if let Some(release) = &release {
        arguments.extend(["--set-min-mon-release", release]);
    }
    // Clients and the other site may be of any release, and what Tentacle has by itself older ones cannot read.
    if lab.containers().map_or(Ok(false), |containers| containers.has_new_ciphers(site))? {
        arguments.extend(OLD_CIPHERS);
    }
    lab.site_tool(site, "monmaptool").args(arguments).args([&monmap]).text()?;
    let mkfs =
        lab.site_tool(site, "ceph-mon").args(["--mkfs", "--cluster", site.name(), "--id", "a", "--conf"]);
    let mkfs = mkfs.args([directory.conf(site)]).args(["--monmap"]).args([monmap]);
    mkfs.args(["--keyring"]).args([directory.initial_keyring(site)]).text().map(drop)
}

/// The name of a site's release, `pacific` say. `ceph version 16.2.15 (618f440...) pacific (stable)`
fn release(lab: &Lab, site: SiteId) -> Result<Option<String>> {
    let version = lab.site_tool(site, "ceph-mon").args(["--version"]).text()?;
    let name = version.split_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().next());
    Ok(name.map(str::to_owned))
}

fn make_osd(lab: &Lab, site: SiteId, uuid: &str) -> Result<()> {
    let directory = lab.directory();
    let mkfs = lab.site_tool(site, "ceph-osd").args([
        "--mkfs",
        "--cluster",
        site.name(),
        "--id",
        "0",
        "--osd-uuid",
        uuid,
    ]);
    let mkfs = mkfs.args(["--monmap"]).args([directory.monmap(site)]);
    mkfs.args(["--conf"]).args([directory.conf(site)]).text().map(drop)
}

/// Tells each mirrored pool of `site` how to reach the other site, as the guide does it.
fn add_peers(lab: &Lab, site: SiteId) -> Result<()> {
    let peer = format!("client.{}@{}", peer_user(site.other()), site.other());
    for (pool, _) in lab.options().mirrored() {
        lab.site(site).rbd_text(["mirror", "pool", "peer", "add", pool, &peer])?;
    }
    Ok(())
}

/// Waits until a daemon does its work by its own account.
pub(crate) fn await_answer(lab: &Lab, site: SiteId, daemon: Daemon, within: Duration) -> Result<()> {
    let socket = lab.directory().socket(site, daemon);
    // What each says only when it is of use: a monitor in quorum, the active manager, an OSD in the map.
    let (prefix, field, expected) = match daemon {
        Daemon::Mon => ("mon_status", "state", Some("leader")),
        Daemon::Mgr => ("mgr_status", "", None),
        Daemon::Osd => ("status", "state", Some("active")),
        Daemon::RbdMirror => ("version", "", None),
    };
    until(&format!("{daemon} of {site} to answer"), within, &lab.logs(), || {
        lab.processes().expect_alive(site, daemon)?;
        Ok(match ask(&socket, prefix) {
            Err(error) => Seen::NotYet(format!("its admin socket: {error}")),
            Ok(answer) => match expected {
                None if answer.get("error").is_none() => Seen::Done(()),
                Some(state) if answer[field] == state => Seen::Done(()),
                _ => Seen::NotYet(answer.get(field).unwrap_or(&answer).to_string()),
            },
        })
    })
}

/// Waits until a site's OSD is up by the monitor's account and by its own.
pub(crate) fn await_osd(lab: &Lab, site: SiteId, within: Duration) -> Result<()> {
    let asked = lab.site(site).within(within);
    until(&format!("the OSD of {site} to be up"), within, &lab.logs(), || {
        let stat = asked.ceph(["osd", "stat"])?;
        Ok(Seen::when(stat["num_up_osds"] == 1, || format!("ceph osd stat: {stat}")))
    })?;
    await_answer(lab, site, Daemon::Osd, within)
}

/// Waits until all that belongs up works, and each side sees the other if the lab is peered.
pub(crate) fn await_healthy(lab: &Lab, within: Duration) -> Result<()> {
    for site in SiteId::ALL {
        for daemon in lab.options().present(site) {
            await_answer(lab, site, daemon, within)?;
        }
    }
    let all_run = SiteId::ALL.iter().all(|site| lab.options().present(*site).count() == Daemon::ALL.len());
    if !all_run || lab.options().mirrored().next().is_none() {
        return Ok(());
    }
    at_both(|site| {
        await_replayers(lab, site, within)?;
        lab.options().mirrored().try_for_each(|(pool, _)| await_daemon_health(lab, site, pool, within))
    })
}

/// Waits until `rbd-mirror` itself says that it is connected to the peer of every mirrored pool.
fn await_replayers(lab: &Lab, site: SiteId, within: Duration) -> Result<()> {
    let socket = lab.directory().socket(site, Daemon::RbdMirror);
    let mirrored = lab.options().mirrored().count();
    until(&format!("rbd-mirror of {site} to be connected to its peers"), within, &lab.logs(), || {
        lab.processes().expect_alive(site, Daemon::RbdMirror)?;
        Ok(match ask(&socket, "rbd mirror status") {
            Err(error) => Seen::NotYet(format!("its admin socket: {error}")),
            Ok(status) => {
                let replayers = status["pool_replayers"].as_array().map_or(&[][..], Vec::as_slice);
                let running = |replayer: &&Value| replayer["state"] == "running";
                let connected = replayers.iter().filter(running).count() == mirrored;
                Seen::when(connected, || status.to_string())
            }
        })
    })
}

/// Waits until the site's own tool calls the mirroring daemons of a pool healthy.
fn await_daemon_health(lab: &Lab, site: SiteId, pool: &str, within: Duration) -> Result<()> {
    until(&format!("healthy mirroring of {site}/{pool}"), within, &lab.logs(), || {
        if lab.state(site, Daemon::RbdMirror) == State::Dead {
            lab.processes().expect_alive(site, Daemon::RbdMirror)?;
        }
        let status = lab.site(site).pool_status(pool)?;
        let health = &status["summary"]["daemon_health"];
        Ok(Seen::when(health == "OK", || format!("daemon health {health}")))
    })
}
