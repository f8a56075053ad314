//! What to give OpenNebula at site B so that it runs there what ran at A: the template of the VM, one of every image,
//! the calls to make after, and a list of everything that is not as it was.
//!
//! The order at B: promote the RBD images; register each [`NewImage`] (`one.image.allocate(template, datastore)`) and
//! make its calls; then the VM ([`NewVm`], `one.vm.allocate` or `one.template.allocate`) and its calls. All of it as a
//! member of `oneadmin`: `SOURCE`, `MAC`, `RAW` and others are refused to anybody else.
//!
//! A mirrored disk comes in through a registered, persistent image only: OpenNebula refuses a disk with a `SOURCE`
//! (observed: "Unknown disk type RBD"). A number of site A in a template means another object at B, or none, so there
//! is none left in what is written here.
//!
//! ```
//! use opennebula_meta::{Images, SiteMap, Vm, reregister};
//!
//! let vm = Vm::parse(
//!     "<VM><ID>0</ID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME><NAME>alpine-0</NAME><TEMPLATE>\
//!      <CPU>0.1</CPU><DISK><CLONE>YES</CLONE><DATASTORE>default</DATASTORE><DEV_PREFIX>vd</DEV_PREFIX>\
//!      <DISK_ID>0</DISK_ID><FORMAT>raw</FORMAT><IMAGE>alpine</IMAGE><SIZE>256</SIZE><SOURCE>one/one-0</SOURCE>\
//!      <TARGET>vda</TARGET><TYPE>RBD</TYPE></DISK><MEMORY>96</MEMORY></TEMPLATE></VM>",
//! )?;
//! let site_map = SiteMap { name_suffix: "-rep".to_owned(), ..SiteMap::default() };
//! let there = reregister::vm(&vm, &Images::default(), &site_map)?;
//! assert_eq!(
//!     there.template.to_text()?,
//!     "NAME=\"alpine-0-rep\"\nCPU=\"0.1\"\nDISK=[\n  IMAGE=\"alpine-0-rep\",\n  IMAGE_UNAME=\"oneadmin\",\n  \
//!      DEV_PREFIX=\"vd\",\n  TARGET=\"vda\" ]\nMEMORY=\"96\"\n"
//! );
//! assert_eq!(there.images[0].source.to_string(), "one/one-0-0-0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Not here: whether B would accept it ([`lint`](crate::lint)), and making any call.

mod change;
mod context;
mod disk;
mod image;
mod nic;
mod rules;
mod schedule;
mod vm;

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    fmt::{Display, Formatter, Result as Fmt},
};

use serde::Serialize;

use crate::{
    document::{Element, Error as DocumentError},
    id::{DiskId, Mebibytes},
    image::{Image, Images},
    name::{self, NameError},
    owner::{Owner, Permissions},
    site_map::{DatastoreRef, Edits, SiteMap, Unmapped},
    source::{NoRbd, RbdImage},
    template::{Key, ParseError, Refused, Template, Vector},
    vm::{DiskKind, Vm},
};

pub use change::{Change, Changes, Reason, What};

/// A VM for site B.
#[derive(Clone, Debug, PartialEq)]
pub struct NewVm {
    /// Its name there.
    pub name: String,
    /// Its template. Send the XML form; the text form is for reading and for files.
    pub template: Template,
    /// The images that its disks need, in the order of the disks.
    pub images: Vec<NewImage>,
    /// Calls to make once the VM is there, in this order.
    pub after: Vec<Call>,
    /// Every field that was left out, changed or added, and why.
    pub changes: Changes,
}

/// An image for site B: the registration of a replica.
#[derive(Clone, Debug, PartialEq)]
pub struct NewImage {
    /// Its name there; unique for its owner.
    pub name: String,
    /// Its owner there, once `after` is done; the VM's template looks it up under this owner.
    pub owner: Owner,
    /// The datastore: an argument of the call, not an attribute.
    pub datastore: DatastoreRef,
    /// The RBD image that it registers. OpenNebula never checks that it exists, is primary, or has that size.
    pub source: RbdImage,
    /// The size in the template. Where the RBD image was resized later, use [`sized`](Self::sized).
    pub size: Mebibytes,
    /// The disk that it is for, and what that is made of; `None` for an image registered on its own.
    pub disk: Option<(DiskId, DiskKind)>,
    /// Its template.
    pub template: Template,
    /// Calls to make once the image is there, in this order.
    pub after: Vec<Call>,
    /// Every field of the image at A that was left out, changed or added, and why.
    pub changes: Changes,
}

/// A call to make after an object is there; its number is known only then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Call {
    /// `one.X.chown`: the template cannot say who owns it, the caller does.
    Chown(Owner),
    /// `one.X.chmod`.
    Chmod(Permissions),
}

/// Everything that stands in the way, at once.
#[derive(Clone, Debug)]
pub struct Error {
    /// What; at least one.
    pub problems: Vec<Problem>,
}

