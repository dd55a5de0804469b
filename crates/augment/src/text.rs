//! Augmentation of text: words replaced by their TF-IDF or uniformly, SwitchOut, and
//! back-translation (UDA, arXiv 1904.12848, section 2.2 and the released code).
//!
//! Like the images' operations they are pure functions of a text, settings and a keyed generator.
//! Replacement and SwitchOut are fast enough to run in each epoch; back-translation runs
//! once, into a cache that a later run continues ([`paraphrases`]), or several processes fill
//! together ([`paraphrase_parts`]), and training reads its files, of the texts that it was made of
//! ([`paraphrase_sources`]).
//! [`aug_ops`] names all of them as UDA does: `bt-0.9`, `tf_idf-0.7`, `unif-0.3`.
//!
//! | for | use (UDA) |
//! |---|---|
//! | sentiment, where the whole text counts | [`back_translation`] at 0.7 to 0.9 |
//! | topics, which keywords decide | [`tfidf`] |
//!
//! ```
//! use augment::{rng::Rng, text::{tfidf::TfIdf, words::words}};
//! let corpus: Vec<Vec<String>> = ["the film was good", "the plot was thin"].map(words).into();
//! let statistics = TfIdf::of(&corpus);
//! let mut text = corpus[0].clone();
//! statistics.replace(&mut text, 0.5, &mut Rng::new(1));
//! assert_eq!(text.len(), 4);
//! // `film` and `good` tell the documents apart and are spared before `the` and `was`.
//! let chances = statistics.chances(&corpus[0], 0.5);
//! assert!(chances[0] > chances[1] && chances[2] > chances[3]);
//! ```

use std::path::{Path, PathBuf};

use crate::fault::Fault;

pub mod aug_ops;
pub mod back_translation;
pub mod command;
pub mod paraphrase_parts;
pub mod paraphrase_sources;
pub mod paraphrases;
pub mod sentences;
pub mod switchout;
pub mod tfidf;
pub mod uniform;
pub mod words;

/// What can go wrong with files, translators and settings.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A file or folder that cannot be read or made.
    #[error("{}: {error}; check that the folder exists, may be written to and has space left", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
    /// A file that does not hold what it should.
    #[error("{}: {fault}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the way out.
        fault: String,
    },
    /// A file that another process is writing.
    #[error("{}: in use by another process; wait for it, or name another file", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A translator that failed or gave another number of lines.
    #[error("translator `{translator}`: {fault}")]
    Translator {
        /// Its name.
        translator: String,
        /// What is wrong.
        fault: String,
    },
    /// A setting out of its range.
    #[error(transparent)]
    Setting(#[from] Fault),
    /// A name that stands for no augmentation.
    #[error(
        "`{part}`: known are bt-0.9 (back-translation at a temperature), tf_idf-0.7 and unif-0.3 (replacement with a probability), joined by +"
    )]
    AugOp {
        /// What was not understood.
        part: String,
    },
    /// Too few paraphrases.
    #[error(
        "{found} of {wanted} copies of paraphrases are there; at least nine in ten are needed: go on translating, or ask for fewer"
    )]
    TooFew {
        /// Copies found.
        found: usize,
        /// Copies asked for.
        wanted: usize,
    },
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TextError {
    let path = path.to_path_buf();
    move |error| TextError::Io { path, error }
}

/// Writes a file that is whole or not there, making its folder.
fn write(path: &Path, bytes: &[u8]) -> Result<(), TextError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
    }
    Ok(atomic_file::write(path, bytes)?)
}
