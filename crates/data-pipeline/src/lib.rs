//! Data for semi-supervised learning: readers of the usual image formats, the label splits of
//! published recipes by name, and a loader that prepares batches on worker threads and gives the
//! same bytes for any number of them. Everything is plain host memory (`ndarray`, bytes); no tensor
//! library. Order, augmentation and splits are pure functions of seeds and positions, so a run
//! resumes at any step without saved loader state.
//!
//! [`text`] has tokenizers, corpora and benchmark readers; [`dialog`] turns message trees into
//! context-response pairs.
//!
//! ```
//! use data_pipeline::dataset::digits;
//! use data_pipeline::loader::{Loader, Stream, Views, plain};
//! use data_pipeline::{sampler::Order, split::digits_split};
//! use std::sync::Arc;
//!
//! // 100 labelled images of the embedded digits, in batches of 32.
//! let split = digits_split(10, 1)?;
//! let labeled = Stream {
//!     set: Arc::new(digits::load()),
//!     entries: split.labeled,
//!     collate: Views(vec![plain()]),
//!     batch: 32,
//!     seed: 1,
//!     order: Order::Shuffled,
//! };
//! for step in Loader::builder(vec![labeled]).steps(0..3).workers(2).start() {
//!     let step = step?;
//!     assert_eq!(step.batches[0].data[0].dim(), (32, 8, 8, 1));
//! }
//! # Ok::<(), data_pipeline::error::DataError>(())
//! ```
//!
//! Samples need not be images. Here they are token ids, and a [`Collate`](loader::Collate) pads
//! them to the longest of a batch:
//!
//! ```
//! use data_pipeline::dataset::VecSet;
//! use data_pipeline::error::DataError;
//! use data_pipeline::loader::{Collate, Items, Loader, Stream};
//! use data_pipeline::sampler::Order;
//! use ndarray::{Array2, s};
//! use std::sync::Arc;
//!
//! #[derive(Clone)]
//! struct Pad(u32);
//!
//! impl Collate for Pad {
//!     type Item = Vec<u32>;
//!     type Batch = Array2<u32>;
//!     type Scratch = ();
//!
//!     fn collate(
//!         &self,
//!         items: Items<'_, Vec<u32>>,
//!         _: &mut (),
//!     ) -> Result<Array2<u32>, DataError> {
//!         let rows = items.map(|drawn| Ok(drawn?.item));
//!         let rows = rows.collect::<Result<Vec<_>, DataError>>()?;
//!         let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
//!         let mut ids = Array2::from_elem((rows.len(), longest), self.0);
//!         for (mut to, row) in ids.rows_mut().into_iter().zip(&rows) {
//!             to.slice_mut(s![..row.len()]).assign(&ndarray::aview1(row));
//!         }
//!         Ok(ids)
//!     }
//! }
//!
//! let stream = Stream {
//!     set: Arc::new(VecSet::new("toy", vec![vec![5, 6, 7], vec![8]], None, vec![])?),
//!     entries: vec![0, 1],
//!     collate: Pad(0),
//!     batch: 2,
//!     seed: 1,
//!     order: Order::Sequential,
//! };
//! let step = Loader::builder(vec![stream]).steps(0..1).start().next().unwrap()?;
//! assert_eq!(step.batches[0].data, ndarray::array![[5, 6, 7], [8, 0, 0]]);
//! # Ok::<(), DataError>(())
//! ```
#![forbid(unsafe_code)]

pub mod balance;
pub mod dataset;
pub mod dialog;
pub mod digest;
mod endings;
pub mod error;
pub mod fetch;
pub mod loader;
pub mod numpy_random;
pub mod parallel;
pub mod picture;
pub mod pseudo_labels;
pub mod sampler;
pub mod split;
pub mod text;
