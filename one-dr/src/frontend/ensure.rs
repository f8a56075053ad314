//! Making what is not there yet, once: the object is looked for before it is made, and again after an answer was lost.
//!
//! An image is known by its `SOURCE` and the stamp that its template carries, a template and a VM by the stamp alone. A stamp
//! is any attribute with a value that nobody else writes. Names of images and templates are taken once per owner, so a call
//! that arrives late cannot make a second one. **Names of VMs are not**: a VM is looked for again after it was made, and two
//! of a stamp are an error for a person to see.
//!
//! Nothing is made twice here. If an answer is lost and the object is not there yet, [`Error::InDoubt`] goes to the caller: the
//! call may still be waiting in OpenNebula's queue. Calling again is right, later.

use opennebula_meta::id::{DatastoreId, ImageId, TemplateId, VmId};
use opennebula_meta::vm::VmState;
use opennebula_meta::{Image, Template, Vm};

use super::{Error, FrontEnd, Result};

/// An object that is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ensured<T> {
    /// Its number.
    pub id: T,
    /// Whether this call made it, as far as that is known.
    pub origin: Origin,
}

/// Where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was there.
    Found,
    /// It was made, and OpenNebula said so.
    Made,
    /// The answer was lost; it was there afterwards.
    Adopted,
}

/// An object cannot be ensured.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsureError {
    /// A call failed.
    #[error(transparent)]
    FrontEnd(#[from] Error),
    /// The template carries no attribute of the stamp's name: what is made with it would not be known again.
    #[error("the template carries no {key}; what is made with it would not be known again")]
    NoStamp {
        /// The attribute.
        key: String,
    },
    /// Several objects carry the stamp, or register the same RBD image.
    #[error("{what} are all {stamp}: keep one, and delete the others by hand")]
    Several {
        /// `images 4, 7`.
        what: String,
        /// What they have in common.
        stamp: String,
    },
    /// An image carries the stamp and registers another RBD image: it was renamed since, as by a revert to a snapshot.
    #[error("image {id} carries {stamp} and registers {found:?} in the place of {wanted:?}")]
    Moved {
        /// The image.
        id: ImageId,
        /// What it carries.
        stamp: String,
        /// `pool/image` that it registers.
        found: String,
        /// `pool/image` that is to be registered.
        wanted: String,
    },
    /// Another object registers the same RBD image, without the stamp: it is not ours to use.
    #[error("image {id} ({name:?}) registers {rbd} already, and does not carry {stamp}")]
    Foreign {
        /// The image.
        id: ImageId,
        /// Its name.
        name: String,
        /// `pool/image`.
        rbd: String,
        /// The stamp that it lacks.
        stamp: String,
    },
}

