//! What only newer releases have: looked for in the librbd that is loaded, whatever it was built against.

use anyhow::Result;
use rbd_mirror::{Errno, Error, Version};

use crate::site::{self, OFF};

/// Remote namespaces came with librbd 1.20: before, the library says so; from then on, what is set is what is read back.
#[test]
fn a_function_that_the_loaded_librbd_lacks_is_unsupported_and_one_that_it_has_works() -> Result<()> {
    let pool = site::pool(OFF)?;
    pool.create_namespace("here")?;
    let here = pool.namespace("here")?;
    let has = Version::loaded() >= Version { major: 1, minor: 20, extra: 0 };
    if !has {
        for refused in [here.remote_namespace().map(drop), here.set_remote_namespace("there")] {
            let Err(Error::Unsupported { needs, have, .. }) = refused else { panic!("{refused:?}") };
            assert_eq!((needs.major, needs.minor, have), (1, 20, Version::loaded()));
        }
        return Ok(());
    }
    // A newer library at an older site: the call is there, and the site does not know what it asks for.
    let versions = site::site()?.ceph_text(["version"])?;
    let site_has = !["version 16.", "version 17.", "version 18.", "version 19."]
        .iter()
        .any(|old| versions.contains(old));
    if !site_has {
        let asked = here.remote_namespace();
        assert!(matches!(asked, Err(Error::Os { errno: Errno::EOPNOTSUPP, .. })), "{asked:?}");
        return Ok(());
    }
    assert_eq!(here.remote_namespace()?, "here");
    here.set_remote_namespace("there")?;
    assert_eq!(here.remote_namespace()?, "there");
    Ok(())
}
