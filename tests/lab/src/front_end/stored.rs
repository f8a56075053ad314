//! The state in a file, as oned has its database: a front-end that is killed comes back with what it had answered.

use std::fs;
use std::path::Path;

use super::machine::Job;
use super::tree::Node;
use super::world::{Pool, World};
use crate::error::{At, Error, Result};

/// Writes all objects, then puts the file in the old one's place.
pub(super) fn save(world: &World, path: &Path) -> Result<()> {
    let mut text = String::from("<STATE>");
    for pool in pools(world) {
        Node::of(&format!("NEXT_{}", pool.root), vec![Node::plain("ID", pool.next)]).write(&mut text);
        pool.objects.values().for_each(|node| node.write(&mut text));
    }
    text.push_str("</STATE>");
    let new = path.with_extension("new");
    fs::write(&new, text).at("write", &new)?;
    fs::rename(&new, path).at("replace", path)
}

/// Reads them into a world, if there is a file. Returns what was under way.
pub(super) fn load(world: &mut World, path: &Path) -> Result<Vec<Job>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bad = |why: String| Error::Answer { command: format!("read {}", path.display()), why };
    let text = fs::read_to_string(path).at("read", path)?;
    let root = Node::parse(&text).map_err(bad)?;
    for pool in pools_mut(world) {
        pool.objects.clear();
    }
    for node in root.children() {
        if let Some(name) = node.name.strip_prefix("NEXT_") {
            let next = node.number(&["ID"]).and_then(|next| i32::try_from(next).ok()).unwrap_or(0);
            pools_mut(world).into_iter().filter(|pool| pool.root == name).for_each(|pool| pool.next = next);
        } else if !world.add(node.clone()) {
            return Err(bad(format!("<{}> is no object", node.name)));
        }
    }
    let active = world.vms.objects.iter().filter(|(_, vm)| vm.number(&["STATE"]) == Some(3));
    let mut jobs: Vec<_> = active
        .filter_map(|(id, vm)| Some(Job::Drive { vm: *id, lcm: vm.number(&["LCM_STATE"])?, hard: false }))
        .collect();
    let leaving = world.images.objects.iter().filter(|(_, image)| image.number(&["STATE"]) == Some(7));
    jobs.extend(leaving.map(|(id, _)| Job::RemoveImage { image: *id }));
    Ok(jobs)
}

fn pools(world: &World) -> [&Pool; 8] {
    let World { users, groups, hosts, datastores, images, templates, vms, networks, .. } = world;
    [users, groups, hosts, datastores, images, templates, vms, networks]
}

fn pools_mut(world: &mut World) -> [&mut Pool; 8] {
    let World { users, groups, hosts, datastores, images, templates, vms, networks, .. } = world;
    [users, groups, hosts, datastores, images, templates, vms, networks]
}
