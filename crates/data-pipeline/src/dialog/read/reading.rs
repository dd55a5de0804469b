//! What a reader is given, and what it hands messages to.

use crate::dialog::message::Message;
use crate::dialog::part::DialogPart;
use crate::error::DataError;
use crate::text::read::{OnBadInput, Tally};
use serde::{Deserialize, Serialize};

/// How files are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DialogReadOptions {
    /// What becomes of a line that cannot be read.
    pub on_bad: OnBadInput,
    /// A line may have so many bytes.
    pub longest: usize,
}

impl Default for DialogReadOptions {
    /// Bad input is an error; 16 MiB a line.
    fn default() -> Self {
        Self { on_bad: OnBadInput::Error, longest: 16 << 20 }
    }
}

/// What takes the messages one after another.
pub(super) type Each<'a> = &'a mut dyn FnMut(Message) -> Result<(), DataError>;

/// What a reader is given beside its file.
pub(super) struct Reading<'a> {
    pub(super) options: &'a DialogReadOptions,
    pub(super) tally: &'a mut Tally,
    pub(super) each: Each<'a>,
    /// What the names of conversations begin with, for formats whose names are those of a file.
    pub(super) prefix: String,
    pub(super) part: Option<DialogPart>,
}

impl Reading<'_> {
    /// Hands out a message.
    pub(super) fn message(&mut self, mut message: Message) -> Result<(), DataError> {
        message.part = message.part.or(self.part);
        self.tally.bytes += message.text.len() as u64;
        (self.each)(message)
    }

    /// A conversation whose turns follow each other: (author, text).
    pub(super) fn chain(
        &mut self,
        conversation: &str,
        turns: impl Iterator<Item = (String, String)>,
    ) -> Result<(), DataError> {
        self.tally.documents += 1;
        for (i, (author, text)) in turns.enumerate() {
            self.message(Message {
                conversation: format!("{}/{conversation}", self.prefix),
                // Of equal width, so that they sort as they were said.
                id: format!("{i:04}"),
                parent: i.checked_sub(1).map(|before| format!("{before:04}")),
                author,
                text,
                part: None,
            })?;
        }
        Ok(())
    }

    /// A bad record: an error, or counted.
    pub(super) fn bad(&mut self, reason: &str, error: DataError) -> Result<(), DataError> {
        match self.options.on_bad {
            OnBadInput::Error => Err(error),
            OnBadInput::Skip => {
                self.tally.skip(reason);
                Ok(())
            }
        }
    }
}

/// The id of a parent in a file; `None` of nothing, and of what pandas and databases write for
/// nothing: `None`, `NaN`, `nan`, `<NA>`, `NULL`, `null`. All readers of messages go by it.
pub fn parent_of(text: String) -> Option<String> {
    let is_none = matches!(&*text, "" | "None" | "NaN" | "nan" | "<NA>" | "NULL" | "null");
    (!is_none).then_some(text)
}
