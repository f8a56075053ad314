//! Disks of a new VM: the images they take, and the devices they become.

use std::collections::BTreeSet;

use super::super::image;
use super::super::template::Template;
use super::super::tree::Node;
use super::super::world::{Caller, Release, World};
use super::Taken;

type Pairs = Vec<(String, String)>;

/// Of the datastore, where the disk does not have them.
const OF_DATASTORE: [&str; 10] = [
    "ALLOW_ORPHANS",
    "CEPH_CONF",
    "CEPH_HOST",
    "CEPH_KEY",
    "CEPH_SECRET",
    "CEPH_TRASH",
    "CEPH_USER",
    "CLONE_TARGET",
    "LN_TARGET",
    "POOL_NAME",
];

/// Takes the images of all disks, and gives devices their names.
///
/// # Errors
/// oned's words.
pub(super) fn acquire(
    world: &mut World,
    caller: &Caller,
    template: &mut Template,
    context: Option<&mut Pairs>,
    taken: &mut Taken,
) -> Result<Vec<Pairs>, String> {
    let mut disks = template.take_vectors("DISK");
    let transfer = template.single("TM_MAD_SYSTEM").map(ToOwned::to_owned);
    let mut targets = BTreeSet::new();
    // By kind, in the order in which they get a letter: the first OS image, CDROMs, all others.
    let mut queues: [Vec<usize>; 3] = Default::default();
    for (at, disk) in disks.iter_mut().enumerate() {
        let kind = one(world, caller, disk, taken).map_err(|why| format!("DISK {at}: {why}"))?;
        set(disk, "DISK_ID", at);
        disk.retain(|(key, _)| key != "TM_MAD_SYSTEM");
        if let Some(transfer) = &transfer {
            set(disk, "TM_MAD_SYSTEM", transfer);
        }
        match get(disk, "TARGET") {
            Some(target) if !target.is_empty() => claim(&mut targets, target)?,
            _ => {
                let queue = match kind {
                    Kind::Os if queues[0].is_empty() => 0,
                    Kind::Cdrom => 1,
                    Kind::Os | Kind::Block => 2,
                };
                queues[queue].push(at);
            }
        }
    }
    let [first, cdroms, others] = queues;
    name(&mut disks, &first, &mut targets);
    if let Some(context) = context {
        match get(context, "TARGET") {
            Some(target) if !target.is_empty() => {
                claim(&mut targets, target)?;
                name(&mut disks, &cdroms, &mut targets);
            }
            _ => {
                name(&mut disks, &cdroms, &mut targets);
                let default = if world.release == Release::V6 { "hd" } else { "sd" };
                let target = free(&mut targets, get(context, "DEV_PREFIX").unwrap_or(default));
                set(context, "TARGET", target);
            }
        }
        set(context, "DISK_ID", disks.len());
    } else {
        name(&mut disks, &cdroms, &mut targets);
    }
    name(&mut disks, &others, &mut targets);
    Ok(disks)
}

enum Kind {
    Os,
    Cdrom,
    Block,
}

fn one(world: &mut World, caller: &Caller, disk: &mut Pairs, taken: &mut Taken) -> Result<Kind, String> {
    // A name wins over a number.
    let id = if let Some(name) = get(disk, "IMAGE") {
        let uid = match (get(disk, "IMAGE_UID"), get(disk, "IMAGE_UNAME")) {
            (Some(uid), _) => uid.trim().parse().unwrap_or(-1),
            (None, Some(user)) => user_id(world, user),
            (None, None) => caller.uid,
        };
        world.images.named(name, uid).ok_or_else(|| {
            let uid = if uid == -1 { caller.uid } else { uid };
            format!(
                "User {uid} does not own an image with name: {name} . Set IMAGE_UNAME or IMAGE_UID of owner in DISK."
            )
        })?
    } else if let Some(id) = get(disk, "IMAGE_ID") {
        id.trim().parse().map_err(|_| format!("Image with ID: {id} does not exist"))?
    } else {
        return volatile(disk);
    };
    World::authorize(&world.images, id, caller, super::Right::Use).map_err(|refusal| match refusal {
        super::Refusal::Authorization(why) => format!("User [{}] : {why}.", caller.uid),
        _ => format!("Image with ID: {id} does not exist"),
    })?;
    let image = world.images.get_mut(id).map_err(|_| format!("Image with ID: {id} does not exist"))?;
    image::acquire(image, taken.vm)?;
    taken.images.push(id);
    if image.child("SNAPSHOTS").is_some_and(|node| node.children().is_empty())
        && let Some(snapshots) = image.child_mut("SNAPSHOTS")
    {
        let pairs = [("ALLOW_ORPHANS", "NO"), ("CURRENT_BASE", "-1"), ("NEXT_SNAPSHOT", "0")];
        *snapshots.children_mut() = pairs.iter().map(|(key, text)| Node::data(key, *text)).collect();
    }
    let image = image.clone();
    describe(world, disk, &image)
}

