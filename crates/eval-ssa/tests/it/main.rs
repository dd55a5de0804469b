//! Tests of the crate from outside.

mod cases;
mod contexts;
mod golden;
mod transcripts;
