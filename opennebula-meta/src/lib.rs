//! OpenNebula metadata to re-registration templates.
#![forbid(unsafe_code)]
#![warn(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr)]

pub mod capture;
pub mod context;
pub mod datastore;
pub mod document;
pub mod drift;
pub mod id;
pub mod image;
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
