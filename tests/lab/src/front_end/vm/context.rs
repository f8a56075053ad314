//! `CONTEXT` of a new VM: a second pass over its values, and what its network cards add.

use super::super::template::{Template, Value};
use super::super::world::{Caller, Release, World};
use super::disks::{get, set};

type Pairs = Vec<(String, String)>;

const SEPARATOR: &str = "@^_^@";

/// Replaces variables, and describes the cards where `NETWORK=YES`.
///
/// # Errors
/// oned's words, **all values in them**.
pub(super) fn expand(
    world: &World,
    caller: &Caller,
    (vm, name): (i32, &str),
    mut context: Pairs,
    nics: &[(String, Value)],
    template: &Template,
) -> Result<Pairs, String> {
    context.sort();
    let joined =
        context.iter().map(|(key, text)| format!("{key}={text}")).collect::<Vec<_>>().join(SEPARATOR);
    if let Some(at) = bare_dollar(&joined) {
        return Err(format!(
            "Error parsing: {joined}. syntax error, unexpected EOA, expecting $end or VARIABLE or RSTRING at line 0, \
             columns {}:{}",
            at + 2,
            at + 3
        ));
    }
    for (_, text) in &mut context {
        *text = replace(text, |key, sub| match (key, sub) {
            ("NAME", None) => name.to_owned(),
            ("VMID", None) => vm.to_string(),
            ("USER", Some(sub)) => {
                let user = world.users.objects.get(&caller.uid);
                user.map(|user| user.at(&["TEMPLATE", sub]).to_owned()).unwrap_or_default()
            }
            (key, None) => template.single(key).unwrap_or_default().to_owned(),
            (key, Some(sub)) => template
                .attributes
                .iter()
                .find_map(|(each, value)| match value {
                    Value::Vector(pairs) if each == key => get(pairs, sub).map(ToOwned::to_owned),
                    _ => None,
                })
                .unwrap_or_default(),
        });
    }
    if get(&context, "NETWORK").is_some_and(|word| word.eq_ignore_ascii_case("YES")) {
        for (kind, card) in nics {
            if let (Value::Vector(card), "NIC") = (card, kind.as_str()) {
                describe(world, &mut context, card);
            }
        }
    }
    Ok(context)
}

/// `ETH<n>_*`
fn describe(world: &World, context: &mut Pairs, card: &[(String, String)]) {
    let at = get(card, "NIC_ID").unwrap_or("0");
    let network = get(card, "NETWORK_ID").and_then(|id| world.networks.objects.get(&id.parse().ok()?));
    let of_network = |key: &str| network.map(|network| network.at(&["TEMPLATE", key])).unwrap_or_default();
    let routes: &[(&str, &str)] = if world.release == Release::V7 { &[("ROUTES", "")] } else { &[] };
    let empty = [
        "EXTERNAL",
        "IP6",
        "IP6_GATEWAY",
        "IP6_METHOD",
        "IP6_METRIC",
        "IP6_PREFIX_LENGTH",
        "IP6_ULA",
        "METHOD",
        "METRIC",
        "SEARCH_DOMAIN",
        "VROUTER_IP",
        "VROUTER_IP6",
        "VROUTER_MANAGEMENT",
    ];
    let known = [
        ("DNS", of_network("DNS")),
        ("GATEWAY", of_network("GATEWAY")),
        ("IP", get(card, "IP").unwrap_or_default()),
        ("MAC", get(card, "MAC").unwrap_or_default()),
        ("MASK", of_network("NETWORK_MASK")),
        ("MTU", of_network("GUEST_MTU")),
        ("NETWORK", of_network("NETWORK_ADDRESS")),
        ("VLAN_ID", of_network("VLAN_ID")),
    ];
    let all = known.iter().chain(routes).copied().chain(empty.iter().map(|key| (*key, "")));
    for (key, text) in all {
        set(context, &format!("ETH{at}_{key}"), text);
    }
}

/// Where a `$` is that begins no variable.
fn bare_dollar(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if bytes.get(at + 1) == Some(&b'$') => at += 1,
            b'$' => {
                let length = bytes[at + 1..].iter().take_while(|byte| is_key(**byte)).count();
                if length == 0 || bytes.get(at + 1 + length) == Some(&b'\n') {
                    return Some(at);
                }
                at += length;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn replace(text: &str, value: impl Fn(&str, Option<&str>) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let escaped = rest[..at].ends_with('\\');
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if escaped {
            out.push('$');
            continue;
        }
        let end = rest.bytes().take_while(|byte| is_key(*byte)).count();
        let key = &rest[..end];
        rest = &rest[end..];
        let sub = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
        match sub {
            Some((sub, after)) => {
                out.push_str(&value(key, Some(sub)));
                rest = after;
            }
            None => out.push_str(&value(key, None)),
        }
    }
    out.push_str(rest);
    out
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
