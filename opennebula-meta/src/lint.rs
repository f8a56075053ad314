//! What would fail at three in the morning, told while there is time: at every capture.
//!
//! [`vm`] looks at a VM alone, [`at_b`] at a VM and the site that is to take it. A finding names the field, how bad
//! it is, and what it is about, for programs ([`Finding`] serializes) and for people (it displays).
//!
//! ```
//! use opennebula_meta::{Images, SiteMap, Vm, lint::{self, Around, Lint}};
//!
//! let vm = Vm::parse(
//!     "<VM><ID>0</ID><NAME>n</NAME><TEMPLATE><MEMORY>64</MEMORY><CONTEXT><PRICE>5$ each</PRICE></CONTEXT></TEMPLATE></VM>",
//! )?;
//! let around = Around { images: &Images::default(), site_map: &SiteMap::default(), mirrored: None };
//! let findings = lint::vm(&vm, &around);
//! assert!(findings.iter().any(|finding| finding.path == "VM/TEMPLATE/CONTEXT/PRICE"));
//! # Ok::<(), opennebula_meta::document::Error>(())
//! ```

mod at_b;
mod disks;
mod finding;

use crate::{
    capture::Mirrored,
    context::{dollars, looks_encrypted},
    document::Element,
    image::Images,
    reregister::{self, Problem},
    site_map::SiteMap,
    vm::{Secrets, Vm, VmState},
};

pub use at_b::at_b;
pub use finding::{Finding, Lint, Severity};

/// What is known around a VM.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The images of its site.
    pub images: &'a Images,
    /// What differs at the other site.
    pub site_map: &'a SiteMap,
    /// What is mirrored; `None` if nobody asked, and then nothing is said about it.
    pub mirrored: Option<&'a Mirrored>,
}

