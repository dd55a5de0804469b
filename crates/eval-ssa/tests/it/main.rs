//! Tests of the crate from outside.

mod adjudications;
mod cases;
mod contexts;
mod exchange;
mod golden;
mod quality;
mod simulated;
mod slices;
mod summary;
mod transcripts;
