//! Integration tests.

mod classes;
mod golden;
mod squad;
