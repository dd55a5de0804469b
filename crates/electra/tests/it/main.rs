//! Integration tests.

mod answers;
mod golden;
mod hub;
mod minilm;
mod packing;
mod parts;
mod perturbed;
mod pretraining;
mod rates;
mod shapes;
mod tensorflow;
