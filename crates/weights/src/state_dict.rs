//! Named tensors with what is known of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::TensorData;

/// The tensors of a file, with what is known of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// The tensors by name.
    pub tensors: BTreeMap<String, TensorData>,
    /// Texts beside them: see [`crate::meta`] for the keys that are known.
    pub meta: BTreeMap<String, String>,
    /// The file they come from.
    pub source: PathBuf,
    /// What was done to get them, in words: «read state_dict_ema».
    pub applied: Vec<String>,
}
