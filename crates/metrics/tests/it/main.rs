//! Integration tests.

mod bleu;
mod classes;
mod golden;
mod squad;
