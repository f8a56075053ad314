//! Many images at once: one operation over a set of them, with an outcome for each.
//!
//! ```no_run
//! # fn main() -> Result<(), rbd_mirror::Error> {
//! # let pool: rbd_mirror::Pool = unimplemented!();
//! use rbd_mirror::{Promote, fleet::Fleet};
//!
//! for outcome in Fleet::of_pool(&pool)?.promote(Promote::Clean) {
//!     match outcome.result {
//!         Ok(()) => println!("{} in {:?}", outcome.image, outcome.took),
//!         Err(error) => eprintln!("{}: {error}", outcome.image),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What librbd completes by itself (open, promote, demote, info, status, close) is started for all images and awaited together, on
//! the caller's thread; the rest (enable, disable, flatten, resync) runs on worker threads. In snapshot mode a promotion costs a
//! decision of the monitors, about a second, which those that are under way together share: two hundred promotions took 4 to 5 s on two
//! busy cores, and `rbd mirror pool promote`, with ten at once, 20 s.
//!
//! **Nothing is lost sight of.** Every image of the set has exactly one outcome, in the order in which they end. Those that were not
//! begun, because an operation failed ([`Fleet::stop_on_error`]) or the caller cancelled the rest ([`Cancel`]), say so:
//! [`Error::NotBegun`]. What was begun is awaited: what librbd completes by itself within the limit of the pool's handle, a flatten for as
//! long as it goes on, a closure of [`Fleet::each`] for as long as it takes. To drop the iterator early is to look away: what was begun
//! goes on.
//!
//! **To do it again** after a switch-over that stopped half-way is safe. Images that were done before answer
//! [`Refusal::AlreadyPrimary`](crate::Refusal::AlreadyPrimary) or [`Refusal::NotPrimary`](crate::Refusal::NotPrimary), which is then what
//! was wanted: do not combine that with [`Fleet::stop_on_error`].
//!
//! The verbs are [`Image`]'s own and look at one site. For the guarded ones of [`crate::pair`], there is [`Fleet::each`].

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::call::Failure;
use crate::enable::Disable;
use crate::error::{Error, Result};
use crate::image::{Access, Image};
use crate::mode::MirrorImageMode;
use crate::name::{GlobalImageId, ImageId, Subject};
use crate::op::Op;
use crate::pending::on_worker;
use crate::place::{Answer, answer};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::promote::Promote;
use crate::raw::image::Which;
use crate::role::Role;
use crate::status::ImageStatus;

mod outcomes;
mod running;

pub use outcomes::{Counts, Outcomes};
use running::{Begin, Running};

/// A set of images of one pool.
#[derive(Clone, Debug)]
pub struct Fleet {
    pool: Pool,
    images: Vec<Target>,
    at_once: Option<usize>,
    stop_on_error: bool,
    cancel: Cancel,
}

/// An image as the caller names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Target {
    /// By its name.
    Name(String),
    /// By its id at this site.
    Id(ImageId),
    /// By its identity at every site.
    Global(GlobalImageId),
}

impl fmt::Display for Target {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => write!(f, "id {id}"),
            Self::Global(id) => write!(f, "global id {id}"),
        }
    }
}

