//! Files of named tensors, and what belongs to them. Plain Rust, no tensor library.
//!
//! [`open`] reads safetensors, PyTorch's files of every age (zip, and the format before 1.6),
//! Hugging Face's shards and TensorFlow's checkpoints into a [`StateDict`] on the host. PyTorch's
//! files hold pickles, which are read [as data](pickle) and never run. A training checkpoint is
//! searched for its weights, those averaged over training first; what was done is kept in words.
//! [`find`](find::find) looks a name up in the caches of Hugging Face, of torch.hub and of this
//! project's [catalog]; [`matching`] brings the names of one code base to those of another;
//! [`meta`] says what a file keeps beside its tensors, above all the [`Preprocess`] that images
//! need.
//!
//! ```
//! use std::collections::BTreeMap;
//! use weights::{StateDict, TensorData};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("two.safetensors");
//! let bias = TensorData::from_f32(vec![2], &[0.5, 1.0]);
//! weights::save(&path, &BTreeMap::from([("fc.bias".to_owned(), bias)]), &BTreeMap::new())?;
//! let read: StateDict = weights::open(&path)?;
//! assert_eq!(read.tensors["fc.bias"].to_f32(), [0.5, 1.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod catalog;
mod error;
pub mod fetch;
pub mod find;
mod json;
pub mod matching;
pub mod meta;
mod open;
mod parts;
pub mod pickle;
mod preprocess;
mod safetensors_file;
mod sidecar;
mod state_dict;
mod tensor;
mod tensorflow;
mod torch_file;

pub use error::WeightsError;
pub use open::{open, open_part};
pub use preprocess::{Interpolation, Preprocess};
pub use safetensors_file::save;
pub use state_dict::StateDict;
pub use tensor::{Dtype, TensorData};