/// An attribute by which an object is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `ONE_DR_VM`.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Stamp {
    /// The stamp of this name that a template carries.
    ///
    /// # Errors
    /// [`EnsureError::NoStamp`]
    pub fn of(template: &Template, key: &str) -> std::result::Result<Self, EnsureError> {
        let value = template.single(key).filter(|value| !value.trim().is_empty());
        let value = value.ok_or_else(|| EnsureError::NoStamp { key: key.to_owned() })?;
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }

    fn is_on(&self, root: opennebula_meta::document::Element<'_>, part: &str) -> bool {
        // 7.4.0 cuts white space around values.
        let value = root.child(part).and_then(|template| template.value(&self.key));
        value.is_some_and(|value| value.trim() == self.value.trim())
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Registers an RBD image (`SOURCE` of the template), if it is not registered with this stamp.
///
/// # Errors
/// [`EnsureError`]; [`Error::InDoubt`] within it if it may come to be there later.
pub fn image(
    front_end: &dyn FrontEnd,
    template: &Template,
    stamp: &Stamp,
    datastore: DatastoreId,
    skip_capacity: bool,
) -> std::result::Result<Ensured<ImageId>, EnsureError> {
    let source = Stamp::of(template, "SOURCE")?.value;
    let look = || -> std::result::Result<Option<ImageId>, EnsureError> {
        let images = front_end.images()?;
        let registers = |image: &&Image| image.source().is_ok_and(|found| found == source);
        let stamped = |image: &&Image| stamp.is_on(image.root(), "TEMPLATE");
        if let Some(foreign) = images.iter().filter(registers).find(|image| !stamped(image)) {
            let (name, rbd) = (foreign.name().to_owned(), source.clone());
            return Err(EnsureError::Foreign { id: foreign.id(), name, rbd, stamp: stamp.to_string() });
        }
        if let Some(moved) = images.iter().filter(stamped).find(|image| !registers(image)) {
            let found = moved.source().unwrap_or_default().to_owned();
            let (id, stamp, wanted) = (moved.id(), stamp.to_string(), source.clone());
            return Err(EnsureError::Moved { id, stamp, found, wanted });
        }
        one("images", stamp, images.iter().filter(registers).map(|image| (image.id(), image.id().0)))
    };
    ensure(stamp, template, look, || front_end.allocate_image(template, datastore, skip_capacity))
}

/// Stores a template, if none with this stamp is stored.
///
/// # Errors
/// As [`image`].
pub fn template(
    front_end: &dyn FrontEnd,
    template: &Template,
    stamp: &Stamp,
) -> std::result::Result<Ensured<TemplateId>, EnsureError> {
    let look = || {
        let templates = front_end.templates()?;
        let stamped = templates.iter().filter(|each| stamp.is_on(each.root(), "TEMPLATE"));
        one("templates", stamp, stamped.map(|each| (each.id(), each.id().0)))
    };
    ensure(stamp, template, look, || front_end.allocate_template(template))
}

/// Makes a VM of a stored template, if none with this stamp is there that is not DONE. `extra` must carry the stamp.
///
/// # Errors
/// As [`image`]; [`EnsureError::Several`] also after it was made, if a call that was given up came late.
pub fn vm(
    front_end: &dyn FrontEnd,
    from: TemplateId,
    name: &str,
    hold: bool,
    extra: &Template,
    stamp: &Stamp,
) -> std::result::Result<Ensured<VmId>, EnsureError> {
    let is_there =
        |vm: &&Vm| !matches!(vm.state(), Ok(VmState::Done)) && stamp.is_on(vm.root(), "USER_TEMPLATE");
    let look = || {
        let vms = front_end.vms()?;
        one("VMs", stamp, vms.iter().filter(is_there).map(|vm| (vm.id(), vm.id().0)))
    };
    let made = ensure(stamp, extra, look, || front_end.instantiate(from, name, hold, extra))?;
    if made.origin != Origin::Found {
        look()?;
    }
    Ok(made)
}

fn ensure<T: Copy>(
    stamp: &Stamp,
    template: &Template,
    look: impl Fn() -> std::result::Result<Option<T>, EnsureError>,
    make: impl FnOnce() -> Result<T>,
) -> std::result::Result<Ensured<T>, EnsureError> {
    if template.single(&stamp.key) != Some(stamp.value.as_str()) {
        return Err(EnsureError::NoStamp { key: stamp.key.clone() });
    }
    if let Some(id) = look()? {
        return Ok(Ensured { id, origin: Origin::Found });
    }
    match make() {
        Ok(id) => Ok(Ensured { id, origin: Origin::Made }),
        // A call that was given up earlier has come through in between, or this one has.
        Err(error) if error.is_in_doubt() || error.is_name_taken() => match look()? {
            Some(id) => Ok(Ensured { id, origin: Origin::Adopted }),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn one<T: Copy>(
    what: &str,
    stamp: &Stamp,
    found: impl Iterator<Item = (T, u32)>,
) -> std::result::Result<Option<T>, EnsureError> {
    let found: Vec<_> = found.collect();
    if found.len() > 1 {
        let ids: Vec<_> = found.iter().map(|(_, id)| id.to_string()).collect();
        return Err(EnsureError::Several {
            what: format!("{what} {}", ids.join(", ")),
            stamp: stamp.to_string(),
        });
    }
    Ok(found.first().map(|(id, _)| *id))
}
