//! A site whose daemons all stand still: connections stay, and nothing answers. No call may take longer than it was given.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::{Daemon, Lab, Options, SiteId};
use rbd_mirror::fleet::Fleet;
use rbd_mirror::lag::lag;
use rbd_mirror::pair::{Completeness, Pair, SideView};
use rbd_mirror::wait::{Seen, until};
use rbd_mirror::{Cluster, Error, GlobalImageId, MirrorImageMode, Promote, Role, wait};
use tests::connect;
use tests::writer::Writer;

use crate::sites::{ONE, SOON, Sites, in_a_process_of_its_own};

/// The limit of each call.
const LIMIT: Duration = Duration::from_secs(4);

/// What a call may take beyond it: our own second, and the looks that explain a failure.
const SLACK: Duration = Duration::from_secs(9);

/// Runs a call that must fail for want of an answer, and in time.
#[track_caller]
fn in_time<T>(what: &str, call: impl FnOnce() -> Result<T, Error>) -> Result<()> {
    let started = Instant::now();
    let outcome = call();
    let took = started.elapsed();
    ensure!(took < LIMIT + SLACK, "{what} took {took:?}");
    match outcome {
        Err(error) if error.is_unreachable() => Ok(()),
        Err(error) => anyhow::bail!("{what}: {error}"),
        Ok(_) => anyhow::bail!("{what} succeeded at a frozen site"),
    }
}

#[test]
fn no_call_to_a_frozen_site_takes_longer_than_its_limit() -> Result<()> {
    in_a_process_of_its_own(
        "frozen::no_call_to_a_frozen_site_takes_longer_than_its_limit",
        calls_at_a_frozen_site,
    )
}

