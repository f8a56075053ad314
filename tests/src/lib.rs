//! What the integration tests and the drill share: connections to the lab's sites, data that tells what is missing of it, and
//! writers that make it, what tests expect of an outcome that is no success, and two whole sites with front-ends and guests,
//! driven by the `one-dr` command ([`office`]).

pub mod connect;
pub mod encoded;
pub mod examples;
pub mod expect;
pub mod office;
pub mod programs;
pub mod stamped;
pub mod writer;
