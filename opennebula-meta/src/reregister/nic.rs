//! Cards and aliases: on a network by name and owner, with at most one address.

use std::collections::BTreeMap;

use super::{Change, Job, Reason, SecurityGroups, rules};
use crate::{
    document::Element,
    id::NicId,
    known::Known,
    site_map::{Address, Unlisted, Unmapped},
    template::Vector,
    vm::{NicKind, Vm},
};

/// The cards of a VM, numbered as B will number them: cards first, then aliases, without gaps.
pub(super) struct Cards {
    pub(super) nics: Vec<Vector>,
    pub(super) aliases: Vec<Vector>,
    /// A's numbers and B's, for `OS/BOOT`.
    pub(super) numbers: BTreeMap<NicId, usize>,
}

/// Converts all cards. `groups` are A's security groups: number and name.
pub(super) fn cards(job: &mut Job<'_>, vm: &Vm, groups: &SecurityGroups<'_>) -> Cards {
    let mut cards = Cards { nics: Vec::new(), aliases: Vec::new(), numbers: BTreeMap::new() };
    // Automatic names are positions: where a number shifts, aliases must follow.
    let mut renamed = BTreeMap::new();
    let has_aliases = vm.aliases().next().is_some();
    for (there, nic) in vm.nics().enumerate() {
        if let Some(Some(id)) = job.take(nic.id()) {
            cards.numbers.insert(id, there);
            if has_aliases && (nic.has_automatic_name() || nic.name().is_none()) {
                renamed.insert(format!("NIC{id}"), format!("NIC{there}"));
            }
        }
        cards.nics.push(card(job, nic.element(), NicKind::Nic, groups, &renamed));
    }
    for alias in vm.aliases() {
        cards.aliases.push(card(job, alias.element(), NicKind::Alias, groups, &renamed));
    }
    cards
}

/// One card, alias, or PCI device that is a card.
pub(super) fn card(
    job: &mut Job<'_>,
    nic: Element<'_>,
    kind: NicKind,
    groups: &SecurityGroups<'_>,
    renamed: &BTreeMap<String, String>,
) -> Vector {
    let mut card = Vector::with_capacity(8);
    let address = network(job, nic, &mut card);
    let on_network = nic.get_filled(Known::NETWORK).is_some();
    for field in nic.children() {
        let text = field.text();
        let reason = match field.known() {
            Known::NETWORK | Known::NETWORK_UNAME if on_network => continue,
            Known::IP | Known::IP6 | Known::MAC if on_network => match address {
                Kept::Field(kept) if kept == field.known() => None,
                Kept::Field(_) => Some(Reason::OneAddress),
                Kept::Nothing => Some(Reason::AddressNotKept),
            },
            Known::SECURITY_GROUPS => {
                security_groups(job, field, groups, &mut card);
                continue;
            }
            // OpenNebula's own names are positions and come again.
            Known::NAME if text.starts_with("NIC") => Some(Reason::MadeThere),
            Known::TARGET if text.starts_with("one-") => Some(Reason::OfTheHost),
            Known::PARENT if kind == NicKind::Alias => {
                let now = renamed.get(text).map_or(text, String::as_str);
                if now != text {
                    job.changes.push(Change::changed(field, Reason::Renumbered, now));
                }
                card.push(Known::PARENT.into(), now);
                continue;
            }
            _ if on_network => rules::nic(field),
            _ => rules::bare_nic(field),
        };
        job.keep(&mut card, field, reason);
    }
    card
}

/// The address that a card keeps.
enum Kept {
    Field(Known),
    Nothing,
}

/// Writes network and owner, and says which address stays.
fn network(job: &mut Job<'_>, nic: Element<'_>, card: &mut Vector) -> Kept {
    let Some(name) = nic.get_filled(Known::NETWORK) else { return Kept::Nothing };
    let owner = nic.get_filled(Known::NETWORK_UNAME);
    let map = job.map;
    let Some((there, owner_there, address)) = job.take(map.network(name, owner)) else {
        return Kept::Nothing;
    };
    if there != name {
        job.changes.push(Change::changed(nic.get(Known::NETWORK).unwrap_or(nic), Reason::Mapped, &there));
    }
    match owner {
        None => {
            let path = format!("{}/NETWORK_UNAME", nic.path());
            job.changes.push(Change::added(&path, Reason::Assumed, &owner_there));
        }
        Some(owner) if owner != owner_there => {
            let field = nic.get(Known::NETWORK_UNAME).unwrap_or(nic);
            job.changes.push(Change::changed(field, Reason::Mapped, &owner_there));
        }
        Some(_) => {}
    }
    card.push(Known::NETWORK.into(), there);
    card.push(Known::NETWORK_UNAME.into(), owner_there);
    let has = |field: &Known| nic.get_filled(*field).is_some();
    let wanted: &[Known] = match address {
        Address::Ip => &[Known::IP, Known::IP6, Known::MAC],
        Address::Mac => &[Known::MAC],
        Address::Drop => &[],
    };
    wanted.iter().copied().find(has).map_or(Kept::Nothing, Kept::Field)
}

/// Security groups are numbers of A. Those that the map lists become numbers of B; the others are left to the network.
fn security_groups(job: &mut Job<'_>, field: Element<'_>, groups: &SecurityGroups<'_>, card: &mut Vector) {
    let mut there = Vec::new();
    let mut left = false;
    for number in field.text().split(',').map(str::trim).filter(|number| !number.is_empty()) {
        let name = groups.get(number).copied().unwrap_or(number);
        match job.map.security_groups.get(name) {
            Some(number) => there.push(number.to_string()),
            None => {
                left = true;
                // Group 0, "default", is every site's, and every network's unless it says otherwise.
                if job.map.unlisted == Unlisted::Refuse && number != "0" {
                    job.problem(Unmapped::SecurityGroup(name.to_owned()).into());
                }
            }
        }
    }
    let now = there.join(",");
    let reason = if left { Reason::LeftToNetwork } else { Reason::Mapped };
    if now.is_empty() {
        job.changes.drop_field(field, reason);
        return;
    }
    job.changes.push(Change::changed(field, reason, &now));
    card.push(Known::SECURITY_GROUPS.into(), now);
}
