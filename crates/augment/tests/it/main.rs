//! Integration tests: parity with Pillow, the papers' tables, policies as data, corruptions and metrics.

mod golden;
mod levels;
mod picture;
mod policies;
