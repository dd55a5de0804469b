//! Pairs of one part, in memory or in files.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::dataset::Samples;
use data_pipeline::dialog::{
    DialogPart, DialogTokenizer, EncodedPairs, MadeDialogs, PackedPairs, Pair,
};
use data_pipeline::error::DataError;
use data_pipeline::text::Sequence;
use data_pipeline::text::pretrain::TokenShards;

/// Pairs of one part.
pub(crate) struct Part {
    pub(crate) encoded: Arc<EncodedPart>,
    origin: Origin,
    /// Tokens of all responses, their ends included.
    pub(crate) response_tokens: u64,
}

/// What is known of pairs beside their token ids.
enum Origin {
    Pairs(Vec<Pair>),
    /// The part's name, and the number of each pair's conversation where it is not trained on.
    Numbers(&'static str, Vec<u32>),
}

/// Pairs in token ids; a sample is a sequence whose segment 0 is the context.
pub(crate) enum EncodedPart {
    Memory(EncodedPairs),
    Files(Arc<TokenShards>),
}

impl Samples for EncodedPart {
    type Item = Sequence;

    fn len(&self) -> usize {
        match self {
            Self::Memory(pairs) => pairs.len(),
            Self::Files(pairs) => pairs.len(),
        }
    }

    fn item(&self, index: usize) -> Result<Sequence, DataError> {
        match self {
            Self::Memory(pairs) => pairs.item(index),
            Self::Files(pairs) => pairs.item(index),
        }
    }

    fn label(&self, _index: usize) -> Option<u32> {
        None
    }

    fn id(&self, index: usize) -> String {
        match self {
            Self::Memory(pairs) => pairs.id(index),
            Self::Files(pairs) => pairs.id(index),
        }
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn size(&self, index: usize) -> u32 {
        match self {
            Self::Memory(pairs) => pairs.size(index),
            Self::Files(pairs) => pairs.size(index),
        }
    }
}

impl Part {
    /// Pairs with their texts, and the same in token ids.
    pub(crate) fn in_memory(pairs: Vec<Pair>, encoded: EncodedPairs) -> Self {
        let response_tokens = encoded.response_tokens();
        let encoded = Arc::new(EncodedPart::Memory(encoded));
        Self { encoded, origin: Origin::Pairs(pairs), response_tokens }
    }

    /// A part of pairs that were made before.
    pub(crate) fn in_files(made: &MadeDialogs, part: DialogPart) -> Result<Self> {
        let pairs = Arc::clone(made.pairs(part));
        let response_tokens = pairs.second_tokens()?;
        let origin = Origin::Numbers(part.name(), made.conversations(part).to_vec());
        Ok(Self { encoded: Arc::new(EncodedPart::Files(pairs)), origin, response_tokens })
    }

    /// The number of pairs.
    pub(crate) fn len(&self) -> usize {
        self.encoded.len()
    }

    /// The conversation of a pair. Panics where a part to train on was made before.
    pub(crate) fn conversation(&self, index: usize) -> Cow<'_, str> {
        match &self.origin {
            Origin::Pairs(pairs) => Cow::Borrowed(&pairs[index].conversation),
            Origin::Numbers(part, numbers) => Cow::Owned(format!("{part}/{:08}", numbers[index])),
        }
    }

    /// Conversation and name of a pair's response. Panics as [`conversation`](Self::conversation).
    pub(crate) fn place(&self, index: usize) -> String {
        match &self.origin {
            Origin::Pairs(pairs) => format!("{}/{}", pairs[index].conversation, pairs[index].id),
            Origin::Numbers(..) => format!("{}/{index}", self.conversation(index)),
        }
    }

    /// The turns of a pair's context, the oldest first; of pairs that were made before those that
    /// were kept.
    pub(crate) fn turns(&self, index: usize, tokenizer: &DialogTokenizer) -> Result<Vec<String>> {
        if let Origin::Pairs(pairs) = &self.origin {
            return Ok(pairs[index].context.iter().map(|turn| turn.to_string()).collect());
        }
        let pair = self.encoded.item(index).context("pairs in files")?;
        // A token stands behind each turn.
        let context = pair.ids[..pair.first as usize].split(|&id| id == tokenizer.turn());
        let turns = context.filter(|turn| !turn.is_empty());
        Ok(turns.map(|turn| tokenizer.decode(turn)).collect())
    }

    /// At most `most` of the pairs, evenly spread over them.
    pub(crate) fn spread(&self, most: usize) -> Vec<usize> {
        let all = self.len();
        let count = all.min(most);
        (0..count).map(|i| i * all / count).collect()
    }

    /// These pairs in batches, those of like length together.
    pub(crate) fn batches(
        &self,
        mut indices: Vec<usize>,
        batch: usize,
    ) -> impl Iterator<Item = Result<(Vec<usize>, PackedPairs)>> {
        indices.sort_by_cached_key(|&i| (self.encoded.size(i), i));
        let chunks: Vec<Vec<usize>> = indices.chunks(batch).map(<[usize]>::to_vec).collect();
        chunks.into_iter().map(|chunk| {
            let mut packed = PackedPairs::default();
            for &i in &chunk {
                packed.push(&self.encoded.item(i).context("a pair")?);
            }
            Ok((chunk, packed))
        })
    }
}
