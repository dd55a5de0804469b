//! Integration tests: parity with Pillow, the papers' tables, policies as data, corruptions and metrics.

mod corruptions;
mod golden;
mod levels;
mod metrics;
mod picture;
mod policies;
