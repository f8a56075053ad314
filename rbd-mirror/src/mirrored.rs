//! The mirrored images of a pool: which they are, and which daemon has them.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::mode::MirrorImageMode;
use crate::name::ImageId;
use crate::op::Op;
use crate::pool::Pool;
use crate::role::Role;
use crate::version::Version;

/// A mirrored image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MirroredImage {
    /// The image's id at this site.
    pub image: ImageId,
    /// How it is mirrored.
    pub mode: MirrorImageMode,
    /// What it is at this site.
    pub role: Role,
}

/// A list read page by page as the iterator goes: [`Pool::mirrored`], [`Pool::daemon_instances`], [`Pool::metadata_entries`]. It ends
/// after an error.
pub struct Pages<T> {
    fetch: Box<dyn FnMut(String) -> Result<Vec<T>> + Send>,
    key: fn(&T) -> &str,
    page: VecDeque<T>,
    /// The id or key after which the next page begins; `None` at the end.
    after: Option<String>,
}

const PAGE: usize = 1024;

impl<T> Iterator for Pages<T> {
    type Item = Result<T>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() {
            // A page may be shorter than asked for without being the last: only an empty one is.
            let after = self.after.take()?;
            match (self.fetch)(after.clone()) {
                Ok(page) => self.page = page.into(),
                Err(error) => return Some(Err(error)),
            }
            // A page that ends where it began would come again for ever.
            self.after =
                self.page.back().map(|last| (self.key)(last).to_owned()).filter(|last| *last != after);
        }
        self.page.pop_front().map(Ok)
    }
}

impl<T> std::fmt::Debug for Pages<T> {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("after", &self.after).finish_non_exhaustive()
    }
}

impl Pool {
    /// The mirrored images of the pool, of one mode or of both. Three reads an image: for a whole pool's state
    /// [`statuses`](Self::statuses) is cheaper. librbd leaves out, without a word, images that it cannot read.
    ///
    /// # Errors
    /// An item is an error if the site does not answer.
    ///
    /// Implements: `int rbd_mirror_image_info_list(rados_ioctx_t io_ctx, rbd_mirror_image_mode_t *mode_filter, const char *start_id, size_t max, char **image_ids, rbd_mirror_image_mode_t *mode_entries, rbd_mirror_image_info_t *info_entries, size_t *num_entries);`
    #[must_use]
    #[inline]
    pub fn mirrored(&self, mode: Option<MirrorImageMode>) -> Pages<MirroredImage> {
        let pool = self.clone();
        let filter = mode.map(MirrorImageMode::to_raw);
        let fetch = move |after: String| {
            let page = pool.run(Op::ListMirrored, move |io| io.info_page(filter, &after, PAGE))?;
            let image = |(id, mode, info)| MirroredImage {
                image: ImageId::new(id),
                mode: MirrorImageMode::from_raw(mode),
                role: Role::from_raw(info),
            };
            Ok(page.into_iter().map(image).collect())
        };
        Pages::new(fetch, |entry: &MirroredImage| entry.image.as_str())
    }

    /// Which instance of rbd-mirror at this site has which image: pairs of image and the daemon's client number for this pool. Images
    /// that no daemon has are left out.
    ///
    /// # Errors
    /// An item is an error if the site does not answer.
    ///
    /// Implements: `int rbd_mirror_image_instance_id_list(rados_ioctx_t io_ctx, const char *start_id, size_t max, char **image_ids, char **instance_ids, size_t *len);`
    #[must_use]
    #[inline]
    pub fn daemon_instances(&self) -> Pages<(ImageId, String)> {
        let pool = self.clone();
        let fetch = move |after: String| {
            let page = pool.run(Op::InstanceId, move |io| io.instance_page(&after, PAGE))?;
            Ok(page.into_iter().map(|(id, instance)| (ImageId::new(id), instance)).collect())
        };
        Pages::new(fetch, |entry: &(ImageId, String)| entry.0.as_str())
    }

    /// The namespace of the peer's pool that this namespace is mirrored with; the same name unless set.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before librbd 1.20.
    ///
    /// Implements: `int rbd_mirror_remote_namespace_get(rados_ioctx_t io_ctx, char *remote_namespace, size_t *max_len);`
    #[inline]
    pub fn remote_namespace(&self) -> Result<String> {
        let answer = self.run(Op::RemoteNamespace, |io| io.remote_namespace().transpose())?;
        answer.ok_or_else(Self::no_remote_namespaces)
    }

    /// Mirrors this namespace with one of another name at the peer. Before mirroring is enabled for it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before librbd 1.20; [`Error::Os`] with `EINVAL` once mirroring is enabled.
    ///
    /// Implements: `int rbd_mirror_remote_namespace_set(rados_ioctx_t io_ctx, const char *remote_namespace);`
    #[inline]
    pub fn set_remote_namespace(&self, namespace: &str) -> Result<()> {
        let namespace = namespace.to_owned();
        let done =
            self.run(Op::RemoteNamespace, move |io| io.set_remote_namespace(&namespace).transpose())?;
        done.ok_or_else(Self::no_remote_namespaces)
    }

    fn no_remote_namespaces() -> Error {
        let needs = Version { major: 1, minor: 20, extra: 0 };
        Error::Unsupported { op: Op::RemoteNamespace, needs, have: Version::loaded() }
    }
}

impl<T> Pages<T> {
    pub(crate) fn new(
        fetch: impl FnMut(String) -> Result<Vec<T>> + Send + 'static,
        key: fn(&T) -> &str,
    ) -> Self {
        Self { fetch: Box::new(fetch), key, page: VecDeque::new(), after: Some(String::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Pages;
    use crate::error::{Error, Result};
    use crate::name::{ImageId, Subject};
    use crate::op::Op;

    fn pages(of: Vec<Result<Vec<&'static str>>>) -> Pages<ImageId> {
        let mut of = of.into_iter();
        let fetch = move |_| {
            of.next().unwrap_or(Ok(Vec::new())).map(|page| page.into_iter().map(ImageId::new).collect())
        };
        Pages::new(fetch, ImageId::as_str)
    }

    #[test]
    fn a_short_page_is_not_the_end() {
        let seen: Vec<_> = pages(vec![Ok(vec!["a"]), Ok(vec!["b", "c"])]).map(Result::unwrap).collect();
        assert_eq!(seen, ["a", "b", "c"].map(ImageId::new));
    }

    #[test]
    fn a_page_that_does_not_advance_ends_the_list() {
        assert_eq!(pages(vec![Ok(vec!["a"]), Ok(vec!["a"]), Ok(vec!["a"])]).count(), 2);
    }

    #[test]
    fn an_error_ends_the_list() {
        let error = Error::NotFound { op: Op::ListMirrored, on: Subject::Cluster("site-a".into()) };
        let mut pages = pages(vec![Ok(vec!["a"]), Err(error), Ok(vec!["b"])]);
        assert!(pages.next().is_some_and(|first| first.is_ok()));
        assert!(pages.next().is_some_and(|second| second.is_err()));
        assert!(pages.next().is_none());
    }
}
