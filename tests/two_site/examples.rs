//! The example that needs both sites.

use anyhow::Result;
use tests::examples;

use crate::sites::{ONE, plain, shared};

#[test]
fn the_example_protects_a_clone_and_ends_when_both_sites_have_it() -> Result<()> {
    let sites = shared()?;
    let parent = sites.filled("example-parent")?;
    parent.create_snapshot("base")?;
    parent.protect_snapshot("base")?;
    parent.close()?;
    sites.a.clone_image("example-parent", "base", &sites.a, "example", &plain())?;
    let (here, there) = (sites.witness_a.conf(), sites.witness_b.conf());
    let arguments = [here.as_os_str(), there.as_os_str(), ONE.as_ref(), "example".as_ref()];
    let shown = examples::run("protect", arguments)?;
    for line in ["flattening: a clone of one/example-parent@base", "the peer has all of it"] {
        assert!(shown.contains(line), "no `{line}` in:\n{shown}");
    }
    assert_eq!(sites.primaries("example")?, (true, false));
    sites.expect_equal("example")
}
