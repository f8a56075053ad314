//! `cargo xtask setup`: finds what the project needs of the system, and installs it where it may.
//!
//! What is there is found by its files, not by its package: that is quick, and the same on every distribution.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

/// How a need is seen to be met.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// A program on the path.
    Program(&'static str),
    /// A C header.
    Header(&'static str),
    /// Any other file.
    File(&'static str),
    /// libclang, wherever LLVM's packages put it.
    Libclang,
    /// A tool of the Rust toolchain that runs us.
    Component(&'static str),
    /// A module of the system's own Python.
    Module(&'static str),
}

/// Something that the project needs.
#[derive(Clone, Copy, Debug)]
struct Need {
    sign: Sign,
    /// Debian's and Ubuntu's package, or the toolchain's component.
    package: &'static str,
    /// What it is for, in words for those whose packages are named otherwise.
    what: &'static str,
    /// Who needs it.
    by: Purpose,
}

/// What the system is to be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Starting sites, and building what works on them.
    Sites,
    /// All of that, and the checks of the sources.
    Tests,
    /// All of that, and the search for lost memory.
    Memory,
    /// All of that, and the peers of the benchmarks.
    Benches,
    /// Making images of Ceph releases from Debian's packages, and nothing else.
    Images,
}

const fn need(sign: Sign, package: &'static str, what: &'static str) -> Need {
    Need { sign, package, what, by: Purpose::Sites }
}

const fn for_tests(sign: Sign, package: &'static str, what: &'static str) -> Need {
    Need { sign, package, what, by: Purpose::Tests }
}

const fn for_benches(sign: Sign, package: &'static str, what: &'static str) -> Need {
    Need { sign, package, what, by: Purpose::Benches }
}

const fn for_images(sign: Sign, package: &'static str, what: &'static str) -> Need {
    Need { sign, package, what, by: Purpose::Images }
}

const NEEDS: [Need; 22] = [
    need(Sign::Program("ceph-mon"), "ceph-mon", "the Ceph monitor"),
    need(Sign::Program("ceph-mgr"), "ceph-mgr", "the Ceph manager"),
    need(Sign::Program("ceph-osd"), "ceph-osd", "the Ceph OSD"),
    need(Sign::Program("rbd-mirror"), "rbd-mirror", "the RBD mirroring daemon"),
    need(Sign::Program("ceph"), "ceph-common", "Ceph's command-line tools"),
    need(Sign::Program("rbd"), "ceph-common", "Ceph's command-line tools"),
    need(Sign::Program("rados"), "ceph-common", "Ceph's command-line tools"),
    need(Sign::Header("rbd/librbd.h"), "librbd-dev", "librbd's headers"),
    need(Sign::Header("rados/librados.h"), "librados-dev", "librados' headers"),
    need(Sign::Program("cc"), "gcc", "a C compiler"),
    need(Sign::Header("stdlib.h"), "libc6-dev", "the C library's headers"),
    for_tests(Sign::Program("git"), "git", "git, by which tidy knows our files"),
    for_tests(
        Sign::Libclang,
        "libclang-dev",
        "libclang, by which the bindings are checked against the headers",
    ),
    for_tests(Sign::File("/usr/sbin/nft"), "nftables", "nftables, by which sites are cut from each other"),
    for_tests(Sign::Component("rustfmt"), "rustfmt", "the formatter of the Rust toolchain"),
    for_tests(Sign::Component("cargo-clippy"), "clippy", "the linter of the Rust toolchain"),
    Need {
        sign: Sign::Program("valgrind"),
        package: "valgrind",
        what: "the memory checker valgrind",
        by: Purpose::Memory,
    },
    for_benches(Sign::Module("rbd"), "python3-rbd", "librbd's bindings for Python, a peer"),
    for_benches(Sign::Module("rados"), "python3-rados", "librados' bindings for Python, a peer"),
    for_benches(Sign::Module("lxml"), "python3-lxml", "lxml for Python, a peer"),
    for_images(
        Sign::Program("mmdebstrap"),
        "mmdebstrap",
        "mmdebstrap, which makes a root file system of packages",
    ),
    for_images(Sign::File(KEYRING), "debian-archive-keyring", "the keys of Debian's archive"),
];

/// By which packages of Debian are known to be Debian's.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The Python that the system's packages are for, whichever other comes first on the path.
pub(crate) const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// Where C headers are, besides below a machine's own triplet.
const INCLUDE: [&str; 2] = ["/usr/include", "/usr/local/include"];

/// Installs what is missing, or says how to.
pub(crate) fn run() -> Result<ExitCode> {
    if missing(Purpose::Tests).is_empty() {
        println!("setup: nothing is missing");
        return Ok(ExitCode::SUCCESS);
    }
    ensure(Purpose::Tests)?;
    Ok(ExitCode::SUCCESS)
}

/// [`run`] for commands that only want to go on: silent when nothing is missing.
pub(crate) fn ensure(purpose: Purpose) -> Result<()> {
    let missing_now = missing(purpose);
    if missing_now.is_empty() {
        return Ok(());
    }
    install(&missing_now)?;
    if let Some(need) = missing(purpose).first() {
        bail!("{} was installed, and still there is no {:?}", need.package, need.sign);
    }
    println!("setup: done");
    Ok(())
}

fn missing(purpose: Purpose) -> Vec<Need> {
    let tools = toolchain();
    let is_for = |need: &Need| match purpose {
        Purpose::Images => need.by == Purpose::Images,
        _ => need.by <= purpose,
    };
    let needed = NEEDS.into_iter().filter(is_for);
    needed.filter(|need| !is_met(need.sign, tools.as_deref())).collect()
}

fn is_met(sign: Sign, toolchain: Option<&Path>) -> bool {
    match sign {
        Sign::Program(name) => {
            let path = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&path).any(|folder| folder.join(name).is_file())
        }
        Sign::Header(name) => INCLUDE.iter().any(|folder| Path::new(folder).join(name).is_file()),
        Sign::File(name) => Path::new(name).is_file(),
        Sign::Libclang => env::var_os("LIBCLANG_PATH").is_some() || has_libclang(),
        Sign::Module(name) => {
            let mut python = Command::new(SYSTEM_PYTHON);
            python.arg("-c").arg(format!("import {name}")).stdout(Stdio::null()).stderr(Stdio::null());
            python.status().is_ok_and(|status| status.success())
        }
        Sign::Component(name) => toolchain.is_none_or(|folder| folder.join(name).is_file()),
    }
}

/// The folder of the programs of the Rust toolchain that runs us.
fn toolchain() -> Option<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    Some(Path::new(sysroot.trim()).join("bin"))
}

/// Only the development package has the file without a number, and the headers of clang's own that bindgen reads.
fn has_libclang() -> bool {
    let children = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = children.flat_map(|folder| [folder.join("lib"), folder]);
    let plain = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    folders.chain(plain).any(|folder| folder.join("libclang.so").exists())
}

/// Installs the needs as root on Debian and its like; otherwise fails with what to do.
fn install(missing: &[Need]) -> Result<()> {
    for package in names(missing) {
        let what = missing.iter().find(|need| need.package == package).map_or("", |need| need.what);
        println!("setup: missing: {what} ({package})");
    }
    let (components, packages): (Vec<Need>, Vec<Need>) =
        missing.iter().partition(|need| matches!(need.sign, Sign::Component(_)));
    install_components(&names(&components))?;
    install_packages(&names(&packages), &packages)
}

fn install_components(names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    if !is_met(Sign::Program("rustup"), None) {
        bail!("add these to the Rust toolchain: {}", names.join(" "));
    }
    succeed(Command::new("rustup").args(["component", "add"]).args(names))
}

fn install_packages(names: &[&str], needs: &[Need]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    if !is_met(Sign::Program("apt-get"), None) {
        let what: Vec<&str> = needs.iter().map(|need| need.what).collect();
        bail!("install these with your system's package manager, then try again: {}", what.join("; "));
    }
    let list = names.join(" ");
    if !geteuid().is_root() {
        bail!(
            "not root; run this, then try again:\n  \
             sudo apt-get update && sudo apt-get install --yes --no-install-recommends {list}"
        );
    }
    let had_ceph = Path::new("/usr/lib/systemd/system/ceph.target").exists()
        || Path::new("/lib/systemd/system/ceph.target").exists();
    println!("setup: installing {list}");
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        // A fresh machine may be updating itself; a changed configuration file of its owner's stays.
        apt.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"]);
        apt
    };
    succeed(apt().args(["update", "--quiet=2"]))?;
    succeed(apt().args(["install", "--yes", "--quiet=2", "--no-install-recommends"]).args(names))?;
    if !had_ceph && Path::new("/run/systemd/system").exists() {
        // The packages start `ceph-crash` and await daemons of the machine's own. The lab's are not systemd's.
        println!("setup: no Ceph service of this machine is to run: disabling them");
        succeed(Command::new("systemctl").args([
            "disable",
            "--quiet",
            "--now",
            "ceph-crash.service",
            "ceph.target",
        ]))?;
    }
    Ok(())
}

/// The packages, each once, in order.
fn names(needs: &[Need]) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for need in needs {
        if !names.contains(&need.package) {
            names.push(need.package);
        }
    }
    names
}

pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{NEEDS, Sign, is_met, names};

    #[test]
    fn a_program_that_does_not_exist_is_missing() {
        assert!(is_met(Sign::Program("sh"), None));
        assert!(!is_met(Sign::Program("ceph-of-another-world"), None));
        assert!(!is_met(Sign::Header("rbd/of-another-world.h"), None));
    }

    #[test]
    fn a_package_of_several_programs_is_asked_for_once() {
        let names = names(&NEEDS);
        assert_eq!(names.iter().filter(|name| **name == "ceph-common").count(), 1);
    }

    #[test]
    fn every_package_that_the_lab_names_is_installed() {
        for package in lab::PACKAGES {
            assert!(NEEDS.iter().any(|need| need.package == package), "{package}");
        }
    }
}