/// Everything about a VM that would fail, be lost or be otherwise at the other site, worst first.
#[must_use]
pub fn vm(vm: &Vm, around: &Around<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = reregister::vm(vm, around.images, around.site_map) {
        findings.extend(error.problems.iter().map(|problem| problem_of(vm, problem)));
    }
    disks::disks(vm, around, &mut findings);
    state(vm, &mut findings);
    for field in vm.template().into_iter().chain(vm.user_template()).flat_map(Element::children) {
        attribute(field, &mut findings);
    }
    context(vm, &mut findings);
    for nic in vm.nics().chain(vm.aliases()).filter(|nic| nic.network().is_none()) {
        findings.push(Finding::at(nic.element(), Severity::Fails, Lint::BareCard));
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn problem_of(vm: &Vm, problem: &Problem) -> Finding {
    let path = match problem {
        Problem::Document(error) => error.at.path.clone(),
        Problem::Template(error) => error.at.path.clone(),
        Problem::Unfit(refused) => format!("VM/TEMPLATE/{}", refused.path),
        Problem::ContextSeparator { key } => format!("VM/TEMPLATE/CONTEXT/{key}"),
        Problem::Name { .. } => "VM/NAME".to_owned(),
        _ => format!("VM({})", vm.id()),
    };
    let lint = match problem {
        Problem::Name { name, why } => Lint::NameRefused { name: name.clone(), why: *why },
        Problem::Unmapped(unmapped) => Lint::Unmapped(unmapped.clone()),
        Problem::NoData { disk, why } => Lint::NoRbd { disk: *disk, why: *why },
        other => Lint::NoConversion { why: other.to_string() },
    };
    Finding { path, severity: Severity::Fails, lint }
}

fn state(vm: &Vm, findings: &mut Vec<Finding>) {
    let root = vm.root();
    let state = vm.state().unwrap_or(VmState::Other(u32::MAX));
    let at = root.child("STATE").unwrap_or(root);
    if state.has_checkpoint() {
        findings.push(Finding::at(at, Severity::Loses, Lint::MemoryInCheckpoint));
    }
    if matches!(state, VmState::Cloning | VmState::CloningFailure | VmState::Init) {
        findings.push(Finding::at(at, Severity::Differs, Lint::Unsettled));
    }
    for snapshot in vm.template().into_iter().flat_map(|template| template.all("SNAPSHOT")) {
        let name = snapshot.value("NAME").unwrap_or_default().to_owned();
        findings.push(Finding::at(snapshot, Severity::Loses, Lint::SystemSnapshot { name }));
    }
    if root.child("BACKUPS").and_then(|backups| backups.child("BACKUP_IDS")).is_some_and(|ids| !ids.is_leaf())
    {
        findings.push(Finding::at(root, Severity::Loses, Lint::BackupsStay));
    }
}

/// One attribute of `TEMPLATE` or `USER_TEMPLATE`.
fn attribute(field: Element<'_>, findings: &mut Vec<Finding>) {
    let text = field.text();
    let mut find = |element: Element<'_>, severity, lint| findings.push(Finding::at(element, severity, lint));
    match field.name() {
        "SCHED_REQUIREMENTS" => {
            // ID and NAME are a host's; CLUSTER_ID is a number of A.
            if names(text, &["ID", "NAME", "HOSTNAME", "HYPERVISOR_HOSTNAME"]) {
                find(field, Severity::Fails, Lint::PinnedToHost);
            }
            if names(text, &["CLUSTER_ID", "CLUSTER"]) {
                find(field, Severity::Fails, Lint::PinnedToCluster);
            }
        }
        "SCHED_DS_REQUIREMENTS" if names(text, &["ID", "NAME"]) => {
            find(field, Severity::Fails, Lint::PinnedToDatastore);
        }
        "PCI" => find(field, Severity::Fails, Lint::PciDevice),
        "OS" => os(field, &mut find),
        "TPM" => find(field, Severity::Loses, Lint::Tpm),
        "TOPOLOGY" => {
            for pin in ["NODE_AFFINITY", "HUGEPAGE_SIZE"] {
                if let Some(pin) = field.child(pin) {
                    find(pin, Severity::Fails, Lint::HostTopology);
                }
            }
            let policy = field.filled("PIN_POLICY").unwrap_or("NONE");
            if !policy.eq_ignore_ascii_case("NONE") {
                find(field.child("PIN_POLICY").unwrap_or(field), Severity::Fails, Lint::HostTopology);
            }
        }
        "CPU_MODEL" if field.value("MODEL").is_some_and(|model| model != "host-passthrough") => {
            find(field, Severity::Differs, Lint::CpuModel);
        }
        "EMULATOR" => find(field, Severity::Fails, Lint::HostPath),
        "RAW" => find(field, Severity::Differs, Lint::Raw),
        "VMGROUP" => find(field, Severity::Differs, Lint::VmGroup),
        "VROUTER_ID" => find(field, Severity::Fails, Lint::VirtualRouter),
        "GRAPHICS" if field.filled("PASSWD").is_some() => {
            find(field, Severity::Differs, Lint::GraphicsPassword);
        }
        _ => {}
    }
}

fn os(field: Element<'_>, find: &mut impl FnMut(Element<'_>, Severity, Lint)) {
    for inner in field.children().filter(|inner| !inner.text().is_empty()) {
        match inner.name() {
            "KERNEL_DS" | "INITRD_DS" => find(inner, Severity::Fails, Lint::KernelFile),
            "KERNEL" | "INITRD" => find(inner, Severity::Fails, Lint::HostPath),
            "FIRMWARE" if !inner.text().eq_ignore_ascii_case("BIOS") => {
                find(inner, Severity::Loses, Lint::UefiVariables);
            }
            _ => {}
        }
    }
}

/// Whether a requirement names one of these attributes, as a whole word.
fn names(requirement: &str, wanted: &[&str]) -> bool {
    let word = |one: char| one.is_ascii_alphanumeric() || one == '_';
    // What stands in quotes is a value.
    requirement
        .split('"')
        .step_by(2)
        .flat_map(|plain| plain.split(|one| !word(one)))
        .any(|name| wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
}

fn context(vm: &Vm, findings: &mut Vec<Finding>) {
    let Some(context) = vm.context() else { return };
    for field in context.children() {
        let (name, text) = (field.name(), field.text());
        let mut find = |severity, lint| findings.push(Finding::at(field, severity, lint));
        match name {
            "FILES" if !text.is_empty() => find(Severity::Loses, Lint::ContextFiles),
            "FILES_DS" if !text.is_empty() => find(Severity::Fails, Lint::ContextFiles),
            "TOKEN" if text.eq_ignore_ascii_case("YES") => find(Severity::Fails, Lint::OneGate),
            "PASSWORD" => match vm.secrets() {
                Secrets::Encrypted => find(Severity::Loses, Lint::CipherText),
                Secrets::Unknown if looks_encrypted(text) => find(Severity::Loses, Lint::CipherText),
                _ => {}
            },
            _ => {}
        }
        let wrong = name != "FILES_DS" && dollars(text).next().is_some();
        if wrong {
            let kept = name == "START_SCRIPT" && context.child("START_SCRIPT_BASE64").is_none();
            let severity = if kept { Severity::Differs } else { Severity::Loses };
            find(severity, Lint::ContextVariable);
        }
    }
}

#[cfg(test)]
mod tests;
