//! Dialogues: from message trees to pairs of a context and a response in token ids.
//!
//! [Readers](DialogSource) give [messages](Message) in any order. [`Dialogs`] finds their trees,
//! drops what the [`Filters`] of Meena's paper drop, with all that hangs below it, and gives
//! [pairs](Pair), each in one [part](DialogPart); a [`Funnel`] counts what went. [`BpeTrainer`]
//! makes a vocabulary, [`EncodedPairs`] holds pairs in token ids, and [`PackPairs`] makes batches
//! of them without padding. [`build_dialogs`] does all of it with messages that do not fit in
//! memory, and [`MadeDialogs`] opens what it made.
//!
//! ```
//! use data_pipeline::dialog::*;
//! use data_pipeline::loader::{Loader, Stream};
//! let folder = tempfile::tempdir().unwrap();
//! let path = folder.path().join("dialogues_text.txt");
//! let line = "Have you seen the film ? __eou__ Yes , it was great . __eou__ I like it too !\n";
//! std::fs::write(&path, line).unwrap();
//! let format = DialogFormat::DailyDialog;
//! let source = DialogSource { path, format, part: Some(DialogPart::Train) };
//!
//! let (messages, _) = read_all(&[source], &DialogReadOptions::default())?;
//! let dialogs = Dialogs::new(messages, &DialogSplit::default())?;
//! let mut trainer = BpeTrainer::default();
//! dialogs.texts(DialogPart::Train).for_each(|text| trainer.count(&text));
//! let tokenizer = trainer.tokenizer(BpeSize::default())?;
//!
//! let safety = SafetyWords::shipped();
//! let ids = |text: &str| tokenizer.ids(text).unwrap_or_default();
//! let checks = Checks { subwords: &ids, safety: &safety };
//! let mut selected = dialogs.select(&Filters::default(), &checks)?;
//! selected.remove_near_duplicates();
//! let train: Vec<&Pair> = selected.part(DialogPart::Train).collect();
//! let set = EncodedPairs::new("train", &train, &tokenizer, &PairLengths::default())?;
//!
//! let stream = Stream::shuffled(std::sync::Arc::new(set), PackPairs, 2, 1);
//! let step = Loader::builder(vec![stream]).steps(0..1).start().next().unwrap()?;
//! assert_eq!(step.batches[0].data.pairs(), 2);
//! # Ok::<(), data_pipeline::error::DataError>(())
//! ```

mod bpe;
mod build;
mod clean;
mod duplicates;
mod encoded;
mod filters;
mod forest;
mod funnel;
mod made;
mod message;
mod part;
mod read;
mod safety;
mod select;
mod streaming;
mod subwords;
mod tokenizer;

pub use bpe::{BpeSize, BpeTrainer};
pub use build::{DialogBuildOptions, DialogBuilt, DialogProgress, build_dialogs};
pub(crate) use clean::add_words;
pub use clean::one_line;
pub use encoded::{EncodedPairs, PackPairs, PackedPairs, PairLengths};
pub use filters::{Checks, Filters, words_as_subwords};
pub use funnel::{Dropped, Funnel, Reason};
pub use made::MadeDialogs;
pub use message::Message;
pub use part::{DialogPart, DialogSplit};
pub use read::{DialogFormat, DialogReadOptions, DialogSource, parent_of, read_all};
pub use safety::{Safety, SafetyWords};
pub use select::{Dialogs, Pair, Selected};
pub use streaming::StreamDecoder;
pub use tokenizer::DialogTokenizer;
