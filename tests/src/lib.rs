//! What the integration tests and the drill share: connections to the lab's sites, data that tells what is missing of it, and
//! writers that make it, and what tests expect of an outcome that is no success.

pub mod connect;
pub mod encoded;
pub mod examples;
pub mod expect;
pub mod stamped;
pub mod writer;
