//! Text: tokenizers, running text for pre-training, tasks for fine-tuning.
//!
//! Text files become [documents](corpus::Corpus), documents become [sequences](pretrain::build) in
//! files of tokens, and the loader gives [packed](Packed) batches of them without padding;
//! [`Masking`] draws what is masked. Labelled texts are a [`TextSet`], from [`Glue`],
//! [`Reviews`] or [`OwnTexts`]; questions are in [`Squad`], tagged words in [`TaggedSet`].
//!
//! ```
//! use data_pipeline::loader::{Loader, Stream};
//! use data_pipeline::text::pretrain::{BuildOptions, TokenShards, build};
//! use data_pipeline::text::corpus::{Corpus, ReadOptions};
//! use data_pipeline::text::{Casing, Masking, Pack, VocabularySize, VocabularyTrainer};
//! let folder = tempfile::tempdir().unwrap();
//! let file = folder.path().join("a.txt");
//! std::fs::write(&file, "It was a film.\nIt was long.\n\nIt was good.\n").unwrap();
//! let corpus = Corpus::open(&[file], ReadOptions::default())?;
//!
//! let mut trainer = VocabularyTrainer::new(Casing::default());
//! for document in corpus.documents() {
//!     document?.lines.iter().for_each(|line| trainer.count(line));
//! }
//! let tokenizer = trainer.tokenizer(VocabularySize { tokens: 50, ..Default::default() })?;
//!
//! let tokens = folder.path().join("tokens");
//! build(&corpus, &tokenizer, &tokens, &BuildOptions::default(), |_| {})?;
//! let set = TokenShards::open(&tokens)?;
//! let stream = Stream::shuffled(std::sync::Arc::new(set), Pack, 2, 1);
//! let step = Loader::builder(vec![stream]).steps(0..1).start().next().unwrap()?;
//! let packed = &step.batches[0].data;
//! let plan = Masking::default().plan(packed, tokenizer.specials(), tokenizer.size(), 128);
//! assert_eq!((packed.sequences(), plan.counts.len()), (2, 2));
//! # Ok::<(), data_pipeline::error::DataError>(())
//! ```

pub(crate) mod added_tokens;
mod basic;
mod charsmap;
mod class_names;
pub mod corpus;
pub mod duplicates;
mod glue;
mod labels;
mod layout;
mod marian;
mod masking;
pub(crate) mod memory;
mod own_texts;
mod piece_training;
pub mod pretrain;
pub mod read;
mod reviews;
mod sentencepiece;
mod sequence;
mod squad;
pub(crate) mod table;
mod tagging;
mod task;
mod terms;
mod texts;
mod tokenizer;
mod tokenizer_files;
mod views;
mod vocabulary_checks;
mod windows;
mod wordpiece_training;
pub(crate) mod words;

pub use class_names::class_by_name;
pub use glue::{Glue, GluePart};
pub(crate) use labels::number_value;
pub use labels::{in_spelling, plain_label, stands_for_none};
pub use layout::{Keep, Layout};
pub use marian::{MarianSpecials, MarianTokenizer};
pub use masking::{MaskPlan, Masking, Replacement};
pub use memory::Memory;
pub use own_texts::{Column, LabelKind, OwnTexts};
pub use piece_training::PieceTrainer;
pub use reviews::{Reviews, clean};
pub use sequence::{Pack, Packed, Sequence, batches_by_length};
pub use squad::{Answer, Question, Squad, SquadUse};
pub use tagging::{FurtherColumns, TaggedColumns, TaggedSentence, TaggedSequence, TaggedSet};
pub use task::{EncodedSet, Example, Target, TextSet};
pub use terms::{TermOptions, Terms};
pub use texts::Texts;
pub use tokenizer::{Encoder, Piece, Specials, Tokenizer};
pub use tokenizer_files::Casing;
pub use views::{Change, TextView, TextViews};
pub use windows::{SquadWindows, Window, Windows, spans};
pub use wordpiece_training::{VocabularySize, VocabularyTrainer};
