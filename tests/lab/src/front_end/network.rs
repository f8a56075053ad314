//! `one.vn.hold`, `one.vn.release`, and the leases that VMs take.

use std::net::Ipv4Addr;

use super::methods::{Context, Outcome};
use super::refusal::Refusal;
use super::template::{Template, Value};
use super::tree::Node;
use super::world::{Right, World};
use super::xmlrpc::Answer;

/// An address that was given out.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) range: String,
    pub(crate) ip: Option<String>,
    pub(crate) mac: String,
}

/// Gives out an address: `[IP, IP6, MAC]` as asked for, at most one of them; the first free one otherwise. The holder `-1`
/// is nobody: the address is held.
pub(crate) fn lease(network: &mut Node, vm: i32, wanted: [Option<&str>; 3]) -> Option<Lease> {
    let wanted: Vec<_> = wanted.into_iter().enumerate().filter_map(|(at, text)| Some((at, text?))).collect();
    let wanted = match wanted.as_slice() {
        [] => None,
        [one] => Some(*one),
        _ => return None,
    };
    let mut found = None;
    for range in network.child_mut("AR_POOL")?.children_mut() {
        let Some(index) = free_index(range, wanted) else { continue };
        let (ip, mac) = address(range, index)?;
        let mut fields = Vec::new();
        fields.extend(ip.as_ref().map(|ip| Node::data("IP", ip.as_str())));
        fields.push(Node::data("MAC", mac.as_str()));
        fields.push(Node::data("VM", vm.to_string()));
        let used = range.number(&["USED_LEASES"]).unwrap_or(0) + 1;
        range.set("USED_LEASES", used);
        let lease = Lease { range: range.at(&["AR_ID"]).to_owned(), ip, mac };
        let leases = range.child_mut("LEASES")?.children_mut();
        let at = leases.iter().take_while(|each| index_of(each, &fields)).count();
        leases.insert(at, Node::of("LEASE", fields));
        found = Some(lease);
        break;
    }
    let lease = found?;
    let used = network.number(&["USED_LEASES"]).unwrap_or(0) + 1;
    network.set("USED_LEASES", used);
    if vm >= 0
        && let Some(vms) = network.child_mut("UPDATED_VMS")
        && !vms.children().iter().any(|id| id.text() == vm.to_string())
    {
        vms.children_mut().push(Node::plain("ID", vm));
    }
    Some(lease)
}

/// Leases are shown in the order of their addresses.
fn index_of(lease: &Node, fields: &[Node]) -> bool {
    let mac = fields.iter().find(|field| field.name == "MAC").map_or("", Node::text);
    lease.at(&["MAC"]) < mac
}

fn free_index(range: &Node, wanted: Option<(usize, &str)>) -> Option<u32> {
    let size = range.number(&["SIZE"]).and_then(|size| u32::try_from(size).ok())?;
    let taken = |index| {
        let mac = address(range, index).map(|(_, mac)| mac).unwrap_or_default();
        range
            .child("LEASES")
            .is_some_and(|leases| leases.children().iter().any(|each| each.at(&["MAC"]) == mac))
    };
    match wanted {
        None => (0..size).find(|index| !taken(*index)),
        Some((kind, text)) => (0..size).find(|index| {
            let same = address(range, *index).is_some_and(|(ip, mac)| match kind {
                0 => ip.as_deref() == Some(text),
                2 => mac.eq_ignore_ascii_case(text),
                _ => false,
            });
            same && !taken(*index)
        }),
    }
}

/// The IP and the MAC at a place of a range: both count up from the range's first.
fn address(range: &Node, index: u32) -> Option<(Option<String>, String)> {
    let ip = range.at(&["IP"]).parse::<Ipv4Addr>().ok();
    let ip = ip.map(|ip| Ipv4Addr::from(u32::from(ip) + index).to_string());
    let bytes: Vec<u8> = range
        .at(&["MAC"])
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()
        .ok()?;
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) + u64::from(index);
    let mac =
        number.to_be_bytes()[2..].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    Some((ip, mac))
}

/// Takes back every lease of a VM.
pub(crate) fn free(network: &mut Node, vm: i32) {
    remove(network, |lease| lease.at(&["VM"]) == vm.to_string());
    if let Some(vms) = network.child_mut("UPDATED_VMS") {
        vms.children_mut().retain(|id| id.text() != vm.to_string());
    }
}

