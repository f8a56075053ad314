//! What only newer releases have: looked for in the librbd that is loaded, whatever it was built against.

use anyhow::Result;
use rbd_mirror::{Error, Version};

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
    assert_eq!(here.remote_namespace()?, "here");
    here.set_remote_namespace("there")?;
    assert_eq!(here.remote_namespace()?, "there");
    Ok(())
}
