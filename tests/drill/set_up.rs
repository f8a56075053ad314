//! Stage: both directions of mirroring, and a probe that shows that data really arrives.

use std::time::Duration;

use anyhow::{Result, ensure};
use rbd_mirror::wait::{self, Seen};
use rbd_mirror::{CreateOptions, Direction, Disable, MirrorImageMode, PoolMode, Subject};

use crate::POOL;
use crate::run::{Party, Run};

/// Daemons look for new pools and peers every few seconds here, every half minute as packaged.
const NOTICED_WITHIN: Duration = Duration::from_secs(120);

pub(crate) fn stage(run: &Run<'_>) -> Result<()> {
    run.stage("set-up")?;
    run.step("name the sites, mirror single images", || {
        for party in [&run.a, &run.b] {
            // Names first: sites that are peered without get two peer entries each, and never a clean health.
            party.pool.cluster().set_site_name(party.id.name())?;
            party.pool.set_mirror_mode(PoolMode::Image)?;
        }
        Ok(((), "site-a and site-b, pool one in image mode".to_owned()))
    })?;
    run.step("peer both ways with one token", || {
        let token = run.a.pool.create_bootstrap_token()?;
        run.b.pool.import_bootstrap_token(&token, Direction::RxTx)?;
        for party in [&run.a, &run.b] {
            expect_one_peer(party)?;
        }
        Ok(((), "one rx-tx peer each, known by its site name".to_owned()))
    })?;
    run.step("daemons are healthy", || {
        for party in [&run.a, &run.b] {
            wait::daemon_healthy(&party.pool, NOTICED_WITHIN)?;
        }
        wait::until("healthy by `rbd`", &Subject::Cluster("both".into()), NOTICED_WITHIN.into(), || {
            let health = |party: &Party| {
                party.witness.pool_status(POOL).map(|status| status["summary"]["health"].clone())
            };
            Ok(match (health(&run.a), health(&run.b)) {
                (Ok(a), Ok(b)) if a == "OK" && b == "OK" => Seen::Done(()),
                seen => Seen::NotYet(format!("{seen:?}")),
            })
        })?;
        Ok(((), "one rbd-mirror at each site, by our library and by `rbd mirror pool status`".to_owned()))
    })?;
    for (from, to) in [(&run.a, &run.b), (&run.b, &run.a)] {
        run.step(&format!("probe {} to {}", from.id, to.id), || probe(from, to))?;
    }
    Ok(())
}

fn expect_one_peer(party: &Party) -> Result<()> {
    let peers = party.pool.peers()?;
    let other = party.id.other().name();
    let [peer] = peers.as_slice() else { anyhow::bail!("{} has {} peers, not one", party.id, peers.len()) };
    ensure!(
        peer.direction == Direction::RxTx && peer.site_name == other,
        "{} has the peer {peer:?}",
        party.id
    );
    let seen = party.witness.pool_info(POOL)?;
    ensure!(
        seen["peers"].as_array().is_some_and(|peers| peers.len() == 1 && peers[0]["site_name"] == other),
        "`rbd mirror pool info` at {} shows {}",
        party.id,
        seen["peers"]
    );
    Ok(())
}

/// A small image there and gone again: what is configured may still not work.
fn probe(from: &Party, to: &Party) -> Result<((), String)> {
    const BYTES: u64 = 4 << 20;
    let name = format!("dr-probe-from-{}", from.id.name());
    let text = format!("{name} at {}", jiff::Timestamp::now());
    from.pool.create(&name, BYTES, &CreateOptions::default())?;
    let image = from.pool.open(&name)?;
    image.write_at(0, text.as_bytes())?;
    image.flush()?;
    let id = image.enable(MirrorImageMode::Journal)?;
    wait::caught_up(&from.pool, &to.pool, &id, NOTICED_WITHIN)?;
    let arrived = to.pool.open_by_global_id_read_only(&id)?.read_at(0, text.len())?;
    ensure!(arrived == text.as_bytes(), "{} at {} does not hold what was written", name, to.id);
    image.disable(Disable::Clean)?;
    image.close()?;
    from.pool.remove(&name)?;
    wait::until(
        "gone with its primary",
        &to.pool.spec().image(name.as_str()).into(),
        NOTICED_WITHIN.into(),
        || {
            let left = to.pool.images()?.iter().any(|entry| entry.name == name);
            Ok(if left { Seen::NotYet("the replica is still there".to_owned()) } else { Seen::Done(()) })
        },
    )?;
    ensure!(
        !to.witness.image_exists(&format!("{POOL}/{name}"))?,
        "`rbd info` still finds {name} at {}",
        to.id
    );
    Ok(((), "written, replicated, read, and its removal replicated".to_owned()))
}