fn calls_at_a_frozen_site() -> Result<()> {
    let lab = Lab::up(Options::temporary("frozen"))?;
    let sites = Sites::of(&lab)?;
    let plain = sites.filled("plain")?;
    plain.create_snapshot("base")?;
    let options =
        rbd_mirror::CreateOptions { clone_format: Some(rbd_mirror::CloneFormat::V2), ..Default::default() };
    sites.a.clone_image("plain", "base", &sites.a, "clone", &options)?;
    let (mirrored, id) = sites.protected("mirrored", MirrorImageMode::Journal)?;
    let (demoted, other) = sites.protected("demoted", MirrorImageMode::Journal)?;
    demoted.demote()?;
    drop((plain, mirrored, demoted));

    let connect = || connect::to(&sites.witness_a).within(LIMIT).operations_within(LIMIT);
    let pool = Cluster::connect(connect())?.pool(ONE)?;
    let open = |name: &str| pool.open(name);
    let (plain, clone, mirrored, demoted) =
        (open("plain")?, open("clone")?, open("mirrored")?, open("demoted")?);
    lab.freeze(SiteId::A, &Daemon::ALL)?;

    in_time("connect", || Cluster::connect(connect()))?;
    in_time("open", || pool.open("plain"))?;
    in_time("role", || mirrored.role())?;
    in_time("status", || mirrored.status())?;
    in_time("journal", || mirrored.journal())?;
    in_time("read", || plain.read_at(0, 4096))?;
    in_time("write", || plain.write_at(0, b"x").and_then(|()| plain.flush()))?;
    in_time("enable", || plain.enable(MirrorImageMode::Journal))?;
    in_time("flatten", || clone.flatten(|_| ControlFlow::Continue(())))?;
    in_time("demote", || mirrored.demote())?;
    in_time("promote", || demoted.promote(Promote::Clean))?;
    in_time("resync", || demoted.resync(&other))?;
    in_time("list", || pool.statuses().next().transpose())?;
    in_time("mon command", || pool.cluster().mon_command(r#"{"prefix": "fsid"}"#))?;
    in_time("wait", || wait::caught_up(&pool, &sites.b, &id, LIMIT).map_err(unreachable_of))?;
    in_time("lag", || lag(&pool, &sites.b, &id))?;
    // Many at once take no longer than one, and each says what became of it.
    for many in [
        Fleet::new(&pool, ["plain", "clone", "mirrored", "demoted", "plain", "clone"]),
        Fleet::new(&pool, [&id, &other]),
    ] {
        let started = Instant::now();
        for outcome in many.demote() {
            in_time("demote of a fleet", || outcome.result)?;
        }
        ensure!(started.elapsed() < LIMIT + SLACK, "a fleet took {:?}", started.elapsed());
    }
    let started = Instant::now();
    let view = Pair::new(&sites.b, &pool).look(&id)?;
    ensure!(matches!(view.there, SideView::Silent(_)), "{view:?}");
    ensure!(started.elapsed() < LIMIT + SLACK);
    // Handles with calls that were left behind are dropped without waiting for those.
    let started = Instant::now();
    drop((plain, clone, mirrored, demoted, pool));
    ensure!(started.elapsed() < Duration::from_secs(15), "dropping took {:?}", started.elapsed());

    lab.thaw(SiteId::A, &Daemon::ALL)?;
    let pool = until("answered again", &sites.a.spec().clone().into(), SOON.into(), || {
        let pool = Cluster::connect(connect::to(&sites.witness_a)).and_then(|cluster| cluster.pool(ONE));
        pool.and_then(|pool| pool.open_read_only("plain").map(|_| pool)).map(Seen::Done)
    })?;
    // What was in doubt is told by the state now.
    let role = pool.open("mirrored")?.role()?;
    ensure!(matches!(role, Role::Primary(_) | Role::NonPrimary(_)), "{role}");
    let fresh = pool.open("plain")?;
    fresh.write_at(8192, b"on it goes")?;
    fresh.flush()?;
    fresh.close()?;
    Ok(())
}

/// A wait that ends at its deadline at a silent site is in time as well.
fn unreachable_of(error: Error) -> Error {
    match error {
        Error::TimedOut { on, waited, .. } => Error::Unreachable { op: rbd_mirror::Op::Wait, on, waited },
        other => other,
    }
}

/// The longer a site has been frozen, the surer the other's daemon hangs in its replay and keeps the locks.
#[test]
fn a_forced_promotion_beside_a_frozen_site_ends_with_writes_that_go_through() -> Result<()> {
    in_a_process_of_its_own(
        "frozen::a_forced_promotion_beside_a_frozen_site_ends_with_writes_that_go_through",
        promotion_beside_a_frozen_site,
    )
}

fn promotion_beside_a_frozen_site() -> Result<()> {
    let lab = Lab::up(Options::temporary("beside"))?;
    let sites = Sites::of(&lab)?;
    let names = ["first", "second", "third"];
    let ids: Vec<GlobalImageId> = names
        .iter()
        .map(|name| Ok(sites.protected(name, MirrorImageMode::Journal)?.1))
        .collect::<Result<_>>()?;
    let stamps = tests::stamped::Stamps::new(9, 16 << 20);
    let start = |name: &&str| Writer::start(&sites.witness_a, ONE, name, stamps, 0);
    let writers: Vec<Writer> = names.iter().map(start).collect::<Result<_, _>>()?;
    lab::until("writers at work", SOON, &lab.logs(), || {
        Ok(lab::Seen::when(writers.iter().all(|writer| writer.acknowledged() > 100), || {
            "few writes".to_owned()
        }))
    })?;
    lab.freeze(SiteId::A, &Daemon::ALL)?;
    writers.iter().for_each(Writer::stop);
    let silence = Cluster::connect(connect::to(&sites.witness_a).within(Duration::from_secs(6)))
        .expect_err("A is frozen");
    assert!(silence.is_unreachable(), "{silence}");
    let pair = Pair::without_peer(&sites.b, &silence);
    // The first in two calls, the others in one each.
    let mut shut_out = Vec::new();
    for (number, (id, name)) in ids.iter().zip(names).enumerate() {
        let taken = if number == 0 {
            pair.promote_by_force(id, Completeness::Assumed)?;
            sites.b.open_by_global_id(id)?.take_over(SOON)?
        } else {
            pair.fail_over(id, Completeness::Assumed, SOON)?
        };
        let image = sites.b.open_by_global_id(id)?;
        image.write_at(15 << 20, b"B works on")?;
        image.flush()?;
        println!("{name}: {} locks broken, {:?}", taken.broken.len(), taken.took);
        shut_out.extend(taken.broken);
        assert!(
            sites
                .witness_b
                .image_info(&format!("{ONE}/{name}"))?
                .mirroring
                .is_some_and(|mirroring| mirroring.primary)
        );
    }
    // One daemon had them all.
    assert!(shut_out.len() <= 1, "{shut_out:?}");
    let listed = sites.witness_b.blocklist()?;
    assert!(
        shut_out.iter().all(|owner| listed.iter().any(|address| address == owner.as_str())),
        "{listed:?}"
    );
    lab.thaw(SiteId::A, &Daemon::ALL)?;
    for writer in writers {
        drop(writer.join());
    }
    Ok(())
}
