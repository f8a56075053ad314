//! The record as it is written, and the checks.

use std::{
    collections::BTreeSet,
    fmt::{Debug, Formatter, Result as Fmt, Write as _},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Error, Stamp, VERSION};
use crate::{
    capture::{Capture, Mirrored},
    datastore::Datastore,
    document::{Document, Element, Error as DocumentError},
    image::Image,
    network::Network,
    stored::StoredTemplate,
    version::Version,
    vm::{Secrets, Vm},
};

const FORMAT: &str = "opennebula-meta record";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    format: String,
    version: u32,
    pub(super) stamp: Stamp,
    opennebula: Option<Version>,
    pub(super) address: String,
    /// Over everything but the objects, which the address covers.
    seal: String,
    mirrored: Option<Mirrored>,
    pub(super) objects: Vec<Object>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    kind: String,
    id: u32,
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secrets: Option<Kept>,
    xml: String,
}

/// [`Secrets`], written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Decrypted,
    Encrypted,
}

impl Debug for Object {
    fn fmt(&self, f: &mut Formatter<'_>) -> Fmt {
        write!(f, "{} {} {}", self.kind, self.id, self.digest)
    }
}

/// Whether an element is kept: all but the object's own fields that change by themselves, and that nothing at B
/// depends on. (A user's attribute of such a name is deeper down.)
fn lasts(element: Element<'_>) -> bool {
    let own = element.parent().is_some_and(|parent| parent.parent().is_none());
    !(own && matches!(element.name(), "MONITORING" | "LAST_POLL" | "TOTAL_MB" | "FREE_MB" | "USED_MB"))
}

fn sha256(text: &str) -> String {
    let mut out = String::from("sha256:");
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn address(objects: &[Object]) -> String {
    let mut names = String::new();
    for object in objects {
        let secrets = object.secrets.map_or("-", |kept| match kept {
            Kept::Decrypted => "decrypted",
            Kept::Encrypted => "encrypted",
        });
        let _ = writeln!(names, "{} {} {secrets} {}", object.kind, object.id, object.digest);
    }
    sha256(&names)
}

impl Stored {
    pub(super) fn of(capture: &Capture, stamp: &Stamp) -> Self {
        let mut objects = Vec::new();
        let mut push = |document: &Document, id: u32, secrets: Option<Kept>| {
            let root = document.root();
            let xml = document.to_xml_where(&lasts);
            objects.push(Object { kind: root.name().to_owned(), id, digest: sha256(&xml), secrets, xml });
        };
        for vm in &capture.vms {
            let secrets = match vm.secrets() {
                Secrets::Decrypted => Some(Kept::Decrypted),
                Secrets::Encrypted => Some(Kept::Encrypted),
                Secrets::Unknown => None,
            };
            push(vm.document(), vm.id().0, secrets);
        }
        for image in capture.images.iter() {
            push(image.document(), image.id().0, None);
        }
        for network in &capture.networks {
            push(network.document(), network.id().0, None);
        }
        for datastore in &capture.datastores {
            push(datastore.document(), datastore.id().0, None);
        }
        for template in &capture.templates {
            push(template.document(), template.id().0, None);
        }
        objects.sort_by(|one, other| (&one.kind, one.id).cmp(&(&other.kind, other.id)));
        let mut stored = Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            stamp: stamp.clone(),
            opennebula: capture.version,
            address: address(&objects),
            seal: String::new(),
            mirrored: capture.mirrored.clone(),
            objects,
        };
        stored.seal = stored.sealed();
        stored
    }

    /// The digest of everything but the objects.
    fn sealed(&self) -> String {
        let parts = (&self.format, self.version, &self.stamp, self.opennebula, &self.address, &self.mirrored);
        // These parts always serialize: names, numbers and maps with text keys.
        sha256(&serde_json::to_string(&parts).unwrap_or_default())
    }

    /// Checks everything, and hands back what was captured.
    pub(super) fn check(&self) -> Result<Capture, Error> {
        if self.format != FORMAT {
            return Err(Error::Format);
        }
        if self.version > VERSION {
            return Err(Error::Version { found: self.version });
        }
        let mut capture =
            Capture { version: self.opennebula, mirrored: self.mirrored.clone(), ..Capture::default() };
        let mut images = Vec::new();
        let mut seen = BTreeSet::new();
        for object in &self.objects {
            let (kind, id) = (object.kind.clone(), object.id);
            if sha256(&object.xml) != object.digest {
                return Err(Error::Digest { kind, id });
            }
            if !seen.insert((&object.kind, object.id)) {
                return Err(Error::Twice { kind, id });
            }
            let unread = |error: DocumentError| Error::Document { kind: kind.clone(), id, error };
            let document = Document::parse(&object.xml).map_err(unread)?;
            let number = document.root().required_number::<u32>("ID").map_err(unread)?;
            if document.root().name() != object.kind || number != id {
                return Err(Error::Kind { kind, id });
            }
            match object.kind.as_str() {
                "VM" => {
                    let secrets = match object.secrets {
                        Some(Kept::Decrypted) => Secrets::Decrypted,
                        Some(Kept::Encrypted) => Secrets::Encrypted,
                        None => Secrets::Unknown,
                    };
                    capture.vms.push(Vm::try_from(document).map_err(unread)?.with_secrets(secrets));
                }
                "IMAGE" => images.push(Image::try_from(document).map_err(unread)?),
                "VNET" => capture.networks.push(Network::try_from(document).map_err(unread)?),
                "DATASTORE" => capture.datastores.push(Datastore::try_from(document).map_err(unread)?),
                "VMTEMPLATE" => capture.templates.push(StoredTemplate::try_from(document).map_err(unread)?),
                _ => return Err(Error::Kind { kind, id }),
            }
        }
        capture.images = images.into();
        if address(&self.objects) != self.address {
            return Err(Error::Address);
        }
        if self.sealed() != self.seal {
            return Err(Error::Seal);
        }
        Ok(capture)
    }

    /// One object a line: differences between two records can be read.
    pub(super) fn to_json(&self) -> String {
        let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        let mut out = String::from("{\n");
        let mut field = |name: &str, value: String| {
            let _ = writeln!(out, "\"{name}\": {value},");
        };
        field("format", json(serde_json::to_string(&self.format)));
        field("version", self.version.to_string());
        field("stamp", json(serde_json::to_string(&self.stamp)));
        field("opennebula", json(serde_json::to_string(&self.opennebula)));
        field("address", json(serde_json::to_string(&self.address)));
        field("seal", json(serde_json::to_string(&self.seal)));
        field("mirrored", json(serde_json::to_string(&self.mirrored)));
        out.push_str("\"objects\": [\n");
        for (at, object) in self.objects.iter().enumerate() {
            out.push_str(if at > 0 { ",\n" } else { "" });
            out.push_str(&json(serde_json::to_string(object)));
        }
        out.push_str("\n]\n}\n");
        out
    }
}

/// What tells a record from other JSON, and a newer record from a broken one.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// Reads the JSON of a record, unchecked but for its head: a newer format may have any shape.
pub(super) fn read(text: &str) -> Result<Stored, Error> {
    let wrong = |error| Error::Json(Arc::new(error));
    match serde_json::from_str::<Head>(text) {
        Ok(head) if head.format != FORMAT => return Err(Error::Format),
        Ok(head) if head.version > VERSION => return Err(Error::Version { found: head.version }),
        Ok(_) => {}
        Err(error) if error.is_data() => return Err(Error::Format),
        Err(error) => return Err(wrong(error)),
    }
    serde_json::from_str(text).map_err(wrong)
}