fn volatile(disk: &mut Pairs) -> Result<Kind, String> {
    let word = get(disk, "TYPE").unwrap_or_default().to_uppercase();
    if !matches!(word.as_str(), "SWAP" | "FS") {
        return Err(format!("Unknown disk type {word}"));
    }
    if get(disk, "SIZE").and_then(|size| size.trim().parse::<i64>().ok()).is_none_or(|size| size <= 0) {
        return Err("SIZE attribute must be a positive integer value.".to_owned());
    }
    if get(disk, "DEV_PREFIX").is_none() {
        set(disk, "DEV_PREFIX", "sd");
    }
    Ok(Kind::Block)
}

fn describe(world: &World, disk: &mut Pairs, image: &Node) -> Result<Kind, String> {
    let id = image.at(&["ID"]);
    let (persistent, cdrom) = (image.at(&["PERSISTENT"]) == "1", image.at(&["TYPE"]) == "1");
    let size = image.number(&["SIZE"]).unwrap_or(0);
    if let Some(wanted) = get(disk, "SIZE").and_then(|text| text.trim().parse::<i64>().ok()) {
        if persistent && wanted != size {
            return Err(format!("SIZE attribute is not supported for persistent image [{id}]."));
        }
        if cdrom && wanted != size {
            return Err(format!("SIZE attribute is not supported for CDROM image [{id}]."));
        }
        if wanted < size {
            return Err(format!("SIZE of {wanted}MB is less than the image [{id}] size of {size}MB."));
        }
    } else {
        set(disk, "SIZE", size);
    }
    let yes = |flag: bool| if flag { "YES" } else { "NO" };
    let datastore = image.number(&["DATASTORE_ID"]).and_then(|id| i32::try_from(id).ok()).unwrap_or(-1);
    let store = world
        .datastores
        .objects
        .get(&datastore)
        .ok_or("Associated datastore for the image does not exist")?;
    for key in OF_DATASTORE {
        if let Some(value) = store.child("TEMPLATE").and_then(|node| node.child(key))
            && get(disk, key).is_none()
        {
            set(disk, key, value.text());
        }
    }
    if get(disk, "DEV_PREFIX").is_none() {
        set(disk, "DEV_PREFIX", image.at(&["TEMPLATE", "DEV_PREFIX"]));
    }
    for (key, text) in [
        ("CLONE", yes(!persistent && !cdrom)),
        ("CLUSTER_ID", "0"),
        ("DATASTORE", image.at(&["DATASTORE"])),
        ("DATASTORE_ID", image.at(&["DATASTORE_ID"])),
        ("DISK_SNAPSHOT_TOTAL_SIZE", "0"),
        ("DISK_TYPE", "RBD"),
        ("DRIVER", image.at(&["FORMAT"])),
        ("FORMAT", image.at(&["FORMAT"])),
        ("IMAGE", image.at(&["NAME"])),
        ("IMAGE_ID", id),
        ("IMAGE_STATE", image.at(&["STATE"])),
        ("IMAGE_UNAME", image.at(&["UNAME"])),
        ("ORIGINAL_SIZE", image.at(&["SIZE"])),
        ("READONLY", yes(cdrom)),
        ("SAVE", yes(persistent)),
        ("SOURCE", image.at(&["SOURCE"])),
        ("TM_MAD", store.at(&["TM_MAD"])),
        ("TYPE", if cdrom { "RBD_CDROM" } else { "RBD" }),
    ] {
        set(disk, key, text);
    }
    if persistent {
        set(disk, "PERSISTENT", "YES");
    }
    Ok(match image.at(&["TYPE"]) {
        "0" => Kind::Os,
        "1" => Kind::Cdrom,
        _ => Kind::Block,
    })
}

fn user_id(world: &World, name: &str) -> i32 {
    let found = world.users.objects.iter().find(|(_, user)| user.at(&["NAME"]) == name);
    found.map_or(-1, |(id, _)| *id)
}

fn claim(targets: &mut BTreeSet<String>, target: &str) -> Result<(), String> {
    if targets.insert(target.to_owned()) {
        Ok(())
    } else {
        Err(format!("Two disks have defined the same target {target}"))
    }
}

fn name(disks: &mut [Pairs], queue: &[usize], targets: &mut BTreeSet<String>) {
    for at in queue {
        if let Some(disk) = disks.get_mut(*at) {
            let prefix = get(disk, "DEV_PREFIX").unwrap_or("sd").to_owned();
            set(disk, "TARGET", free(targets, &prefix));
        }
    }
}

fn free(targets: &mut BTreeSet<String>, prefix: &str) -> String {
    let names = ('a'..='z').map(|letter| format!("{prefix}{letter}"));
    let found = names.into_iter().find(|name| !targets.contains(name)).unwrap_or_else(|| prefix.to_owned());
    targets.insert(found.clone());
    found
}

/// The value of a key.
pub(super) fn get<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(each, _)| each == key).map(|(_, text)| text.as_str())
}

/// Sets the value of a key.
pub(super) fn set(pairs: &mut Pairs, key: &str, text: impl ToString) {
    pairs.retain(|(each, _)| each != key);
    pairs.push((key.to_owned(), text.to_string()));
}
