//! From running text to sequences for pre-training, kept in files of tokens: ELECTRA's rule
//! (`build_pretraining_dataset.py`).

mod build;
mod builder;
mod shard;
mod shards;

pub(crate) use build::{Made, Writer};

pub use build::{BuildOptions, Built, Chosen, build};
pub use builder::{Builder, Draws, Segments, Split};
pub use shard::Shard;
pub use shards::TokenShards;
