//! The registration of a replica as an image.

use super::{Change, Error, Job, NewImage, Problem, Reason, calls, rules};
use crate::{
    document::Element,
    id::{DiskId, Mebibytes},
    image::{Image, ImageType, Persistence},
    known::Known,
    owner::{Owner, Permissions},
    source::RbdImage,
    template::{Key, Template, Value},
    vm::{Disk, DiskKind},
};

/// Where a registration comes from.
pub(super) struct Origin<'a> {
    pub(super) name: String,
    pub(super) image_type: ImageType,
    pub(super) source: RbdImage,
    /// The disk at A, if it is for one.
    pub(super) disk: Option<Disk<'a>>,
    /// The image at A: the disk's own, or the one it was cloned from.
    pub(super) known: Option<&'a Image>,
    pub(super) kind: DiskKind,
    pub(super) id: Option<DiskId>,
    pub(super) size: Mebibytes,
    /// At A: user and group.
    pub(super) owner: (&'a str, &'a str),
    pub(super) permissions: Option<Permissions>,
    /// At A, by name.
    pub(super) datastore: &'a str,
}

impl NewImage {
    /// The same registration with the size that the RBD image has now. OpenNebula cannot change the size of a
    /// registered image, and trusts what it is told: read it from the replica right before.
    #[must_use]
    pub fn sized(mut self, size: Mebibytes) -> Self {
        if size != self.size {
            let was = self.size.to_string();
            self.size = size;
            for value in self.template.all_mut("SIZE") {
                *value = Value::Single(size.to_string().into());
            }
            self.changes.push(Change::named("SIZE", Reason::Asked, &was, Some(&size.to_string())));
        }
        self
    }
}

/// An image that is used as it is, or not at all.
pub(super) fn convert(image: &Image, site_map: &crate::SiteMap) -> Result<NewImage, Error> {
    let mut job = Job::new(site_map);
    let new = try_convert(&mut job, image);
    // What `build` lists is the image's own; what is left here are problems.
    job.finish()?;
    // Without a problem there is an image: every early return above pushes one.
    new.ok_or_else(|| Error { problems: Vec::new() })
}

fn try_convert(job: &mut Job<'_>, image: &Image) -> Option<NewImage> {
    let name = format!("{}{}", image.name(), job.map.name_suffix);
    job.check_name(&name);
    let image_type = job.take(image.image_type());
    let size = job.take(image.size());
    // A registration of nothing would be accepted, and be useless.
    job.take(image.source());
    let permissions = job.take(image.permissions());
    if !image.is_rbd() {
        job.problem(Problem::NotRbd);
        return None;
    }
    let Ok(source) = image.rbd() else {
        job.problem(Problem::NotRbd);
        return None;
    };
    let image_type = image_type?;
    let kind = match (image_type, image.persistence()) {
        (ImageType::Cdrom, _) => DiskKind::Cdrom,
        (_, Persistence::Persistent) => DiskKind::Persistent,
        (_, Persistence::NonPersistent) => DiskKind::Immutable,
    };
    build(
        job,
        Origin {
            name,
            image_type,
            source,
            disk: None,
            known: Some(image),
            kind,
            id: None,
            size: size?,
            owner: Owner::names(image.root()),
            permissions: permissions?,
            datastore: image.datastore(),
        },
    )
}

