//! Names that nobody expects: they work, or are refused with an error, and break nothing.

use anyhow::Result;
use rbd_mirror::{Errno, Error};
use tests::expect::errno;

use crate::site::{self, MIB, ONE};

#[test]
fn a_hostile_image_name_works_as_it_is_or_is_an_error() -> Result<()> {
    let pool = site::pool(ONE)?.namespace("hostile")?;
    pool.cluster().pool(ONE)?.create_namespace("hostile")?;
    let names = [
        "it's \"quoted\"",
        "new\nline",
        "größe-图像-🦀",
        "-starts-with-a-dash",
        "$(reboot)",
        "a b\tc",
        "..",
        "%s%n",
        "{}",
        "\u{202e}reversed",
        "\u{1}",
    ];
    for name in names {
        pool.create(name, MIB, &site::plain())?;
        let image = pool.open(name)?;
        assert_eq!(image.name(), name);
        image.write_at(0, name.as_bytes())?;
        image.create_snapshot(name)?;
        assert_eq!(image.snapshots()?[0].name, name);
        image.set_metadata(name, name)?;
        assert_eq!(image.metadata(name)?, name);
    }
    let mut ours: Vec<String> = pool.images()?.into_iter().map(|entry| entry.name).collect();
    ours.sort();
    let mut expected = names.map(str::to_owned);
    expected.sort();
    assert_eq!(ours, expected);
    assert_eq!(site::site()?.rbd(["ls", "one/hostile"])?.as_array().map(Vec::len), Some(names.len()));
    Ok(())
}

#[test]
fn an_impossible_image_name_is_an_error_and_makes_nothing() -> Result<()> {
    let pool = site::pool(ONE)?.namespace("impossible")?;
    pool.cluster().pool(ONE)?.create_namespace("impossible")?;
    let too_long = "x".repeat(100_000);
    for name in ["nul\0inside", "", &too_long] {
        let made = pool.create(name, MIB, &site::plain());
        assert!(made.is_err(), "{:?}", &name[..name.len().min(20)]);
        assert!(pool.open(name).is_err());
        assert!(pool.remove(name).is_err());
    }
    assert_eq!(pool.images()?, []);
    assert_eq!(errno(pool.create("nul\0", MIB, &site::plain())), Errno::EINVAL);
    Ok(())
}

#[test]
fn nul_in_any_text_is_an_error_and_not_the_text_before_it() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::disk(&pool, "cut")?;
    image.create_snapshot("kept")?;
    image.set_metadata("key", "value")?;
    assert!(image.remove_snapshot("kept\0more").is_err());
    assert!(image.metadata("key\0more").is_err());
    assert!(image.set_metadata("key", "other\0more").is_err());
    assert!(pool.open("cut\0more").is_err());
    assert!(pool.rename("cut", "cut-2\0more").is_err());
    assert!(pool.cluster().pool("one\0more").is_err());
    assert!(pool.namespace("a\0b").is_err());
    assert!(pool.add_peer(rbd_mirror::Direction::RxTx, "site\0x", "client").is_err());
    let id = rbd_mirror::GlobalImageId::new("a\0b");
    assert!(matches!(pool.open_by_global_id(&id), Err(Error::NotFound { .. })));
    assert_eq!(image.metadata("key")?, "value");
    assert_eq!(image.snapshots()?.len(), 1);
    Ok(())
}
