//! Integration tests.

mod decoding;
mod golden;
mod gpt2;
mod layouts;
mod shapes;
mod training;
