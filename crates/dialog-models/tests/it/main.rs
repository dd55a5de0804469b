//! Integration tests.

mod decoding;
mod golden;
mod layouts;
mod shapes;
