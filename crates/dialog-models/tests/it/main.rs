//! Integration tests.

mod decoding;
mod golden;
mod gpt2;
mod layouts;
mod marian;
mod parts;
mod shapes;
mod training;
