//! Network cards of a new VM: the leases they take.

use super::super::network;
use super::super::template::{Template, Value};
use super::super::world::{Caller, World};
use super::Taken;
use super::disks::{get, set};

type Pairs = Vec<(String, String)>;

/// Takes a lease for every `NIC` and `NIC_ALIAS`, which share one counter.
///
/// # Errors
/// oned's words.
pub(super) fn acquire(
    world: &mut World,
    caller: &Caller,
    template: &mut Template,
    taken: &mut Taken,
) -> Result<Vec<(String, Value)>, String> {
    let defaults = template.attributes.iter().find_map(|(key, value)| match value {
        Value::Vector(pairs) if key == "NIC_DEFAULT" => Some(pairs.clone()),
        _ => None,
    });
    let mut made = Vec::new();
    let kinds = ["NIC", "NIC_ALIAS"].map(|key| (key, template.take_vectors(key)));
    for (kind, cards) in kinds {
        for mut card in cards {
            let at = made.len();
            for (key, text) in defaults.iter().flatten() {
                if get(&card, key).is_none() {
                    set(&mut card, key, text);
                }
            }
            one(world, caller, &mut card, at, taken)?;
            made.push((kind.to_owned(), Value::Vector(card)));
        }
    }
    Ok(made)
}

fn one(
    world: &mut World,
    caller: &Caller,
    card: &mut Pairs,
    at: usize,
    taken: &mut Taken,
) -> Result<(), String> {
    let name = match get(card, "NAME") {
        Some(name) if name.to_uppercase().starts_with("NIC") => format!("_{name}"),
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => format!("NIC{at}"),
    };
    set(card, "NAME", name);
    set(card, "NIC_ID", at);
    // A number wins over a name.
    let id = if let Some(id) = get(card, "NETWORK_ID") {
        id.trim().parse().map_err(|_| format!("Virtual network with ID: {id} does not exist"))?
    } else if let Some(wanted) = get(card, "NETWORK") {
        let user = get(card, "NETWORK_UNAME");
        let uid = user.map_or(caller.uid, |user| {
            world.users.objects.iter().find(|(_, each)| each.at(&["NAME"]) == user).map_or(-1, |(id, _)| *id)
        });
        world.networks.named(wanted, uid).ok_or_else(|| {
            format!(
                "User {uid} does not own a network with name: {wanted} . Set NETWORK_UNAME or NETWORK_UID of owner in NIC."
            )
        })?
    } else {
        return Ok(());
    };
    let vm = taken.vm;
    let network = world.networks.objects.get_mut(&id);
    let network = network.ok_or_else(|| format!("Virtual network with ID: {id} does not exist"))?;
    let wanted = ["IP", "IP6", "MAC"].map(|key| get(card, key).filter(|text| !text.is_empty()));
    let lease = network::lease(network, vm, wanted);
    let lease = lease.ok_or_else(|| format!("Cannot get IP/MAC lease from virtual network {id}."))?;
    taken.networks.push(id);
    set(card, "AR_ID", lease.range);
    set(card, "MAC", &lease.mac);
    if let Some(ip) = &lease.ip {
        set(card, "IP", ip);
    }
    for key in ["BRIDGE", "BRIDGE_TYPE", "PHYDEV", "VLAN_ID", "VN_MAD"] {
        let text = network.at(&[key]);
        if !text.is_empty() {
            set(card, key, text);
        }
    }
    for key in ["DNS", "GATEWAY", "SECURITY_GROUPS"] {
        if let Some(value) = network.child("TEMPLATE").and_then(|node| node.child(key))
            && get(card, key).is_none()
        {
            set(card, key, value.text());
        }
    }
    set(card, "CLUSTER_ID", 0);
    set(card, "NETWORK", network.at(&["NAME"]));
    set(card, "NETWORK_ID", id);
    set(card, "NETWORK_UNAME", network.at(&["UNAME"]));
    if get(card, "TARGET").is_none() {
        set(card, "TARGET", format!("one-{vm}-{at}"));
    }
    Ok(())
}
