//! Integration tests.

mod config;
mod count;
