//! Finds librados and librbd.

fn main() {}
