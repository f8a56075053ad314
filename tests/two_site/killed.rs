//! A site that dies in the middle of writes: what the other holds is a prefix of what was acknowledged.

use anyhow::Result;
use lab::{Daemon, Lab, Options, SiteId};
use rbd_mirror::pair::{Completeness, Pair};
use rbd_mirror::{Cluster, CreateOptions, Features, MirrorImageMode, wait};
use tests::connect;
use tests::stamped::{Found, Stamps};
use tests::writer::Writer;

use crate::sites::{MIB, ONE, SOON, Sites, in_a_process_of_its_own};

#[test]
fn what_the_survivor_holds_is_a_prefix_of_what_was_acknowledged() -> Result<()> {
    in_a_process_of_its_own(
        "killed::what_the_survivor_holds_is_a_prefix_of_what_was_acknowledged",
        killed_in_the_middle_of_writes,
    )
}

fn killed_in_the_middle_of_writes() -> Result<()> {
    let lab = Lab::up(Options::temporary("killed"))?;
    let sites = Sites::of(&lab)?;
    let plain = CreateOptions { features: Some(Features::DEFAULT), ..CreateOptions::default() };
    sites.a.create("disk", 16 * MIB, &plain)?;
    let id = sites.a.open("disk")?.enable(MirrorImageMode::Journal)?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;

    let stamps = Stamps::new(5, 16 * MIB);
    let writer = Writer::start(&sites.witness_a, ONE, "disk", stamps, 0)?;
    lab::until("a few hundred writes", SOON, &lab.logs(), || {
        Ok(lab::Seen::when(writer.acknowledged() > 400, || writer.acknowledged().to_string()))
    })?;
    lab.kill(SiteId::A, &Daemon::ALL)?;
    let acknowledged = writer.acknowledged();
    writer.stop();
    let gone = Cluster::connect(connect::to(&sites.witness_a).within(std::time::Duration::from_secs(2)))
        .expect_err("A is dead");
    assert!(gone.is_unreachable(), "{gone}");

    Pair::without_peer(&sites.b, &gone).promote_by_force(&id, Completeness::Assumed)?;
    let image = sites.b.open_by_global_id(&id)?;
    image.take_over(SOON)?;
    let Found::Prefix(held) = stamps.read(&image)? else { anyhow::bail!("{}", stamps.read(&image)?) };
    assert!(held <= acknowledged + 1, "B holds write {held}, A acknowledged {acknowledged}");
    image.write_at(stamps.offset(held + 1), &stamps.block(held + 1))?;
    image.flush()?;
    image.close()?;
    assert_eq!(sites.witness_b.sha256_of_export("one/disk")?, stamps.sha256(16 * MIB, held + 1));
    assert!(writer.join().failed.is_some(), "a writer at a dead site was told that all is well");
    Ok(())
}
