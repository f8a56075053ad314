//! Safe, typed RBD mirroring operations.
