//! Integration tests of the crate: one binary, since linking libtorch takes a while.

mod checkpoint;
mod ema;
mod events;
mod fit;
mod lab;
mod logistic;
mod parallel;
mod parts;
mod resume;
mod schedule;
mod signals;
mod sparse;
mod stage;
