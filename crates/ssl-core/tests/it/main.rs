//! Integration tests: losses against numpy (golden/README.md), what a teacher may and may not do, and one check that every
//! method passes.

mod adapter;
mod golden;
mod lab;
mod labeling;
mod methods;
mod noise;
mod passes;
mod sharpen;
