//! Metadata as a list, and configuration that pools and images override.

use anyhow::{Context, Result};
use rbd_mirror::{ConfigOption, ConfigSource, Errno, Error, Refusal};
use tests::expect::{errno, refusal};

use crate::site::{self, ONE};

fn value(options: &[ConfigOption], name: &str) -> Result<(String, ConfigSource)> {
    let found = options.iter().find(|option| option.name == name);
    found.map(|option| (option.value.clone(), option.source)).with_context(|| format!("no option {name}"))
}

#[test]
fn every_entry_of_an_images_metadata_is_listed_once_over_many_pages() -> Result<()> {
    let (site, pool) = (site::site()?, site::pool(ONE)?);
    let image = site::disk(&pool, "many-words")?;
    assert_eq!(image.metadata_entries().count(), 0);
    let mut expected = Vec::new();
    // More than two pages; one value longer than a page's first buffer, one empty.
    for number in 0..600 {
        let value = if number == 300 { "long ".repeat(10_000) } else { "v".repeat(number % 7) };
        let key = format!("key-{number:03}");
        image.set_metadata(&key, &value)?;
        expected.push((key, value));
    }
    let listed: Vec<_> = image.metadata_entries().collect::<Result<_, _>>()?;
    assert_eq!(listed.len(), expected.len());
    assert!(listed == expected, "the entries differ");
    let shown = site.rbd(["image-meta", "ls", "one/many-words"])?;
    assert_eq!(shown.as_object().map(serde_json::Map::len), Some(600));
    Ok(())
}

#[test]
fn every_entry_of_a_pools_metadata_is_listed_and_removed_once() -> Result<()> {
    site::site()?.ceph_text(["osd", "pool", "create", "words", "8"])?;
    let pool = site::pool("words")?;
    pool.init()?;
    assert_eq!(pool.metadata_entries().count(), 0);
    for number in 0..300 {
        pool.set_metadata(&format!("key-{number:03}"), "value")?;
    }
    let listed: Vec<_> = pool.metadata_entries().collect::<Result<_, _>>()?;
    assert_eq!((listed.len(), listed[299].0.as_str()), (300, "key-299"));
    pool.remove_metadata("key-000")?;
    assert!(matches!(pool.metadata("key-000"), Err(Error::NotFound { .. })));
    assert!(matches!(pool.remove_metadata("key-000"), Err(Error::NotFound { .. })));
    assert_eq!(pool.metadata_entries().count(), 299);
    Ok(())
}

#[test]
fn an_override_is_where_it_was_made_and_is_taken_back() -> Result<()> {
    let site = site::site()?;
    site.ceph_text(["osd", "pool", "create", "overridden", "8"])?;
    let pool = site::pool("overridden")?;
    pool.init()?;
    let image = site::disk(&pool, "own-mind")?;
    let option = "rbd_mirroring_delete_delay";
    let (default, source) = value(&pool.config()?, option)?;
    assert_eq!((default.as_str(), source), ("0", ConfigSource::Config));

    pool.set_config(option, "600")?;
    assert_eq!(value(&pool.config()?, option)?, ("600".to_owned(), ConfigSource::Pool));
    assert_eq!(site.rbd_text(["config", "pool", "get", "overridden", option])?.trim(), "600");
    image.set_config(option, "60")?;
    assert_eq!(value(&image.config()?, option)?, ("60".to_owned(), ConfigSource::Image));
    assert_eq!(site.rbd_text(["config", "image", "get", "overridden/own-mind", option])?.trim(), "60");

    image.remove_config(option)?;
    assert!(matches!(image.remove_config(option), Err(Error::NotFound { .. })));
    pool.remove_config(option)?;
    assert!(matches!(pool.remove_config(option), Err(Error::NotFound { .. })));
    assert_eq!(value(&pool.config()?, option)?.1, ConfigSource::Config);
    let shown = site.rbd(["config", "image", "ls", "overridden/own-mind"])?;
    assert_eq!(shown.as_array().map(Vec::len), Some(image.config()?.len()));
    Ok(())
}

#[test]
fn an_option_that_librbd_does_not_have_or_a_value_it_cannot_read_overrides_nothing() -> Result<()> {
    let pool = site::pool(ONE)?;
    let image = site::disk(&pool, "misled")?;
    for unknown in ["rbd_no_such_option", "mon_host", ""] {
        assert!(matches!(pool.set_config(unknown, "1"), Err(Error::InvalidInput { .. })), "{unknown}");
        assert!(matches!(image.set_config(unknown, "1"), Err(Error::InvalidInput { .. })), "{unknown}");
    }
    assert_eq!(errno(pool.set_config("rbd_cache_size", "lots")), Errno::EINVAL);
    assert_eq!(errno(image.set_config("rbd_cache_size", "lots")), Errno::EINVAL);
    let handle = pool.open_read_only("misled")?;
    assert_eq!(refusal(handle.set_config("rbd_cache", "false")), Refusal::ReadOnlyHandle);
    assert_eq!(image.metadata_entries().count(), 0);
    Ok(())
}
