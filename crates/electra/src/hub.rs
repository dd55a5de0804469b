//! Folders of networks as the Hugging Face hub has them: `config.json` beside weights.
//!
//! [`Checkpoint::open`] reads one, by path or by its name in the hub's cache: ELECTRA's
//! discriminators and generators, and BERT; weights in safetensors, in shards, or in PyTorch's
//! files, which are read as data and never run. [`save`] writes what transformers reads.
//! [`Checkpoint::from_tensorflow`] takes networks out of google-research's own checkpoints.
//!
//! A checkpoint is loaded [completely or not at all](Checkpoint::load). Names may lack the prefix
//! `bert.` or `electra.` (a bare model's), norms may be spelt `gamma` and `beta`; buffers of
//! positions are passed over, and so are output tables that are the table of tokens.

mod config;
mod load;
mod open;
mod save;
mod tensorflow;

pub use config::HubConfig;
pub use load::{Checkpoint, Heads, Loaded};
pub use save::save;
pub use tensorflow::Network;
