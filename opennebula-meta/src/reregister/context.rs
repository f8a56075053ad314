//! `CONTEXT`: what OpenNebula wrote is left out, what the user wrote stays, unless B would read something else.

use memchr::memchr2;

use super::{Change, Job, Problem, Reason};
use crate::{
    context::{SEPARATOR, dollars, is_of_a_card, is_of_a_device, looks_encrypted},
    document::Element,
    image::Images,
    known::{COUNT, Known},
    template::Vector,
    vm::{Secrets, Vm},
};

/// The context for B; `None` where nothing of it is left.
pub(super) fn context(job: &mut Job<'_>, vm: &Vm, images: &Images) -> Option<Vector> {
    let context = vm.context()?;
    // Only then does OpenNebula write ETHn_*; otherwise they are the user's own.
    let written = context.says_yes(Known::NETWORK);
    let mut vector = Vector::for_fields_of(context);
    for field in context.children() {
        let (name, text) = (field.name(), field.text());
        let reason = match field.known() {
            Known::DISK_ID | Known::VMID => Some(Reason::SiteNumber),
            Known::ONEGATE_ENDPOINT => Some(Reason::MadeThere),
            Known::FILES => Some(Reason::SitePath),
            Known::FILES_DS => {
                files(job, field, images, &mut vector);
                continue;
            }
            known if written && is_card(known, name) => Some(Reason::FromNetwork),
            Known::Unlisted if is_of_a_device(name) => Some(Reason::OfTheHost),
            // What OpenNebula encrypts (VM_ENCRYPTED_ATTR; the second in 7.4.0).
            Known::PASSWORD | Known::ONEAPP_ONEKS_CLUSTER_SPEC if is_cipher_text(vm, text) => {
                Some(Reason::CipherText)
            }
            _ => None,
        };
        // Nearly every value has neither.
        let special = reason.is_none() && memchr2(b'@', b'$', text.as_bytes()).is_some();
        if special && text.contains(SEPARATOR) {
            job.problem(Problem::ContextSeparator { key: name.to_owned() });
        } else if special && dollars(text).next().is_some() {
            dollar(job, context, field, &mut vector);
        } else {
            job.keep(&mut vector, field, reason);
        }
    }
    (!vector.is_empty()).then_some(vector)
}

/// [`is_of_a_card`] for each listed name.
static CARDS: [bool; COUNT] = {
    let mut cards = [false; COUNT];
    let mut at = 0;
    while at < COUNT {
        cards[at] = is_of_a_card(Known::ALL[at].1);
        at += 1;
    }
    cards
};

fn is_card(known: Known, name: &str) -> bool {
    if known == Known::Unlisted { is_of_a_card(name) } else { CARDS[known.index()] }
}

/// Whether the value of an attribute that OpenNebula encrypts is as it keeps it.
fn is_cipher_text(vm: &Vm, text: &str) -> bool {
    match vm.secrets() {
        Secrets::Decrypted => false,
        Secrets::Encrypted => !text.is_empty(),
        Secrets::Unknown => looks_encrypted(text),
    }
}

/// A value with a variable in it. A start script can be given in base64, which is not parsed; nothing else can.
fn dollar(job: &mut Job<'_>, context: Element<'_>, field: Element<'_>, vector: &mut Vector) {
    if field.known() == Known::START_SCRIPT && context.get(Known::START_SCRIPT_BASE64).is_none() {
        let now = base64(field.text().as_bytes());
        let path = field.path();
        job.changes.drop_field(field, Reason::ContextVariable);
        job.changes.push(Change::added(&format!("{path}_BASE64"), Reason::ContextVariable, &now));
        vector.push(Known::START_SCRIPT_BASE64.into(), now);
        return;
    }
    job.changes.drop_field(field, Reason::ContextVariable);
}

/// `FILES_DS` holds what A's files datastore resolved it to: `/path/of/the/file:'name' `, one after the other. It is
/// written as the user must have: by name.
fn files(job: &mut Job<'_>, field: Element<'_>, images: &Images, vector: &mut Vector) {
    let mut there = Vec::new();
    for (path, name) in resolved(field.text()) {
        let known = images.by_source(path);
        let name = known.map_or(name, |image| image.name());
        let owner = known.map(|image| image.owner().user);
        let map = job.map;
        let Some(existing) = job.take(map.existing_image(name, owner.as_deref())) else { continue };
        let (name, owner) = match existing {
            Some(existing) => (existing.name.as_str(), Some(existing.owner.clone())),
            None => (name, owner.and_then(|owner| job.take(map.user(&owner)))),
        };
        there.push(match owner {
            Some(owner) => format!("$FILE[IMAGE=\"{name}\", IMAGE_UNAME=\"{owner}\"]"),
            None => format!("$FILE[IMAGE=\"{name}\"]"),
        });
    }
    if there.is_empty() {
        job.changes.drop_field(field, Reason::SitePath);
        return;
    }
    let now = there.join(" ");
    job.changes.push(Change::changed(field, Reason::SitePath, &now));
    vector.push(Known::FILES_DS.into(), now);
}

/// Paths and names of `FILES_DS`.
fn resolved(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((path, behind)) = rest.split_once(":'") {
        let Some((name, next)) = behind.split_once('\'') else { break };
        // No name of an image has a quote in it, so none can end the variable early.
        if !name.contains('"') && !name.contains(SEPARATOR) {
            found.push((path.trim(), name));
        }
        rest = next;
    }
    found
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| three.get(at).copied().map_or(0, u32::from);
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let sextet = usize::try_from(word >> shift & 0x3F).unwrap_or(0);
            let letter = ALPHABET.get(sextet).copied().map_or('=', char::from);
            out.push(if at <= three.len() { letter } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_everybody_does() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("echo $1\n", "ZWNobyAkMQo=")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn resolved_files_are_told_apart_by_their_quotes() {
        let text = "/var/lib/one//datastores/2/abc:'init.sh' /var/lib/one//datastores/2/def:'two words' ";
        let found = resolved(text);
        assert_eq!(
            found,
            [("/var/lib/one//datastores/2/abc", "init.sh"), ("/var/lib/one//datastores/2/def", "two words")]
        );
    }
}
