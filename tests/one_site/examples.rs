//! The examples that need one site.

use anyhow::Result;
use rbd_mirror::{MirrorImageMode, PoolMode, Role};
use tests::examples;

use crate::site;

#[test]
fn the_examples_show_and_promote_a_pool_and_say_what_became_of_each_image() -> Result<()> {
    let site = site::site()?;
    site.ceph_text(["osd", "pool", "create", "exampled", "8"])?;
    let pool = site::pool("exampled")?;
    pool.init()?;
    pool.set_mirror_mode(PoolMode::Image)?;
    let first = site::disk(&pool, "first")?.enable(MirrorImageMode::Journal)?;
    let second = site::disk(&pool, "second")?.enable(MirrorImageMode::Snapshot)?;
    site::disk(&pool, "unmirrored")?.close()?;
    let conf = site.conf().display().to_string();
    let run = |name: &str, more: &[&str]| {
        examples::run(name, [conf.as_str(), "exampled"].into_iter().chain(more.iter().copied()))
    };

    let shown = run("status", &[])?;
    for line in ["exampled at site-a: mirrors in mode image", "first: primary", "unmirrored: not mirrored"] {
        assert!(shown.contains(line), "no `{line}` in:\n{shown}");
    }
    let shown = run("watch", &["1"])?;
    for line in ["+ first: ", "+ second: "] {
        assert!(shown.contains(line), "no `{line}` in:\n{shown}");
    }
    assert!(!shown.contains("unmirrored"), "{shown}");

    let shown = run("promote_pool", &["--demote"])?;
    assert!(shown.ends_with("0 failed\n"), "{shown}");
    assert!(shown.contains(first.as_str()) && shown.contains(second.as_str()), "{shown}");
    for name in ["first", "second"] {
        assert!(matches!(pool.open_read_only(name)?.role()?, Role::NonPrimary(_)));
    }
    let shown = run("promote_pool", &[])?;
    assert!(shown.ends_with("0 failed\n"), "{shown}");
    for name in ["first", "second"] {
        assert!(pool.open_read_only(name)?.role()?.is_primary());
    }
    Ok(())
}

#[test]
fn an_example_that_is_given_too_little_says_how_it_is_used() {
    for (name, usage) in [("status", "status CONF POOL"), ("protect", "protect CONF PEER_CONF POOL IMAGE")] {
        let failed = examples::run(name, [""; 0]).expect_err("it had nothing to work on").to_string();
        assert!(failed.contains(usage), "{failed}");
    }
}