impl From<&str> for Target {
    #[inline]
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Target {
    #[inline]
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<ImageId> for Target {
    #[inline]
    fn from(id: ImageId) -> Self {
        Self::Id(id)
    }
}

impl From<GlobalImageId> for Target {
    #[inline]
    fn from(id: GlobalImageId) -> Self {
        Self::Global(id)
    }
}

impl From<&GlobalImageId> for Target {
    #[inline]
    fn from(id: &GlobalImageId) -> Self {
        Self::Global(id.clone())
    }
}

/// What became of one image.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Outcome<T> {
    /// The image, as the caller named it.
    pub image: Target,
    /// What the operation answered.
    pub result: Result<T>,
    /// How long it took, opening and closing included; zero where it was not begun.
    pub took: Duration,
}

/// Cancels what has not begun, from any thread. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A switch that is off.
    #[must_use]
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins no further operation.
    #[inline]
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked for.
    #[must_use]
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How many operations with completions are under way at once, unless the caller says otherwise.
const AIO_AT_ONCE: usize = 256;

/// How many operations have a worker thread each at once.
const WORKERS_AT_ONCE: usize = 16;

/// Flattening moves data: more at once do not make the OSDs faster.
const FLATTENS_AT_ONCE: usize = 8;

/// From so many on, the pool's directory is read as a whole to find them.
const DIRECTORY_FROM: usize = 8;

/// An operation on one image, whatever it answers: [`Outcomes`] knows the type.
type Operation = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

/// An operation on an open image, which it gives back.
type Verb = Box<dyn Fn(Image) -> Pin<Box<dyn Future<Output = (Image, Result<Answer>)> + Send>> + Send + Sync>;

impl Fleet {
    /// These images of the pool.
    #[must_use]
    #[inline]
    pub fn new<I>(pool: &Pool, images: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Target>,
    {
        Self {
            pool: pool.clone(),
            images: images.into_iter().map(Into::into).collect(),
            at_once: None,
            stop_on_error: false,
            cancel: Cancel::new(),
        }
    }

    /// All mirrored images of the pool.
    ///
    /// # Errors
    /// What [`Pool::mirrored_ids`] answers.
    #[inline]
    pub fn of_pool(pool: &Pool) -> Result<Self> {
        Ok(Self::new(pool, pool.mirrored_ids()?.into_iter().map(|(_, global)| global)))
    }

    /// How many operations are under way at once, at least one; `usize::MAX` for all. Without it: 256 of those that librbd completes by
    /// itself, 8 flattens, 16 of the others.
    #[must_use]
    #[inline]
    pub fn at_once(mut self, count: usize) -> Self {
        self.at_once = Some(count.max(1));
        self
    }

    /// Begins nothing more once an operation has failed. What is under way is awaited.
    #[must_use]
    #[inline]
    pub fn stop_on_error(mut self) -> Self {
        self.stop_on_error = true;
        self
    }

    /// Begins nothing more once that switch is on. What is under way is awaited.
    #[must_use]
    #[inline]
    pub fn cancelled_by(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// How many images it has.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether it has none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// [`Image::promote`] of each.
    ///
    /// Similar to: `rbd mirror pool promote [--force]`
    #[inline]
    pub fn promote(self, how: Promote) -> Outcomes<()> {
        self.opened(Op::Promote, Access::ReadWrite, move |image| async move {
            let done = image.promote_aio(how).await;
            (image, done)
        })
    }

    /// [`Image::demote`] of each.
    ///
    /// Similar to: `rbd mirror pool demote`
    #[inline]
    pub fn demote(self) -> Outcomes<()> {
        self.opened(Op::Demote, Access::ReadWrite, |image| async move {
            let done = image.demote_aio().await;
            (image, done)
        })
    }

    /// [`Image::role`] of each.
    #[inline]
    pub fn role(self) -> Outcomes<Role> {
        self.opened(Op::MirrorInfo, Access::ReadOnly(None), |image| async move {
            let role = image.role_aio().await;
            (image, role)
        })
    }

    /// [`Image::status`] of each. For a whole pool [`Pool::statuses`] is cheaper.
    #[inline]
    pub fn status(self) -> Outcomes<ImageStatus> {
        self.opened(Op::Status, Access::ReadOnly(None), |image| async move {
            let status = image.status_aio().await;
            (image, status)
        })
    }

    /// [`Image::enable`] of each.
    #[inline]
    pub fn enable(self, mode: MirrorImageMode) -> Outcomes<GlobalImageId> {
        self.on_images(Op::Enable, WORKERS_AT_ONCE, move |image| image.enable(mode))
    }

    /// [`Image::disable`] of each.
    #[inline]
    pub fn disable(self, how: Disable) -> Outcomes<()> {
        self.on_images(Op::Disable, WORKERS_AT_ONCE, move |image| image.disable(how))
    }

    /// [`Image::flatten`] of each. `progress` is called from the workers, for several images at once; a `Break` stops that image.
    #[inline]
    pub fn flatten(
        self,
        progress: impl Fn(&Target, Progress) -> ControlFlow<()> + Send + Sync + 'static,
    ) -> Outcomes<()> {
        let progress = Arc::new(progress);
        self.each_within(Op::Flatten, FLATTENS_AT_ONCE, move |pool, target| {
            let image = open(pool, target)?;
            let done = image.flatten(|now| progress(target, now));
            close(image);
            done
        })
    }

    /// [`Image::resync`] of each, which **destroys the copies here**. Only images that are named by their global ids: that is the
    /// consent. [`crate::pair::Pair::resync`] in [`each`](Self::each) proves first that there is a primary to fetch them from.
    #[inline]
    pub fn resync(self) -> Outcomes<()> {
        let op = Op::Resync;
        self.each_within(op, WORKERS_AT_ONCE, move |pool, target| {
            let Target::Global(consent) = target else {
                let what = "a resync needs the image's global id as consent";
                return Err(Error::InvalidInput { op, on: subject(pool, target), what });
            };
            let image = open(pool, target)?;
            let done = image.resync(consent);
            close(image);
            done
        })
    }

    /// Any operation that a function does, on workers. `op` names it where it is not begun.
    ///
    /// ```no_run
    /// # fn demo(here: rbd_mirror::Pool, pair: rbd_mirror::pair::Pair) -> Result<(), rbd_mirror::Error> {
    /// # use rbd_mirror::{Op, fleet::{Fleet, Target}};
    /// let promoted = Fleet::of_pool(&here)?.each(Op::Promote, move |_, image| match image {
    ///     Target::Global(id) => pair.promote(id),
    ///     other => unreachable!("the whole pool is named by global ids, not {other}"),
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn each<T: Send + 'static>(
        self,
        op: Op,
        job: impl Fn(&Pool, &Target) -> Result<T> + Send + Sync + 'static,
    ) -> Outcomes<T> {
        self.each_within(op, WORKERS_AT_ONCE, job)
    }

    fn on_images<T: Send + 'static>(
        self,
        op: Op,
        at_once: usize,
        job: impl Fn(&Image) -> Result<T> + Send + Sync + 'static,
    ) -> Outcomes<T> {
        self.each_within(op, at_once, move |pool, target| {
            let image = open(pool, target)?;
            let done = job(&image);
            close(image);
            done
        })
    }

