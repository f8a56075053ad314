//! The register of a user's labs: which directory has which ports. It makes labs side by side possible, and lets
//! a lab whose owner was killed be found and cleared away by whoever comes next.
//!
//! One file a lab, named after its first port, holding its directory's path. A claim is stale when that directory has
//! no record of the same port; no claim needs to be trusted longer than its lab exists.

use std::env;
use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::getuid;

use crate::directory::{Directory, absent_is_fine};
use crate::error::{At, Error, Result};
use crate::lab::{Teardown, take_down};
use crate::lock::Lock;
use crate::record::{FIRST_PORT, PORTS_PER_SITE, Record};
use crate::site::SiteId;

const LABS_MAX: u16 = 100;
const PORTS_PER_LAB: u16 = 2 * PORTS_PER_SITE;

/// How long the register's lock is waited for: its holders only look at files.
const LOCK_MAX: Duration = Duration::from_secs(30);

/// The folder of the register and, unless told otherwise, of the labs: the user's own, in the folder for temporary files.
pub(crate) fn base() -> PathBuf {
    env::temp_dir().join(format!("ceph-lab-{}", getuid().as_raw()))
}

fn lock_file() -> PathBuf {
    base().join("register.lock")
}

/// Takes the register's lock. The folder for temporary files is everybody's: one that another user has made under our
/// name is refused.
fn lock() -> Result<Lock> {
    let lock = Lock::acquire(&lock_file(), LOCK_MAX)?;
    let folder = fs::symlink_metadata(base()).at("look at", &base())?;
    let is_ours = folder.is_dir() && folder.uid() == getuid().as_raw();
    let refused = || IoError::new(ErrorKind::PermissionDenied, "it is not ours");
    is_ours.then_some(lock).ok_or_else(refused).at("use", &base())
}

/// The claim to the ports from `port` on.
pub(crate) fn claim_file(port: u16) -> PathBuf {
    base().join(format!("ports-{port}"))
}

fn ports() -> impl Iterator<Item = u16> {
    (0..LABS_MAX).map(|lab| FIRST_PORT + lab * PORTS_PER_LAB)
}

/// Finds free ports for the lab in `directory` and, before anybody else may look, has its record written.
pub(crate) fn claim(directory: &Directory, record: impl FnOnce(u16) -> Result<Record>) -> Result<Record> {
    let _lock = lock()?;
    for port in ports() {
        if holder(port).is_some() || !can_bind(port) {
            continue;
        }
        let file = claim_file(port);
        fs::write(&file, directory.path().as_os_str().as_encoded_bytes()).at("write", &file)?;
        let record = record(port)?;
        record.write(directory)?;
        return Ok(record);
    }
    Err(Error::NoPorts { first: FIRST_PORT, last: FIRST_PORT + (LABS_MAX - 1) * PORTS_PER_LAB })
}

/// Gives the ports of the lab in `directory` back; the register goes when it is empty.
pub(crate) fn release(directory: &Directory) -> Result<()> {
    if !base().exists() {
        return Ok(());
    }
    let _lock = lock()?;
    for port in ports() {
        let file = claim_file(port);
        if fs::read(&file).is_ok_and(|path| path == directory.path().as_os_str().as_encoded_bytes()) {
            absent_is_fine(fs::remove_file(&file)).at("remove", &file)?;
        }
    }
    let mut entries = fs::read_dir(base()).at("read", &base())?.flatten().map(|entry| entry.path());
    if entries.all(|entry| entry == lock_file()) {
        absent_is_fine(fs::remove_file(lock_file())).at("remove", &lock_file())?;
        absent_is_fine(fs::remove_dir(base())).at("remove", &base())?;
    }
    Ok(())
}

/// Takes down the labs whose owners have ended without doing so. Returns their directories.
///
/// # Errors
/// What a teardown meets; a lab that somebody else is just taking down is passed over.
pub fn reap() -> Result<Vec<PathBuf>> {
    let mut reaped = Vec::new();
    for directory in orphans()? {
        let Some(lock) = Lock::attempt(&directory.lock())? else { continue };
        // Look again: it may have got a new owner before we had its lock.
        if Record::read(&directory).is_some_and(|record| record.is_orphan()) {
            take_down(&directory, &lock, Teardown::Everything)?;
            reaped.push(directory.path().to_owned());
        }
    }
    Ok(reaped)
}

fn orphans() -> Result<Vec<Directory>> {
    if !base().exists() {
        return Ok(Vec::new());
    }
    let _lock = lock()?;
    let holders = ports().filter_map(holder);
    Ok(holders.filter(|(_, record)| record.is_orphan()).map(|(directory, _)| directory).collect())
}

/// The lab that has this port, if its claim still holds.
fn holder(port: u16) -> Option<(Directory, Record)> {
    let directory = Directory::new(Path::new(&fs::read_to_string(claim_file(port)).ok()?)).ok()?;
    let record = Record::read(&directory)?;
    (record.first_port == port).then_some((directory, record))
}

/// Whether somebody who is in no register sits on a monitor's port. The other ports have alternatives in their range.
fn can_bind(first: u16) -> bool {
    SiteId::ALL.iter().all(|site| {
        let port = first + *site as u16 * PORTS_PER_SITE;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    })
}
