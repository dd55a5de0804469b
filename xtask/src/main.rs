//! Orchestrates builds, checks and reproduction runs.
fn main() {}
