//! What the integration tests and the drill share: connections to the lab's sites, and data that tells what is missing of it.

pub mod connect;
pub mod stamped;
