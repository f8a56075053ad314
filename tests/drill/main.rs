//! The disaster-recovery drill.

fn main() {}
