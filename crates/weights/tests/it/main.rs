//! Integration tests.

mod checkpoints;
mod formats;
mod golden;
mod hostile;
mod pickles;
mod sidecars;
