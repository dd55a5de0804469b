//! Integration tests.

mod checkpoints;
mod fetch;
mod formats;
mod golden;
mod hostile;
mod pickles;
mod sidecars;
mod tensorflow;
