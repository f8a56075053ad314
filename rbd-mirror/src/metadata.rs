//! Metadata as a list, and the configuration that pools and images keep in it.

use std::fmt;

use ceph_sys as sys;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::mirrored::Pages;
use crate::name::Subject;
use crate::op::Op;
use crate::pool::Pool;
use crate::raw::image::RawImage;
use crate::raw::metadata::RawOption;
use crate::raw::rados::RawIoCtx;

/// What precedes an option's name in the metadata that overrides it.
const OVERRIDE: &str = "conf_";

/// How many entries are read at once.
const PAGE: u64 = 256;

/// An option of librbd, and where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ConfigOption {
    /// The option's name: `rbd_mirroring_delete_delay`.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// Who says so.
    pub source: ConfigSource,
}

/// Where the value of an option comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ConfigSource {
    /// The configuration file, the monitors, or the option's default.
    Config,
    /// The pool's override.
    Pool,
    /// The image's override.
    Image,
    /// A source this crate has no name for.
    Other(u32),
}

impl fmt::Display for ConfigSource {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("config"),
            Self::Pool => f.write_str("pool"),
            Self::Image => f.write_str("image"),
            Self::Other(raw) => write!(f, "source {raw}"),
        }
    }
}

impl ConfigOption {
    fn from_raw(raw: RawOption) -> Self {
        let source = match raw.source {
            sys::RBD_CONFIG_SOURCE_CONFIG => ConfigSource::Config,
            sys::RBD_CONFIG_SOURCE_POOL => ConfigSource::Pool,
            sys::RBD_CONFIG_SOURCE_IMAGE => ConfigSource::Image,
            other => ConfigSource::Other(other),
        };
        Self { name: raw.name, value: raw.value, source }
    }
}

impl Pool {
    /// The pool's metadata, page by page: pairs of key and value, in the keys' order.
    ///
    /// # Errors
    /// An item is an error if the site does not answer; the iterator ends with it.
    ///
    /// Implements: `int rbd_pool_metadata_list(rados_ioctx_t io_ctx, const char *start, uint64_t max, char *keys, size_t *key_len, char *values, size_t *vals_len);`
    #[must_use]
    #[inline]
    pub fn metadata_entries(&self) -> Pages<(String, String)> {
        let pool = self.clone();
        let fetch = move |after: String| pool.run(Op::PoolMetadata, move |io| io.metadata_page(&after, PAGE));
        Pages::new(fetch, |(key, _)| key)
    }

    /// Removes a value of the pool's metadata.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the key has no value.
    ///
    /// Implements: `int rbd_pool_metadata_remove(rados_ioctx_t io_ctx, const char *key);`
    #[inline]
    pub fn remove_metadata(&self, key: &str) -> Result<()> {
        let key = key.to_owned();
        self.run(Op::PoolMetadata, move |io| io.remove_pool_metadata(&key))
    }

    /// The options of librbd as they are for this pool.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the pool's OSDs do not answer.
    ///
    /// Implements: `int rbd_config_pool_list(rados_ioctx_t io_ctx, rbd_config_option_t *options, int *max_options);`
    /// Similar to: `rbd config pool ls <pool>`
    #[inline]
    pub fn config(&self) -> Result<Vec<ConfigOption>> {
        let options = self.run(Op::Config, RawIoCtx::config)?;
        Ok(options.into_iter().map(ConfigOption::from_raw).collect())
    }

    /// Overrides an option for this pool, at this site. Clients take it up when they open an image; rbd-mirror when it looks.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if librbd has no such option to override; [`Error::Os`] with `EINVAL` for a value it cannot read.
    ///
    /// Implements: `int rbd_pool_metadata_set(rados_ioctx_t io_ctx, const char *key, const char *value);`
    /// Similar to: `rbd config pool set <pool> <option> <value>`
    #[inline]
    pub fn set_config(&self, option: &str, value: &str) -> Result<()> {
        is_known(&self.config()?, option, || self.subject())?;
        let (key, value) = (format!("{OVERRIDE}{option}"), value.to_owned());
        self.run(Op::Config, move |io| io.set_pool_metadata(&key, &value))
    }

    /// Takes an override back.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the pool does not override that option.
    ///
    /// Implements: `int rbd_pool_metadata_remove(rados_ioctx_t io_ctx, const char *key);`
    /// Similar to: `rbd config pool remove <pool> <option>`
    #[inline]
    pub fn remove_config(&self, option: &str) -> Result<()> {
        let key = format!("{OVERRIDE}{option}");
        // Removing what is not there is no error to every release: look first.
        self.metadata(&key)?;
        self.run(Op::Config, move |io| io.remove_pool_metadata(&key))
    }
}

impl Image {
    /// The image's metadata, page by page: pairs of key and value, in the keys' order.
    ///
    /// # Errors
    /// An item is an error if the site does not answer; the iterator ends with it.
    ///
    /// Implements: `int rbd_metadata_list(rbd_image_t image, const char *start, uint64_t max, char *keys, size_t *key_len, char *values, size_t *vals_len);`
    /// Similar to: `rbd image-meta ls <image-spec>`
    #[must_use]
    #[inline]
    pub fn metadata_entries(&self) -> Pages<(String, String)> {
        let image = self.clone();
        let fetch =
            move |after: String| image.run(Op::ImageMetadata, move |raw| raw.metadata_page(&after, PAGE));
        Pages::new(fetch, |(key, _)| key)
    }

    /// The options of librbd as they are for this image.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the site does not answer.
    ///
    /// Implements: `int rbd_config_image_list(rbd_image_t image, rbd_config_option_t *options, int *max_options);`
    /// Similar to: `rbd config image ls <image-spec>`
    #[inline]
    pub fn config(&self) -> Result<Vec<ConfigOption>> {
        let options = self.run(Op::Config, RawImage::config)?;
        Ok(options.into_iter().map(ConfigOption::from_raw).collect())
    }

    /// Overrides an option for this image, at every site that it is mirrored to. Clients take it up when they open it.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if librbd has no such option to override; [`Error::Os`] with `EINVAL` for a value it cannot read;
    /// [`Refusal::Replica`](crate::Refusal::Replica).
    ///
    /// Implements: `int rbd_metadata_set(rbd_image_t image, const char *key, const char *value);`
    /// Similar to: `rbd config image set <image-spec> <option> <value>`
    #[inline]
    pub fn set_config(&self, option: &str, value: &str) -> Result<()> {
        is_known(&self.config()?, option, || self.subject())?;
        self.set_metadata(&format!("{OVERRIDE}{option}"), value)
    }

    /// Takes an override back.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the image does not override that option; [`Refusal::Replica`](crate::Refusal::Replica).
    ///
    /// Implements: `int rbd_metadata_remove(rbd_image_t image, const char *key);`
    /// Similar to: `rbd config image remove <image-spec> <option>`
    #[inline]
    pub fn remove_config(&self, option: &str) -> Result<()> {
        self.remove_metadata(&format!("{OVERRIDE}{option}"))
    }
}

fn is_known(options: &[ConfigOption], option: &str, on: impl Fn() -> Subject) -> Result<()> {
    if options.iter().any(|known| known.name == option) {
        return Ok(());
    }
    let what = "librbd has no option of that name that a pool or an image may override";
    Err(Error::InvalidInput { op: Op::Config, on: on(), what })
}