/// Builds a registration; `None` where a problem stands in the way.
pub(super) fn build(job: &mut Job<'_>, origin: Origin<'_>) -> Option<NewImage> {
    let map = job.map;
    let mut inner = Job::new(map);
    let owner = inner.owner(origin.owner);
    let datastore = inner.take(map.datastore(origin.datastore));
    let word = origin.image_type.word().filter(|_| origin.image_type.is_disk());
    if word.is_none() {
        inner.problem(Problem::NotRbd);
    }
    let known = origin.known.map(Image::root);
    let free = known.and_then(|root| root.get(Known::TEMPLATE));

    let mut template = Template::with_capacity(12);
    let mut single = |key: Known, value: &str| template.push_single(key.into(), value);
    single(Known::NAME, &origin.name);
    single(Known::TYPE, word.unwrap_or_default());
    // A replica is one VM's own: a non-persistent registration would make clones of it. A CD cannot be persistent; an
    // image that nobody uses stays what it was.
    let persistent = match origin.kind {
        DiskKind::Cdrom => false,
        DiskKind::Immutable => origin.disk.is_some(),
        _ => true,
    };
    single(Known::PERSISTENT, if persistent { "yes" } else { "no" });
    single(Known::SOURCE, &origin.source.to_text());
    let stated = |field: Known| {
        let disk = origin.disk.as_ref().and_then(|disk| disk.filled(field));
        disk.or_else(|| known.and_then(|root| root.get_filled(field)))
    };
    single(Known::FORMAT, stated(Known::FORMAT).unwrap_or("raw"));
    single(Known::SIZE, &origin.size.0.to_string());
    let prefix = origin
        .disk
        .and_then(|disk| {
            disk.filled(Known::DEV_PREFIX)
                .or_else(|| disk.filled(Known::TARGET).and_then(|target| target.get(..2)))
        })
        .or_else(|| free.and_then(|free| free.get_filled(Known::DEV_PREFIX)));
    // Without it the default of B's oned.conf decides between vda and sda in the guest.
    match prefix {
        Some(prefix) => single(Known::DEV_PREFIX, prefix),
        None => inner.changes.push(Change::added("DEV_PREFIX", Reason::Assumed, "")),
    }
    let own = origin.kind != DiskKind::Clone;
    if own && let Some(fs) = stated(Known::FS) {
        single(Known::FS, fs);
    }
    // An encrypted disk cannot be opened without; disks inherit it from their image.
    if let Some(secret) =
        stated(Known::LUKS_SECRET).or_else(|| free.and_then(|free| free.get_filled(Known::LUKS_SECRET)))
    {
        single(Known::LUKS_SECRET, secret);
    }
    for field in free.into_iter().flat_map(Element::children) {
        let reason = match field.known() {
            Known::DEV_PREFIX | Known::LUKS_SECRET => continue,
            _ if !own => Some(Reason::OfTheParent),
            _ => rules::image(field),
        };
        match (reason, Key::of(field)) {
            (None, Ok(key)) if field.is_leaf() => template.push_single(key, field.text()),
            (reason, _) => {
                let reason = reason.unwrap_or(Reason::Unknown);
                inner.changes.drop_field(field, reason);
            }
        }
    }
    if own && let Some(root) = known {
        changes_of_image(&mut inner, root, &origin);
    }
    inner.edit(&mut template, &map.image);
    inner.check(&mut template);
    for problem in inner.problems {
        job.problem(problem);
    }
    Some(NewImage {
        after: calls(owner.clone(), origin.permissions),
        name: origin.name,
        owner,
        datastore: datastore?,
        source: origin.source,
        size: origin.size,
        disk: origin.id.map(|id| (id, origin.kind)),
        template,
        changes: inner.changes,
    })
}

/// What of an image's own fields the registration does not carry.
fn changes_of_image(job: &mut Job<'_>, root: Element<'_>, origin: &Origin<'_>) {
    for field in root.children() {
        let text = field.text();
        let reason = match field.known() {
            Known::NAME => {
                if text != origin.name {
                    job.changes.push(Change::changed(field, Reason::Mapped, &origin.name));
                }
                continue;
            }
            Known::SIZE => {
                let now = origin.size.to_string();
                if text != now {
                    job.changes.push(Change::changed(field, Reason::FromImage, &now));
                }
                continue;
            }
            Known::TYPE | Known::PERSISTENT | Known::SOURCE | Known::FORMAT | Known::FS | Known::TEMPLATE => {
                continue;
            }
            Known::ID
            | Known::UID
            | Known::GID
            | Known::DATASTORE_ID
            | Known::CLONING_ID
            | Known::VMS
            | Known::CLONES
            | Known::APP_CLONES => Reason::SiteNumber,
            Known::UNAME | Known::GNAME | Known::PERMISSIONS | Known::DATASTORE => Reason::LaterCall,
            Known::DISK_TYPE => Reason::FromDatastore,
            // SOURCE and PATH exclude each other.
            Known::PATH => Reason::SitePath,
            Known::SNAPSHOTS => Reason::Snapshots,
            Known::REGTIME
            | Known::MODTIME
            | Known::STATE
            | Known::PREV_STATE
            | Known::RUNNING_VMS
            | Known::CLONING_OPS
            | Known::TARGET_SNAPSHOT
            | Known::LOCK
            | Known::BACKUP_INCREMENTS
            | Known::BACKUP_DISK_IDS => Reason::OfTheRun,
            _ => Reason::Unknown,
        };
        job.changes.drop_field(field, reason);
    }
}
