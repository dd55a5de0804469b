//! Small pure pieces that several methods share.

mod sharpen;

pub use sharpen::{hard, sharpen};