    fn each_within<T: Send + 'static>(
        self,
        op: Op,
        at_once: usize,
        job: impl Fn(&Pool, &Target) -> Result<T> + Send + Sync + 'static,
    ) -> Outcomes<T> {
        let job = Arc::new(job);
        let (pool, bound) = (self.pool.clone(), self.pool.bound());
        let begin = move |target: Target| -> Operation {
            let (pool, job) = (pool.clone(), Arc::clone(&job));
            let on = subject(&pool, &target);
            Box::pin(async move {
                let done = on_worker(move || job(&pool, &target).map(answer)).await;
                done.map_err(|errno| Failure::Errno(errno).plain(op, on, bound))?
            })
        };
        Outcomes::of(self.begin(op, at_once, Box::new(begin)))
    }

    /// Opens each image, does something with it, and closes it, all by completions.
    fn opened<T: Send + 'static, F>(
        self,
        op: Op,
        access: Access,
        verb: impl Fn(Image) -> F + Send + Sync + 'static,
    ) -> Outcomes<T>
    where
        F: Future<Output = (Image, Result<T>)> + Send + 'static,
    {
        let verb: Verb = Box::new(move |image| {
            let doing = verb(image);
            Box::pin(async move {
                let (image, done) = doing.await;
                (image, done.map(answer))
            })
        });
        Outcomes::of(self.opened_for(op, access, verb))
    }

    fn opened_for(self, op: Op, access: Access, verb: Verb) -> Running {
        let ids = Arc::new(Ids::of(&self.pool, &self.images));
        let (pool, verb) = (self.pool.clone(), Arc::new(verb));
        let begin = move |target: Target| -> Operation {
            let (pool, verb, access, ids) =
                (pool.clone(), Arc::clone(&verb), access.clone(), Arc::clone(&ids));
            Box::pin(async move {
                let which = match target {
                    Target::Name(name) => Which::Name(name),
                    Target::Id(id) => Which::Id(id.as_str().to_owned()),
                    Target::Global(global) => Which::Id(match ids.0.get(&global) {
                        Some(id) => id.as_str().to_owned(),
                        None => pool.find_aio(&global).await?.as_str().to_owned(),
                    }),
                };
                let image = pool.open_aio(which, access).await?;
                let (image, done) = verb(image).await;
                // The verb's outcome stands, however the handle closes.
                if let Err(error) = image.close_aio().await {
                    tracing::debug!(%error, "closing an image of a fleet");
                }
                done
            })
        };
        self.begin(op, AIO_AT_ONCE, Box::new(begin))
    }

    fn begin(self, op: Op, at_once: usize, begin: Begin) -> Running {
        let at_once = self.at_once.unwrap_or(at_once);
        let images = VecDeque::from(self.images);
        Running::new(op, self.pool, images, at_once, self.stop_on_error, self.cancel, begin)
    }
}

/// The image ids of the global ids of a set, read at once.
struct Ids(HashMap<GlobalImageId, ImageId>);

impl Ids {
    /// Nothing where the set is small or the pool does not answer: then each is looked for singly, and says what is wrong.
    fn of(pool: &Pool, images: &[Target]) -> Self {
        let globals = images.iter().filter(|image| matches!(image, Target::Global(_))).count();
        if globals < DIRECTORY_FROM {
            return Self(HashMap::new());
        }
        let listed = pool.mirrored_ids().unwrap_or_default();
        Self(listed.into_iter().map(|(id, global)| (global, id)).collect())
    }
}

fn open(pool: &Pool, target: &Target) -> Result<Image> {
    match target {
        Target::Name(name) => pool.open(name),
        Target::Id(id) => pool.open_by_id(id),
        Target::Global(id) => pool.open_by_global_id(id),
    }
}

fn close(image: Image) {
    if let Err(error) = image.close() {
        tracing::debug!(%error, "closing an image of a fleet");
    }
}

fn subject(pool: &Pool, target: &Target) -> Subject {
    let name = match target {
        Target::Name(name) => name.clone(),
        other => other.to_string(),
    };
    pool.image_spec(&name).into()
}