fn remove(network: &mut Node, is_it: impl Fn(&Node) -> bool) {
    let mut freed = 0;
    for range in network.child_mut("AR_POOL").map(Node::children_mut).into_iter().flatten() {
        let mut here = 0;
        if let Some(leases) = range.child_mut("LEASES") {
            let before = leases.children().len();
            if before > 0 {
                leases.children_mut().retain(|lease| !is_it(lease));
                here = before - leases.children().len();
            }
        }
        if here > 0 {
            let used = range.number(&["USED_LEASES"]).unwrap_or(0) - i64::try_from(here).unwrap_or(0);
            range.set("USED_LEASES", used.max(0));
        }
        freed += here;
    }
    if freed > 0 {
        let used = network.number(&["USED_LEASES"]).unwrap_or(0) - i64::try_from(freed).unwrap_or(0);
        network.set("USED_LEASES", used.max(0));
    }
}

/// What `one.vnpool.info` says of a network: its ranges without leases, but for a coded list of them.
pub(crate) fn pooled(network: &Node) -> Node {
    const VM: i64 = 0x10 << 32;
    let mut network = network.clone();
    for range in network.child_mut("AR_POOL").map(Node::children_mut).into_iter().flatten() {
        let place = |lease: &Node| {
            let size = range.number(&["SIZE"]).and_then(|size| u32::try_from(size).ok())?;
            let index = (0..size)
                .find(|index| address(range, *index).is_some_and(|(_, mac)| mac == lease.at(&["MAC"])))?;
            let vm = u32::try_from(lease.number(&["VM"])? & 0xffff_ffff).ok()?;
            Some(format!(" {index} {}", VM | i64::from(vm)))
        };
        let leases = range.child("LEASES").map(Node::children).unwrap_or_default();
        let allocated: String = leases.iter().filter_map(place).collect();
        for computed in ["LEASES", "USED_LEASES", "MAC_END", "IP_END"] {
            range.remove(computed);
        }
        let children = range.children_mut();
        children.retain(|child| !(child.name.starts_with("IP6_") || child.name.ends_with("_END")));
        if !allocated.is_empty() {
            children.push(Node::data("ALLOCATED", allocated));
        }
        children.sort_by(|one, other| one.name.cmp(&other.name));
    }
    network
}

fn wanted(context: &mut Context<'_>) -> Result<(i32, Vec<(String, String)>), Refusal> {
    let (id, text) = (context.call.int(1)?, context.call.text(2)?.to_owned());
    World::authorize(&context.world.networks, id, &context.caller, Right::Manage)?;
    let template = Template::parse(&text, context.world.release.trims()).map_err(Refusal::Internal)?;
    context.world.networks.get(id)?;
    let vector = template.attributes.into_iter().find_map(|(key, value)| match value {
        Value::Vector(pairs) if key == "LEASES" => Some(pairs),
        _ => None,
    });
    let pairs = vector.ok_or_else(|| Refusal::Internal("Empty lease description.".to_owned()))?;
    let given =
        pairs.iter().filter(|(key, text)| matches!(key.as_str(), "IP" | "IP6" | "MAC") && !text.is_empty());
    match given.count() {
        1 => Ok((id, pairs)),
        0 => Err(Refusal::Internal("Missing MAC, IP or IP6.".to_owned())),
        _ => Err(Refusal::Internal("Only one attribute MAC, IP or IP6 can be set.".to_owned())),
    }
}

/// `one.vn.hold(id, "LEASES=[IP=...]")`
pub(crate) fn hold(context: &mut Context<'_>) -> Outcome {
    let (id, pairs) = wanted(context)?;
    let asked = ["IP", "IP6", "MAC"].map(|key| {
        pairs.iter().find(|(each, text)| each == key && !text.is_empty()).map(|(_, text)| text.as_str())
    });
    let network = context.world.networks.get_mut(id)?;
    match lease(network, -1, asked) {
        Some(_) => Ok(Answer::Id(id)),
        None => Err(Refusal::Internal("Address is not part of the address range or in use.".to_owned())),
    }
}

/// `one.vn.release(id, "LEASES=[IP=...]")`: succeeds for what was not held, too.
pub(crate) fn release(context: &mut Context<'_>) -> Outcome {
    let (id, pairs) = wanted(context)?;
    let network = context.world.networks.get_mut(id)?;
    remove(network, |lease| {
        lease.at(&["VM"]) == "-1"
            && pairs.iter().any(|(key, text)| lease.at(&[key]).eq_ignore_ascii_case(text))
    });
    Ok(Answer::Id(id))
}
