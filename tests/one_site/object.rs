//! Objects of a tool beside the images, and locks that run out.

use std::time::Duration;

use anyhow::Result;
use rbd_mirror::{Deadline, Error, Refusal, wait};
use tests::expect::refusal;

use crate::site::{self, ONE, SOON};

const LONG: Duration = Duration::from_secs(600);

#[test]
fn an_object_is_read_as_it_was_written_and_replaced_as_a_whole() -> Result<()> {
    let pool = site::pool(ONE)?;
    let large: Vec<u8> = (0..9_000_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[2]).collect();
    pool.write_object("tool.large", &large)?;
    assert!(pool.read_object("tool.large")? == large);
    pool.write_object("tool.large", b"short")?;
    assert_eq!(pool.read_object("tool.large")?, b"short");
    pool.append_object("tool.large", b" and more")?;
    assert_eq!(pool.read_object("tool.large")?, b"short and more");
    pool.write_object_at("tool.large", 6, b"but more")?;
    assert_eq!(pool.read_object("tool.large")?, b"short but more");
    pool.write_object_at("tool.large", 6, b"and more")?;
    // The witness reads the same.
    let file = site::lab()?.dir().join("tool.large");
    let path = file.display().to_string();
    site::site()?.rados_text(["-p", ONE, "get", "tool.large", path.as_str()])?;
    assert_eq!(std::fs::read(&file)?, b"short and more");
    pool.remove_object("tool.large")?;
    assert!(matches!(pool.read_object("tool.large"), Err(Error::NotFound { .. })));
    assert!(matches!(pool.remove_object("tool.large"), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn entries_come_back_in_order_also_when_they_are_more_than_one_reply_holds() -> Result<()> {
    let pool = site::pool(ONE)?;
    let keys: Vec<String> = (0..2_500).map(|number| format!("key-{number:05}")).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), key.as_bytes())).collect();
    pool.set_object_entries("tool.index", &entries)?;
    let read = pool.object_entries("tool.index")?;
    assert_eq!(read.len(), 2_500);
    assert!(
        read.iter()
            .zip(&keys)
            .all(|((key, value), expected)| key == expected && value == expected.as_bytes())
    );

    pool.set_object_entries("tool.index", &[("key-00001", b"\0binary\0"), ("key-00002", b"")])?;
    pool.remove_object_entries("tool.index", &["key-00000", "never-there"])?;
    let read = pool.object_entries("tool.index")?;
    assert_eq!(read.len(), 2_499);
    assert_eq!(read[0], ("key-00001".to_owned(), b"\0binary\0".to_vec()));
    assert_eq!(read[1], ("key-00002".to_owned(), Vec::new()));
    assert!(matches!(pool.object_entries("tool.nowhere"), Err(Error::NotFound { .. })));
    assert!(matches!(pool.remove_object_entries("tool.nowhere", &["a"]), Err(Error::NotFound { .. })));
    Ok(())
}

#[test]
fn a_lock_keeps_others_out_names_its_holder_is_renewed_and_given_back() -> Result<()> {
    let (ours, theirs) = (site::pool(ONE)?, site::pool(ONE)?);
    // The OSD takes no time at all for a lock that never runs out.
    let never = ours.lock_object("tool.lease", "run", "operator one", Duration::from_nanos(999));
    assert!(matches!(never, Err(Error::InvalidInput { .. })));
    ours.lock_object("tool.lease", "run", "operator one", LONG)?;
    ours.lock_object("tool.lease", "run", "operator one", LONG)?;
    let Refusal::LockedBy(holder) = refusal(theirs.lock_object("tool.lease", "run", "operator two", LONG))
    else {
        panic!("another reason");
    };
    assert!(holder.contains("operator one"), "{holder}");
    // The same client under another name is another holder.
    assert!(matches!(
        refusal(ours.lock_object("tool.lease", "run", "operator one's other run", LONG)),
        Refusal::LockedBy(_)
    ));
    assert!(matches!(theirs.unlock_object("tool.lease", "run", "operator two"), Err(Error::NotFound { .. })));
    ours.unlock_object("tool.lease", "run", "operator one")?;
    assert_eq!(theirs.object_lockers("tool.lease", "run")?, []);
    theirs.lock_object("tool.lease", "run", "operator two", LONG)?;

    let holder = ours.object_lockers("tool.lease", "run")?.remove(0);
    assert_eq!(holder.cookie, "operator two");
    ours.break_object_lock("tool.lease", "run", &holder)?;
    ours.lock_object("tool.lease", "run", "operator one", LONG)?;
    Ok(())
}

#[test]
fn a_lock_whose_holder_is_gone_runs_out() -> Result<()> {
    let (ours, theirs) = (site::pool(ONE)?, site::pool(ONE)?);
    ours.lock_object("tool.expiring", "run", "gone", Duration::from_millis(1_500))?;
    assert!(matches!(
        refusal(theirs.lock_object("tool.expiring", "run", "next", LONG)),
        Refusal::LockedBy(_)
    ));
    let on = rbd_mirror::Subject::from(theirs.spec().image("tool.expiring"));
    wait::until("free", &on, Deadline::after(SOON), || {
        match theirs.lock_object("tool.expiring", "run", "next", LONG) {
            Ok(()) => Ok(wait::Seen::Done(())),
            Err(error) if error.refusal().is_some() => Ok(wait::Seen::NotYet(error.to_string())),
            Err(error) => Err(error),
        }
    })?;
    assert!(matches!(ours.unlock_object("tool.expiring", "run", "gone"), Err(Error::NotFound { .. })));
    Ok(())
}
