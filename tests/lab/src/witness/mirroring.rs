//! Images and their mirroring, as `rbd` shows them.

use serde::Deserialize;
use serde_json::Value;

use super::Site;
use crate::error::{Error, Result};

/// The part of `rbd info` that tests look at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageInfo {
    /// The image's id. A resync changes it.
    pub id: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its features by name.
    pub features: Vec<String>,
    /// Its parent, if it is a clone.
    #[serde(default)]
    pub parent: Option<Value>,
    /// Its mirroring; none where mirroring is off.
    #[serde(default)]
    pub mirroring: Option<Mirroring>,
}

/// How an image is mirrored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Mirroring {
    /// `journal` or `snapshot`.
    pub mode: Option<String>,
    /// `enabled`, `disabling` or `disabled`.
    pub state: String,
    /// What names the image at both sites.
    pub global_id: Option<String>,
    /// Whether this site's copy may be written.
    #[serde(default)]
    pub primary: bool,
}

/// What `rbd mirror image status` shows. Texts are up to 30 s old.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageStatus {
    /// The image's global id.
    pub global_id: String,
    /// As in `up+replaying`.
    pub state: String,
    /// More about it.
    pub description: String,
    /// What the other site says. Empty until it has said something.
    #[serde(default)]
    pub peer_sites: Vec<PeerSite>,
}

/// What another site says about its copy of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PeerSite {
    /// Its name.
    pub site_name: String,
    /// As in `up+stopped`.
    pub state: String,
    /// More about it.
    pub description: String,
}

impl Site {
    /// `rbd info`. `image` is `pool/name`.
    pub fn image_info(&self, image: &str) -> Result<ImageInfo> {
        typed(format!("rbd info {image}"), self.rbd(["info", image])?)
    }

    /// Whether the image exists.
    pub fn image_exists(&self, image: &str) -> Result<bool> {
        match self.rbd(["info", image]) {
            Ok(_) => Ok(true),
            // rbd ends with the error's number: ENOENT.
            Err(Error::Tool { code: Some(2), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `rbd mirror image status`.
    pub fn image_status(&self, image: &str) -> Result<ImageStatus> {
        typed(format!("rbd mirror image status {image}"), self.rbd(["mirror", "image", "status", image])?)
    }

    /// `rbd mirror pool status`.
    pub fn pool_status(&self, pool: &str) -> Result<Value> {
        self.rbd(["mirror", "pool", "status", pool])
    }

    /// `rbd mirror pool info`: mode, site name, peers. Without keys.
    pub fn pool_info(&self, pool: &str) -> Result<Value> {
        self.rbd(["mirror", "pool", "info", pool])
    }

    /// `rbd journal status` of the image with this id: positions, and who is registered.
    pub fn journal_status(&self, pool: &str, image_id: &str) -> Result<Value> {
        self.rbd(["journal", "status", "--pool", pool, "--journal", image_id])
    }

    /// `rbd trash ls --all --long`.
    pub fn trash(&self, pool: &str) -> Result<Vec<Value>> {
        self.list(["trash", "ls", "--all", "--long", pool])
    }

    /// `rbd lock ls`.
    pub fn locks(&self, image: &str) -> Result<Vec<Value>> {
        self.list(["lock", "ls", image])
    }

    /// The addresses of those who have the image open for writing, by `rbd status`.
    pub fn watchers(&self, image: &str) -> Result<Vec<String>> {
        let status = self.rbd(["status", image])?;
        let watchers = status["watchers"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(watchers.iter().filter_map(|watcher| watcher["address"].as_str().map(str::to_owned)).collect())
    }

    fn list<const N: usize>(&self, arguments: [&str; N]) -> Result<Vec<Value>> {
        Ok(match self.rbd(arguments)? {
            Value::Array(entries) => entries,
            _ => Vec::new(),
        })
    }
}

fn typed<T: for<'de> Deserialize<'de>>(command: String, answer: Value) -> Result<T> {
    serde_json::from_value(answer).map_err(|error| Error::Answer { command, why: error.to_string() })
}
