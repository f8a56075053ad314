//! A manager that answers late. librados 16 waits for manager commands on its stack: a reply after its own time-out would be
//! written where the stack was.

use std::time::Duration;

use anyhow::Result;
use lab::{Daemon, Lab, Options, SiteId};
use rbd_mirror::{Cluster, wait};
use tests::connect;

use crate::sites::{ONE, SOON, in_a_process_of_its_own};

#[test]
fn a_manager_that_answers_late_costs_its_caller_a_limit_and_nobody_the_process() -> Result<()> {
    in_a_process_of_its_own(
        "manager::a_manager_that_answers_late_costs_its_caller_a_limit_and_nobody_the_process",
        late_answers,
    )
}

fn late_answers() -> Result<()> {
    let lab = Lab::up(Options::temporary("manager"))?;
    let limit = Duration::from_secs(3);
    let pool = Cluster::connect(connect::to(&lab.site(SiteId::B)).operations_within(limit))?.pool(ONE)?;
    assert!(!pool.daemons()?.is_empty());
    lab.freeze(SiteId::B, &[Daemon::Mgr])?;
    for _ in 0..3 {
        let error = pool.daemons().expect_err("the manager is frozen");
        assert!(error.is_unreachable(), "{error}");
    }
    lab.thaw(SiteId::B, &[Daemon::Mgr])?;
    // The late replies arrive now.
    wait::daemon_healthy(&pool, SOON)?;
    assert!(!pool.daemons()?.is_empty());
    Ok(())
}
