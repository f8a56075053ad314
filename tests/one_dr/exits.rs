//! Every exit code of the command, on two whole sites; with each refusal nothing has changed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{SiteId, until};
use serde_json::Value;
use tests::office::{Machine, Office, Output};

use crate::witness::{lives_at, nothing_lost, nothing_twice_at_b, roles};

/// A refusal says what is, what is at risk, and a safe command, and leaves everything as it was.
fn refused(office: &Office, machines: &[Machine], arguments: &[&str], guard: &str) -> Result<Output> {
    let before = (roles(office, machines)?, office.one_dr(&["history", "-o", "json"])?.expect(0)?.stdout);
    let output = office.one_dr(arguments)?.expect(4)?;
    for words in [guard, "REFUSED", "safe:", "at risk:"] {
        ensure!(output.stderr.contains(words), "{arguments:?} does not say {words:?}:\n{}", output.stderr);
    }
    let after = (roles(office, machines)?, office.one_dr(&["history", "-o", "json"])?.expect(0)?.stdout);
    ensure!(before == after, "{arguments:?} was refused and changed {before:?} to {after:?}");
    Ok(output)
}

fn usage(office: &Office) -> Result<()> {
    for arguments in [
        &["frobnicate"][..],
        &["relocate"],
        &["relocate", "erp-app", "--override", "no-such-guard=x"],
        &["relocate", "erp-app", "--override", "not-synced"],
        &["status", "-o", "/nowhere/at/all"],
        &["protect", "no-such-machine"],
    ] {
        let output = office.one_dr(arguments)?.expect(64)?;
        ensure!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
    // Nobody is there to be asked, and nobody said --yes.
    let output = office.one_dr(&["protect", "erp-app", "ledger"])?.expect(64)?;
    ensure!(output.stderr.contains("Nothing was changed"), "{}", output.stderr);
    office.one_dr(&["resume", "--yes", "2001-01-01-01"])?.expect(1)?;
    office.one_dr(&["apply", "--yes", "/no/such.plan"])?.expect(1)?;
    Ok(())
}

fn plans(office: &Office, machines: &[Machine]) -> Result<()> {
    office.one_dr(&["plan", "relocate", "ledger", "--detailed-exitcode", "-o", "ledger.plan"])?.expect(2)?;
    office.one_dr(&["plan", "relocate", "ledger"])?.expect(0)?;
    let output = office.one_dr(&["plan", "failback", "ledger", "--detailed-exitcode"])?.expect(0)?;
    ensure!(output.stderr.contains("data at risk"), "{}", output.stderr);
    // It was made from another state of things: the machine is moved meanwhile.
    office.one_dr(&["relocate", "--yes", "ledger"])?.expect(0)?;
    refused(office, machines, &["apply", "--yes", "ledger.plan"], "plan-stale")?;
    office.one_dr(&["failback", "--yes", "ledger"])?.expect(0)?;
    lives_at(office, machines, SiteId::A)
}

fn two_operators(office: &Office, machines: &[Machine]) -> Result<()> {
    let mut first = office.spawn(&["relocate", "--yes", "--events", "jsonl", "ledger"])?;
    first.wait_for("\"began\"", Duration::from_secs(60))?;
    let killed = first.kill()?;
    let run = killed.run()?;
    // Its lease is still held: whoever comes now is told by whom, and what to do.
    let output = refused(office, machines, &["relocate", "--yes", "erp-app"], "another-run-active")?;
    ensure!(output.stderr.contains(&run), "{}", output.stderr);
    office.one_dr(&["resume", "--yes", &run])?.expect(0)?;
    office.one_dr(&["resume", "--yes", &run])?.expect(1)?;
    office.one_dr(&["failback", "--yes", "ledger"])?.expect(0)?;
    lives_at(office, machines, SiteId::A)
}

/// Ctrl-C in the middle of a move, and the way back.
fn stopped_and_given_up(office: &Office, machines: &[Machine]) -> Result<()> {
    let mut run = office.spawn(&["relocate", "--yes", "--events", "jsonl", "ledger"])?;
    run.wait_for("power the VM off", Duration::from_secs(60))?;
    run.interrupt()?;
    let output = run.end(Duration::from_secs(120))?.expect(5)?;
    let name = output.run()?;
    for words in
        [format!("one-dr resume {name}"), format!("one-dr abort {name}"), "Nothing is lost".to_owned()]
    {
        ensure!(output.stderr.contains(&words), "it does not say {words:?}: {}", output.stderr);
    }
    office.one_dr(&["abort", "--yes", &name])?.expect(0)?;
    lives_at(office, machines, SiteId::A)
}

fn unreachable(office: &Office, machines: &[Machine]) -> Result<()> {
    let before = roles(office, machines)?;
    office.front(SiteId::B).stop();
    for verb in ["failover", "relocate"] {
        let output = office.one_dr(&[verb, "--yes", "ledger"])?.expect(6)?;
        ensure!(output.stderr.contains("site b") && output.stderr.contains("safe:"), "{}", output.stderr);
    }
    office.front(SiteId::B).start_again()?;
    ensure!(roles(office, machines)? == before, "a site that did not answer cost something");
    Ok(())
}

/// Somebody forces a promotion at B by hand while A lives. Ceph's health is OK with that.
fn two_primaries(office: &Office, machines: &[Machine]) -> Result<()> {
    let disk = &machines[1].disks[0];
    office.site(SiteId::B).rbd_text(["mirror", "image", "promote", "--force", disk])?;
    for verb in ["relocate", "failover"] {
        let output = office.one_dr(&[verb, "--yes", "ledger"])?.expect(7)?;
        ensure!(output.stderr.contains("both-primary"), "{}", output.stderr);
    }
    until("status shows two primaries", Duration::from_secs(90), Path::new("one-dr status"), || {
        let output = office.one_dr(&["status", "--check"]).map_err(|error| lab::Error::Answer {
            command: "one-dr status".to_owned(),
            why: error.to_string(),
        })?;
        Ok(lab::Seen::when(output.code == Some(7), || {
            format!("exit code {:?}: {}", output.code, output.stdout)
        }))
    })?;
    ensure!(roles(office, machines)?.contains(&format!("{disk} a+b")), "they are as they were left");
    // No record of ours tells who is right, so the refusal names both ways, and which data each keeps.
    let output = office.one_dr(&["reprotect", "--reversed", "--yes", "ledger"])?.expect(7)?;
    ensure!(
        output.stderr.contains("--reversed 1 --override both-primary=WHY     keeps what site a has"),
        "{}",
        output.stderr
    );
    // A's data stays: its guest never stopped.
    let why = "both-primary=promoted at b by mistake, the guest runs at a";
    let output =
        office.one_dr(&["reprotect", "--reversed", "--yes", "ledger", "--override", why])?.expect(0)?;
    ensure!(output.stderr.contains("is given up"), "it does not say what is lost: {}", output.stderr);
    lives_at(office, machines, SiteId::A)?;
    office.one_dr(&["status", "ledger"])?.expect(0)?;
    Ok(())
}

/// Goal: exit codes that scripts can rest on. Method: each is brought about for real, in an order in which one leads to the next.
#[test]
fn each_exit_code_is_what_the_documentation_says() -> Result<()> {
    let office = Office::up("exits")?;
    let machines = office.make_machines()?;
    office.init()?;
    // Nothing is captured yet: a check fails, a look does not.
    office.one_dr(&["status", "--check"])?.expect(3)?;
    office.one_dr(&["doctor"])?.expect(3)?;
    usage(&office)?;
    office.one_dr(&["protect", "--yes", "erp-app", "ledger"])?.expect(0)?;
    let again: Output = office.one_dr(&["init", "--yes"])?.expect(0)?;
    ensure!(again.stderr.contains("Nothing to do"), "{}", again.stderr);
    let output =
        refused(&office, &machines, &["failover", "--yes", "ledger"], "peer-still-primary-and-alive")?;
    ensure!(output.stderr.contains("one-dr plan relocate"), "{}", output.stderr);
    plans(&office, &machines)?;
    two_operators(&office, &machines)?;
    stopped_and_given_up(&office, &machines)?;
    unreachable(&office, &machines)?;
    nothing_twice_at_b(&office, &machines)?;
    nothing_lost(&office, &machines)?;
    two_primaries(&office, &machines)?;
    let history: Value = office.one_dr(&["history", "-o", "json"])?.expect(0)?.json()?;
    let over = history.as_array().is_some_and(|runs| runs.iter().all(|run| run["over"] == true));
    ensure!(over, "a run is left over: {history:#}");
    Ok(())
}