/// One thing that stands in the way.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Something of A has no counterpart at B: list it in the [`SiteMap`], or make it at B.
    #[error("no counterpart at site B for {0}")]
    Unmapped(Unmapped),
    /// The document lacks what is needed: `SOURCE`, `SIZE`, `MEMORY`.
    #[error(transparent)]
    Document(DocumentError),
    /// A part of the document is no template.
    #[error(transparent)]
    Template(ParseError),
    /// A name that OpenNebula refuses.
    #[error("the name {name:?} is refused: {why}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        why: NameError,
    },
    /// The data of a disk is out of reach of RBD mirroring.
    #[error("disk {disk} is on no RBD image ({why:?}); its data is not at site B")]
    NoData {
        /// The disk.
        disk: DiskId,
        /// Why.
        why: NoRbd,
    },
    /// An image that is no disk on Ceph: a kernel, a context file, a backup, or one on another storage.
    #[error("the image is no disk on Ceph")]
    NotRbd,
    /// A value that OpenNebula cannot take in any form.
    #[error("{0}")]
    Unfit(Refused),
    /// A value in `CONTEXT` that would bring in another attribute.
    #[error("CONTEXT/{key} contains OpenNebula's separator, which would inject an attribute")]
    ContextSeparator {
        /// The attribute.
        key: String,
    },
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl StdError for Error {}

/// The VM for site B, with the images of its disks.
///
/// `images` are those of site A; they tell types and owners. An image that is not among them is judged by what the
/// disk says.
///
/// # Errors
/// [`Error`] with everything that stands in the way, not only the first.
pub fn vm(vm: &Vm, images: &Images, site_map: &SiteMap) -> Result<NewVm, Error> {
    vm::convert(vm, images, site_map)
}

/// The image for site B, of an image that VMs use as it is (persistent, CDROM) or that none uses.
///
/// # Errors
/// [`Error`] with everything that stands in the way, not only the first.
pub fn image(image: &Image, site_map: &SiteMap) -> Result<NewImage, Error> {
    image::convert(image, site_map)
}

/// Two registrations of one name and owner for different RBD images: the second would be refused ("NAME is already
/// taken"). Meant for all images of a site at once; the same image needed by several VMs is no clash.
pub fn clashes<'a>(images: impl IntoIterator<Item = &'a NewImage>) -> Vec<(&'a NewImage, &'a NewImage)> {
    let mut first = BTreeMap::new();
    let mut clashes = Vec::new();
    for image in images {
        let other = *first.entry((&image.owner.user, &image.name)).or_insert(image);
        if other.source != image.source {
            clashes.push((other, image));
        }
    }
    clashes
}

/// A's security groups: number and name.
type SecurityGroups<'a> = BTreeMap<&'a str, &'a str>;

/// What a conversion collects.
struct Job<'a> {
    map: &'a SiteMap,
    changes: Changes,
    problems: Vec<Problem>,
}

impl<'a> Job<'a> {
    fn new(map: &'a SiteMap) -> Self {
        Self::expecting(map, 0)
    }

    /// A conversion that will list about so many changes.
    fn expecting(map: &'a SiteMap, changes: usize) -> Self {
        Self { map, changes: Changes::with_capacity(changes), problems: Vec::new() }
    }

    /// Puts a field of a vector into B's unless there is a reason against it, and says so if there is.
    fn keep(&mut self, vector: &mut Vector, field: Element<'_>, reason: Option<Reason>) {
        let reason = match reason {
            Some(reason) => reason,
            None => match Key::of(field) {
                Ok(key) if field.is_leaf() => {
                    if vector.push(key, field.text()) {
                        return;
                    }
                    Reason::Repeated
                }
                _ => Reason::Unknown,
            },
        };
        self.changes.drop_field(field, reason);
    }

    /// The value, or a problem and nothing.
    fn take<T>(&mut self, result: Result<T, impl Into<Problem>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problem(problem.into());
                None
            }
        }
    }

    fn problem(&mut self, problem: Problem) {
        if let Problem::Unmapped(new) = &problem
            && self.problems.iter().any(|old| matches!(old, Problem::Unmapped(old) if old == new))
        {
            return;
        }
        self.problems.push(problem);
    }

    /// The owner at B of what this user and group own at A.
    fn owner(&mut self, (user, group): (&str, &str)) -> Owner {
        let map = self.map;
        let user = self.take(map.user(user)).unwrap_or_default();
        let group = self.take(map.group(group)).unwrap_or_default();
        Owner { user, group }
    }

    /// Applies the map's edits.
    fn edit(&mut self, template: &mut Template, edits: &Edits) {
        for path in &edits.drop {
            for (at, was) in path.drop_from(template) {
                self.changes.push(Change::named(&at, Reason::Asked, &was, None));
            }
        }
        for (path, value) in &edits.replace {
            for (at, was) in path.replace_in(template, value) {
                self.changes.push(Change::named(&at, Reason::Asked, &was, Some(value)));
            }
        }
        for (path, value) in &edits.add {
            for at in path.add_to(template, value) {
                self.changes.push(Change::added(&at, Reason::Asked, value));
            }
        }
    }

    /// Refuses a template that OpenNebula could not take.
    fn check(&mut self, template: &mut Template) {
        self.problems.extend(template.check().into_iter().map(Problem::Unfit));
    }

    fn check_name(&mut self, name: &str) {
        if let Err(why) = name::check(name) {
            self.problems.push(Problem::Name { name: name.to_owned(), why });
        }
    }

    fn finish(self) -> Result<Changes, Error> {
        if self.problems.is_empty() { Ok(self.changes) } else { Err(Error { problems: self.problems }) }
    }
}

impl From<Unmapped> for Problem {
    fn from(unmapped: Unmapped) -> Self {
        Self::Unmapped(unmapped)
    }
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        Self::Document(error)
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        Self::Template(error)
    }
}

/// The calls that give an object its owner and permissions.
fn calls(owner: Owner, permissions: Option<Permissions>) -> Vec<Call> {
    let mut calls = Vec::with_capacity(2);
    calls.push(Call::Chown(owner));
    calls.extend(permissions.map(Call::Chmod));
    calls
}

#[cfg(test)]
mod tests;
