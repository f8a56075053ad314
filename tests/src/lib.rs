//! What the integration tests and the drill share: connections to the lab's sites, data that tells what is missing of it, and
//! writers that make it.

pub mod connect;
pub mod stamped;
pub mod writer;
