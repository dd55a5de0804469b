//! Running text from files: which files, how they are packed, what a document is.
//!
//! | named | read |
//! |---|---|
//! | a file | that file |
//! | a folder | all files below it in the order of their paths, hidden ones left out |
//! | a pattern with `*`, `?`, `[` or `**` | the files that fit, in the order of their paths |
//!
//! | file, also with `.gz` or `.zst` behind | holds |
//! |---|---|
//! | `.jsonl`, `.ndjson` | an object a line; its text stands in [`ReadOptions::field`] |
//! | `.parquet` (by its content) | rows; their text stands in the column of that name |
//! | any other | text |
//!
//! Whether a file is packed is told by its content. Only LF ends a line (a CR before it goes with
//! it): U+0085, U+2028 and the like stand in texts. Reading streams: memory holds a document, not a
//! file.

mod documents;
mod lines;
mod parquet;
mod source;

pub(crate) use lines::Lines;
pub use lines::all_lines;
pub(crate) use parquet::{Columns, columns};
pub(crate) use source::{ends_with, open};

pub use documents::{Corpus, Document, Documents};
pub use lines::Tally;
pub use source::files;

use serde::{Deserialize, Serialize};

/// What becomes of input that cannot be read: a line that is no UTF-8 or too long, a record without
/// its field, a damaged file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadInput {
    /// Reading ends with an error that names file and line.
    #[default]
    Error,
    /// It is left out and counted by reason ([`Tally::skipped`]).
    Skip,
}

/// Where a document ends. Documents are never joined in one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// At a line without text, and at the end of a file or record.
    BlankLine,
    /// At the end of a file or record; lines without text are passed over (ELECTRA on
    /// OpenWebText).
    File,
    /// At the end of each line: a review a line.
    Line,
}

/// How text is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReadOptions {
    /// Where a document ends.
    pub boundary: Boundary,
    /// The field or column of text in JSON lines and Parquet.
    pub field: String,
    /// What becomes of bad input.
    pub on_bad: OnBadInput,
    /// A line (of a text file) or record may have so many bytes.
    pub longest: usize,
}

impl Default for ReadOptions {
    /// Blank lines end documents, the field is `text`, bad input is an error, 64 MiB a line.
    fn default() -> Self {
        Self {
            boundary: Boundary::BlankLine,
            field: "text".into(),
            on_bad: OnBadInput::Error,
            longest: 64 << 20,
        }
    }
}
