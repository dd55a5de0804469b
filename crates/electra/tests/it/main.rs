//! Integration tests.

mod golden;
mod hub;
mod minilm;
mod packing;
mod pretraining;
mod rates;
mod shapes;
