//! Data for semi-supervised learning on images: readers of the usual formats, the label splits of published recipes by
//! name, and a loader that augments on worker threads and gives the same bytes for any number of them. Everything is plain
//! host memory (`ndarray`, bytes); no tensor library. Order, augmentation and splits are pure functions of seeds and
//! positions, so a run resumes at any step without saved loader state.
//!
//! ```
//! use data_pipeline::{dataset::digits, loader::{Loader, Stream, plain}, sampler::Order, split::digits_split};
//! use std::sync::Arc;
//!
//! // 100 labelled images of the embedded digits, in batches of 32.
//! let split = digits_split(10, 1)?;
//! let labeled = Stream {
//!     set: Arc::new(digits::load()),
//!     entries: split.labeled,
//!     views: vec![plain()],
//!     batch: 32,
//!     seed: 1,
//!     order: Order::Shuffled,
//! };
//! for step in Loader::start(vec![labeled], 0, Some(3), 2) {
//!     let step = step?;
//!     assert_eq!(step.batches[0].views[0].dim(), (32, 8, 8, 1));
//! }
//! # Ok::<(), data_pipeline::error::DataError>(())
//! ```
#![forbid(unsafe_code)]

mod atomic;
pub mod balance;
pub mod dataset;
pub mod error;
pub mod fetch;
pub mod loader;
pub mod numpy_random;
pub mod picture;
pub mod pseudo_labels;
pub mod sampler;
pub mod split;
mod split_rules;
