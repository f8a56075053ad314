//! What is configured otherwise, field by field, without what changes by itself.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{document::Element, image::Image, secret, vm::Vm};

/// A field that has another value, is new, or is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its path. Disks and cards are named by their number, not by their place: `TEMPLATE/DISK(3)/CACHE`.
    pub path: String,
    /// Its value before; `None` where it was not there, or is a secret.
    pub was: Option<String>,
    /// Its value after; `None` where it is not there, or is a secret.
    pub now: Option<String>,
}

/// Fields that OpenNebula writes while a VM runs, or that are told by other kinds of drift.
fn moves(key: &str) -> bool {
    matches!(
        key,
        "IMAGE_STATE"
            | "DISK_SNAPSHOT_TOTAL_SIZE"
            | "SIZE"
            | "ORIGINAL_SIZE"
            | "SOURCE"
            | "CLONE"
            | "ERROR"
            | "SCHED_MESSAGE"
            | "DONE"
            | "MESSAGE"
            | "WARNING"
            | "ALIAS_IDS"
            | "PORT"
            | "SECURITY_GROUP_RULE"
            | "ATTACH"
            | "ONEGATE_ENDPOINT"
    ) || key.starts_with("AUTOMATIC_")
}

pub(super) fn of_vms(old: &Vm, new: &Vm) -> Vec<FieldChange> {
    differences(&vm_fields(old), &vm_fields(new))
}

pub(super) fn of_images(old: &Image, new: &Image) -> Vec<FieldChange> {
    let fields = |image: &Image| {
        let root = image.root();
        let mut fields = BTreeMap::new();
        for name in ["NAME", "SIZE", "SOURCE", "TYPE", "UNAME", "GNAME", "DATASTORE", "FORMAT"] {
            if let Some(value) = root.value(name) {
                fields.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(template) = root.child("TEMPLATE") {
            collect(template, "TEMPLATE", &mut fields);
        }
        fields
    };
    differences(&fields(old), &fields(new))
}

fn vm_fields(vm: &Vm) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, element) in [("TEMPLATE", vm.template()), ("USER_TEMPLATE", vm.user_template())] {
        if let Some(element) = element {
            collect(element, name, &mut fields);
        }
    }
    fields
}

fn collect(element: Element<'_>, path: &str, fields: &mut BTreeMap<String, String>) {
    for child in element.children().filter(|child| !moves(child.name())) {
        let number = match child.name() {
            "DISK" => child.filled("DISK_ID"),
            "NIC" | "NIC_ALIAS" => child.filled("NIC_ID"),
            "PCI" => child.filled("PCI_ID"),
            "SNAPSHOT" => child.filled("SNAPSHOT_ID"),
            "SCHED_ACTION" => child.filled("ID"),
            _ => None,
        };
        let mut path = match number {
            Some(number) => format!("{path}/{}({number})", child.name()),
            None => format!("{path}/{}", child.name()),
        };
        if !child.is_leaf() {
            collect(child, &path, fields);
            continue;
        }
        // Attributes may be there more than once.
        while fields.contains_key(&path) {
            path.push('+');
        }
        fields.insert(path, child.text().to_owned());
    }
}

fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<FieldChange> {
    let shown = |path: &str, value: Option<&String>| {
        let key = path.rsplit('/').next().unwrap_or_default();
        value.and_then(|value| secret::shown(key, value)).map(str::to_owned)
    };
    let mut changes = Vec::new();
    for (path, was) in old {
        let now = new.get(path);
        if now != Some(was) {
            changes.push(FieldChange {
                path: path.clone(),
                was: shown(path, Some(was)),
                now: shown(path, now),
            });
        }
    }
    for (path, now) in new.iter().filter(|(path, _)| !old.contains_key(*path)) {
        changes.push(FieldChange { path: path.clone(), was: None, now: shown(path, Some(now)) });
    }
    changes
}
