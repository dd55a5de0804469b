//! Integration tests.

mod checkpoint;
mod config;
mod count;
mod fast_net;
mod golden;
mod graph;
mod inference;
mod noise;
mod padding;
mod published;
mod small_net;
mod stages;
