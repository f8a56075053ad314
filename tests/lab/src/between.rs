//! The way between the two sites: cut, or losing packets. Clients of this machine reach both sites all the while.
//!
//! The packet filter drops what one site sends to the other: nobody is refused, nothing answers, as where a line is cut.
//! In containers the rules stand in the container of site A and know the other by its address. Plain processes of one
//! machine all have the same address, so there each `rbd-mirror`, the only one who talks to the other site, runs under a
//! group of its own, and the rules know it by that: which takes root.

use std::fs;
use std::io::Cursor;

use rustix::process::geteuid;

use crate::containers::Containers;
use crate::directory::{Directory, absent_is_fine};
use crate::error::{At, Error, Result};
use crate::record::{PORTS_PER_SITE, Record};
use crate::site::SiteId;
use crate::tool::{Tool, find};

/// Where administrators' programs are, whatever the path of whoever runs us.
const NFT: [&str; 3] = ["nft", "/usr/sbin/nft", "/sbin/nft"];

/// What is wrong with the way between the sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing gets through.
    Cut,
    /// So many of a hundred packets get lost, in each direction.
    Loss(u8),
}

impl Fault {
    /// What a rule does with a packet.
    fn verdict(self) -> String {
        match self {
            Self::Cut => "counter drop".to_owned(),
            Self::Loss(percent) => format!("numgen random mod 100 < {percent} counter drop"),
        }
    }
}

/// The name of a lab's table of rules.
pub(crate) fn table(record: &Record) -> String {
    format!("ceph_lab_{}", record.first_port)
}

/// The group under which a site's `rbd-mirror` runs, where it may: a number that names no group of the machine's own,
/// and harmless if it did, as the rules look at the lab's ports as well.
pub(crate) fn group(record: &Record, site: SiteId) -> Option<u32> {
    let group = u32::from(record.port(site));
    // In a user namespace only some groups exist: first inside, first outside, how many.
    let map = fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    let exists = map.lines().any(|line| {
        let fields: Vec<u64> = line.split_ascii_whitespace().flat_map(str::parse).collect();
        matches!(fields[..], [first, _, count] if (first..first + count).contains(&group.into()))
    });
    (geteuid().is_root() && exists).then_some(group)
}

/// Puts a fault between the sites, in the place of the one that is there; none mends it.
pub(crate) fn set(
    directory: &Directory,
    record: &Record,
    containers: Option<&Containers>,
    fault: Option<Fault>,
) -> Result<()> {
    let marker = directory.between();
    let rules = |chains: &dyn Fn(Fault) -> String| {
        let table = table(record);
        // Declared first, so that deleting it cannot fail: one transaction, whatever was there before.
        let mut text = format!("table inet {table} {{\n}}\ndelete table inet {table}\n");
        if let Some(fault) = fault {
            text += &format!("table inet {table} {{\n{}}}\n", chains(fault));
        }
        text
    };
    // Before the rules: who finds a marker without rules has nothing to mend, and that does no harm.
    if let Some(fault) = fault {
        fs::write(&marker, format!("{fault:?}\n")).at("write", &marker)?;
    }
    match containers {
        Some(containers) => containers.filter(SiteId::A, rules(&|fault| by_address(record, fault)))?,
        None => here(record, rules(&|fault| by_group(record, fault)))?,
    }
    if fault.is_none() {
        absent_is_fine(fs::remove_file(&marker)).at("remove", &marker)?;
    }
    Ok(())
}

/// In the container of site A, where everything to and from B passes.
fn by_address(record: &Record, fault: Fault) -> String {
    let (peer, verdict) = (record.address(SiteId::B), fault.verdict());
    format!(
        "chain out {{\ntype filter hook output priority 0;\nip daddr {peer} {verdict}\n}}\n\
         chain in {{\ntype filter hook input priority 0;\nip saddr {peer} {verdict}\n}}\n"
    )
}

/// On the machine itself. A sender is known by its group, an answer by the mark of the connection that it belongs to.
fn by_group(record: &Record, fault: Fault) -> String {
    let mark = record.first_port;
    let mut text = "chain out {\ntype filter hook output priority 0;\n".to_owned();
    for site in SiteId::ALL {
        let (group, first) = (record.port(site), record.port(site.other()));
        let last = first + PORTS_PER_SITE - 1;
        text += &format!("meta skgid {group} tcp dport {first}-{last} ct mark set {mark}\n");
    }
    text + &format!("ct mark {mark} {}\n}}\n", fault.verdict())
}

fn here(record: &Record, rules: String) -> Result<()> {
    if group(record, SiteId::A).is_none() {
        return Err(Error::NoCut { why: "the sites are processes of this machine, and you are not root" });
    }
    let found = NFT.into_iter().find(|program| find(program).is_some());
    let nft =
        found.ok_or(Error::NoCut { why: "there is no `nft` (Debian's and Ubuntu's package nftables)" })?;
    Tool::new(nft).args(["--file", "-"]).input(Box::new(Cursor::new(rules))).text().map(drop)
}
