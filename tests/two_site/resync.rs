//! A resync that is asked for without need still ends with equal data, under a new image id.

use anyhow::Result;
use rbd_mirror::{MirrorImageMode, Refusal, wait};
use tests::expect::refusal;

use crate::sites::{SOON, shared};

#[test]
fn a_resync_replaces_the_image_and_keeps_its_identity() -> Result<()> {
    let sites = shared()?;
    let (image, id) = sites.protected("renewed", MirrorImageMode::Journal)?;
    assert_eq!(refusal(sites.at_a().resync(&id)), Refusal::PeerNotPrimary);
    let old = sites.at_b().resync(&id)?;
    image.write_at(0, b"while it is fetched")?;
    image.flush()?;
    let new = wait::resynced(&sites.a, &sites.b, &id, &old, SOON)?;
    assert_ne!(new, old);
    assert_eq!(sites.b.find(&id)?, new);
    image.close()?;
    wait::caught_up(&sites.a, &sites.b, &id, SOON)?;
    sites.expect_equal("renewed")
}

#[test]
fn pools_that_are_no_peers_are_not_resynced_from_each_other() -> Result<()> {
    let sites = shared()?;
    let (_image, id) = sites.protected("strangers", MirrorImageMode::Journal)?;
    // B's copy, and as its "peer" a connection to the primary's pool in a namespace that nobody mirrors.
    let stranger = sites.a.namespace("elsewhere")?;
    let looked = rbd_mirror::pair::Pair::new(&sites.b, &stranger).resync(&id);
    assert_eq!(refusal(looked), Refusal::PeerNotPrimary);
    sites.expect_equal("strangers")
}
