//! A vocabulary and files of tokens, made once for a run; batches of tokens on the device.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::text::pretrain::{BuildOptions, Segments, TokenShards, build};
use data_pipeline::text::read::{Corpus, ReadOptions};
use data_pipeline::text::{self, Casing, Packed, Tokenizer, VocabularySize, VocabularyTrainer};
use torch::Device;

use super::texts::Document;

/// Running text in tokens.
pub(crate) struct Tokens {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) running: Arc<TokenShards>,
    pub(crate) held_out: Arc<TokenShards>,
}

/// How files of tokens are made.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    /// Size of the vocabulary that is made of the running text, the special tokens included; it is
    /// smaller where the text does not have as many pieces.
    pub(crate) vocabulary: usize,
    pub(crate) segments: Segments,
    /// Threads; 0 for all processors. The files are the same for any number.
    pub(crate) workers: usize,
}

impl Tokens {
    /// Makes what is not yet in `dir`: a vocabulary of the running text alone, and the tokens of
    /// it and of the held-out one.
    pub(crate) fn make(
        (running, held_out): (&[Document], &[Document]),
        dir: &Path,
        making: Making,
    ) -> Result<Self> {
        let tokenizer = vocabulary(running, &dir.join("vocabulary"), making.vocabulary)?;
        let part = |name: &str, documents: &[Document]| -> Result<Arc<TokenShards>> {
            let file = dir.join(format!("{name}.txt"));
            if !file.is_file() {
                atomic_file::write(&file, &in_lines(documents))?;
            }
            let corpus = Corpus::open(&[file], ReadOptions::default())?;
            let folder = dir.join(name);
            let (segments, workers) = (making.segments, making.workers);
            let options = BuildOptions { segments, workers, ..BuildOptions::default() };
            build(&corpus, &tokenizer, &folder, &options, |_| {})
                .with_context(|| format!("the tokens in {}", folder.display()))?;
            Ok(Arc::new(TokenShards::open(&folder)?))
        };
        let running = part("running", running)?;
        let held_out = part("held-out", held_out)?;
        Ok(Self { tokenizer, running, held_out })
    }
}

/// The vocabulary in `dir`, made of the running text if it is not there: `most` tokens, fewer where
/// the text does not have as many pieces.
pub(crate) fn vocabulary(running: &[Document], dir: &Path, most: usize) -> Result<Tokenizer> {
    if !dir.join("tokenizer.json").is_file() {
        let mut trainer = VocabularyTrainer::new(Casing::default());
        running.iter().flatten().for_each(|sentence| trainer.count(sentence));
        let size = VocabularySize { tokens: most, ..Default::default() };
        trainer.tokenizer(size)?.save(dir)?;
    }
    // As it is read back, so that a run that goes on has the same one.
    Ok(Tokenizer::open(dir)?)
}

/// A sentence a line, an empty line behind each document.
fn in_lines(documents: &[Document]) -> Vec<u8> {
    let mut text = String::new();
    for document in documents {
        for sentence in document.iter().map(|s| s.trim()).filter(|s| !s.is_empty()) {
            // Only LF ends a line.
            text.push_str(&sentence.replace('\n', " "));
            text.push('\n');
        }
        text.push('\n');
    }
    text.into_bytes()
}

/// A packed batch on the device.
pub(crate) fn on_device(packed: &Packed, device: Device) -> electra::Packed {
    let wide = |ids: &[u32]| ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>();
    let segments: Vec<i64> = packed.segments.iter().map(|&s| i64::from(s)).collect();
    let lengths: Vec<usize> = packed.lengths.iter().map(|&n| n as usize).collect();
    electra::Packed::from_parts(&wide(&packed.ids), &segments, &lengths, device)
}

/// Tokens of a batch for evaluation on a CPU, about: what layers pass on then stays in its caches.
const TOKENS: usize = 4096;

/// Sequences in batches for evaluation of at most so many, those of like length together: the
/// positions of a batch and the batch.
pub(crate) fn in_batches(
    sequences: &[text::Sequence],
    batch: usize,
    device: Device,
) -> impl Iterator<Item = (Vec<usize>, electra::Packed)> {
    let lengths: Vec<usize> = sequences.iter().map(text::Sequence::len).collect();
    let tokens = if device == Device::Cpu { TOKENS } else { usize::MAX };
    let chunks = text::batches_by_length(&lengths, batch, tokens);
    chunks.into_iter().map(move |chunk| {
        let packed = Packed::of(chunk.iter().map(|&i| &sequences[i]));
        (chunk, on_device(&packed, device))
    })
}
