//! How dialogues are built.

use crate::dialog::bpe::BpeSize;
use crate::dialog::encoded::PairLengths;
use crate::dialog::filters::Filters;
use crate::dialog::part::DialogSplit;
use crate::dialog::read::DialogReadOptions;
use serde::{Deserialize, Serialize};

/// How dialogues are built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DialogBuildOptions {
    /// Bytes of memory for messages, pairs and digests. The tokenizer (some 20 MB), and the window
    /// of a packed dump (up to 2 GiB for Reddit's), come on top.
    pub memory: u64,
    /// Threads, at most four are used; 0 for one a processor. They share the memory.
    pub workers: usize,
    /// How files are read.
    pub read: DialogReadOptions,
    /// What is dropped.
    pub filters: Filters,
    /// How conversations are split.
    pub split: DialogSplit,
    /// How long contexts and responses may be.
    pub lengths: PairLengths,
    /// The size of a vocabulary that is made.
    pub vocabulary: BpeSize,
    /// Bytes of text that it is made of, at most; at most a sixteenth of the memory too.
    pub vocabulary_bytes: u64,
    /// Tokens of a file; at most one for 32 bytes of memory, in which it is put together.
    pub shard_tokens: u64,
    /// What tells the words or the classifier that make a message unsafe from others, such as a
    /// digest.
    pub unsafe_words: String,
}

impl Default for DialogBuildOptions {
    /// 2 GiB, the filters of Meena's paper, 8,192 tokens made of up to 64 MiB of text.
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            workers: 0,
            read: DialogReadOptions::default(),
            filters: Filters::default(),
            split: DialogSplit::default(),
            lengths: PairLengths::default(),
            vocabulary: BpeSize::default(),
            vocabulary_bytes: 64 << 20,
            shard_tokens: 1 << 26,
            unsafe_words: String::new(),
        }
    }
}
