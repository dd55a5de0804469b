//! Files of text: which ones, how they are packed, their lines and their columns.
//!
//! | named | read |
//! |---|---|
//! | a file | that file |
//! | a folder | all files below it in the order of their paths, hidden ones left out |
//! | a pattern with `*`, `?`, `[` or `**` | the files that fit, in the order of their paths |
//!
//! Whether a file is packed by gzip or zstd is told by its content. Only LF ends a line (a CR
//! before it goes with it): U+0085, U+2028 and the like stand in texts.

mod lines;
mod parquet;
mod source;

pub use lines::all_lines;
pub(crate) use lines::{Lines, NO_UTF8, if_quoted, json_fault};
pub(crate) use parquet::{Columns, columns, is_unsigned, packed};
pub(crate) use source::{open, refuse_json, refuse_pipe};

pub use lines::{Tally, times};
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
