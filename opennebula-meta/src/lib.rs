//! OpenNebula metadata, from what site A prints to what site B accepts: disaster recovery for VMs on Ceph.
//!
//! Ceph mirrors the disks of a VM. What makes a VM of them (its processors, networks, context, and which disk is which)
//! is in OpenNebula's database, and that is at the site that burned down. This crate reads what OpenNebula prints while
//! the site still stands, keeps it, says what would go wrong, and writes the templates that make the same VM at the
//! other site. It converts text to text: it asks no front-end, no Ceph, no file and no clock.
//!
//! # The whole path
//!
//! **Capture** at A, as a member of `oneadmin`, and often. `onevm list -x --extended` (`one.vmpool.infoextended`) has
//! everything but passwords, which it shows as cipher text of A: ask for those VMs with `onevm show -x --decrypt`. The
//! plain list is short, and its disks cannot be mapped. `oneimage list -x` tells types and owners.
//!
//! ```
//! # const VMS: &str = include_str!("../testdata/documents/6.10.3/vmpool-extended.xml");
//! # const IMAGES: &str = include_str!("../testdata/documents/6.10.3/imagepool.xml");
//! use opennebula_meta::{Capture, Image, Vm, record::{Record, Stamp}, vm::Secrets};
//!
//! let mut capture = Capture::default();
//! for vm in Vm::stream(VMS.as_bytes()) {
//!     capture.vms.push(vm?.with_secrets(Secrets::Encrypted));
//! }
//! capture.images = Image::parse_pool(IMAGES)?.into();
//!
//! // What is kept at B: one document that refuses to be read once anything in it was changed.
//! let record = Record::new(capture, Stamp { site: "a".to_owned(), captured_at: None });
//! let kept = record.to_json();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Protect** the RBD images behind the disks. [`source`] names them, and says which must be flattened first.
//!
//! ```
//! # const VM: &str = include_str!("../testdata/documents/6.10.3/vm-0-running-nonpersistent.xml");
//! use opennebula_meta::{Vm, source::{self, Protection}};
//!
//! let vm = Vm::parse(VM)?;
//! for disk in source::disks(&vm)? {
//!     match disk.protection() {
//!         Protection::Ready(image) => println!("mirror {image}"),
//!         Protection::Flatten { image, parent } => println!("flatten {image} (a clone of {parent}), then mirror it"),
//!         Protection::Ask(image) => println!("look whether {image} has a parent"),
//!         Protection::Impossible(why) => println!("disk {} cannot be mirrored: {why:?}", disk.disk),
//!     }
//! }
//! # Ok::<(), opennebula_meta::document::Error>(())
//! ```
//!
//! **Look** at every capture. [`lint`] says what would fail or be lost, while somebody can still change it. [`drift`]
//! says what changed since, above all what makes no noise: a new disk is not mirrored, and a revert to a disk snapshot
//! takes the protection away from under a running VM while mirroring stays healthy.
//!
//! ```
//! # const BEFORE: &str = include_str!("../testdata/documents/6.10.3-ceph-site-a/vm-0-running-three-kinds-of-disk.xml");
//! # const AFTER: &str = include_str!("../testdata/documents/6.10.3-ceph-site-a/vm-0-poweroff-after-disk-snapshot-revert.xml");
//! use opennebula_meta::{Capture, Vm, drift::{self, Drift}};
//!
//! let before = Capture { vms: vec![Vm::parse(BEFORE)?], ..Capture::default() };
//! let after = Capture { vms: vec![Vm::parse(AFTER)?], ..Capture::default() };
//! let drift = drift::between(&before, &after);
//! assert!(drift.iter().any(|one| matches!(one, Drift::DiskReverted { .. })));
//! # Ok::<(), opennebula_meta::document::Error>(())
//! ```
//!
//! **Fail over** at B, with the record alone. [`SiteMap`] says what differs there; [`reregister`] gives the template,
//! the images to register first, the calls to make after, and every field that is not as it was, with the reason.
//!
//! ```
//! # const VM: &str = include_str!("../testdata/documents/6.10.3/vm-0-running-nonpersistent.xml");
//! # const IMAGES: &str = include_str!("../testdata/documents/6.10.3/imagepool.xml");
//! use opennebula_meta::{Image, Images, SiteMap, Vm, reregister};
//!
//! let vm = Vm::parse(VM)?;
//! let images: Images = Image::parse_pool(IMAGES)?.into();
//! let site_map = SiteMap { name_suffix: "-rep".to_owned(), ..SiteMap::default() };
//!
//! let there = reregister::vm(&vm, &images, &site_map)?;
//! for image in &there.images {
//!     println!("one.image.allocate in {:?}: {}", image.datastore, image.template.to_xml()?);
//! }
//! print!("{}", there.template.to_text()?);
//! for change in there.changes.iter() {
//!     println!("{change}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//! - **Nothing vanishes unsaid.** What is read is kept, known or not; what is not written is listed.
//! - **Nothing can be injected.** A value arrives at B as it was, or is refused by name; see [`template`].
//! - **No number of A is written.** Objects are named by name and owner, and devices numbered as B numbers them.
//! - **Hostile input costs little**: bounded size, depth and count, no expansion, no panic; see [`document::Limits`].
//! - **Secrets are not shown**: not by `Debug`, not in changes, findings or drift. They *are* in templates and records.
//!
//! Field names are OpenNebula's. What is said about it was observed on real front-ends of 6.10.3 and 7.4.0, or read in
//! its source where it says so.
#![forbid(unsafe_code)]
#![warn(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr)]

pub mod capture;
pub mod context;
pub mod datastore;
pub mod document;
pub mod drift;
pub mod id;
pub mod image;
mod known;
pub mod lint;
pub mod name;
pub mod network;
pub mod owner;
pub mod record;
pub mod reregister;
pub mod secret;
pub mod site_map;
pub mod source;
pub mod stored;
pub mod template;
pub mod version;
pub mod vm;

pub use capture::Capture;
pub use datastore::Datastore;
pub use image::{Image, Images};
pub use network::Network;
pub use record::Record;
pub use site_map::SiteMap;
pub use stored::StoredTemplate;
pub use template::Template;
pub use vm::Vm;
