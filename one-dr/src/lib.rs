//! Disaster recovery of OpenNebula VMs on Ceph: protect, move, fail over, fail back, and resume after a crash.
//!
//! ```text
//!   SitePair ──observe──> Observation ──plan──> Plan ──Run::start──> Report
//!   two sites   reads      data, with a    guards,  \    journal, lease,
//!               only       fingerprint     steps     \   one step after the other
//!                                                     └─ a file, for `apply`
//! ```
//! A site is three things behind traits: its Ceph pool ([`Storage`]), its OpenNebula ([`FrontEnd`]), and time ([`Clock`]).
//!
//! ```no_run
//! use one_dr::journal::Directory;
//! use one_dr::{Intent, Run, Scope, SitePair, Verb, observe, plan};
//!
//! # fn relocate(pair: &SitePair) -> Result<(), Box<dyn std::error::Error>> {
//! let seen = observe(pair, &Scope::of(&[12]))?;
//! // A refusal says what is, what is at risk, and the safe command: print it.
//! let plan = plan(&seen, Intent::new(Verb::Relocate, &pair.settings), &pair.settings)?;
//! for step in &plan.steps {
//!     println!("{:?} {}", step.vm, step.action);
//! }
//! let store = Directory::new("runs");
//! let report = Run::start(pair, &store, plan)?.to_end(|event| println!("{event:?}"))?;
//! // Stopped at a named wait, or killed? The same steps from the top: what is done is found done.
//! if report.end == one_dr::run::End::Stopped {
//!     Run::resume(pair, &store, &report.run)?.to_end(|_| {})?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | word | what it is |
//! |---|---|
//! | [`observe()`], [`Observation`] | both sites, the catalog and the VMs, as data |
//! | [`Guard`], [`guard::Finding`] | a named refusal, with evidence; overridden one by one, with a reason |
//! | [`Plan`], [`step::Step`] | what is done, in order; each step looks, acts, and looks again |
//! | [`Run`], [`journal`], [`lease`] | carrying it out; the line of intent before every change; one operator at a time |
//! | [`catalog`], [`epoch`], [`stamp`] | what is kept: metadata, who is active, what we made |
//! | `model` | two sites in memory, for tests (feature `model`) |
//!
//! # What it promises
//! - A failover needs the surviving site alone.
//! - Nothing is changed before a line that says so is durable, here and in a pool.
//! - Force is a step of a plan that was looked at. It is never the answer to a failure.
//! - A call whose answer was lost is never repeated before its effect was looked for.
//! - From a kill at any point, `resume` comes to the end of an undisturbed run, or stops at a named wait.

#![forbid(unsafe_code)]
#![warn(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::expect_used))]

pub mod catalog;
pub mod clock;
pub mod config;
pub mod convert;
pub mod doctor;
pub mod epoch;
pub mod frontend;
pub mod guard;
pub mod hook;
pub mod journal;
pub mod lease;
#[cfg(any(test, feature = "model"))]
pub mod model;
pub mod observe;
pub mod overview;
pub mod plan;
pub mod run;
pub mod select;
pub mod settings;
pub mod site;
pub mod stamp;
pub mod step;
pub mod storage;

pub use clock::{Clock, Moment};
pub use frontend::FrontEnd;
pub use guard::Guard;
pub use observe::{Observation, Scope, observe};
pub use plan::{Intent, Plan, Verb, plan};
pub use run::Run;
pub use settings::Settings;
pub use site::{Side, Site, SitePair};
pub use storage::Storage;
